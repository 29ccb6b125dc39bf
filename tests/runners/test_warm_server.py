"""The server that runs are forked from: started once, replaced when it dies, gone when rbi is."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, FailureKind, Level, RunInterrupted, RunnerError, RunRequest
from runners.environments import Environment
from runners.warmth import Containment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")

WARM = (Level.NAMESPACES, Level.LANDLOCK, Level.LIMITS)
NAP = "import time\nwhile time.monotonic() < {until}: time.sleep(0.01)"
HANG = "signal.signal(signal.SIGUSR2, signal.SIG_IGN)\ntime.sleep(1000)"
RunnerAt = Callable[..., BacktestRunner]
Found = Callable[[Path], list[int]]
Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def runner_at(environment: Environment, scratch: Path) -> Iterator[RunnerAt]:
    """Make a runner at exactly one level that is ready; skips where the level cannot be had."""
    with ExitStack() as stack:

        def make(level: Level, slots: int = 4) -> BacktestRunner:
            exactly = Containment(exactly=level)
            runner = BacktestRunner(environment, scratch_root=scratch, slots=slots, containment=exactly)
            stack.callback(runner.close)
            try:
                runner.level()
            except RunnerError as error:
                pytest.skip(error.message)
            return runner

        yield make


at_warm_levels = pytest.mark.parametrize("level", WARM, ids=str)
at_every_level = pytest.mark.parametrize("level", list(Level), ids=str)


def children_of(pid: int) -> list[int]:
    """By their parents' ids, which everybody may read."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def server_chain(level: Level, scratch: Path, processes_of: Found) -> list[int]:
    """The processes of the server itself, outermost first: at namespaces, one that waits and one that forks."""
    outermost = [pid for pid in processes_of(scratch) if pid in children_of(os.getpid())]
    assert len(outermost) == 1
    return [*outermost, *children_of(outermost[0])] if level is Level.NAMESPACES else outermost


def ignores_usr2(scratch: Path, processes_of: Found) -> bool:
    """Whether a strategy of ours has said that it runs: even from a namespace, that can be seen."""
    for pid in processes_of(scratch):
        with suppress(OSError):
            fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            if int(fields["SigIgn"], 16) >> (signal.SIGUSR2 - 1) & 1:
                return True
    return False


@at_warm_levels
def test_one_server_serves_many_runs_of_many_threads(
    runner_at: RunnerAt,
    level: Level,
    bars: BarsFile,
    sma_cross: str,
    scratch: Path,
    processes_of: Found,
) -> None:
    runner = runner_at(level)
    before = server_chain(level, scratch, processes_of)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(runner.run, [RunRequest(sma_cross, bars)] * 24))
    assert all(result.ok and result.level is level for result in results)
    assert len({result.stats.equity_final for result in results if result.stats}) == 1
    assert server_chain(level, scratch, processes_of) == before


def test_threads_that_all_find_no_server_start_one(
    environment: Environment, bars: BarsFile, sma_cross: str, scratch: Path, processes_of: Found
) -> None:
    limits = Containment(exactly=Level.LIMITS)
    runner = BacktestRunner(environment, scratch_root=scratch, slots=4, containment=limits)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(r.ok for r in pool.map(runner.run, [RunRequest(sma_cross, bars)] * 4))
        assert len(processes_of(scratch)) == 1
    finally:
        runner.close()


@pytest.mark.parametrize("which", [0, 1], ids=["outermost", "innermost"])
@at_warm_levels
def test_jobs_whose_server_is_killed_get_their_results_from_a_new_one(
    runner_at: RunnerAt,
    level: Level,
    which: int,
    bars: BarsFile,
    sma_cross: str,
    scratch: Path,
    processes_of: Found,
    wait_until: Wait,
) -> None:
    if which and level is not Level.NAMESPACES:
        pytest.skip("its server is one process")
    runner = runner_at(level)
    before = server_chain(level, scratch, processes_of)

    def is_caught(nap_s: float) -> bool:
        """Whether the server was killed while all of its jobs were seen to run."""
        source = f"{NAP.format(until=time.monotonic() + nap_s)}\n{sma_cross}"
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(runner.run, RunRequest(source, bars)) for _ in range(4)]
            wait_until(lambda: len(children_of(before[-1])) == 4 or all(job.done() for job in jobs))
            seen = len(children_of(before[-1])) == 4
            if seen:
                os.kill(before[which], signal.SIGKILL)
            assert all(job.result().ok and job.result().level is level for job in jobs)
        return seen

    assert any(is_caught(nap_s) for nap_s in (0.6, 3, 15))
    wait_until(lambda: len(processes_of(scratch)) == len(before))
    assert not set(before) & set(processes_of(scratch))


