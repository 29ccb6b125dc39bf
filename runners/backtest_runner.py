"""BacktestRunner: requests in, results out, one contained process for each job, one at a time for each slot."""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from runners.base import (
    Captured,
    CheckStatus,
    Failure,
    FailureKind,
    Level,
    Mode,
    NumbersCheck,
    Road,
    RunnerError,
    RunRequest,
    RunResult,
)
from runners.child_result import ChildResult, ScenarioResult, read_child_result
from runners.claim import BarArrays, Claim
from runners.environments import Environment
from runners.failures import diagnose, find_failure, forged
from runners.inputs import BarsCache, LoadedBars, check_params, check_terms, memory_file
from runners.interruption import Interruption
from runners.limits import Limits
from runners.printed_stats import PrintedStats, disagreement
from runners.process import Ending, Job, Launcher, Stop, run_process
from runners.sandbox import CHILD
from runners.slots import Slots
from runners.verification import check_numbers
from runners.warmth import Containment, Warmth, interrupted
from runners.work_folder import work_folder

_CPU_SPARE_S = 10  # the wall clock is to end a run first: it says more
_TRIES = 3  # how often a job is begun that is ended by force
_DATASETS = 64  # in one job: each takes two of the files that a strategy may have open, as long as it runs
_CHANGED_BARS = "the script changed the bars or brought its own"


