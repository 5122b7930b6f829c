"""Where something is in a text."""

Span = tuple[int, int]
"""Start and end, in characters."""
