"""The runner: right numbers, an identity for what can change them, slots, interruption, and nothing left."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from backtesting import Backtest

from runners.backtest_runner import BacktestRunner
from runners.base import (
    BarsFile,
    Captured,
    Failure,
    FailureKind,
    Level,
    RunInterrupted,
    RunnerError,
    RunRequest,
    RunResult,
    Terms,
)
from runners.environments import Environment, Kind
from runners.warmth import Containment

Run = Callable[..., RunResult]
RunnerOf = Callable[..., BacktestRunner]
TERMS = Terms(cash=50_000, commission=0.002, spread=0.0005, margin=0.5)


def in_this_process(source: str, bars: BarsFile, terms: Terms) -> dict[str, Any]:
    module = ModuleType("here")
    exec(source, module.__dict__)
    with np.load(bars.path) as arrays:
        index = pd.DatetimeIndex(arrays["time"].view("datetime64[ns]"))
        columns = {name: arrays[name] for name in ("Open", "High", "Low", "Close", "Volume")}
    account = {
        "cash": terms.cash,
        "commission": terms.commission,
        "spread": terms.spread,
        "margin": terms.margin,
    }
    frame = pd.DataFrame(columns, index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(Backtest(frame, module.SmaCross, finalize_trades=True, **account).run())


def test_the_numbers_are_those_of_backtesting_itself(
    runner: BacktestRunner, bars: BarsFile, sma_cross: str
) -> None:
    expected = in_this_process(sma_cross, bars, TERMS)
    result = runner.run(RunRequest(sma_cross, bars, TERMS))
    assert result.stats is not None
    assert result.equity is not None
    data = result.stats.to_json()
    for key, value in expected.items():
        if isinstance(value, float) and np.isfinite(value):
            assert data[key] == value, key
        elif isinstance(value, pd.Timedelta):
            assert data[key] == {"seconds": value.total_seconds()}, key
    curve, trades = expected["_equity_curve"], expected["_trades"]
    assert result.equity.equity == tuple(curve["Equity"])
    assert result.equity.drawdown == tuple(curve["DrawdownPct"])
    assert result.equity.time == tuple(curve.index.as_unit("ns").asi8)
    assert [t.pnl for t in result.trades] == list(trades["PnL"])
    assert [t.entry_time for t in result.trades] == list(
        pd.DatetimeIndex(trades["EntryTime"]).as_unit("ns").asi8
    )
    assert {t.tag for t in result.trades} == {"up", ""}
    assert all(t.sl is None and t.tp is None for t in result.trades)


def test_a_trade_still_open_on_the_last_bar_is_counted(run: Run, strategy_doing: Callable[..., str]) -> None:
    result = run(strategy_doing("if not self.position: self.buy()"))
    assert len(result.trades) == 1
    assert result.trades[0].exit_bar == 299


def test_no_trades_is_a_result_with_undefined_figures(run: Run, strategy_doing: Callable[..., str]) -> None:
    result = run(strategy_doing("pass"))
    assert result.stats is not None
    assert result.stats.trades == 0
    assert result.stats.commissions is None
    assert result.stats.win_rate_pct is not None
    assert np.isnan(result.stats.win_rate_pct)
    assert RunResult.from_json(result.to_json()).stats is not None


def test_parameters_reach_the_strategy(run: Run, sma_cross: str) -> None:
    plain, tuned = run(sma_cross), run(sma_cross, fast=2, slow=40)
    assert plain.stats is not None
    assert tuned.stats is not None
    assert plain.stats.trades != tuned.stats.trades


def request_with(of: BarsFile, **changes: object) -> RunRequest:
    return replace(RunRequest("x = 1", of, params={"n": 1}), **changes)  # type: ignore[arg-type]


def test_the_identity_changes_with_everything_that_changes_the_numbers(
    runner: BacktestRunner, bars: BarsFile
) -> None:
    plain = runner.identity(request_with(bars))
    changed = [
        request_with(bars, source="x = 2"),
        request_with(bars, bars=replace(bars, fingerprint="0" * 64)),
        request_with(bars, bars=replace(bars, part="holdout")),
        request_with(bars, terms=Terms(cash=2)),
        request_with(bars, params={"n": 2}),
    ]
    assert all(runner.identity(other) != plain for other in changed)


def test_the_identity_does_not_change_with_places_and_limits(
    runner: BacktestRunner, runner_of: RunnerOf, bars: BarsFile, environment: Environment, tmp_path: Path
) -> None:
    plain = runner.identity(request_with(bars))
    moved = replace(environment, prefix=tmp_path, python=tmp_path / "python", name="other", kind=Kind.CONDA)
    elsewhere = runner_of(moved, slots=7)
    assert (
        elsewhere.identity(request_with(bars, bars=replace(bars, path=tmp_path / "x"), timeout_s=1)) == plain
    )


def test_the_identity_changes_with_the_versions_of_the_libraries(
    runner: BacktestRunner, runner_of: RunnerOf, bars: BarsFile, environment: Environment, tmp_path: Path
) -> None:
    newer = replace(environment, versions={**environment.versions, "backtesting": "0.6.99"})
    other = runner_of(newer)
    assert other.identity(request_with(bars)) != runner.identity(request_with(bars))


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (Terms(cash=10), "cash is 10"),
        (Terms(cash=0), "cash is 0"),
        (Terms(commission=-0.01), "commission"),
        (Terms(commission=0.1), "commission"),
        (Terms(spread=-1), "spread"),
        (Terms(margin=0), "margin"),
        (Terms(margin=2), "margin"),
        (Terms(cash=float("nan")), "cash"),
    ],
)
def test_terms_that_mean_nothing_are_refused_by_name(
    runner: BacktestRunner, bars: BarsFile, sma_cross: str, terms: Terms, message: str
) -> None:
    with pytest.raises(RunnerError, match=message) as caught:
        runner.run(RunRequest(sma_cross, bars, terms))
    assert caught.value.hint


def test_a_parameter_that_is_not_finite_is_refused(
    runner: BacktestRunner, bars: BarsFile, sma_cross: str
) -> None:
    with pytest.raises(RunnerError, match="parameter fast"):
        runner.run(RunRequest(sma_cross, bars, params={"fast": float("inf")}))


@pytest.mark.parametrize("content", [None, b"", b"not a zip", b"PK\x03\x04 broken"])
def test_bars_that_cannot_be_read_are_named(
    runner: BacktestRunner, bars: BarsFile, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "bars.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunnerError, match=r"bars of WALK .*bars\.npz"):
        runner.run(RunRequest("", replace(bars, path=path)))


def test_a_wrong_number_of_bars_is_refused(runner: BacktestRunner, bars: BarsFile) -> None:
    with pytest.raises(RunnerError, match="does not hold 7 bars"):
        runner.run(RunRequest("", replace(bars, rows=7)))


def test_an_interpreter_that_is_gone_is_the_environments_fault(
    runner_of: RunnerOf, environment: Environment, bars: BarsFile, tmp_path: Path
) -> None:
    runner = runner_of(replace(environment, python=tmp_path / "python"))
    with pytest.raises(RunnerError, match="does not start"):
        runner.run(RunRequest("", bars))


def test_an_interpreter_without_the_libraries_is_the_environments_fault(
    runner_of: RunnerOf, environment: Environment, bars: BarsFile, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    runner = runner_of(replace(environment, python=tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(RunnerError, match=r"does not work: ModuleNotFoundError: No module named 'numpy'"):
        runner.run(RunRequest("", bars))


def test_a_program_that_is_no_python_is_the_environments_fault(
    runner_of: RunnerOf, environment: Environment, bars: BarsFile, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho this is no python >&2\nexit 1\n")
    broken.chmod(0o755)
    runner = runner_of(replace(environment, python=broken))
    with pytest.raises(RunnerError, match="this is no python"):
        runner.run(RunRequest("", bars))


def test_no_more_runs_than_slots_go_on_at_once(
    runner_of: RunnerOf, environment: Environment, bars: BarsFile, strategy_doing: Callable[..., str]
) -> None:
    runner = runner_of(environment, slots=1)
    source = strategy_doing("pass", top="print(time.monotonic()); time.sleep(0.3); print(time.monotonic())")
    spans: list[tuple[float, ...]] = []

    def one() -> None:
        result = runner.run(RunRequest(source, bars))
        spans.append(tuple(float(word) for word in result.stdout.head.split()))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans.sort()
    assert len(spans) == 3
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def test_interrupting_ends_running_and_waiting_runs_and_refuses_new_ones(
    runner_of: RunnerOf,
    environment: Environment,
    bars: BarsFile,
    strategy_doing: Callable[..., str],
    scratch: Path,
) -> None:
    runner = runner_of(environment, slots=2)
    raised: list[str] = []

    def one() -> None:
        try:
            runner.run(RunRequest(strategy_doing("time.sleep(1000)"), bars))
        except RunInterrupted as error:
            raised.append(error.message)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(with_mark("supervisor.py", str(scratch))) >= 2)
    runner.interrupt()
    for thread in threads:
        thread.join(timeout=60)
    assert len(raised) == 4
    with pytest.raises(RunInterrupted):
        runner.run(RunRequest("", bars))
    assert list(scratch.iterdir()) == []


def test_draining_lets_runs_end_and_begins_none_that_waits(
    runner_of: RunnerOf,
    environment: Environment,
    bars: BarsFile,
    sma_cross: str,
    tmp_path: Path,
    scratch: Path,
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    runner, gate = runner_of(environment, slots=1), tmp_path / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(runner.run, RunRequest(wait + sma_cross, bars))
        wait_until(lambda: bool(list(scratch.iterdir())))
        waiting = pool.submit(runner.run, RunRequest(sma_cross, bars))
        runner.drain()
        assert isinstance(waiting.exception(), RunInterrupted)
        gate.touch()
        assert running.result().ok


class Impatient(Exception):
    """Raised into a run by a signal handler, as KeyboardInterrupt is."""


def test_an_exception_in_the_waiting_thread_kills_the_run_too(
    runner: BacktestRunner, bars: BarsFile, strategy_doing: Callable[..., str], scratch: Path
) -> None:
    def give_up(*_: object) -> None:
        raise Impatient

    def call_when_it_runs() -> None:
        wait_until(lambda: with_mark("supervisor.py", str(scratch)) != [])
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, give_up)
    caller = threading.Thread(target=call_when_it_runs)
    try:
        with pytest.raises(Impatient):
            caller.start()
            runner.run(RunRequest(strategy_doing("time.sleep(1000)"), bars))
    finally:
        caller.join()
        signal.signal(signal.SIGALRM, before)
    wait_until(lambda: list(scratch.iterdir()) == [])
    wait_until(lambda: with_mark("supervisor.py", str(scratch)) == [])


def test_many_runs_leave_no_descriptor_open(
    runner: BacktestRunner, bars: BarsFile, strategy_doing: Callable[..., str]
) -> None:
    fd_folder = Path("/proc/self/fd")
    if not fd_folder.exists():
        pytest.skip("needs /proc")
    runner.run(RunRequest("", bars))
    gc.collect()  # what other tests left behind must not be counted
    before = len(list(fd_folder.iterdir()))
    runner.run(RunRequest("", bars))
    runner.run(RunRequest(strategy_doing("time.sleep(9)"), bars, timeout_s=0.5))
    with pytest.raises(RunnerError):
        runner.run(RunRequest("", replace(bars, rows=7)))
    gc.collect()
    assert len(list(fd_folder.iterdir())) <= before


OWNER = """
import os, sys
from pathlib import Path
from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, Level, RunRequest
from runners.environments import resolve
from runners.warmth import Containment

