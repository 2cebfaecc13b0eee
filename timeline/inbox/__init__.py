"""The durable inbox: what was accepted and is not yet stored.

One SQLite file per node (WAL, synchronous FULL). In: accepted requests, as received. Out:
leased batches for the drain, and the accounting of every item. A request leaves only when
the store confirmed all of its items. Not here: decoding, the store, the broker.
"""
