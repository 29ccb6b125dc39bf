"""Consoles for live output and for tables."""

from __future__ import annotations

import sys
from typing import NoReturn, TextIO

from rich.console import Console as _RichConsole

WIDE = 160


class Console(_RichConsole):
    """Rich's console, except that a reader who leaves is an error for us to handle, not the end of the process."""

    def on_broken_pipe(self) -> NoReturn:
        """Called while a `BrokenPipeError` is handled: pass it on."""
        raise BrokenPipeError


def console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (standard output by default); where it is no terminal, wide and without wrapping."""
    target = stream or sys.stdout
    terminal = target.isatty()
    return Console(
        file=target, width=None if terminal else WIDE, highlight=False, markup=False, soft_wrap=not terminal
    )
