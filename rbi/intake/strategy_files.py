"""Strategies that the user wrote: found in files and folders, read once, and told apart by their content."""

from __future__ import annotations

import ast
import difflib
import hashlib
import io
import os
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.syntax import parse
from rbi.errors import RbiError, UsageError
from rbi.stages.check import find_problem
from rbi.terminal import printable
from runners.base import Failure, FailureKind, Mode

AUTO = "auto"
LARGEST_FILE = 4 * 1024 * 1024
_NOT_STRATEGIES = ("rbi.db", "pyvenv.cfg")  # in a results folder, in a virtual environment
_BACKTESTS = ("Backtest", "FractionalBacktest", "MultiBacktest")


@dataclass(frozen=True, slots=True)
class StrategyFile:
    """A strategy as read. ``shown`` is its path as the user named it, ``digest`` the sha256 of its bytes.

    ``problem`` is why it cannot run at all, known without running it.
    """

    shown: str
    source: str
    digest: str
    mode: Mode
    problem: Failure | None = None

    @property
    def text(self) -> str:
        """The words under which a batch knows it: another content is another strategy."""
        return f"{self.shown} {self.digest[:12]}"


@dataclass(frozen=True, slots=True)
class SameFile:
    """A file whose content is that of an earlier one."""

    shown: str
    first: StrategyFile


