"""Facts in, the story out: hops, causal order, clocks, findings, drawings.

Comes in: the facts of a trace or an entity, and a bounded closure used for joining only.
Goes out: one ``Timeline`` (``assemble.timeline``), the rows of a waterfall (``tree``) and service
lanes (``lanes``), equal for every arrival order and for every repetition of the same facts.
Not done here: asking a store, reading a clock, moving a timestamp.
"""
