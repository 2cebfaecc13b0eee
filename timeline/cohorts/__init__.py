"""Entities and the steps they reached: summaries, and who is stuck.

In: facts of the store, and the inbox's marks of entities that new facts touched. Out: one
``Summary`` per entity, put back into the store, which answers ``cohort`` from them. Not here:
the drain that leaves the marks, the board.

``steps`` and ``summary`` are pure; ``summarise`` reads and writes.
"""
