"""BacktestRunner: requests in, results out, one process tree for each, one at a time for each slot."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runners.base import Captured, RunInterrupted, RunnerError, RunRequest, RunResult
from runners.child_result import ChildResult, read_child_result
from runners.environments import Environment
from runners.failures import find_failure
from runners.inputs import check_params, check_terms, open_bars
from runners.interruption import Interruption
from runners.process import SUPERVISOR, Ending, Job, Limits, Stop, run_process

_REMOVAL = SUPERVISOR.with_name("removal.py")
_WAIT_S = 0.1  # how often a run that waits for a slot looks whether it was interrupted


def available_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def harness_version() -> str:
    """A digest of the files that run inside the strategy environment."""
    digest = hashlib.sha256()
    for path in sorted(SUPERVISOR.parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


class BacktestRunner:
    """Implements `runners.base.Runner` with a fresh process tree for every run (level ``cold``).

    ``scratch_root`` is an existing folder in which every run gets a private work folder, removed after it.
    ``slots`` is how many runs go on at the same time; further ones wait, without their time-out running.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        scratch_root: Path,
        slots: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._environment = environment
        self._scratch_root = scratch_root
        self._limits = limits or Limits()
        self._slots = threading.BoundedSemaphore(slots or available_cores())
        self._interruption = Interruption()
        self._harness_version = harness_version()

    def identity(self, request: RunRequest) -> Mapping[str, Any]:
        """See `Runner.identity`."""
        versions = self._environment.versions
        return {
            "source": hashlib.sha256(request.source.encode("utf-8", errors="surrogatepass")).hexdigest(),
            "bars": {
                "name": request.bars.name,
                "part": request.bars.part,
                "fingerprint": request.bars.fingerprint,
            },
            "terms": asdict(request.terms),
            "params": dict(request.params),
            "harness": self._harness_version,
            "python": ".".join(versions["python"].split(".")[:2]),
            "libraries": {name: versions[name] for name in ("backtesting", "numpy", "pandas")},
        }

    def run(self, request: RunRequest) -> RunResult:
        """See `Runner.run`. Also raises `RunnerError` for unusable terms, parameters or bars."""
        check_params(request.params)
        with self._slot(), open_bars(request.bars) as bars, self._scratch() as scratch:
            check_terms(request.terms, bars.lowest_close)
            job = Job(
                python=self._environment.python,
                request={
                    "source": request.source,
                    "terms": asdict(request.terms),
                    "params": dict(request.params),
                },
                bars=bars.file,
                scratch=scratch,
                timeout_s=request.timeout_s,
                limits=self._limits,
            )
            ending = run_process(job, self._interruption)
            if ending.stop is Stop.INTERRUPT:
                raise _interrupted()
            return self._result(request, ending, read_child_result(ending.result, bars.time))

    def interrupt(self) -> None:
        """See `Runner.interrupt`. Returns at once; safe to call from a signal handler."""
        self._interruption.set()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        while not self._interruption.is_set():
            if self._slots.acquire(timeout=_WAIT_S):
                try:
                    yield
                finally:
                    self._slots.release()
                return
        raise _interrupted()

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        try:
            folder = Path(tempfile.mkdtemp(prefix="run-", dir=self._scratch_root.absolute()))
        except OSError as error:
            raise RunnerError(
                f"no work folder can be made in {self._scratch_root}: {error.strerror}",
                hint="make space, or choose a folder that can be written",
            ) from error
        try:
            yield folder
        finally:
            _remove(folder)

    def _result(self, request: RunRequest, ending: Ending, child: ChildResult) -> RunResult:
        if not ending.stop and not child.ready and ending.exit_code != -9:
            raise self._unusable(child, ending.stderr)
        failure = find_failure(ending, child, request, self._limits)
        numbers = child.numbers if failure is None else None
        return RunResult(
            stats=numbers.stats if numbers else None,
            equity=numbers.equity if numbers else None,
            trades=numbers.trades if numbers else (),
            failure=failure,
            stdout=ending.stdout,
            stderr=ending.stderr,
            elapsed_s=ending.elapsed_s,
        )

    def _unusable(self, child: ChildResult, stderr: Captured) -> RunnerError:
        said = child.broken or (stderr.tail or stderr.head).strip()[-500:] or "it ended without a word"
        return RunnerError(
            f"the strategy environment {self._environment.name} does not work: {said}",
            hint="look at it with: rbi env show; make it again with: rbi env remove, then rbi env create",
        )


def _remove(folder: Path) -> None:
    """Never raises for anything in ``folder``: how a run ended matters more than what it left behind."""
    try:
        (folder / "work").rmdir()  # most strategies leave it empty
        folder.rmdir()
    except OSError:
        command = [sys.executable, "-I", "-S", str(_REMOVAL), str(folder)]
        with suppress(OSError):
            subprocess.run(command, stdin=subprocess.DEVNULL, start_new_session=True, check=False)


def _interrupted() -> RunInterrupted:
    return RunInterrupted("the backtest was interrupted", hint="run the same command again to continue")
