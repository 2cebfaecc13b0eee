"""From answers to what templates show: flat values, links and geometry, no markup.

In: a view-model of ``timeline.answers`` and the request's own parameters. Out: dicts for
templates. Positions are per cent of the drawing's width as strings (``"12.345%"``), so a
drawing stretches with its page; heights are pixels. Not here: HTTP, the store, sentences
about what happened (the answers bring those).
"""
