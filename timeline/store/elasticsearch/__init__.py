"""The shared store: a cluster of Elasticsearch 8.19 or 9, which every process may read and write.

In: facts and questions of ``timeline.store.port``. Out: its answers. Only what every
distribution and licence offers is used. ``store`` is the way in; ``address`` alone is light
enough to be read with the settings. Not here: security, snapshots and sizing of the cluster.
"""
