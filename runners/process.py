"""One job: a supervisor and what it starts, watched to their end, whatever the strategy does."""

from __future__ import annotations

import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Protocol

from runners.base import STRONG, Captured, Level, RunnerError
from runners.capture import StreamCapture
from runners.inputs import memory_file
from runners.interruption import Interruption
from runners.limits import Limits

_ANSWER_S = 0.6  # how long the supervisor gets to kill everything and report
_DRAIN_S = 0.2  # how long the pipes get to end once it has
_CHUNK = 1 << 16
READY = b"ready\n"  # what the harness says before any strategy code has run
_REPORT_BYTES = 4096  # the supervisor says much less
_REPORTED = {"started", "exit", "lost", "strays", "max_rss", "scratch", "threads"}


class Stop(StrEnum):
    """Why a run was ended from outside."""

    TIMEOUT = "timeout"
    OUTPUT = "output"
    RESULT = "result"
    SCRATCH = "scratch"
    THREADS = "threads"
    INTERRUPT = "interrupt"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process tree ended.

    ``started`` is false if not even the supervisor ran. ``exit_code`` is the harness's, a negative signal
    number, or ``None`` if the supervisor was lost. ``channel_lost`` means that the harness could not write its
    result. ``strays`` counts processes that had to be killed after it. ``elapsed_s`` has the seconds from the start to
    the end of each scenario that was reported, then to the end of the run. ``server_lost`` means that the supervisor
    went down with the warm server: nothing is known about the strategy. ``guarded`` means that no strategy can reach
    its supervisor.
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
    elapsed_s: tuple[float, ...]
    server_lost: bool = False
    guarded: bool = False

    @property
    def began(self) -> bool:
        """Whether strategy code can have run."""
        return self.result.startswith(READY)

    @property
    def cut_off(self) -> bool:
        """Whether it was ended by force, but not by us: maybe from outside, and another try may end otherwise."""
        return self.stop is None and self.exit_code in (None, -signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: ``request`` goes to the harness as JSON, ``bars`` and ``text`` are open files that it reads.

    ``scratch`` is an empty folder for this run; the strategy's work folder is made inside it, so that one that is
    renamed or replaced is still found. It is ``None`` where the work folder is in memory. ``scenarios`` is how many
    results are expected; ``timeout_s`` is for each, ``whole_s`` for all of them. ``confinement`` has what is
    particular to this run. ``heard`` gets standard output as it comes.
    """

    request: Mapping[str, Any]
    bars: Sequence[IO[bytes]]
    scratch: Path | None
    timeout_s: float
    whole_s: float
    limits: Limits
    text: IO[bytes] | None = None
    scenarios: int = 1
    confinement: Mapping[str, Any] = field(default_factory=dict)
    heard: Callable[[bytes], None] = lambda _: None


class Launch(Protocol):
    """A supervisor that was started."""

    def ended_well(self) -> bool:
        """Whether it did all its work; asked once its report has come."""
        ...

    def lost(self) -> bool:
        """Whether what started it has gone, and it with it."""
        ...

    def sweep(self, harness: int | None, *, hung: bool) -> bool:
        """Kill what is left of it, by force; ``hung`` if it still is there. Returns whether nothing is left."""
        ...

    def reap(self) -> None:
        """Wait until it has ended."""
        ...


class Launcher(Protocol):
    """Starts supervisors at one level of containment."""

    level: Level

    def launch(self, job: Job, descriptors: Mapping[str, Any], work: str) -> Launch:
        """Start one. ``descriptors`` has open ones by the names of the plan; they stay the caller's.

        Raises `RunnerError` if it cannot be started.
        """
        ...


def run_process(job: Job, launcher: Launcher, interruption: Interruption) -> Ending:
    """Run ``job`` until it has ended and nothing of it is left.

    Returns at most about a second after the time-out. Raises `RunnerError` if the supervisor cannot be started or a
    process cannot be killed.
    """
    with ExitStack() as stack:
        run = _Run(job, launcher, interruption, stack)
        try:
            return run.watch()
        except BaseException:
            run.abandon()  # an exception in this thread (a KeyboardInterrupt) is no reason to leave it running
            raise


class _Run:
    def __init__(self, job: Job, launcher: Launcher, interruption: Interruption, stack: ExitStack) -> None:
        self._job = job
        self._began = time.monotonic()
        self._reported_at: list[float] = []
        self._control = stack.enter_context(ExitStack())
        self._out, self._err = StreamCapture(job.limits.kept_bytes), StreamCapture(job.limits.kept_bytes)
        self._result, self._report = bytearray(), bytearray()
        self._interruption = interruption
        self._selector = stack.enter_context(selectors.DefaultSelector())
        self._open: set[str] = set()
        self._guarded = launcher.level in STRONG
        self._launch = self._start(launcher, stack)

    def _start(self, launcher: Launcher, stack: ExitStack) -> Launch:
        job, theirs = self._job, stack.enter_context(ExitStack())
        request = memory_file(json.dumps(dict(job.request), allow_nan=False).encode())
        theirs.callback(request.close)
        control, hold = os.pipe()
        theirs.callback(os.close, control)
        self._control.callback(os.close, hold)
        descriptors = {
            "control": control,
            "request": request.fileno(),
            "text": job.text.fileno() if job.text else None,
            "bars": [file.fileno() for file in job.bars],
            **{name: self._pipe(name, stack, theirs) for name in ("stdout", "stderr", "result", "report")},
        }
        work = ""
        if job.scratch:
            folder = job.scratch / "work"
            folder.mkdir()
            work = str(folder)
        launch = launcher.launch(job, descriptors, work)
        theirs.close()
        self._selector.register(self._interruption.fileno(), selectors.EVENT_READ, "interrupt")
        return launch

    def _pipe(self, name: str, stack: ExitStack, theirs: ExitStack) -> int:
        ours, end = os.pipe()
        stack.callback(os.close, ours)
        theirs.callback(os.close, end)
        self._selector.register(ours, selectors.EVENT_READ, name)
        self._open.add(name)
        return end

    def watch(self) -> Ending:
        stop = self._pump("report", self._deadline)
        in_time = (bytes(self._result), tuple(self._reported_at)) if stop else None  # later ones are too late
        if stop:
            self._control.close()  # the supervisor sees it and kills everything
            answer = time.monotonic() + _ANSWER_S
            self._pump("report", lambda: answer, stopping=True)
        lines = self._report_lines()
        answered = "exit" in lines and "report" not in self._open and self._launch.ended_well()
        server_lost = not answered and self._launch.lost()
        if not answered and not self._launch.sweep(lines.get("started"), hung="report" in self._open):
            raise RunnerError(
                "processes of a backtest cannot be killed",
                hint="look at them with ps; a process in state D waits for a disk or network drive",
            )
        self._control.close()
        self._launch.reap()
        drained = time.monotonic() + _DRAIN_S
        for name in ("stdout", "stderr", "result"):
            self._pump(name, lambda: drained, stopping=True)
        if stop is None:
            stop = next((reason for reason in (Stop.SCRATCH, Stop.THREADS) if lines.get(reason.value)), None)
        result, reported_at = in_time or (bytes(self._result), tuple(self._reported_at))
        return Ending(
            stop=stop,
            started="started" in lines,
            exit_code=lines.get("exit") if answered else None,
            channel_lost=bool(lines.get("lost")),
            strays=lines.get("strays") or 0,
            max_rss=lines.get("max_rss") or 0,
            result=result,
            stdout=self._out.captured(),
            stderr=self._err.captured(),
            elapsed_s=(*reported_at, time.monotonic() - self._began),
            server_lost=server_lost and stop is None,
            guarded=self._guarded,
        )

    def _deadline(self) -> float:
        """Each scenario has its time from when the one before was reported, and all of them have theirs together."""
        newest = self._reported_at[-1] if self._reported_at else 0.0
        return self._began + min(newest + self._job.timeout_s, self._job.whole_s)

    def abandon(self) -> None:
        """Kill everything, without asking how it ended."""
        self._control.close()
        self._launch.sweep(self._report_lines().get("started"), hung=True)
        self._launch.reap()

    def _pump(self, until: str, deadline: Callable[[], float], *, stopping: bool = False) -> Stop | None:
        """Read what comes until the pipe ``until`` ends, or there is a reason to stop.

        What is there at the first look after the deadline came in time: this process may have stood still. It is read,
        but somebody who goes on writing is not listened to for long.
        """
        patience: float | None = None
        while until in self._open:
            now = time.monotonic()
            left = deadline() - now
            patience = None if left > 0 else patience or now + _DRAIN_S
            ready = self._selector.select(max(left, 0.0))
            if patience is not None and (not ready or now >= patience):
                return Stop.TIMEOUT
            for key, _ in ready:
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
            self._job.heard(piece)
        elif name == "stderr":
            self._err.add(piece)
        elif name == "report":
            self._report += piece[: _REPORT_BYTES - len(self._report)]
        elif len(self._result) <= self._job.limits.result_bytes:
            self._note_reports(piece)
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

    def _note_reports(self, piece: bytes) -> None:
        """When each scenario's line came to its end; the first line of all only says that the harness is ready."""
        lines = piece.count(b"\n")
        if lines and not self._result:
            lines -= 1
        now = time.monotonic() - self._began
        room = self._job.scenarios - len(self._reported_at)
        self._reported_at.extend([now] * min(lines, room))


def _plain(value: object) -> bool:
    """Whether the supervisor may have said it: null or an integer of ordinary size."""
    return value is None or (type(value) is int and -(2**63) <= value < 2**63)
