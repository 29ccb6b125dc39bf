"""``rbi check``: strategy files examined and repaired without a model and without running anything."""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rbi.errors import RbiError, UsageError
from rbi.intake.strategy_files import AUTO, StrategyFile, StrategyFiles, read_strategy_files
from rbi.repairs import Fix, Problem, examine, guard
from rbi.repairs.findings import MISLEADING
from rbi.terminal import counted, printable, printable_lines
from runners.base import Failure


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What the command line asks for. ``write`` is the folder for the repaired files; empty for none."""

    paths: tuple[str, ...]
    mode: str = AUTO
    write: str = ""
    guards: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A file as it was found and repaired. ``unguarded`` is why it has no order guards although they were asked for.

    ``source`` is the repaired text, or the file's own if there are no ``fixes``.
    """

    file: StrategyFile
    source: str
    fixes: tuple[Fix, ...] = ()
    problems: tuple[Problem, ...] = ()
    unguarded: str = ""


def check_files(found: StrategyFiles, *, guards: bool = False) -> tuple[Checked, ...]:
    """Examine each distinct file; with ``guards`` add order guards, which change which orders are placed."""
    return tuple(_checked(file, guards=guards) for file in found.files)


def _checked(file: StrategyFile, *, guards: bool) -> Checked:
    if file.problem:
        return Checked(file, file.source, problems=(_as_problem(file.problem),))
    found = examine(file.source, mode=file.mode)
    if not guards:
        return Checked(file, found.source, found.fixes, found.problems)
    guarded = guard(found.source, file.mode)
    fixes = (*found.fixes, *guarded.fixes)
    return Checked(file, guarded.source, fixes, found.problems, guarded.why_not)


def _as_problem(failure: Failure) -> Problem:
    return Problem(failure.kind.value, failure.message, failure.hint, failure.line or 1, failure.source_line)


# Writing


def write_repaired(request: CheckRequest, checked: Sequence[Checked], *, base: Path) -> dict[str, Path]:
    """Write every file, repaired or as it was, below the folder of the request; returns where, by path as shown.

    Files keep their places relative to each other. Nothing is written if one would take the place of a file that was
    read, or cannot be written in its own encoding: `UsageError`, `RbiError`.
    """
    places = {one.file.shown: base / Path(one.file.shown).expanduser() for one in checked}
    absolute = {shown: Path(os.path.normpath(place.absolute())) for shown, place in places.items()}
    top = os.path.commonpath([path.parent for path in absolute.values()])
    folder = base / Path(request.write).expanduser()
    targets = {shown: folder / path.relative_to(top) for shown, path in absolute.items()}
    read = {path.resolve(): shown for shown, path in absolute.items()}
    for target in targets.values():
        if target.resolve() in read:
            raise UsageError(
                "the repaired file would take the place of the strategy itself",
                where=str(target),
                fix="name another folder: --write repaired",
            )
    contents = {one.file.shown: _encoded(one) for one in checked}
    for shown, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(contents[shown])
    return targets


def _encoded(checked: Checked) -> bytes:
    """The text in the encoding that its first lines declare, as Python will read it."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(checked.source.encode(errors="replace")).readline)
        return checked.source.encode(encoding)
    except (SyntaxError, ValueError, LookupError) as error:
        raise RbiError(
            f"the file cannot be written in its encoding: {error}",
            where=checked.file.shown,
            fix="save it as UTF-8 and leave out the declaration of another encoding",
        ) from error


# Showing


def page(checked: Sequence[Checked], found: StrategyFiles) -> Iterator[str]:
    """What was found, as lines for a terminal: each fix as a diff with its reason, each problem with its line."""
    for one in checked:
        problems = counted(len(one.problems), "problem")
        fixes = f"{len(one.fixes)} fix{'' if len(one.fixes) == 1 else 'es'}"
        yield f"{one.file.shown} ({one.file.mode.value}): {fixes}, {problems}"
        for fix in one.fixes:
            marked = ", CHANGES ORDERS" if fix.changes_orders else ""
            yield f"  line {fix.line}, {fix.rule}{marked}: {printable(fix.reason)}"
            yield from (f"    {line}" for line in printable_lines(fix.diff).split("\n"))
        for problem in one.problems:
            misleads = ", runs but misleads" if problem.rule in MISLEADING else ""
            yield f"  line {problem.line}, {problem.rule}{misleads}, left: {printable(problem.message)}"
            if problem.source_line:
                yield f"    {printable(problem.source_line)}"
            yield f"    {printable(problem.hint)}"
        if one.unguarded:
            yield f"  no order guards: {printable(one.unguarded)}"
    for same in found.repeated:
        yield f"{same.shown} is {same.first.shown} again"
    left = sum(bool(one.problems) for one in checked)
    mended = sum(bool(one.fixes) for one in checked)
    yield f"{counted(len(checked), 'file')}: {mended} repaired, {left} with problems left"


def as_json(
    checked: Sequence[Checked], found: StrategyFiles, written: dict[str, Path]
) -> list[dict[str, Any]]:
    """The same as JSON values, an object for each file, repeated ones included."""
    values = {one.file.shown: _file_json(one, written) for one in checked}
    repeated = [
        {**values[same.first.shown], "path": same.shown, "same_as": same.first.shown}
        for same in found.repeated
    ]
    return [*values.values(), *repeated]


def _file_json(one: Checked, written: dict[str, Path]) -> dict[str, Any]:
    target = written.get(one.file.shown)
    return {
        "path": one.file.shown,
        "same_as": None,
        "mode": one.file.mode.value,
        "sha256": one.file.digest,
        "fixes": [asdict(fix) for fix in one.fixes],
        "problems": [asdict(p) | {"misleading": p.rule in MISLEADING} for p in one.problems],
        "unguarded": one.unguarded,
        "written": str(target) if target else None,
    }


def read_and_check(request: CheckRequest) -> tuple[StrategyFiles, tuple[Checked, ...], dict[str, Path]]:
    """Read the files of a request, check them, and write them if it says so. Raises as these steps do."""
    found = read_strategy_files(request.paths, request.mode)
    checked = check_files(found, guards=request.guards)
    written = write_repaired(request, checked, base=Path()) if request.write else {}
    return found, checked, written
