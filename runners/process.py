"""The cold path: one fresh process tree for one run, watched to its end, whatever it does."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from runners.base import Captured, RunnerError
from runners.capture import StreamCapture
from runners.interruption import Interruption
from runners.process_sweep import RunTrace, sweep

SUPERVISOR = Path(__file__).with_name("child") / "supervisor.py"
_ANSWER_S = 0.6  # how long the supervisor gets to kill everything and report
_DRAIN_S = 0.2  # how long the pipes get to end once it has
_CHUNK = 1 << 16
_REPORT_BYTES = 4096  # the supervisor says much less
_REPORTED = {"started", "exit", "lost", "strays", "max_rss"}
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "VECLIB_MAXIMUM")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use, in bytes unless named otherwise. Memory and files are counted for each process.

    ``output_bytes`` is standard output and standard error together, ``kept_bytes`` what is kept of the head,
    and of the tail, of each.
    """

    memory_bytes: int = 4 << 30
    file_bytes: int = 64 << 20
    open_files: int = 256
    output_bytes: int = 32 << 20
    result_bytes: int = 256 << 20
    kept_bytes: int = 32 << 10

    def rlimits(self) -> dict[str, int]:
        """By the names of the `resource` module."""
        return {
            "RLIMIT_CORE": 0,
            "RLIMIT_DATA": self.memory_bytes,
            "RLIMIT_FSIZE": self.file_bytes,
            "RLIMIT_NOFILE": self.open_files,
        }


class Stop(StrEnum):
    """Why a run was ended from outside."""

    TIMEOUT = "timeout"
    OUTPUT = "output"
    RESULT = "result"
    INTERRUPT = "interrupt"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process tree ended.

    ``started`` is false if not even the supervisor ran. ``exit_code`` is the harness's, a negative signal
    number, or ``None`` if the supervisor was lost. ``channel_lost`` means that the harness could not write its
    result. ``strays`` counts processes that had to be killed after it.
    """

    stop: Stop | None
    started: bool
    exit_code: int | None
    channel_lost: bool
    strays: int
    max_rss: int
    result: bytes
    stdout: Captured
    stderr: Captured
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: ``request`` goes to the harness as JSON, ``bars`` is an open file that it reads.

    ``scratch`` is an empty folder for this run; the strategy's work folder is made inside it, so that one that is
    renamed or replaced is still found.
    """

    python: Path
    request: Mapping[str, Any]
    bars: IO[bytes]
    scratch: Path
    timeout_s: float
    limits: Limits = field(default_factory=Limits)


def run_process(job: Job, interruption: Interruption) -> Ending:
    """Run ``job`` until it has ended and nothing of it is left.

    Returns at most about a second after ``job.timeout_s``. Raises `RunnerError` if the interpreter cannot be
    started or a process cannot be killed.
    """
    with ExitStack() as stack:
        run = _Run(job, interruption, stack)
        try:
            return run.watch()
        except BaseException:
            run.abandon()  # an exception in this thread (a KeyboardInterrupt) is no reason to leave it running
            raise


def clean_environment(python: Path, home: Path) -> dict[str, str]:
    """The whole environment of a child: nothing of ours is passed on."""
    threads = {f"{name}_NUM_THREADS": "1" for name in _THREADS}
    return {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "MPLBACKEND": "Agg",
        "TQDM_DISABLE": "1",
        "NUMBA_CACHE_DIR": str(home),
        **threads,
    }