@at_warm_levels
def test_a_server_that_was_killed_while_nothing_ran_is_replaced(
    runner_at: RunnerAt, level: Level, bars: BarsFile, sma_cross: str, scratch: Path, processes_of: Found
) -> None:
    runner = runner_at(level)
    os.kill(server_chain(level, scratch, processes_of)[0], signal.SIGKILL)
    assert runner.run(RunRequest(sma_cross, bars)).ok


@at_warm_levels
def test_a_supervisor_that_is_killed_takes_its_strategy_along_and_nobody_else(
    runner_at: RunnerAt,
    level: Level,
    bars: BarsFile,
    sma_cross: str,
    strategy_doing: Callable[..., str],
    scratch: Path,
    processes_of: Found,
    wait_until: Wait,
) -> None:
    runner = runner_at(level)
    server = server_chain(level, scratch, processes_of)
    with ThreadPoolExecutor(2) as pool:
        job = pool.submit(runner.run, RunRequest(strategy_doing(HANG), bars, timeout_s=5))
        wait_until(lambda: len(processes_of(scratch)) == len(server) + 2)
        [supervisor] = children_of(server[-1])
        wait_until(lambda: ignores_usr2(scratch, processes_of))
        os.kill(supervisor, signal.SIGKILL)
        failure = job.result().failure  # begun once more in the time that was left, which it used up
        assert failure is not None
        assert failure.kind is (FailureKind.CRASHED if level is Level.LIMITS else FailureKind.KILLED)
    wait_until(lambda: processes_of(scratch) == server or len(processes_of(scratch)) == len(server))
    assert runner.run(RunRequest(sma_cross, bars)).ok
    assert list(scratch.iterdir()) == []


@at_warm_levels
def test_who_had_not_its_time_because_the_server_was_killed_is_not_blamed(
    runner_at: RunnerAt,
    level: Level,
    bars: BarsFile,
    strategy_doing: Callable[..., str],
    scratch: Path,
    processes_of: Found,
    wait_until: Wait,
) -> None:
    runner = runner_at(level)
    server = server_chain(level, scratch, processes_of)
    with ThreadPoolExecutor(2) as pool:
        job = pool.submit(runner.run, RunRequest(strategy_doing(HANG), bars, timeout_s=5))
        wait_until(lambda: ignores_usr2(scratch, processes_of))
        os.kill(server[0], signal.SIGKILL)
        result = job.result()  # begun once more in the time that was left, which it used up
    assert result.failure is not None
    assert result.failure.kind is FailureKind.KILLED
    assert not runner.accepts(result)


OWNER = """
import os, sys
from pathlib import Path
from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, Level, RunnerError, RunRequest
from runners.environments import resolve
from runners.warmth import Containment

bars, rows, scratch, level = sys.argv[1:]
source = '''
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
'''
environment = resolve("current", cache=Path(scratch).parent, environ=os.environ)
containment = Containment(exactly=Level(level))
runner = BacktestRunner(environment, scratch_root=Path(scratch), containment=containment)
try:
    runner.level()
except RunnerError as error:
    sys.exit(f"refused: {error.message}")
print("ready", flush=True)
runner.run(RunRequest(source, BarsFile("W", "dev", int(rows), "", Path(bars))))
"""


