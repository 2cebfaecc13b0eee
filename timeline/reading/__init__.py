"""From a question to an answer: evidence first, then the store, then the verdict.

In: what was asked (``Ask``, an id, an entity). Out: the view-models of ``timeline.answers``.
What an answer rests on is gathered before the store is asked, so it never claims to have
searched what arrived meanwhile. Not here: HTTP, templates, files.
"""