@dataclass(frozen=True, slots=True)
class StrategyFiles:
    """Distinct strategies in their order, and the files that repeat one."""

    files: tuple[StrategyFile, ...]
    repeated: tuple[SameFile, ...]

    @property
    def digest(self) -> str:
        """Equal for equal strategies under equal names, in any order."""
        lines = sorted(f"{file.text} {file.mode.value}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_strategy_files(paths: Sequence[str], mode: str = AUTO, *, base: Path = Path()) -> StrategyFiles:
    """Read every ``.py`` file that ``paths`` name, and those in folders and below, in the order of their names.

    Relative paths begin at ``base``. In folders these are passed over: hidden files and folders, ``__pycache__``,
    virtual environments, and folders of rbi's own results.
    ``mode`` is ``class``, ``script``, or ``auto``: see `detect_mode`. Raises `UsageError` for a path that is not
    there or holds no strategy, `RbiError` for a file that cannot be read. A file that is not valid Python is read
    all the same: it has a ``problem``.
    """
    found: dict[str, StrategyFile] = {}
    repeated: list[SameFile] = []
    seen: dict[Path, StrategyFile] = {}
    for shown, path in (pair for name in paths for pair in _python_files(name, base)):
        place = path.resolve()
        if place in seen:
            if os.path.normpath(shown) != os.path.normpath(seen[place].shown):
                repeated.append(SameFile(_named(shown), found[seen[place].digest]))
            continue
        file = seen[place] = _read(path, shown, mode)
        first = found.setdefault(file.digest, file)
        if first is not file:
            repeated.append(SameFile(file.shown, first))
    return StrategyFiles(tuple(found.values()), tuple(repeated))


def detect_mode(tree: ast.Module) -> Mode:
    """A script is a module that somewhere uses `Backtest`, `FractionalBacktest` or `MultiBacktest`.

    It may call one, derive a class from it, or choose between them; to name one in an annotation is no use.
    Functions that are never called count, too, and so does another name given in ``from ... import ... as``.
    """
    nodes = list(ast.walk(tree))
    imported = (alias for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names)
    names = {*_BACKTESTS, *(alias.asname for alias in imported if alias.name in _BACKTESTS and alias.asname)}
    said = {id(part) for node in nodes for note in _annotations(node) for part in ast.walk(note)}
    used = any(_used(node) in names for node in nodes if id(node) not in said)
    return Mode.SCRIPT if used else Mode.CLASS


def _annotations(node: ast.AST) -> Iterator[ast.expr]:
    for name in ("annotation", "returns"):
        if isinstance(note := getattr(node, name, None), ast.expr):
            yield note


def _used(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        return node.attr
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else ""


# Finding


def _python_files(name: str, base: Path) -> Iterator[tuple[str, Path]]:
    """The files that a path names, each under the path as written."""
    path = base / Path(name).expanduser()
    if not name:
        raise UsageError("a path is empty", where="PATH", fix="name a .py file, or a folder: . is this one")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UsageError("the path is not valid UTF-8", where=name, fix="rename the file or folder") from None
    if path.is_dir():
        below = [(str(Path(name) / file.relative_to(path)), file) for file in _below(path)]
        if not below:
            raise UsageError(
                "there is no .py file in this folder or below it", where=name, fix="name another"
            )
        yield from below
        return
    if path.is_symlink() and not path.exists():
        raise UsageError("the link leads nowhere", where=name, fix=f"it points to {path.readlink()}")
    if not path.is_file():
        raise UsageError("there is no such file or folder", where=name, fix=_similar(path))
    if path.suffix != ".py":
        raise UsageError("a strategy is a .py file", where=name, fix="name a .py file, or a folder of them")
    yield name, path


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=_cannot_look):
        folders[:] = sorted(name for name in folders if _holds_strategies(Path(place, name)))
        for name in sorted(names):
            if name.endswith(".py") and not name.startswith(".") and Path(place, name).is_file():
                yield Path(place, name)


def _holds_strategies(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name == "__pycache__":
        return False
    return not any((folder / mark).exists() for mark in _NOT_STRATEGIES)


def _cannot_look(error: OSError) -> None:
    raise RbiError(
        f"the folder cannot be looked into: {error.strerror}",
        where=str(error.filename),
        fix="allow it (chmod u+rx), or name the files one by one",
    )


def _similar(path: Path) -> str:
    try:
        beside = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"check {path.parent}"
    close = difflib.get_close_matches(path.name, beside, n=1)
    return f"did you mean {path.parent / close[0]}?" if close else "check the path"


# Reading


def _read(path: Path, shown: str, mode: str) -> StrategyFile:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise RbiError(
            f"the strategy cannot be read: {error.strerror}", where=str(path), fix=f"chmod u+r '{path}'"
        ) from error
    source, problem = _decoded(content)
    chosen = Mode.CLASS if mode == AUTO else Mode(mode)
    if problem is None:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # an invalid escape in somebody's program is not ours to complain of
            problem = find_problem(source)
            chosen = detect_mode(parse(source)) if mode == AUTO and not _is_syntax(problem) else chosen
    if chosen is Mode.SCRIPT and not _is_syntax(problem):
        problem = None  # a program may import its strategy
    return StrategyFile(
        _named(shown), source, hashlib.sha256(content).hexdigest(), chosen, _for_its_author(problem)
    )


def _named(shown: str) -> str:
    return printable(os.fsencode(shown).decode("utf-8", "backslashreplace"))


def _is_syntax(problem: Failure | None) -> bool:
    return problem is not None and problem.kind is FailureKind.SYNTAX


def _for_its_author(problem: Failure | None) -> Failure | None:
    """The problem with a hint for somebody who has the file open, not for a model that answers."""
    if problem is None or problem.line is None:
        return problem
    return replace(problem, hint=f"correct line {problem.line}, or what stands before it")


def _decoded(content: bytes) -> tuple[str, Failure | None]:
    """The text as Python reads it: UTF-8, or what the file's first two lines declare."""
    if len(content) > LARGEST_FILE:
        what = f"the file is larger than {LARGEST_FILE >> 20} MB"
        return "", Failure(FailureKind.SYNTAX, what, "keep data out of the program")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        source = content.decode(encoding)
        source.encode()  # some encodings lead to text that no file can hold
        return source, None
    except (SyntaxError, ValueError, LookupError) as error:
        hint = "save the file as UTF-8, or declare its encoding in the first line: # -*- coding: cp1252 -*-"
        failure = Failure(FailureKind.SYNTAX, f"the file is not text that Python reads: {error}", hint)
        return content.decode("utf-8", "replace"), failure
