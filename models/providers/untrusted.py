"""Reading values off the wire that may be anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# No answer has more; sums of larger counts would not fit into a record.
_MOST_TOKENS = 100_000_000

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def parsed(body: bytes) -> object:
    """A JSON body, or ``None`` if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def mapping(holder: object, name: str) -> Mapping[str, Any]:
    """The object under ``name``; empty if there is none."""
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else _NOTHING


def text(holder: object, name: str) -> str:
    """The text under ``name``; empty if there is none."""
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, str) else ""


def count(holder: object, name: str) -> int | None:
    """The count of tokens under ``name``; ``None`` if there is none, or something that cannot be one."""
    value = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_TOKENS:
        return None
    return int(value)
