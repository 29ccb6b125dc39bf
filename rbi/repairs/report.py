"""A problem and where it is."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A problem at a node."""

    rule: str
    node: ast.expr | ast.stmt
    message: str
    hint: str
