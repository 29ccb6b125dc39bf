"""A run is watched by a process that may stand still meanwhile: what was said by then was said in time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from runners.base import Level
from runners.interruption import Interruption
from runners.limits import Limits
from runners.process import READY, Ending, Job, Launch, Stop, run_process

TIMEOUT_S = 0.3
LONGER_S = 0.7


class Ended:
    """A supervisor that has done all its work."""

    def ended_well(self) -> bool:
        return True

    def lost(self) -> bool:
        return False

    def sweep(self, harness: int | None, *, hung: bool) -> bool:
        return True

    def reap(self) -> None:
        return


@dataclass(frozen=True)
class AtOnce:
    """Starts runs that have said all they have to say before anybody looks; ``after`` is done then.

    With ``held`` they do not end before that is closed.
    """

    after: Callable[[], None] = lambda: None
    held: ExitStack | None = None
    level: Level = Level.COLD

    def launch(self, job: Job, descriptors: Mapping[str, Any], work: str) -> Launch:
        os.write(descriptors["stdout"], b"said\n")
        os.write(descriptors["result"], READY + b"{}\n")
        os.write(descriptors["report"], json.dumps({"started": 1, "exit": 0}).encode() + b"\n")
        if self.held:
            self.held.callback(os.close, os.dup(descriptors["report"]))
        self.after()
        return Ended()


def stand_still(*_: object) -> None:
    time.sleep(LONGER_S)


def watched(launcher: AtOnce, heard: Callable[[bytes], None] = lambda _: None) -> Ending:
    job = Job({}, [], None, TIMEOUT_S, TIMEOUT_S, Limits(), heard=heard)
    return run_process(job, launcher, Interruption())


@pytest.mark.parametrize(
    ("launcher", "heard"),
    [(AtOnce(after=stand_still), lambda _: None), (AtOnce(), stand_still)],
    ids=["while it starts", "while it is read"],
)
def test_a_run_that_ended_while_nobody_looked_has_ended(
    launcher: AtOnce, heard: Callable[[bytes], None]
) -> None:
    ending = watched(launcher, heard)
    assert (ending.stop, ending.exit_code, ending.result) == (None, 0, READY + b"{}\n")
    assert ending.stdout.head == "said\n"


def test_standing_still_does_not_save_a_run_that_hangs() -> None:
    with ExitStack() as held:
        assert watched(AtOnce(after=stand_still, held=held)).stop is Stop.TIMEOUT