bars, rows, scratch = sys.argv[1:4]
source = '''
import os, subprocess, time
home = os.getcwd()
from backtesting import Strategy
for own in (False, True):
    subprocess.Popen(["sleep", "{mark}"], start_new_session=own)
subprocess.Popen(["sh", "-c", "setsid sleep {mark} & sleep {mark}"])
print(flush=True)
for _ in range(50):
    os.mkdir("d")
    os.chdir("d")
open(home + "/running", "w").close()
time.sleep(1000)
'''.format(mark=sys.argv[4])
environment = resolve("current", cache=Path(scratch), environ=os.environ)
cold = Containment(exactly=Level.COLD)
runner = BacktestRunner(environment, scratch_root=Path(scratch), containment=cold)
runner.run(RunRequest(source, BarsFile("W", "dev", int(rows), "", Path(bars))))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_killing_rbi_with_signal_9_leaves_no_process_and_no_work_folder(
    bars: BarsFile, scratch: Path
) -> None:
    mark = f"65432.{os.getpid()}"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(bars.path), str(bars.rows), str(scratch), mark]
    )
    try:
        wait_until(lambda: bool(list(scratch.glob("run-*/*/running"))) and len(with_mark(mark)) >= 4)
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    wait_until(lambda: with_mark(mark) == [])
    wait_until(lambda: list(scratch.glob("run-*")) == [])
    wait_until(lambda: with_mark("supervisor.py", str(scratch)) == [])


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a warm server")


