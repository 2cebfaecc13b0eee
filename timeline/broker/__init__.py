"""What reads brokers.

In: the topics that an OpenTelemetry Collector writes. Out: facts in the store, confirmed before an
offset is committed: Kafka is the durable log, so nothing passes through an inbox. Not here: how a
record is decoded (``ingest``), and what becomes of its items (``indexing``).
"""
