"""What a level is measured to enforce is what it promises."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runners.base import Level, RunnerError
from runners.enforcement import Enforced, measure
from runners.environments import Environment

STRONG = (Level.NAMESPACES, Level.LANDLOCK)
LIMITED = ("of memory", "in the work folder", "of output", "a loop that ignores signals")
REFUSED = (
    "a key in the environment",
    "a connection",
    "reading a file",
    "writing a file",
    "seeing or signalling",
    "starting a program",
    "forks",
    "a grandchild",
)


@pytest.fixture(scope="module", params=sorted(Level, key=lambda level: -level.strength), ids=str)
def measured(request: pytest.FixtureRequest, environment: Environment) -> Iterator[tuple[Enforced, ...]]:
    before = dict(os.environ)
    try:
        yield measure(environment, Level(request.param))
    except RunnerError as error:
        pytest.skip(error.message)
    assert dict(os.environ) == before


def test_a_level_has_a_full_row(measured: tuple[Enforced, ...]) -> None:
    attempts = [found.attempt for found in measured]
    assert len(attempts) == len(set(attempts)) == len(REFUSED) + len(LIMITED)
    assert len({found.level for found in measured}) == 1
    for part in (*REFUSED, *LIMITED):
        assert any(part in attempt for attempt in attempts)
    assert all(found.detail for found in measured)


def test_a_strong_level_stops_everything_and_every_level_keeps_the_limits(
    measured: tuple[Enforced, ...],
) -> None:
    passed = [found for found in measured if not found.enforced]
    if measured[0].level in STRONG:
        assert passed == []
    assert not [found for found in passed if any(part in found.attempt for part in LIMITED)]


def test_what_a_weak_level_lets_pass_is_said(measured: tuple[Enforced, ...]) -> None:
    """These touch nothing that the test cannot see: a connection arrives, a file is there, processes are counted."""
    if measured[0].level in STRONG:
        pytest.skip("nothing passes")
    passed = {found.attempt: found.detail for found in measured if not found.enforced}
    for part in ("a connection", "reading a file", "writing a file", "starting a program"):
        assert any(part in attempt for attempt in passed)
    assert all("left behind" not in detail for detail in passed.values())


def test_measuring_leaves_no_process_and_no_folder(
    measured: tuple[Enforced, ...],
    processes_of: Callable[[Path], list[int]],
    wait_until: Callable[[Callable[[], bool]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: Environment,
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    measure(environment, measured[0].level)
    wait_until(lambda: processes_of(tmp_path) == [])
    assert list(tmp_path.iterdir()) == []