@pytest.fixture
def warm(environment: Environment, scratch: Path) -> Iterator[BacktestRunner]:
    """At the least level that has a warm server: it works everywhere on Linux."""
    limits = Containment(exactly=Level.LIMITS)
    with closing(BacktestRunner(environment, scratch_root=scratch, slots=2, containment=limits)) as runner:
        yield runner


@linux_only
@pytest.mark.parametrize("generation", [1, 2, 3], ids=["server", "supervisor", "harness"])
def test_a_job_whose_process_is_killed_from_outside_still_gives_its_result(
    warm: BacktestRunner, bars: BarsFile, strategy_doing: Callable[..., str], generation: int, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    waiting = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    request = RunRequest(strategy_doing("self.buy(size=1)", init_code=waiting), bars)
    warm.level()  # a server that starts has children of its own for a moment
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(warm.run, request)
        wait_until(lambda: bool(of_generation(3)))
        os.kill(of_generation(generation)[0], signal.SIGKILL)
        go.touch()
        result = running.result()
    expected = warm.run(request)
    assert result.failure is None
    assert (result.level, result.equity) == (expected.level, expected.equity)


@linux_only
def test_a_server_that_is_killed_while_it_starts_does_not_weaken_the_containment(
    warm: BacktestRunner, bars: BarsFile, sma_cross: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(warm.run, RunRequest(sma_cross, bars))
        wait_until(lambda: bool(of_generation(1)))
        os.kill(of_generation(1)[0], signal.SIGKILL)
        assert running.result().level is Level.LIMITS
    assert not warm.why_not


def test_more_datasets_than_a_process_can_have_open_are_one_batch_of_scenarios(
    runner: BacktestRunner, bars: BarsFile, sma_cross: str, tmp_path: Path
) -> None:
    copies = []
    for number in range(70):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(bars.path.read_bytes())
        copies.append(replace(bars, path=path))
    alone = runner.run(RunRequest(sma_cross, bars))
    results = runner.run_all([RunRequest(sma_cross, copy) for copy in copies])
    assert [result.equity for result in results] == [alone.equity] * len(copies)


def test_each_scenario_is_said_to_take_its_own_time(
    runner: BacktestRunner, bars: BarsFile, strategy_doing: Callable[..., str]
) -> None:
    source = strategy_doing(
        "pass",
        init_code="time.sleep(self.pause)\nif self.ends:\n    os._exit(1)",
    ).replace("    def init", "    pause = 0.0\n    ends = False\n    def init", 1)
    asked = [
        RunRequest(source, bars, params={"pause": 1.0, "ends": False}),
        RunRequest(source, bars, params={"pause": 0.0, "ends": False}),
        RunRequest(source, bars, params={"pause": 0.0, "ends": True}),
    ]
    for _ in range(5):  # the quick ones take as long as the machine lets them
        slow, quick, ended = runner.run_all(asked)
        assert slow.elapsed_s >= 1.0
        if quick.elapsed_s + ended.elapsed_s < 1.0:
            return
    pytest.fail(f"{quick.elapsed_s} s and {ended.elapsed_s} s")


def test_what_was_contained_less_than_asked_for_or_killed_is_not_accepted(
    environment: Environment, scratch: Path
) -> None:
    def result(level: Level, kind: FailureKind | None = None) -> RunResult:
        failure = Failure(kind, "", "") if kind else None
        return RunResult(None, None, (), failure, Captured(), Captured(), 0.1, level=level)

    least = Containment(minimum=Level.LANDLOCK)
    with closing(BacktestRunner(environment, scratch_root=scratch, containment=least)) as runner:
        assert runner.accepts(result(Level.NAMESPACES))
        assert not runner.accepts(result(Level.LIMITS))
        assert runner.accepts(result(Level.LANDLOCK, FailureKind.ERROR))
        assert not runner.accepts(result(Level.LANDLOCK, FailureKind.KILLED))


def of_generation(generation: int) -> list[int]:
    """The processes that are so many forks away from this one, over a warm server."""
    parents = {os.getpid()}
    for _ in range(generation):
        children: set[int] = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) in parents:
                    children.add(int(stat.parent.name))
        parents = {child for child in children if with_mark_in("server.py", child)}
    return sorted(parents)


def with_mark_in(mark: str, pid: int) -> bool:
    """Whether its command line has a path that ends so; what is forked has that of whom it was forked from."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        return any(word.endswith("/" + mark) for word in words)
    return False


def with_mark(*marks: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            cwd = str((folder / "cwd").readlink())
        except OSError:
            continue
        if any(word == marks[0] or word.endswith("/" + marks[0]) for word in words) and (
            len(marks) == 1 or cwd.startswith(marks[1])
        ):
            found.append(folder.name)
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
