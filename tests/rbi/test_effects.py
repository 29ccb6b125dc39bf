"""Effects: asked for twice, done once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from builders import NoLibrary, bad_result, bars, good_result

from models.client import ModelClient
from models.limiter import Limiters
from models.providers.offline.writer import OfflineWriter
from models.stopping import Flag
from rbi.domain import Idea
from rbi.effects import Interrupted, JournaledEffects, KeyLocks
from rbi.events import BacktestFinished, Event, Events
from rbi.journal import Journal
from rbi.prompts import shipped
from rbi.stages.context import Scenario
from rbi.turns import Turns
from rbi.writers import Writers
from runners.base import Failure, FailureKind, RunInterrupted, RunnerError, RunRequest, RunResult, Terms

IDEA = Idea(1, "Buy when RSI(14) falls below 30 and exit when RSI rises above 60.")
TIMEOUT = bad_result(Failure(FailureKind.TIMEOUT, "not finished", "make it faster"))


class CountingRunner:
    """A runner whose results are given, and which counts what it was asked to run."""

    def __init__(self, run: Callable[[RunRequest], RunResult]) -> None:
        self._run = run
        self.accepting = True
        self.runs = 0
        self._lock = threading.Lock()

    def identity(self, request: RunRequest) -> Mapping[str, Any]:
        return {
            "source": request.source,
            "bars": request.bars.fingerprint,
            "params": dict(request.params),
            **asdict(request.terms),
        }

    def accepts(self, result: RunResult) -> bool:
        return self.accepting

    def run(self, request: RunRequest) -> RunResult:
        with self._lock:
            self.runs += 1
        return self._run(request)

    def run_all(self, requests: Sequence[RunRequest]) -> tuple[RunResult, ...]:
        return tuple(map(self.run, requests))

    def drain(self) -> None:
        return

    def interrupt(self) -> None:
        return


class Bench:
    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "rbi.db")
        self.events: list[Event] = []
        self.stopping = Flag()
        self.turns = Turns(1, self.stopping)

    def effects(
        self, run: Callable[[RunRequest], RunResult], *, timeout_s: float = 10.0, cash: float = 1e6
    ) -> tuple[JournaledEffects, CountingRunner]:
        runner = CountingRunner(run)
        made = JournaledEffects(
            batch="b",
            journal=self.journal,
            client=ModelClient(self.journal, Limiters()),
            writers=Writers((OfflineWriter(),), {}, max_output_tokens=8192, temperature=None),
            prompts=shipped(),
            library=NoLibrary(),
            runner=runner,
            terms=Terms(cash=cash),
            timeout_s=timeout_s,
            events=Events(self.events.append),
            stopping=self.stopping,
            turns=self.turns,
        )
        return made, runner


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.journal.close()


def test_a_backtest_is_run_once_and_its_result_is_the_same_ever_after(bench: Bench) -> None:
    first, runner = bench.effects(lambda request: good_result())
    result = first.backtest(IDEA, "run", "x", Scenario(bars()))
    again, other = bench.effects(lambda request: good_result(trades=1))
    assert again.backtest(IDEA, "run", "x", Scenario(bars())).to_json() == result.to_json()
    assert (runner.runs, other.runs) == (1, 0)
    assert [e.replayed for e in bench.events if isinstance(e, BacktestFinished)] == [False, True]


def test_other_terms_are_another_backtest(bench: Bench) -> None:
    bench.effects(lambda request: good_result())[0].backtest(IDEA, "run", "x", Scenario(bars()))
    richer, runner = bench.effects(lambda request: good_result(), cash=2e6)
    richer.backtest(IDEA, "run", "x", Scenario(bars()))
    assert runner.runs == 1


def test_a_strategys_own_failure_is_a_result_and_is_remembered(bench: Bench) -> None:
    failed = bad_result(Failure(FailureKind.ERROR, "boom", "mend it"))
    bench.effects(lambda request: failed)[0].backtest(IDEA, "run", "x", Scenario(bars()))
    again, runner = bench.effects(lambda request: good_result())
    assert again.backtest(IDEA, "run", "x", Scenario(bars())).failure == failed.failure
    assert runner.runs == 0


@pytest.mark.parametrize(("later", "runs"), [(5.0, 0), (10.0, 0), (20.0, 1)])
def test_a_timeout_is_remembered_until_more_time_is_given(bench: Bench, later: float, runs: int) -> None:
    bench.effects(lambda request: TIMEOUT)[0].backtest(IDEA, "run", "x", Scenario(bars()))
    again, runner = bench.effects(lambda request: good_result(), timeout_s=later)
    assert again.backtest(IDEA, "run", "x", Scenario(bars())).ok == bool(runs)
    assert runner.runs == runs


def test_a_result_that_the_runner_does_not_accept_is_made_again(bench: Bench) -> None:
    bench.effects(lambda request: good_result())[0].backtest(IDEA, "run", "x", Scenario(bars()))
    again, runner = bench.effects(lambda request: good_result())
    runner.accepting = False
    assert again.backtest(IDEA, "run", "x", Scenario(bars())).ok
    assert runner.runs == 1


def test_once_more_time_gave_a_result_a_shorter_timeout_keeps_it(bench: Bench) -> None:
    bench.effects(lambda request: TIMEOUT)[0].backtest(IDEA, "run", "x", Scenario(bars()))
    bench.effects(lambda request: good_result(), timeout_s=20)[0].backtest(IDEA, "run", "x", Scenario(bars()))
    again, runner = bench.effects(lambda request: TIMEOUT, timeout_s=30)
    assert again.backtest(IDEA, "run", "x", Scenario(bars())).ok
    assert runner.runs == 0


def test_the_runners_own_trouble_is_no_result(bench: Bench) -> None:
    def broken(request: RunRequest) -> RunResult:
        raise RunnerError("the environment is gone")

    with pytest.raises(RunnerError):
        bench.effects(broken)[0].backtest(IDEA, "run", "x", Scenario(bars()))
    again, runner = bench.effects(lambda request: good_result())
    assert again.backtest(IDEA, "run", "x", Scenario(bars())).ok
    assert runner.runs == 1


def test_an_interrupted_backtest_is_no_result_and_not_possibly_paid(bench: Bench) -> None:
    def interrupted(request: RunRequest) -> RunResult:
        raise RunInterrupted("stopped")

    with pytest.raises(Interrupted):
        bench.effects(interrupted)[0].backtest(IDEA, "run", "x", Scenario(bars()))
    assert bench.journal.totals("b").possibly_paid == 0


def test_who_waits_for_a_turn_when_the_batch_is_stopped_does_not_ask(bench: Bench) -> None:
    effects, _ = bench.effects(lambda request: good_result())
    assert bench.turns.try_take("another")
    stop = threading.Timer(0.2, bench.stopping.set)
    stop.start()
    with pytest.raises(Interrupted):
        effects.ask(IDEA, "research", {"idea": IDEA.text, "columns": "Close"})
    stop.join()
    assert bench.journal.totals("b").answers == 0


def test_after_a_stop_no_effect_begins(bench: Bench) -> None:
    effects, runner = bench.effects(lambda request: good_result())
    bench.stopping.set()
    with pytest.raises(Interrupted):
        effects.backtest(IDEA, "run", "x", Scenario(bars()))
    with pytest.raises(Interrupted):
        effects.ask(IDEA, "research", {"idea": IDEA.text, "columns": "Close"})
    assert runner.runs == 0
    assert bench.journal.totals("b").answers == 0


def test_threads_that_want_the_same_backtest_share_one_run(bench: Bench) -> None:
    def slow(request: RunRequest) -> RunResult:
        threading.Event().wait(0.05)
        return good_result()

    effects, runner = bench.effects(slow)
    results: list[RunResult] = []
    threads = [
        threading.Thread(target=lambda: results.append(effects.backtest(IDEA, "run", "x", Scenario(bars()))))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (runner.runs, len(results)) == (1, 6)


def test_a_key_lock_is_forgotten_when_nobody_needs_it() -> None:
    locks = KeyLocks()
    with locks.hold("a"), locks.hold("b"):
        pass
    assert (dict(locks._locks), dict(locks._users)) == ({}, {})


def test_an_answer_is_recorded_with_its_batch_idea_and_stage(bench: Bench) -> None:
    effects, _ = bench.effects(lambda request: good_result())
    assert "RSI" in effects.ask(IDEA, "research", {"idea": IDEA.text, "columns": "Close"}).text
    (call,) = bench.journal.calls("b", IDEA.idea_id)
    assert (call["kind"], call["stage"], call["state"]) == ("model", "research", "done")


def test_equal_bars_under_another_path_are_the_same_backtest(bench: Bench, tmp_path: Path) -> None:
    effects, runner = bench.effects(lambda request: good_result())
    effects.backtest(IDEA, "run", "x", Scenario(bars()))
    effects.backtest(IDEA, "run", "x", Scenario(replace(bars(), path=tmp_path / "elsewhere.npz")))
    assert runner.runs == 1


def with_params(request: RunRequest) -> RunResult:
    return good_result(sharpe=float(request.params.get("n", 0)))


def test_many_scenarios_are_one_result_each_in_their_order_and_only_new_ones_are_run(bench: Bench) -> None:
    effects, runner = bench.effects(with_params)
    scenarios = [Scenario(bars(), {"n": n}) for n in (3, 1, 3)]
    found = effects.scores(IDEA, "optimize", "x", scenarios)
    assert [r.stats.sharpe_ratio for r in found if r.stats] == [3.0, 1.0, 3.0]
    assert runner.runs == 2
    effects.scores(IDEA, "optimize", "x", [*scenarios, Scenario(bars(), {"n": 7})])
    assert runner.runs == 3


def test_a_score_keeps_the_statistics_only_and_stands_for_no_backtest(bench: Bench) -> None:
    effects, runner = bench.effects(with_params)
    (score,) = effects.scores(IDEA, "optimize", "x", [Scenario(bars())])
    assert score.stats and score.equity is None and not score.trades
    assert effects.backtest(IDEA, "run", "x", Scenario(bars())).equity
    assert runner.runs == 2


def test_costs_are_a_multiple_of_the_batchs(bench: Bench) -> None:
    asked: list[RunRequest] = []
    effects, _ = bench.effects(lambda request: asked.append(request) or good_result())
    effects.scores(IDEA, "optimize", "x", [Scenario(bars(), cost_factor=3.0)])
    assert asked[0].terms.commission == pytest.approx(3 * Terms().commission)


def test_every_backtest_is_a_trial_of_its_idea_once_and_for_ever(bench: Bench) -> None:
    effects, _ = bench.effects(with_params)
    effects.backtest(IDEA, "run", "x", Scenario(bars()))
    effects.scores(IDEA, "optimize", "x", [Scenario(bars(), {"n": n}) for n in (1, 2)])
    effects.scores(IDEA, "optimize", "x", [Scenario(bars(), {"n": 2})])
    other = Idea(2, "another idea that comes to the same code")
    effects.backtest(other, "run", "x", Scenario(bars()))
    trials = bench.journal.trials(IDEA.idea_id)
    assert [(t.stage, dict(t.params), t.sharpe) for t in trials] == [
        ("run", {}, 0.0),
        ("optimize", {"n": 1}, 1.0),
        ("optimize", {"n": 2}, 2.0),
    ]
    assert len(bench.journal.trials(other.idea_id)) == 1


def test_a_failed_backtest_is_a_trial_without_a_score(bench: Bench) -> None:
    failed = bad_result(Failure(FailureKind.ERROR, "no", "fix it"))
    bench.effects(lambda request: failed)[0].backtest(IDEA, "run", "x", Scenario(bars()))
    (trial,) = bench.journal.trials(IDEA.idea_id)
    assert (trial.failure, trial.trades, trial.sharpe) == ("error", None, None)
