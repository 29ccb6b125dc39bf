"""The last resort: find and kill a run's processes when its supervisor does not answer."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SWEEP_S = 2.0


@dataclass(frozen=True, slots=True)
class RunTrace:
    """How a run's processes are recognised.

    ``supervisor`` leads their session, ``harness`` a process group (``None`` before it was reported),
    ``marker`` is an entry (``NAME=value``) of the environment they were started with.
    """

    supervisor: int
    harness: int | None
    marker: str


def sweep(trace: RunTrace) -> bool:
    """Kill every process of the run. Returns whether none is left.

    A process that left the session, changed its environment and has no ancestor left in the run is not found.
    The supervisor must not have been waited for yet: its id keeps the session's id from being used again.
    """
    if sys.platform != "linux":
        for group in {trace.supervisor, trace.harness} - {None}:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(int(group or 0), signal.SIGKILL)
        return True
    give_up = time.monotonic() + _SWEEP_S
    while victims := _find(trace):
        if time.monotonic() > give_up:
            return False
        for pid in victims:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    return True


def _find(trace: RunTrace) -> set[int]:
    parents: dict[int, int] = {}
    found: set[int] = set()
    marker = trace.marker.encode()
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state, parent, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if state in "ZX":
                continue
            pid = int(folder.name)
            parents[pid] = int(parent)
            if int(session) == trace.supervisor or marker in (folder / "environ").read_bytes().split(b"\0"):
                found.add(pid)
        except (OSError, ValueError):
            continue  # it has just ended, or is another user's
    return found | _descendants(found, parents)


def _descendants(roots: set[int], parents: dict[int, int]) -> set[int]:
    found, size = set(roots), -1
    while len(found) != size:
        size = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found
