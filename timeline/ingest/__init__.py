"""PURE: bytes in, facts out.

In: an ``Accepted`` request as the inbox keeps it. Out: ``Stored`` facts with their
identity, and the items that are poison with their bytes and reason. Not here: any
clock, store, database or environment; the caller passes what it knows.
"""
