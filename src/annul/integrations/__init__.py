"""What stands between an HTTP request and ``verify``: finding the token, and what binds it.

Nothing here knows a web framework or opens a connection. Every function takes what a request said
and returns a value, or raises an error of ``annul.errors``; whatever a client sends, nothing else
is raised.
"""
