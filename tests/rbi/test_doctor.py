"""The doctor's page: readable in any terminal, and honest when something is missing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from rbi.config import Settings, load
from rbi.doctor import Measured, examine, levels_page
from runners.base import Level
from runners.enforcement import Enforced

ATTEMPTS = (
    "reading a file elsewhere",
    "a grandchild that outlives the run and holds the pipes of its parent",
)


def measured(level: Level, why_not: str = "") -> Measured:
    found = tuple(Enforced(level, attempt, level is Level.LANDLOCK, "") for attempt in ATTEMPTS)
    return Measured(level, () if why_not else found, why_not)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_table_of_levels_fits_the_terminal(width: int) -> None:
    levels = (measured(Level.NAMESPACES, "no " * 60), *map(measured, reversed(tuple(Level)[:-1])))
    lines = levels_page(levels, width)
    assert max(map(len, lines)) <= width
    reading = next(line for line in lines if "reading a file" in line)
    assert reading.split()[-4:] == ["-", "stopped", "POSSIBLE", "POSSIBLE"]
    assert any("namespaces is not possible here" in line for line in lines)


def test_an_environment_that_cannot_be_used_is_a_finding(tmp_path: Path) -> None:
    settings = replace(settings_of(tmp_path), env=f"conda:{tmp_path}/none")
    found = {finding.name: finding for finding in examine(settings)}
    assert not found["environment"].ok
    assert "no conda environment" in found["environment"].detail
    assert found["sandbox"].ok  # looked at with the python that runs this


def settings_of(folder: Path) -> Settings:
    environ = {"PATH": os.environ["PATH"], "RBI_CACHE": str(folder / "cache")}
    return load({"results": str(folder / "results")}, folder=folder, environ=environ)
