"""The prompts, one Markdown file each, rendered strictly: every place is filled, every value has a place.

A file in the user's own folder replaces the one of its name that comes with rbi.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from models.base import Prompt
from rbi.errors import UsageError

SUFFIX = ".md"
_PLACE = re.compile(r"\{\{\s*([^{}\n]*?)\s*\}\}")
_DIVIDER = "\n---\n"


@dataclass(frozen=True, slots=True)
class Prompts:
    """Every prompt by its stage: a system part, a ``---`` line, and the user part.

    ``overridden`` has the sha256 of those that are not the ones that come with rbi.
    """

    texts: Mapping[str, str]
    overridden: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def render(self, stage: str, inputs: Mapping[str, str]) -> Prompt:
        """The prompt of a stage. Values are inserted once and never searched for places themselves.

        Raises `ValueError` when the prompt's places and ``inputs`` are not the same set.
        """
        text = self.texts[stage]
        places = self.places(stage)
        if places != set(inputs):
            raise ValueError(f"prompt {stage}: places {sorted(places)} do not match inputs {sorted(inputs)}")
        system, _, user = text.partition(_DIVIDER)
        return Prompt(
            stage=stage,
            system=_fill(system, inputs).strip(),
            user=_fill(user, inputs).strip(),
            inputs=MappingProxyType(dict(inputs)),
        )

    def places(self, stage: str) -> frozenset[str]:
        """The names of a prompt's places."""
        return frozenset(_PLACE.findall(self.texts[stage]))

    def identity(self) -> dict[str, dict[str, str]]:
        """What of them can change a result, as a batch keeps it; empty if all come with rbi."""
        return {"prompts": dict(sorted(self.overridden.items()))} if self.overridden else {}


@cache
def shipped() -> Prompts:
    """The prompts that come with rbi."""
    files = (file for file in resources.files(__name__).iterdir() if file.name.endswith(SUFFIX))
    return Prompts(
        MappingProxyType({f.name.removesuffix(SUFFIX): f.read_text(encoding="utf-8") for f in files})
    )


def read_prompts(folder: str) -> Prompts:
    """The prompts that come with rbi, with those of the user's folder in their place; no folder if it is empty.

    Raises `UsageError` for a folder or file that cannot be read, a file whose name is no prompt's, and one whose
    places are not those of the prompt that it replaces.
    """
    if not folder:
        return shipped()
    own = {path.stem: _read(path) for path in _files(Path(folder))}
    changed = {stage: text for stage, text in own.items() if text != shipped().texts[stage]}
    return Prompts(
        MappingProxyType({**shipped().texts, **changed}),
        MappingProxyType({s: hashlib.sha256(text.encode()).hexdigest() for s, text in changed.items()}),
    )


def _files(folder: Path) -> list[Path]:
    names = [f"{stage}{SUFFIX}" for stage in sorted(shipped().texts)]
    try:
        # What editors and version control leave beside the files is nobody's prompt.
        found = sorted(p for p in folder.iterdir() if not p.name.startswith(".") and not p.name.endswith("~"))
    except OSError as error:
        raise UsageError(
            f"the folder of prompts cannot be read: {error.strerror}",
            where=str(folder),
            fix="`rbi init --prompts` writes a folder of them to begin with",
        ) from None
    for path in found:
        if path.name not in names:
            close = difflib.get_close_matches(path.name, names, n=1)
            fix = (
                f"did you mean {close[0]}?"
                if close
                else f"the prompts are {', '.join(names)}; move others away"
            )
            raise UsageError(f"there is no prompt {path.name!r}", where=str(folder), fix=fix)
    return found


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")  # its line ends become our own
    except UnicodeDecodeError:
        raise UsageError("the prompt is not UTF-8 text", where=str(path), fix="save it as UTF-8") from None
    except OSError as error:
        raise UsageError(
            f"the prompt cannot be read: {error.strerror}", where=str(path), fix="check its permissions"
        ) from None
    _check_places(path, text)
    if not all(part.strip() for part in text.partition(_DIVIDER)):
        raise UsageError(
            "the prompt has not got both of its parts",
            where=str(path),
            fix="write the system part, a line with --- and the user part",
        )
    return text


def _check_places(path: Path, text: str) -> None:
    known = shipped().places(path.stem)
    shown = ", ".join(f"{{{{{name}}}}}" for name in sorted(known))
    for found in _PLACE.finditer(text):
        if found[1] not in known:
            line = text.count("\n", 0, found.start()) + 1
            close = difflib.get_close_matches(found[1].lower(), known, n=1)
            meant = f"did you mean {{{{{close[0]}}}}}? " if close else ""
            raise UsageError(
                f"nothing fills the place {found[0]}",
                where=f"{path}:{line}",
                fix=f"{meant}the places of this prompt are {shown}",
            )
    missing = sorted(known - set(_PLACE.findall(text)))
    if missing:
        raise UsageError(
            f"the prompt has no place {', '.join(f'{{{{{name}}}}}' for name in missing)}",
            where=str(path),
            fix=f"a prompt has to show all that it is given: {shown}",
        )


def _fill(template: str, inputs: Mapping[str, str]) -> str:
    ends = re.compile(rf"</\s*(?=(?:{'|'.join(map(re.escape, inputs))})\s*>)", re.IGNORECASE)
    # What stands between two tags must not end there by itself: the rest of it would be read as ours.
    return _PLACE.sub(lambda place: ends.sub("< /", inputs[place.group(1)]), template)
