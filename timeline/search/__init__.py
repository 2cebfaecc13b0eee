"""PURE: the language of questions.

In: what a person typed or pasted. Out: a typed query tree (``query``), the words and
tokens that facts and questions share (``tokens``), and what the text could mean
(``identify``). Not here: asking a store, any clock, any engine's own language.
"""
