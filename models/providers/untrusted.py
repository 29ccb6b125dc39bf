"""Reading values off the wire that may be anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

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


def count(holder: object, name: str) -> int:
    """The count under ``name``; 0 if there is none."""
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, int) and value > 0 else 0
