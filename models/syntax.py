"""Python source -> syntax tree, safe to use from many threads."""

from __future__ import annotations

import ast
import threading

# CPython counts how deep it is in a tree for the whole interpreter: two threads that build trees at the same moment
# can end in "SystemError: AST constructor recursion depth mismatch".
_ONE_AT_A_TIME = threading.Lock()


def parse(source: str) -> ast.Module:
    """The tree of a module. Raises what `ast.parse` raises."""
    with _ONE_AT_A_TIME:
        return ast.parse(source)
