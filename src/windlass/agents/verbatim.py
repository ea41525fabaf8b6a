"""The rule that a quote is one: it stands in its source, at the place that is named, letter for letter. Whoever wrote the answer."""

from __future__ import annotations


def misquoted(source: str, quote: str, start: int, end: int) -> str | None:
    """None for a quote that is `source[start:end]` and not empty; else the reason why it is not."""
    if not quote.strip():
        return "the quote is empty"
    if not 0 <= start < end <= len(source):
        return f"there are no characters {start} to {end} in the source"
    if source[start:end] == quote:
        return None
    return "the quote stands elsewhere in the source" if quote in source else "the quote does not stand in the source"