@at_every_level
def test_killing_rbi_leaves_no_process_and_no_folder_while_a_strategy_hangs(
    level: Level, bars: BarsFile, scratch: Path, processes_of: Found, wait_until: Wait
) -> None:
    kept = {Level.NAMESPACES: 4, Level.COLD: 2}.get(level, 3)
    arguments = [str(bars.path), str(bars.rows), str(scratch), level.value]
    command = [sys.executable, "-c", OWNER, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stderr is not None
        try:
            if owner.stdout.readline() != b"ready\n":
                said = owner.stderr.read().decode()
                assert said.startswith("refused: "), said
                pytest.skip(said)
            wait_until(lambda: len(processes_of(scratch)) >= kept)
            wait_until(lambda: ignores_usr2(scratch, processes_of))
        finally:
            owner.kill()
    wait_until(lambda: processes_of(scratch) == [])
    wait_until(lambda: list(scratch.iterdir()) == [])


@at_warm_levels
def test_closing_a_runner_ends_its_server(
    runner_at: RunnerAt,
    level: Level,
    bars: BarsFile,
    sma_cross: str,
    scratch: Path,
    processes_of: Found,
    wait_until: Wait,
) -> None:
    runner = runner_at(level)
    runner.run(RunRequest(sma_cross, bars))
    runner.close()
    wait_until(lambda: processes_of(scratch) == [])
    assert runner.run(RunRequest(sma_cross, bars)).ok  # a new one is started when it is needed


def test_forgetting_a_runner_ends_its_server(
    environment: Environment, scratch: Path, processes_of: Found, wait_until: Wait
) -> None:
    limits = Containment(exactly=Level.LIMITS)
    runner = BacktestRunner(environment, scratch_root=scratch, containment=limits)
    runner.level()
    assert processes_of(scratch) != []
    del runner
    gc.collect()
    wait_until(lambda: processes_of(scratch) == [])


def test_a_setting_names_a_minimum_or_one_level() -> None:
    assert Containment.named("") == Containment(minimum=Level.COLD)
    assert Containment.named("landlock") == Containment(minimum=Level.LANDLOCK)
    assert Containment.named("=limits") == Containment(exactly=Level.LIMITS)
    for wrong in ("=", "strong", "==limits", "Limits"):
        with pytest.raises(ValueError, match="is not a valid Level"):
            Containment.named(wrong)


@pytest.mark.parametrize("least", list(Level), ids=str)
def test_a_minimum_allows_what_is_as_strong_and_one_level_only_itself(least: Level) -> None:
    assert [level for level in Level if Containment(minimum=least).allows(level)] == list(Level)[
        least.strength :
    ]
    assert [level for level in Level if Containment(exactly=least).allows(level)] == [least]


BROKEN = "#!/bin/sh\necho this is no python >&2\nexit 1\n"


def broken(environment: Environment, folder: Path, script: str = BROKEN) -> Environment:
    python = folder / "python"
    python.write_text(script)
    python.chmod(0o755)
    return replace(environment, python=python)


def test_a_minimum_that_cannot_be_had_is_refused_with_every_levels_reason(
    environment: Environment, bars: BarsFile, scratch: Path, tmp_path: Path
) -> None:
    strict = Containment(minimum=Level.LANDLOCK)
    runner = BacktestRunner(broken(environment, tmp_path), scratch_root=scratch, containment=strict)
    try:
        with pytest.raises(RunnerError, match=r"at the level landlock .*namespaces: .*landlock: ") as caught:
            runner.run(RunRequest("", bars))
        assert caught.value.message.count("this is no python") == 2
        assert "--sandbox" in caught.value.hint
        assert runner.why_not.keys() == {Level.NAMESPACES, Level.LANDLOCK}
    finally:
        runner.close()


def test_libraries_that_are_broken_are_named(
    environment: Environment, bars: BarsFile, scratch: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = tmp_path / "bare"
    without = replace(environment, prefix=bare, python=bare / "bin" / "python")
    runner = BacktestRunner(without, scratch_root=scratch)
    try:
        with pytest.raises(RunnerError, match=r"does not work: ModuleNotFoundError: No module named"):
            runner.run(RunRequest("", bars))
        assert "No module named" in runner.why_not[Level.LIMITS]
    finally:
        runner.close()


def test_an_environment_that_is_slow_to_start_is_waited_for_and_no_strategy_pays_for_it(
    environment: Environment, bars: BarsFile, sma_cross: str, scratch: Path, tmp_path: Path
) -> None:
    script = f'#!/bin/sh\nsleep 2.5\nexec {environment.python} "$@"\n'
    limits = Containment(exactly=Level.LIMITS)
    slow = broken(environment, tmp_path, script)
    runner = BacktestRunner(slow, scratch_root=scratch, containment=limits)
    try:
        result = runner.run(RunRequest(sma_cross, bars, timeout_s=2.4))
        assert result.ok
        assert result.elapsed_s < 2.4
    finally:
        runner.close()


@pytest.mark.parametrize("containment", [Containment(), Containment(exactly=Level.LIMITS)], ids=str)
def test_interrupting_while_the_server_starts_ends_the_run_at_once(
    environment: Environment,
    bars: BarsFile,
    sma_cross: str,
    scratch: Path,
    tmp_path: Path,
    containment: Containment,
    processes_of: Found,
    wait_until: Wait,
) -> None:
    never = broken(environment, tmp_path, "#!/bin/sh\nsleep 1000\n")
    runner = BacktestRunner(never, scratch_root=scratch, containment=containment)
    raised: list[BaseException] = []

    def one() -> None:
        try:
            runner.run(RunRequest(sma_cross, bars))
        except RunnerError as error:
            raised.append(error)

    thread = threading.Thread(target=one)
    thread.start()
    wait_until(lambda: children_of(os.getpid()) != [])
    runner.interrupt()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert [type(error) for error in raised] == [RunInterrupted]
    wait_until(lambda: processes_of(scratch) == [])
    runner.close()


def test_the_seed_decides_the_random_numbers_and_is_in_the_result(
    runner_at: RunnerAt, bars: BarsFile, strategy_doing: Callable[..., str]
) -> None:
    top = "import random, numpy\nprint(random.random(), numpy.random.rand(), {'a', 'b', 'c', 'd'})"
    request = RunRequest(strategy_doing("self.buy()", top=top), bars)
    runner = runner_at(Level.LIMITS)
    first, second, other = (runner.run(replace(request, seed=seed)) for seed in (3, 3, 4))
    assert first.stdout == second.stdout != other.stdout
    assert (first.seed, other.seed) == (3, 4)
    assert runner.identity(request) != runner.identity(replace(request, seed=1))
