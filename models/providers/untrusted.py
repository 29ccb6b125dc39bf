"""Reading values off the wire that may be anything: the SDKs build their objects without checking them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def as_json(event: Any) -> object:
    """What the SDK made of an event, as the JSON value it came from; ``None`` if it made nothing of it."""
    return event.model_dump(warnings=False) if hasattr(event, "model_dump") else None


def parsed(body: bytes) -> object:
    """A JSON body, or ``None`` if it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def mapping(holder: object, name: str) -> Mapping[str, Any]:
    """The object under ``name``; empty if there is none."""
    value = holder.get(name) if isinstance(holder, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def text(holder: object, name: str) -> str:
    """The text under ``name``; empty if there is none."""
    value = holder.get(name) if isinstance(holder, Mapping) else None
    return value if isinstance(value, str) else ""


def count(holder: object, name: str) -> int:
    """The count under ``name``; 0 if there is none."""
    value = holder.get(name) if isinstance(holder, Mapping) else None
    return value if isinstance(value, int) and value > 0 else 0
