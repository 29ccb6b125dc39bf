"""Starting supervisors: each in a fresh process, or forked from a warm server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.base import Level
from runners.clean_environment import clean_environment
from runners.process import Job, Launch
from runners.process_sweep import RunTrace, sweep
from runners.warm import ServerFailed, WarmServer, does_not_start

SUPERVISOR = Path(__file__).with_name("child") / "supervisor.py"


class ColdLauncher:
    """A python process of its own for each supervisor: slower, and possible everywhere."""

    level = Level.COLD

    def __init__(self, python: Path, confinement: Mapping[str, Any]) -> None:
        self._python = python
        self._confinement = confinement

    def launch(self, job: Job, descriptors: Mapping[str, Any], work: str) -> Launch:
        """See `Launcher.launch`."""
        marker = f"RBI_RUN={uuid.uuid4().hex}"
        name, _, value = marker.partition("=")
        streams = {stream: descriptors[stream] for stream in ("stdout", "stderr")}
        plan = {key: fd for key, fd in descriptors.items() if key not in streams} | {
            "level": self.level.value,
            "confinement": {**self._confinement, **job.confinement},
            "folder": str(job.scratch),
            "work": work,
        }
        single = (plan[key] for key in ("control", "report", "request", "text", "result"))
        try:
            # Not -I: it would make python ignore PYTHONHASHSEED. -S leaves out site; the supervisor needs none.
            process = subprocess.Popen(
                [str(self._python), "-s", "-S", str(SUPERVISOR), json.dumps(plan)],
                stdin=subprocess.DEVNULL,
                **streams,
                pass_fds=[fd for fd in (*single, *plan["bars"]) if fd is not None],
                cwd=work,
                env={**clean_environment(self._python, Path(work)), name: value},
                start_new_session=True,
            )
        except OSError as error:
            raise does_not_start(self._python, error) from error
        return _ColdLaunch(process, marker)


class _ColdLaunch:
    def __init__(self, process: subprocess.Popen[bytes], marker: str) -> None:
        self._process = process
        self._marker = marker

    def ended_well(self) -> bool:
        """Not waited for: its id must stay taken in case of a sweep."""
        if sys.platform != "linux":
            return True  # there the report's pipe is out of the strategy's reach
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        return ended is not None and (ended.si_code, ended.si_status) == (os.CLD_EXITED, 0)

    def lost(self) -> bool:
        return False

    def sweep(self, harness: int | None, *, hung: bool) -> bool:  # noqa: ARG002 - the same for both
        return sweep(RunTrace(self._process.pid, harness, self._marker))

    def reap(self) -> None:
        self._process.wait()


class WarmLauncher:
    """Supervisors forked from a server that has everything imported."""

    def __init__(self, server: WarmServer) -> None:
        self.level = server.level
        self.server = server

    def launch(self, job: Job, descriptors: Mapping[str, Any], work: str) -> Launch:
        """See `Launcher.launch`. A server that has ended shows in the launch."""
        passed: list[int] = []

        def position(fd: int | None) -> int | None:
            if fd is None:
                return None
            passed.append(fd)
            return len(passed) - 1

        plan = {
            **{name: position(fd) for name, fd in descriptors.items() if name != "bars"},
            "bars": [position(fd) for fd in descriptors["bars"]],
            "confinement": dict(job.confinement),
            "folder": str(job.scratch) if job.scratch else None,
            "work": work,
        }
        try:
            self.server.launch(plan, passed)
        except ServerFailed:
            self.server.kill()
        return _WarmLaunch(self.server)


class _WarmLaunch:
    def __init__(self, server: WarmServer) -> None:
        self._server = server

    def ended_well(self) -> bool:
        """No strategy reaches the report's pipe: the supervisor cannot be looked into without a capability."""
        return True

    def lost(self) -> bool:
        return self._server.has_ended()

    def sweep(self, harness: int | None, *, hung: bool) -> bool:  # noqa: ARG002 - the server knows its own
        """What a supervisor leaves that was killed, the server kills; one that hangs takes the server along."""
        return self._server.kill() if hung else True

    def reap(self) -> None:
        """The server does it."""
