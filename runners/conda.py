"""Finding conda environments: the executable is asked once, and never used to run anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runners.base import RunnerError
from runners.untrusted_text import neutralise

_NAMES = ("conda", "mamba", "micromamba")
_TIMEOUT_S = 60


def find_prefix(name: str, environ: Mapping[str, str]) -> Path:
    """The folder of the environment called ``name``, or ``name`` itself if it is a path.

    Raises `RunnerError` if there is no conda or no such environment, naming those that there are.
    """
    if "/" in name:
        prefix = Path(name).expanduser()
        if (prefix / "conda-meta").is_dir():
            return prefix
        raise RunnerError(
            f"{name} is no conda environment", hint=f"make one: {_create_command(f'-p {name}')}"
        )
    executable = find_executable(environ)
    if executable is None:
        raise RunnerError(
            f"the conda environment {name} cannot be found: there is no {', '.join(_NAMES)} on the PATH",
            hint="activate conda first, give the environment's path (conda:/PREFIX), or use --env venv",
        )
    environments = list_environments(executable, environ)
    if name not in environments:
        raise RunnerError(
            f"there is no conda environment called {name}; there are: {', '.join(sorted(environments)) or 'none'}",
            hint=f"make it: {_create_command(f'-n {name}')}",
        )
    return environments[name]


def prefix_if_listed(name: str, environ: Mapping[str, str]) -> Path | None:
    """The folder of the environment called ``name`` if conda is there and lists it.

    Raises `RunnerError` if there is a conda that does not answer.
    """
    executable = find_executable(environ)
    return list_environments(executable, environ).get(name) if executable else None


def find_executable(environ: Mapping[str, str]) -> Path | None:
    """``$CONDA_EXE``, or conda, mamba or micromamba on the PATH."""
    path = environ.get("PATH", "")
    for candidate in (environ.get("CONDA_EXE"), *_NAMES):
        if candidate and (found := shutil.which(candidate, path=path)):
            return Path(found)
    return None


def list_environments(executable: Path, environ: Mapping[str, str]) -> dict[str, Path]:
    """Every environment's folder by name. Raises `RunnerError` if ``executable`` does not list them."""
    try:
        done = subprocess.run(
            [str(executable), "env", "list", "--json"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        prefixes = [Path(prefix) for prefix in json.loads(done.stdout)["envs"]]
    except subprocess.TimeoutExpired as error:
        raise _silent(executable, f"no answer within {_TIMEOUT_S} s") from error
    except OSError as error:
        raise _silent(executable, str(error.strerror)) from error
    except (ValueError, KeyError, TypeError) as error:
        said = neutralise(done.stderr.decode("utf-8", "replace").strip(), 300)
        raise _silent(executable, said or "its answer is not a list of environments") from error
    return {_name(prefix): prefix for prefix in reversed(prefixes)}  # the first of a name wins


def _name(prefix: Path) -> str:
    """As conda shows it: the installation itself is called base."""
    return prefix.name if prefix.parent.name == "envs" or not (prefix / "condabin").is_dir() else "base"


def _create_command(target: str) -> str:
    return f'conda create {target} python=3.11 pip, then in it: pip install "backtesting>=0.6.6,<0.7" TA-Lib'


def _silent(executable: Path, why: str) -> RunnerError:
    return RunnerError(
        f"{executable} does not list its environments: {why}",
        hint="give the environment's path (conda:/PREFIX), or use --env venv",
    )
