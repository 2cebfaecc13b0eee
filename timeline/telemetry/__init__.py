"""What a node tells of itself: figures for Prometheus and spans of its own.

Figures are written to files under the data folder by every process of the node, since the web process answers
for all of them. Spans are off unless a share of them is asked for.
"""
