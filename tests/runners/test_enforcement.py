"""What a level is measured to enforce is what it promises."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Measured:
    """What was found at a level, and where the temporary folder of it was made."""

    found: tuple[Enforced, ...]
    folder: Path


@pytest.fixture(scope="module", params=list(Level))
def measured(
    request: pytest.FixtureRequest, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Measured]:
    folder = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(folder))
        try:
            found = measure(environment, Level(request.param))
        except RunnerError as error:
            pytest.skip(error.message)
    yield Measured(found, folder)


def test_a_level_has_a_full_row(measured: Measured) -> None:
    attempts = [found.attempt for found in measured.found]
    assert len(attempts) == len(set(attempts)) == len(REFUSED) + len(LIMITED)
    assert len({found.level for found in measured.found}) == 1
    for part in (*REFUSED, *LIMITED):
        assert any(part in attempt for attempt in attempts)
    assert all(found.detail for found in measured.found)


def test_a_strong_level_stops_everything_and_every_level_keeps_the_limits(
    measured: Measured,
) -> None:
    passed = [found for found in measured.found if not found.enforced]
    if measured.found[0].level in STRONG:
        assert passed == []
    assert not [found for found in passed if any(part in found.attempt for part in LIMITED)]


def test_what_a_weak_level_lets_pass_is_said(measured: Measured) -> None:
    """These touch nothing that the test cannot see: a connection arrives, a file is there, processes are counted."""
    if measured.found[0].level in STRONG:
        pytest.skip("nothing passes")
    passed = {found.attempt: found.detail for found in measured.found if not found.enforced}
    for part in ("a connection", "reading a file", "writing a file", "starting a program"):
        assert any(part in attempt for attempt in passed)
    assert all("left behind" not in detail for detail in passed.values())


def test_measuring_leaves_no_process_and_no_folder_and_no_variable(
    measured: Measured,
    processes_of: Callable[[Path], list[int]],
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    wait_until(lambda: processes_of(measured.folder) == [])
    assert list(measured.folder.iterdir()) == []
    assert not [name for name in os.environ if "PLANTED" in name]
