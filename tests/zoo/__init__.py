"""One story told through every instrumentation, rebuilt by the product to one graph.

``story.py`` is what happens, ``expected.py`` what must come of it, written by hand as tables. A *style* is one
client library, traced in one way; ``styles.py`` lists them all. Each style tells the story in a process of its
own (``emit.py``), on a real broker, to a real node, whose HTTP API is then asked. To add a family of clients:
write a module of adapters as ``kafka.py``, name it in ``styles.py``, give its broker a fixture in ``test_zoo.py``.
"""
