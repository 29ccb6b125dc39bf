"""Conda environments: found through conda, mamba or micromamba, or on disk without them, and made with them.

The executables are asked and told to create; strategies are never run through them.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from runners.base import RunnerError
from runners.untrusted_text import neutralise

NAMES = ("conda", "mamba", "micromamba")
PYTHON = "3.11"
PACKAGES = ("backtesting>=0.6.6,<0.7", "TA-Lib", "pandas-ta-classic", "scipy")
_EXECUTABLE_VARIABLES = ("CONDA_EXE", "MAMBA_EXE")
_FOLDER_VARIABLES = ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH")
_SETTINGS_FILES = (".condarc", ".mambarc")
_TIMEOUT_S = 60
_CREATE_S = 1800

Progress = Callable[[str], None]


def is_path(name: str) -> bool:
    """Whether ``name`` means a folder and not the name of an environment."""
    return "/" in name or name.startswith(("~", "."))


def prefix_at(name: str, environ: Mapping[str, str]) -> Path:
    """The absolute folder of the environment at the path ``name``. Raises `RunnerError` if there is none."""
    prefix = _expanded(name)
    if (prefix / "conda-meta").is_dir():
        return prefix
    raise RunnerError(f"{name} is no conda environment", hint=how_to_make(name, environ))


def find_prefix(name: str, environ: Mapping[str, str]) -> Path:
    """The folder of the environment called ``name``, or ``name`` itself if it is a path.

    Raises `RunnerError` if there is no such environment, naming those that there are and what makes one.
    """
    if is_path(name):
        return prefix_at(name, environ)
    known, silent = _known(environ, wanted=name)
    if name in known:
        return known[name]
    if silent:
        raise silent
    if not known and find_executable(environ) is None:
        raise RunnerError(
            f"the conda environment {name} cannot be found: there is no {', '.join(NAMES)} on the PATH",
            hint="activate conda first, give the environment's path (conda:/PREFIX), or use --env venv",
        )
    raise RunnerError(
        f"there is no conda environment called {name}; there are: {', '.join(sorted(known)) or 'none'}",
        hint=how_to_make(name, environ),
    )


def prefix_if_listed(name: str, environ: Mapping[str, str]) -> Path | None:
    """The folder of the environment called ``name`` if there is one.

    Raises `RunnerError` if it is not found and there is a conda that does not answer.
    """
    known, silent = _known(environ, wanted=name)
    if name not in known and silent:
        raise silent
    return known.get(name)


# Looking


def find_executables(environ: Mapping[str, str]) -> Iterator[Path]:
    """``$CONDA_EXE`` and ``$MAMBA_EXE``, then conda, mamba and micromamba on the PATH: each once."""
    path = environ.get("PATH", "")
    seen = set()
    for candidate in (*(environ.get(variable) for variable in _EXECUTABLE_VARIABLES), *NAMES):
        found = shutil.which(candidate, path=path) if candidate else None
        if found and Path(found).resolve() not in seen:
            seen.add(Path(found).resolve())
            yield Path(found)


def find_executable(environ: Mapping[str, str]) -> Path | None:
    """The first of `find_executables`."""
    return next(find_executables(environ), None)


def _known(environ: Mapping[str, str], *, wanted: str) -> tuple[dict[str, Path], RunnerError | None]:
    """Environments by name, until ``wanted`` is among them; and why an executable did not list its own."""
    known: dict[str, Path] = {}
    silent: RunnerError | None = None
    asked = False
    for executable in find_executables(environ):
        asked = True
        try:
            known = {**_by_name(list_prefixes(executable, environ), environ), **known}
        except RunnerError as error:
            silent = silent or error
        if wanted in known:
            return known, silent
    return known if asked else _by_name(_prefixes_on_disk(environ), environ), silent


def list_prefixes(executable: Path, environ: Mapping[str, str]) -> list[Path]:
    """The folders of the environments that ``executable`` lists. Raises `RunnerError` if it does not list them."""
    try:
        done = subprocess.run(
            [str(executable), "env", "list", "--json"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        return [Path(prefix) for prefix in json.loads(done.stdout)["envs"]]
    except subprocess.TimeoutExpired as error:
        raise _silent(executable, f"no answer within {_TIMEOUT_S} s") from error
    except OSError as error:
        raise _silent(executable, str(error.strerror)) from error
    except (ValueError, KeyError, TypeError) as error:
        said = neutralise(done.stderr.decode("utf-8", "replace").strip(), 300)
        raise _silent(executable, said or "its answer is not a list of environments") from error


def _prefixes_on_disk(environ: Mapping[str, str]) -> list[Path]:
    """Environments where conda and micromamba keep and note them, for when neither can be asked."""
    noted: list[Path] = []
    folders = [Path(f) for name in _FOLDER_VARIABLES for f in environ.get(name, "").split(":") if f]
    if environ.get("HOME"):
        home = Path(environ["HOME"])
        noted += [Path(line) for line in _lines(home / ".conda" / "environments.txt")]
        folders += [home / ".conda" / "envs"]
        folders += [_expanded(f) for name in _SETTINGS_FILES for f in _envs_dirs(_lines(home / name))]
    if environ.get("MAMBA_ROOT_PREFIX"):
        root = Path(environ["MAMBA_ROOT_PREFIX"])
        noted.append(root)
        folders.append(root / "envs")
    below = [prefix for folder in folders if folder.is_dir() for prefix in sorted(folder.iterdir())]
    return [prefix for prefix in (*noted, *below) if (prefix / "conda-meta").is_dir()]


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return []


def _envs_dirs(lines: list[str]) -> Iterator[str]:
    """The folders under ``envs_dirs`` in a settings file: a YAML list, one a line."""
    inside = False
    for line in lines:
        if inside and line.startswith("- "):
            yield line.removeprefix("- ").strip(" \"'")
        elif line and not line.startswith("#"):
            inside = re.fullmatch(r"envs_dirs\s*:", line) is not None


def _by_name(prefixes: list[Path], environ: Mapping[str, str]) -> dict[str, Path]:
    """The first of a name wins."""
    roots = {prefix.parent.parent for prefix in prefixes if prefix.parent.name == "envs"}
    if environ.get("MAMBA_ROOT_PREFIX"):
        roots.add(Path(environ["MAMBA_ROOT_PREFIX"]))
    return {_name(prefix, roots): prefix for prefix in reversed(prefixes)}


def _name(prefix: Path, roots: set[Path]) -> str:
    """As conda shows it: the installation itself, which has the others below it, is called base."""
    if prefix.parent.name == "envs":
        return prefix.name
    return "base" if prefix in roots or (prefix / "condabin").is_dir() else prefix.name


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser().absolute()
    except RuntimeError as error:
        raise RunnerError(
            f"{name} is nobody's home folder here", hint="write the environment's path in full"
        ) from error


# Making


def create(name: str, environ: Mapping[str, str], progress: Progress) -> None:
    """Make the environment called ``name``, or at that path, and install what strategies import into it.

    Each command is said before it is run. Raises `RunnerError` if there is no executable or a command fails.
    """
    executable = find_executable(environ)
    if executable is None:
        raise RunnerError(
            f"the conda environment {name} cannot be made: there is no {', '.join(NAMES)} on the PATH",
            hint="install one of them or put it on the PATH, or use --env venv",
        )
    for command in commands(executable, name):
        progress(f"running {shlex.join(command)}")
        _run(command, environ)


def commands(executable: Path | str, name: str) -> tuple[list[str], list[str]]:
    """What makes an environment, and what installs the packages that strategies import."""
    where = ["-p", str(_expanded(name))] if is_path(name) else ["-n", name]
    return (
        [str(executable), "create", "-y", *where, *_channel(executable), f"python={PYTHON}", "pip"],
        [str(executable), "run", *where, "python", "-m", "pip", "install", *PACKAGES],
    )


def how_to_add_python(prefix: Path, environ: Mapping[str, str]) -> str:
    """The command that installs python into the environment at ``prefix``, ready to be typed."""
    executable = find_executable(environ) or "conda"
    return shlex.join(
        [str(executable), "install", "-p", str(prefix), *_channel(executable), f"python={PYTHON}", "pip"]
    )


def how_to_make(name: str, environ: Mapping[str, str]) -> str:
    """The commands that make an environment, ready to be typed."""
    executable = find_executable(environ)
    by_hand = " && ".join(shlex.join(command) for command in commands(executable or "conda", name))
    shortcut = f"`rbi env create --env {shlex.quote(f'conda:{name}')}` or: " if executable else ""
    return f"make it: {shortcut}{by_hand}"


def _channel(executable: Path | str) -> list[str]:
    """Micromamba and mamba have no channel of their own; conda's is whatever its user has set."""
    return [] if Path(executable).stem == "conda" else ["-c", "conda-forge"]


def _run(command: list[str], environ: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_CREATE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunnerError(
            f"{command[0]} did not finish within {_CREATE_S // 60} minutes",
            hint="look at the network, then run it again",
        ) from error
    except OSError as error:
        raise RunnerError(f"{command[0]} does not start: {error.strerror}", hint="use --env venv") from error
    if done.returncode:
        said = neutralise(done.stdout.decode("utf-8", "replace")).splitlines()
        raise RunnerError(
            f"{shlex.join(command)} failed:\n" + "\n".join(said[-8:]),
            hint="correct what it complains of and run it by hand, or use --env venv",
        )


def _silent(executable: Path, why: str) -> RunnerError:
    return RunnerError(
        f"{executable} does not list its environments: {why}",
        hint="give the environment's path (conda:/PREFIX), or use --env venv",
    )
