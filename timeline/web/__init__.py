"""The dashboard and the HTTP API: from a request to an answer, drawn or written.

In: signed-in people and read tokens. Out: HTML, JSON, files. What an answer says is
decided in ``timeline.reading``; here it is only shown.
"""
