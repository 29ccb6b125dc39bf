"""What reaches a terminal: text made harmless, and consoles for live output and for tables."""

from __future__ import annotations

import sys
import unicodedata
from typing import TextIO

from rich.console import Console

WIDE = 160
# Marks that reorder what is displayed: a name must not be able to look like another.
_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


def printable(text: str, *, longest: int | None = None) -> str:
    """One line that is safe to show: control characters, escapes and reordering marks become a visible dot."""
    out = "".join("·" if _unsafe(c) else c for c in " ".join(text.split()))
    return out if longest is None or len(out) <= longest else out[: longest - 1].rstrip() + "…"


def printable_lines(text: str) -> str:
    """Like `printable`, but keeping line breaks and tabs: for code and logs."""
    return "".join(c if c in "\n\t" else "·" if _unsafe(c) else c for c in text)


def _unsafe(character: str) -> bool:
    return ord(character) in _BIDI or unicodedata.category(character) in ("Cc", "Cs", "Co", "Zl", "Zp")


def console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (standard output by default); where it is no terminal, wide and without wrapping."""
    target = stream or sys.stdout
    terminal = target.isatty()
    return Console(
        file=target, width=None if terminal else WIDE, highlight=False, markup=False, soft_wrap=not terminal
    )