class _Run:
    def __init__(self, job: Job, interruption: Interruption, stack: ExitStack) -> None:
        self._job = job
        self._began = time.monotonic()
        self._marker = f"RBI_RUN={uuid.uuid4().hex}"
        self._work = job.scratch / "work"
        self._control = stack.enter_context(ExitStack())
        self._out, self._err = StreamCapture(job.limits.kept_bytes), StreamCapture(job.limits.kept_bytes)
        self._result, self._report = bytearray(), bytearray()
        self._interruption = interruption
        self._selector = stack.enter_context(selectors.DefaultSelector())
        self._open: set[str] = set()
        self._process = self._start(stack)

    def _start(self, stack: ExitStack) -> subprocess.Popen[bytes]:
        job, theirs = self._job, stack.enter_context(ExitStack())
        self._work.mkdir()
        request = stack.enter_context(TemporaryFile(dir=job.scratch))  # noqa: SIM115 - the stack closes it
        request.write(json.dumps(dict(job.request), allow_nan=False).encode())
        request.seek(0)
        control, hold = os.pipe()
        theirs.callback(os.close, control)
        self._control.callback(os.close, hold)
        ends = {name: self._pipe(name, stack, theirs) for name in ("stdout", "stderr", "result", "report")}
        plan = {
            "control": control,
            "report": ends["report"],
            "result": ends["result"],
            "request": request.fileno(),
            "bars": job.bars.fileno(),
            "limits": job.limits.rlimits(),
            "folder": str(job.scratch),
        }
        process = self._popen(plan, ends)
        theirs.close()
        self._selector.register(self._interruption.fileno(), selectors.EVENT_READ, "interrupt")
        return process

    def _pipe(self, name: str, stack: ExitStack, theirs: ExitStack) -> int:
        ours, end = os.pipe()
        stack.callback(os.close, ours)
        theirs.callback(os.close, end)
        self._selector.register(ours, selectors.EVENT_READ, name)
        self._open.add(name)
        return end

    def _popen(self, plan: Mapping[str, Any], ends: Mapping[str, int]) -> subprocess.Popen[bytes]:
        job = self._job
        name, _, value = self._marker.partition("=")
        try:
            # Not -I: it would make python ignore PYTHONHASHSEED. -S leaves out site; the supervisor needs none.
            return subprocess.Popen(
                [str(job.python), "-s", "-S", str(SUPERVISOR), json.dumps(plan)],
                stdin=subprocess.DEVNULL,
                stdout=ends["stdout"],
                stderr=ends["stderr"],
                pass_fds=[fd for fd in plan.values() if isinstance(fd, int)],
                cwd=self._work,
                env={**clean_environment(job.python, self._work), name: value},
                start_new_session=True,
            )
        except OSError as error:
            raise RunnerError(
                f"the strategy environment's python does not start: {job.python}: {error.strerror}",
                hint="make the environment again: rbi env create",
            ) from error

    def watch(self) -> Ending:
        stop = self._pump("report", self._began + self._job.timeout_s)
        if stop:
            self._control.close()  # the supervisor sees it and kills everything
            self._pump("report", time.monotonic() + _ANSWER_S, stopping=True)
        lines = self._report_lines()
        answered = "exit" in lines and self._supervisor_ended_well()
        if not answered and not self._sweep(lines.get("started")):
            raise RunnerError(
                f"processes of a backtest cannot be killed (session {self._process.pid})",
                hint="look at them with ps; a process in state D waits for a disk or network drive",
            )
        self._control.close()
        self._process.wait()
        drained = time.monotonic() + _DRAIN_S
        for name in ("stdout", "stderr", "result"):
            self._pump(name, drained, stopping=True)
        return Ending(
            stop=stop,
            started="started" in lines,
            exit_code=lines.get("exit") if answered else None,
            channel_lost=bool(lines.get("lost")),
            strays=lines.get("strays") or 0,
            max_rss=lines.get("max_rss") or 0,
            result=bytes(self._result),
            stdout=self._out.captured(),
            stderr=self._err.captured(),
            elapsed_s=time.monotonic() - self._began,
        )

    def abandon(self) -> None:
        """Kill everything, without asking how it ended."""
        self._control.close()
        self._sweep(self._report_lines().get("started"))
        self._process.wait()

    def _pump(self, until: str, deadline: float, *, stopping: bool = False) -> Stop | None:
        """Read what comes until the pipe ``until`` ends, or there is a reason to stop."""
        while until in self._open:
            left = deadline - time.monotonic()
            if left <= 0:
                return Stop.TIMEOUT
            for key, _ in self._selector.select(left):
                stop = self._read(key.fd, key.data)
                if stop and not stopping:
                    return stop
        return None

    def _read(self, fd: int, name: str) -> Stop | None:
        if name == "interrupt":
            self._selector.unregister(fd)  # it stays readable: once is enough
            return Stop.INTERRUPT
        piece = os.read(fd, _CHUNK)
        if not piece:
            self._selector.unregister(fd)
            self._open.discard(name)
        elif name == "stdout":
            self._out.add(piece)
        elif name == "stderr":
            self._err.add(piece)
        elif name == "report":
            self._report += piece[: _REPORT_BYTES - len(self._report)]
        elif len(self._result) <= self._job.limits.result_bytes:
            self._result += piece
        if len(self._result) > self._job.limits.result_bytes:
            return Stop.RESULT
        return Stop.OUTPUT if self._out.total + self._err.total > self._job.limits.output_bytes else None

    def _report_lines(self) -> dict[str, int | None]:
        """The supervisor's two lines in one; what it could not say is not there, nor what others wrote."""
        values: dict[str, int | None] = {}
        for line in bytes(self._report).splitlines():
            with suppress(ValueError, RecursionError):
                said = json.loads(line)
                if isinstance(said, dict) and said.keys() <= _REPORTED and all(map(_plain, said.values())):
                    values |= said
        return values

    def _supervisor_ended_well(self) -> bool:
        """Whether it did all its work. It is not waited for: its id must stay taken in case of a sweep."""
        if "report" in self._open:
            return False  # it still holds its end of the pipe, or a process of the strategy does
        if sys.platform != "linux":
            return True  # there the pipe is out of the strategy's reach
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        return ended is not None and (ended.si_code, ended.si_status) == (os.CLD_EXITED, 0)

    def _sweep(self, harness: int | None) -> bool:
        return sweep(RunTrace(self._process.pid, harness, self._marker))


def _plain(value: object) -> bool:
    """Whether the supervisor may have said it: null or an integer of ordinary size."""
    return value is None or (type(value) is int and -(2**63) <= value < 2**63)
