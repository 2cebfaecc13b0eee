"""Answers to JSON, NDJSON and CSV: pure shapes and streaming writers.

Comes in: the view-models of ``timeline.answers`` and streams of facts. Goes out: plain dictionaries
(``json``) and chunks of bytes (``writers``). Every file states its query, its coverage and whether it
is complete, and ends with a closing record; a file without one was cut short. Not done here: HTML,
which is a template over the same view-models.
"""
