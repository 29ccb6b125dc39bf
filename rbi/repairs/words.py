"""Tables of names, written as text."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The names between blanks and line ends."""
    return frozenset(text.split())
