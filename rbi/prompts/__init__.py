"""The prompts, one Markdown file each, rendered strictly: every place is filled, every value has a place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

from models.base import Prompt

_PLACE = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
_DIVIDER = "\n---\n"


def render(stage: str, inputs: Mapping[str, str]) -> Prompt:
    """The prompt of a stage. Values are inserted once and never searched for places themselves.

    A file holds the system part, a ``---`` line, and the user part. Raises `ValueError` when the file's places
    and ``inputs`` are not the same set.
    """
    text = resources.files(__name__).joinpath(f"{stage}.md").read_text(encoding="utf-8")
    system, _, user = text.partition(_DIVIDER)
    places = set(_PLACE.findall(text))
    if places != set(inputs):
        raise ValueError(f"prompt {stage}: places {sorted(places)} do not match inputs {sorted(inputs)}")
    return Prompt(
        stage=stage,
        system=_fill(system, inputs).strip(),
        user=_fill(user, inputs).strip(),
        inputs=MappingProxyType(dict(inputs)),
    )


def _fill(template: str, inputs: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: inputs[place.group(1)], template)
