"""The python environments that strategies run in: choose one, check it, describe it."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runners import conda, venv
from runners.base import RunnerError
from runners.probe import Probe, ProbeFailed, home_in, probe

_REQUIRED = ("numpy", "pandas", "backtesting")
_BACKTESTING = re.compile(r"0\.6\.(?:[6-9]|[1-9]\d+)(?!\d)")
_BACKTESTING_RANGE = "backtesting>=0.6.6,<0.7"
_OWN_NAME = "rbi"  # of the conda environment that is used without being asked for
_SPECS = "auto, venv, current, conda:NAME or conda:/PREFIX"
_CONDA_VARIABLES = ("CONDA_", "MAMBA_")

Progress = Callable[[str], None]


class Kind(StrEnum):
    """Who made an environment."""

    CONDA = "conda"
    VENV = "venv"
    CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter that can run strategies.

    ``versions`` has ``python`` and every strategy library that can be imported, by module name.
    """

    kind: Kind
    name: str
    prefix: Path
    python: Path
    versions: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """A digest of the versions: equal for environments that behave alike, wherever they are."""
        return hashlib.sha256(json.dumps(dict(self.versions), sort_keys=True).encode()).hexdigest()[:16]


def resolve(
    spec: str, *, cache: Path, environ: Mapping[str, str], progress: Progress = lambda _: None
) -> Environment:
    """The environment that ``spec`` names, checked by running it; the venv is made if need be.

    ``spec`` is ``auto`` (a conda environment called ``rbi`` if there is one, else the venv), ``venv``,
    ``current`` (the interpreter that runs rbi), ``conda:NAME`` or ``conda:/PREFIX`` (also ``conda:~/x`` and
    ``conda:./x``). ``cache`` is the folder that
    the venv is under. ``environ`` is where conda is looked for and what uv is given (without anything that looks
    like a secret). ``progress`` gets lines for a person.
    Raises `RunnerError` if there is no such environment or strategies cannot run in it.
    """
    place = _locate(spec, cache, environ, progress)
    if place.kind is Kind.VENV:
        answer = venv.ensure(place.python.parent.parent, cache, environ, progress)
        return Environment(place.kind, place.name, answer.prefix, place.python, answer.versions)
    return _checked(place, cache, environ)


def is_made(spec: str, *, cache: Path, environ: Mapping[str, str]) -> bool:
    """Whether `resolve` has nothing to make, as far as can be seen without running anything."""
    try:
        place = _locate(spec, cache, environ, lambda _: None)
    except RunnerError:
        return False
    return place.kind is not Kind.VENV or place.python.exists()


def create(
    spec: str, *, cache: Path, environ: Mapping[str, str], progress: Progress = lambda _: None
) -> Environment:
    """The environment that ``spec`` names, made if it is not there. A conda environment that is there stays as it is.

    Raises `RunnerError` as `resolve` does, and if it cannot be made.
    """
    kind, _, name = spec.partition(":")
    if kind == "conda" and name and not _is_there(name, environ):
        conda.create(name, _for_installing(environ, cache), progress)
    return resolve(spec, cache=cache, environ=environ, progress=progress)


def _is_there(name: str, environ: Mapping[str, str]) -> bool:
    try:
        conda.find_prefix(name, environ)
    except RunnerError:
        return False
    return True


def _for_installing(environ: Mapping[str, str], cache: Path) -> dict[str, str]:
    """As for the venv, and conda's own settings: packages run code of theirs while they are installed."""
    own = {key: value for key, value in environ.items() if key.startswith(_CONDA_VARIABLES)}
    return {**venv.install_environ(environ, cache), **own}