def available_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def harness_version() -> str:
    """A digest of the files that run inside the strategy environment."""
    digest = hashlib.sha256()
    for path in sorted(CHILD.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


class BacktestRunner:
    """Implements `runners.base.Runner`: contained as strongly as the machine allows, warm where it can be.

    ``scratch_root`` is an existing folder for work folders that have to be on the disk. ``slots`` is how many jobs go
    on at the same time, by default one for each core; further ones wait, without their time-out running.
    ``containment`` says which levels may be used. The server is started by the first run; `close` ends it, as does
    the end of rbi.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        scratch_root: Path,
        slots: int | None = None,
        limits: Limits | None = None,
        containment: Containment | None = None,
    ) -> None:
        self._environment = environment
        self._scratch_root = scratch_root
        self._limits = limits or Limits()
        self._slots = Slots(slots or available_cores())
        self._suspects = threading.Lock()
        self._draining = Interruption()
        self._interruption = Interruption()
        self._harness_version = harness_version()
        self._bars = BarsCache()
        self._containment = containment or Containment()
        self._warmth = Warmth(
            environment,
            scratch_root=scratch_root,
            limits=self._limits,
            containment=self._containment,
            interruption=self._interruption,
        )

    def identity(self, request: RunRequest) -> Mapping[str, Any]:
        """See `Runner.identity`."""
        versions = self._environment.versions
        script = request.mode is Mode.SCRIPT
        return {
            "source": hashlib.sha256(request.source.encode("utf-8", errors="surrogatepass")).hexdigest(),
            "mode": request.mode.value,
            "bars": {
                "name": request.bars.name,
                "part": request.bars.part,
                "fingerprint": request.bars.fingerprint,
                **({"text": _digest(request.bars.text)} if script and request.bars.text else {}),
            },
            **({} if script else {"terms": asdict(request.terms), "params": dict(request.params)}),
            "seed": request.seed,
            "harness": self._harness_version,
            "python": ".".join(versions["python"].split(".")[:2]),
            "libraries": {name: versions[name] for name in ("backtesting", "numpy", "pandas")},
        }

    def accepts(self, result: RunResult) -> bool:
        """See `Runner.accepts`."""
        killed = result.failure is not None and result.failure.kind is FailureKind.KILLED
        return not killed and self._containment.allows(result.level)

    def run(self, request: RunRequest) -> RunResult:
        """See `Runner.run`. Also raises `RunnerError` for unusable terms, parameters or bars."""
        return self.run_all([request])[0]

    def run_all(self, requests: Sequence[RunRequest]) -> tuple[RunResult, ...]:
        """See `Runner.run_all`. Also raises `RunnerError` for unusable terms, parameters or bars."""
        _check_one_version(requests)
        results: list[RunResult] = []
        while len(results) < len(requests):
            # A run that is cut short says nothing of the scenarios after it: they get a job of their own.
            results.extend(self._job(_first_job(requests[len(results) :])))
        return tuple(results)

    def drain(self) -> None:
        """See `Runner.drain`. Returns at once; safe to call from a signal handler."""
        self._draining.set()

    def interrupt(self) -> None:
        """See `Runner.interrupt`. Returns at once; safe to call from a signal handler."""
        self._draining.set()
        self._interruption.set()

    def close(self) -> None:
        """End what is kept ready for further runs; none may be going on."""
        self._warmth.close()
        self._bars.close()

    def level(self) -> Level:
        """The level that runs are contained at here, and found by trying. Raises `RunnerError` if none is allowed."""
        return self._warmth.launcher().level

    @property
    def why_not(self) -> Mapping[Level, str]:
        """Of each stronger level, what stands in its way."""
        return self._warmth.why_not

    def _job(self, requests: Sequence[RunRequest]) -> list[RunResult]:
        loaded = [self._bars.load(request.bars) for request in requests]
        for request, bars in zip(requests, loaded, strict=True):
            check_params(request.params)
            if request.mode is Mode.CLASS:
                check_terms(request.terms, bars.lowest_close)
        with self._slots.one(self._draining) as is_mine:
            if not is_mine:
                raise interrupted()
            ran = self._run_job(requests, loaded)
        # Another job may begin: a core that waits for what is read and computed again here would stand still.
        if ran.ending.stop is Stop.INTERRUPT:
            raise interrupted()
        child = read_child_result(ran.ending.result, [bars.arrays for bars in loaded])
        killed = ran.ending.started and ran.ending.cut_off
        if not ran.ending.stop and not child.ready and not killed:
            raise self._unusable(child, ran.ending.stderr)
        return self._results(requests, loaded, ran, child)

    def _run_job(self, requests: Sequence[RunRequest], loaded: Sequence[LoadedBars]) -> _Ran:
        """Once more if it was ended by force, or its server is spoilt: that need not be the strategy's doing.

        All tries together have the time of one. One that had less, and used it up, does not count. The last tries of
        all jobs come one by one, so that the one whose doing it is takes no other along for good.
        """
        left = max(request.timeout_s for request in requests) * len(requests)
        tries: list[_Ran] = []
        while len(tries) < _TRIES and left > 0:
            with ExitStack() as stack:
                if len(tries) == _TRIES - 1:
                    stack.enter_context(self._suspects)
                launcher = self._warmth.launcher()
                tries.append(self._begin(requests, loaded, launcher, left, stack))
            ending = tries[-1].ending
            left -= ending.elapsed_s[-1]
            spoilt = not ending.began and not ending.server_lost and launcher.level is not Level.COLD
            if ending.stop or not (spoilt or ending.cut_off):
                break
            if spoilt:
                self._warmth.discard(launcher)
        if len(tries) > 1 and tries[-1].ending.stop is Stop.TIMEOUT:
            return tries[-2]
        if len(tries) == _TRIES:  # it was the only suspect when its server went down: that was its own doing
            return replace(tries[-1], ending=replace(tries[-1].ending, server_lost=False))
        return tries[-1]

    def _begin(
        self,
        requests: Sequence[RunRequest],
        loaded: Sequence[LoadedBars],
        launcher: Launcher,
        left_s: float,
        stack: ExitStack,
    ) -> _Ran:
        first = requests[0]
        distinct = list({id(bars): bars for bars in loaded}.values())
        timeout_s = max(request.timeout_s for request in requests)
        printed = PrintedStats() if first.mode is Mode.SCRIPT else None
        job = Job(
            request={
                "mode": first.mode.value,
                "source": first.source,
                "scenarios": [
                    {
                        "bars": distinct.index(bars),
                        "dataset": request.bars.name,
                        "terms": asdict(request.terms),
                        "params": dict(request.params),
                        "seed": request.seed,
                    }
                    for request, bars in zip(requests, loaded, strict=True)
                ],
            },
            bars=[bars.file for bars in distinct],
            text=_open_text(first, stack),
            scratch=stack.enter_context(work_folder(self._scratch_root, launcher.level)),
            timeout_s=timeout_s,
            whole_s=left_s,
            scenarios=len(requests),
            limits=self._limits,
            confinement={"limits": self._limits.rlimits(math.ceil(timeout_s * len(requests)) + _CPU_SPARE_S)},
            heard=printed.feed if printed else _ignore,
        )
        ending = run_process(job, launcher, self._interruption)
        if printed:
            printed.close()
        return _Ran(ending, launcher.level, printed)

    def _results(
        self, requests: Sequence[RunRequest], loaded: Sequence[LoadedBars], ran: _Ran, child: ChildResult
    ) -> list[RunResult]:
        """One for each scenario that was reported, and one for the scenario that the run ended in."""
        results = []
        for number, (request, bars) in enumerate(zip(requests, loaded, strict=True)):
            reported = number < len(child.scenarios)
            scenario = child.scenarios[number] if reported else ScenarioResult()
            ended_in = not reported or number == len(requests) - 1
            # What happened to the process after a scenario's report is the next one's affair.
            ending = (
                ran.ending
                if ended_in
                else replace(ran.ending, **_UNEVENTFUL, elapsed_s=ran.ending.elapsed_s[: number + 1])
            )
            failure = find_failure(ending, scenario, request, self._limits)
            elapsed_s = ran.elapsed_s(number, ended_in=ended_in)
            results.append(_result(request, bars, replace(ran, ending=ending), scenario, failure, elapsed_s))
            if not reported:
                break
        return results

    def _unusable(self, child: ChildResult, stderr: Captured) -> RunnerError:
        said = child.broken or (stderr.tail or stderr.head).strip()[-500:] or "it ended without a word"
        return RunnerError(
            f"the strategy environment {self._environment.name} does not work: {said}",
            hint="look at it with: rbi env show; make it again with: rbi env remove, then rbi env create",
        )


@dataclass(frozen=True, slots=True)
class _Ran:
    """A job that has ended, the level it ran at, and what a script printed of its statistics."""

    ending: Ending
    level: Level
    printed: PrintedStats | None

    def elapsed_s(self, number: int, *, ended_in: bool) -> float:
        """How long the scenario of that number took; ``ended_in`` if the run ended in it."""
        *reported, end = self.ending.elapsed_s
        began = reported[number - 1] if 0 < number <= len(reported) else 0.0
        return (end if ended_in or number >= len(reported) else reported[number]) - began


def _result(
    request: RunRequest,
    bars: LoadedBars,
    ran: _Ran,
    scenario: ScenarioResult,
    failure: Failure | None,
    elapsed_s: float,
) -> RunResult:
    bare = RunResult(
        stats=None,
        equity=None,
        trades=(),
        failure=failure,
        stdout=ran.ending.stdout,
        stderr=ran.ending.stderr,
        elapsed_s=elapsed_s,
        level=ran.level,
        seed=request.seed,
        road=Road.CLASS if request.mode is Mode.CLASS else Road.OBSERVED,
    )
    printed = ran.printed
    if failure and not (request.mode is Mode.SCRIPT and failure.kind in _AFTER_A_RUN):
        return bare
    if scenario.claim is None:
        return _printed_only(bare, printed)
    claim = scenario.claim
    check = _check(claim, request, scenario.own_bars or bars.arrays)
    found = replace(bare, account=claim.account, orders=scenario.orders, check=check)
    if check.status is CheckStatus.INVALID:
        return replace(found, failure=forged(check))
    return replace(
        found,
        stats=claim.stats,
        equity=scenario.equity,
        trades=scenario.trades,
        failure=failure or diagnose(scenario),
        disagreement=disagreement(printed.last, claim.stats) if printed and printed.last else "",
    )


_UNEVENTFUL: Mapping[str, Any] = {"stop": None, "exit_code": 0, "strays": 0, "channel_lost": False}
# A script that ends so may have finished a backtest before: its numbers are true.
_AFTER_A_RUN = frozenset(FailureKind) - {
    FailureKind.TIMEOUT,
    FailureKind.OUTPUT,
    FailureKind.MEMORY,
    FailureKind.SCRATCH,
    FailureKind.CRASHED,
    FailureKind.KILLED,
    FailureKind.STRAY_PROCESS,
    FailureKind.NO_RESULT,
}


def _check(claim: Claim, request: RunRequest, bars: BarArrays) -> NumbersCheck:
    """What the runner's own computation says; of bars that the script made itself, nothing can be said for sure."""
    check = check_numbers(claim, bars, agreed=request.terms if request.mode is Mode.CLASS else None)
    if claim.account.own_bars and check.status is CheckStatus.CONFIRMED:
        return NumbersCheck(CheckStatus.CANNOT_TELL, _CHANGED_BARS)
    return check


def _printed_only(bare: RunResult, printed: PrintedStats | None) -> RunResult:
    """What a script printed without any backtest that was observed."""
    if printed is None or printed.last is None or not printed.complete:
        return bare
    return replace(
        bare,
        stats=printed.last,
        road=Road.PRINTED,
        check=NumbersCheck(CheckStatus.CANNOT_TELL, "nothing but printed text: no backtest was observed"),
    )


def _first_job(requests: Sequence[RunRequest]) -> Sequence[RunRequest]:
    """As many of the first requests as one process can have open the bars of."""
    files: set[Path] = set()
    for number, request in enumerate(requests):
        files.add(request.bars.path)
        if len(files) > _DATASETS:
            return requests[:number]
    return requests


def _check_one_version(requests: Sequence[RunRequest]) -> None:
    """Raise unless the requests can share a process."""
    if not requests:
        raise ValueError("no scenario was asked for")
    if len({(request.source, request.mode) for request in requests}) != 1:
        raise ValueError("the scenarios of one job are of one strategy version")
    if len(requests) > 1 and requests[0].mode is Mode.SCRIPT:
        raise ValueError("a script brings its own scenarios: run each alone")


def _open_text(request: RunRequest, stack: ExitStack) -> IO[bytes] | None:
    """A copy of the text that a script reads: of the file itself, its owner could change mode and times.

    Raises `RunnerError` if there is none.
    """
    if request.mode is Mode.CLASS:
        return None
    text = request.bars.text
    try:
        if text is None:
            raise FileNotFoundError("no text of these bars was made")
        return stack.enter_context(memory_file(text.read_bytes()))
    except OSError as error:
        raise RunnerError(
            f"the bars of {request.bars.name} ({request.bars.part}) cannot be given to a script: {error}",
            hint="see whether the data file is still where it was",
        ) from error


def _digest(path: Path) -> str:
    """The sha256 of a file's content. Raises `RunnerError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RunnerError(
            f"the data file cannot be read: {path}: {error.strerror}", hint="bring it back"
        ) from error


def _ignore(_piece: bytes) -> None:
    """What a strategy prints is of no use beyond what is kept of it."""
