"""Standard output and error as they may be (closed, full, ASCII), and text made harmless for them."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import unicodedata
from typing import BinaryIO, TextIO

# Marks that reorder what is displayed: a name must not be able to look like another.
_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}

# What the names of threads that work on ideas begin with.
IDEA_THREADS = "rbi-idea"


def printable(text: str, *, longest: int | None = None) -> str:
    """One line that is safe to show: control characters, escapes and reordering marks become a visible dot."""
    out = "".join("·" if _unsafe(c) else c for c in " ".join(text.split()))
    return out if longest is None or len(out) <= longest else out[: longest - 1].rstrip() + "…"


def printable_lines(text: str) -> str:
    """Like `printable`, but keeping line breaks and tabs: for code and logs."""
    return "".join(c if c in "\n\t" else "·" if _unsafe(c) else c for c in text)


def _unsafe(character: str) -> bool:
    return ord(character) in _BIDI or unicodedata.category(character) in ("Cc", "Cs", "Co", "Zl", "Zp")


def counted(count: int, noun: str) -> str:
    """``1 idea``, ``2 ideas``, ``3 strategies``."""
    return f"{count} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """``ideas``, ``strategies``."""
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def prepare_streams() -> None:
    """Make standard output and error usable: closed ones lead nowhere, and no character can fail to be written."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open as long as we are
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def standard_input() -> BinaryIO:
    """Standard input as bytes; empty if it was closed."""
    return sys.stdin.buffer if sys.stdin else io.BytesIO()


def say(text: str) -> None:
    """One message on standard error. It is lost, and nothing else, if nobody reads there any more."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def ending_signals() -> tuple[signal.Signals, ...]:
    """The signals by which a user or a terminal ends us. SIGHUP is not among them under ``nohup``."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return tuple(numbers)


def abandon(stream: TextIO) -> None:
    """Nobody reads this stream any more: let what is still to come, its buffer included, lead nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def settle_streams() -> None:
    """Write out what is buffered now: at the interpreter's end a failure would change our exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            abandon(stream)