def describe(spec: str, *, cache: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Labels and values about the environment that ``spec`` names, to show to a person. Makes no environment.

    Raises `RunnerError` as `resolve` does, except for a venv that is not there yet.
    """
    place = _locate(spec, cache, environ, lambda _: None)
    about = {"environment": f"{place.kind.value}: {place.name}", "python path": str(place.python)}
    if place.kind is Kind.VENV and not place.python.exists():
        return {**about, "state": "not made yet; it is at first use, or with: rbi env create"}
    environment = _checked(place, cache, environ)
    return {**about, **environment.versions, "fingerprint": environment.fingerprint}


def remove(spec: str, *, cache: Path, environ: Mapping[str, str]) -> None:
    """Delete every venv that rbi made under ``cache``.

    Raises `RunnerError` if ``spec`` names an environment that is not rbi's own: conda's stay conda's.
    """
    place = _locate(spec, cache, environ, lambda _: None)
    if place.kind is not Kind.VENV:
        raise RunnerError(
            f"the environment {place.name} is not rbi's own, so rbi does not remove it: {place.python}",
            hint=_how_to_remove(place, environ),
        )
    venv.remove(cache)


def _how_to_remove(place: _Place, environ: Mapping[str, str]) -> str:
    own = "use --env venv to remove the one that is"
    if place.kind is not Kind.CONDA:
        return own
    executable = conda.find_executable(environ) or "conda"
    return f'"{executable}" env remove -p "{place.python.parent.parent}" removes it; {own}'


@dataclass(frozen=True, slots=True)
class _Place:
    kind: Kind
    name: str
    python: Path


def _locate(spec: str, cache: Path, environ: Mapping[str, str], progress: Progress) -> _Place:
    kind, _, name = spec.partition(":")
    if spec == "current":
        return _Place(Kind.CURRENT, "the python that runs rbi", Path(sys.executable))
    if kind == "conda" and name:
        return _Place(Kind.CONDA, name, conda.find_prefix(name, environ) / "bin" / "python")
    if spec not in ("auto", "venv"):
        raise RunnerError(f"{spec!r} is no strategy environment", hint=f"use {_SPECS}")
    if spec == "auto" and (prefix := _conda_environment(environ, progress)):
        return _Place(Kind.CONDA, _OWN_NAME, prefix / "bin" / "python")
    folder = venv.folder_in(cache)
    return _Place(Kind.VENV, folder.name, folder / "bin" / "python")


def _conda_environment(environ: Mapping[str, str], progress: Progress) -> Path | None:
    try:
        return conda.prefix_if_listed(_OWN_NAME, environ)
    except RunnerError as error:
        progress(f"conda is left out: {error.message}")
        return None


def _checked(place: _Place, cache: Path, environ: Mapping[str, str]) -> Environment:
    what = f"the {place.kind.value} environment {place.name}"
    own = place.kind is Kind.VENV
    again = "rbi makes it again at first use, or with: rbi env create"
    if place.kind is Kind.CONDA and not place.python.exists():
        raise RunnerError(
            f"{what} has no python: {place.python}",
            hint=conda.how_to_add_python(place.python.parent.parent, environ),
        )
    try:
        answer = probe(place.python, home_in(cache))
    except ProbeFailed as error:
        raise RunnerError(
            f"{what} does not work: {error}", hint=again if own else "use --env venv"
        ) from error
    if own and answer.broken:
        raise RunnerError(f"{what} is not complete: {'; '.join(answer.broken.values())}", hint=again)
    _require_libraries(what, place.python, answer)
    return Environment(place.kind, place.name, answer.prefix, place.python, answer.versions)


def _require_libraries(what: str, python: Path, answer: Probe) -> None:
    install = f'"{python}" -m pip install '
    missing = [name for name in _REQUIRED if name in answer.broken]
    if missing:
        wanted = " ".join(f'"{_BACKTESTING_RANGE}"' if name == "backtesting" else name for name in missing)
        reasons = "; ".join(answer.broken[name] for name in missing)
        raise RunnerError(f"{what} lacks {', '.join(missing)} ({reasons})", hint=install + wanted)
    version = answer.versions["backtesting"]
    if not _BACKTESTING.match(version):
        raise RunnerError(
            f"{what} has backtesting {version}; rbi works with {_BACKTESTING_RANGE}",
            hint=f'{install}"{_BACKTESTING_RANGE}"',
        )
