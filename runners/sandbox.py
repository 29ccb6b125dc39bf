"""What a strategy may see and use: the settings of its containment, made for one environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runners.base import Level
from runners.environments import Environment
from runners.limits import Limits

CHILD = Path(__file__).with_name("child")
_SYSTEM = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
)
_UID = 65_533  # without any files of its own, and not nobody's either


def confinement(environment: Environment, limits: Limits, scratch_root: Path) -> dict[str, Any]:
    """The settings of `rbi_child.confinement`, as JSON values; a run adds its resource limits."""
    return {
        "readable": [str(path) for path in readable_paths(environment)],
        "hidden": [str(path) for path in _bundled_data(environment)],
        "uid": _UID,
        "scratch_root": str(scratch_root.resolve()),
        "scratch_bytes": limits.scratch_bytes,
        "scratch_files": limits.scratch_files,
        "limits": {},
    }


def readable_paths(environment: Environment) -> tuple[Path, ...]:
    """The interpreter's library, the strategy libraries, the system's, and the harness: what exists of them."""
    base = environment.python.resolve().parent.parent
    wanted = [
        environment.prefix / "lib",
        environment.prefix / "lib64",
        environment.prefix / "share" / "zoneinfo",
        base / "lib",
        *(Path(path) for path in _SYSTEM),
        CHILD,
    ]
    found: list[Path] = []
    for path in wanted:
        covered = any(path.is_relative_to(other) for other in found)
        if path.exists() and not covered and path.is_absolute():
            found.append(path)
    return tuple(found)


def _bundled_data(environment: Environment) -> Iterator[Path]:
    """The datasets that come with backtesting.py go on after the bars that a strategy is tested on."""
    for site_packages in (environment.prefix / "lib").glob("python*/site-packages"):
        folder = site_packages / "backtesting" / "test"
        if folder.is_dir():
            yield folder


def possible_levels() -> tuple[Level, ...]:
    """Those that this system could have at all, strongest first; whether they work is found out by trying."""
    if sys.platform != "linux" or not hasattr(os, "fork"):
        return (Level.COLD,)
    return tuple(sorted(Level, key=lambda level: -level.strength))
