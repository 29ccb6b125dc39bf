"""Many scenarios of one strategy in one job: each result is what a run of its own gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, Captured, FailureKind, Mode, RunnerError, RunRequest, RunResult, Terms
from runners.environments import Environment
from runners.limits import Limits

HANG_S = 1.5  # more than an ordinary scenario takes on a busy machine

TRADES_AT_RANDOM = """
import random
import numpy
from backtesting import Strategy


class Dice(Strategy):
    chance = 0.1

    def init(self):
        pass

    def next(self):
        if random.random() < self.chance:
            self.position.close()
            self.buy(size=0.1 + 0.8 * numpy.random.rand())
"""
# What it does depends on a parameter, so that one scenario fails and its neighbours do not.
OBEYS = """
import ctypes, os, sys, time
from backtesting import Strategy


class Obedient(Strategy):
    order = "trade"

    def init(self):
        if self.order == "raise":
            raise RuntimeError("as asked")
        if self.order == "hang":
            time.sleep(1000)
        if self.order == "crash":
            ctypes.string_at(0)
        if self.order == "leave":
            os._exit(0)
        if self.order == "wait":
            time.sleep(0.3)
        if self.order == "flood":
            for _ in range(8):
                sys.stdout.write("x" * 2**20)

    def next(self):
        if not self.position and len(self.data) % 7 == 0:
            self.buy(size=0.5)
        elif len(self.data) % 11 == 0:
            self.position.close()
"""
ENDS = {
    "trade": None,
    "raise": FailureKind.ERROR,
    "crash": FailureKind.CRASHED,
    "leave": FailureKind.EXITED,
    "hang": FailureKind.TIMEOUT,
    "flood": FailureKind.OUTPUT,
}


@pytest.fixture(scope="module")
def runner(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BacktestRunner]:
    limits = Limits(output_bytes=4 * 2**20)
    scratch = tmp_path_factory.mktemp("scenarios")
    with closing(BacktestRunner(environment, scratch_root=scratch, limits=limits)) as runner:
        yield runner


@pytest.fixture(scope="module")
def slices(
    tmp_path_factory: pytest.TempPathFactory, bars_of: Callable[[Path, int], BarsFile]
) -> Sequence[BarsFile]:
    folder = tmp_path_factory.mktemp("slices")
    return [replace(bars_of(folder / f"{rows}.npz", rows), name=f"W{rows}") for rows in (80, 150, 300)]


def numbers(result: RunResult) -> object:
    """Without what all scenarios of a job share: what they wrote."""
    return replace(result, elapsed_s=0.0, stdout=Captured(), stderr=Captured()).to_json()


def test_datasets_terms_parameters_and_seeds_are_each_scenarios_own(
    runner: BacktestRunner, slices: Sequence[BarsFile]
) -> None:
    plain = RunRequest(TRADES_AT_RANDOM, slices[2])
    requests = [
        plain,
        replace(plain, bars=slices[0]),
        replace(plain, terms=Terms(cash=20_000, commission=0.002, spread=0.001, margin=0.5)),
        replace(plain, params={"chance": 0.5}),
        replace(plain, seed=7),
        plain,
    ]
    results = runner.run_all(requests)
    assert [numbers(result) for result in results] == [numbers(runner.run(one)) for one in requests]
    assert [result.seed for result in results] == [0, 0, 0, 0, 7, 0]
    assert numbers(results[0]) == numbers(results[-1])
    assert len({result.stats.equity_final for result in results if result.stats}) == len(requests) - 1


@settings(max_examples=12)
@given(data=st.data())
def test_any_scenarios_together_give_what_each_gives_alone(
    runner: BacktestRunner, slices: Sequence[BarsFile], data: st.DataObject
) -> None:
    scenario = st.builds(
        RunRequest,
        source=st.just(TRADES_AT_RANDOM),
        bars=st.sampled_from(slices),
        terms=st.builds(
            Terms,
            cash=st.sampled_from([5e3, 1e6]),
            commission=st.sampled_from([0.0, 0.01]),
            spread=st.just(0.0),
        ),
        params=st.fixed_dictionaries({"chance": st.sampled_from([0.0, 0.2, 0.9])}),
        seed=st.integers(0, 2**32 - 1),
    )
    requests = data.draw(st.lists(scenario, min_size=1, max_size=5))
    together = [numbers(result) for result in runner.run_all(requests)]
    assert together == [numbers(runner.run(request)) for request in requests]


@pytest.mark.parametrize("order", [order for order in ENDS if order != "trade"])
@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
def test_a_scenario_that_fails_fails_alone(
    runner: BacktestRunner, slices: Sequence[BarsFile], order: str, place: int
) -> None:
    orders = ["trade", "trade", "trade"]
    orders[place] = order
    requests = [
        RunRequest(OBEYS, bars, params={"order": order}, timeout_s=HANG_S if "hang" in orders else 60)
        for bars, order in zip(slices, orders, strict=True)
    ]
    results = runner.run_all(requests)
    assert [result.failure.kind if result.failure else None for result in results] == [
        ENDS[order] for order in orders
    ]
    for result, request in zip(results, requests, strict=True):
        if result.ok:
            assert result.stats is not None
            assert result.equity is not None
            assert len(result.equity.equity) == request.bars.rows


def test_failures_one_after_the_other_are_each_named(
    runner: BacktestRunner, slices: Sequence[BarsFile]
) -> None:
    orders = ["crash", "raise", "leave", "crash", "trade", "leave"]
    results = runner.run_all([RunRequest(OBEYS, slices[0], params={"order": order}) for order in orders])
    assert [result.failure.kind if result.failure else None for result in results] == [
        ENDS[order] for order in orders
    ]


def test_each_scenario_has_the_time_it_took_itself(
    runner: BacktestRunner, slices: Sequence[BarsFile]
) -> None:
    orders = ["trade", "wait", "trade", "raise", "wait", "hang", "wait"]
    requests = [RunRequest(OBEYS, slices[0], params={"order": order}, timeout_s=1.0) for order in orders]
    runner.level()  # what it takes to start is not counted
    for _ in range(5):  # on a machine that stood still meanwhile, nobody took that time
        began = time.monotonic()
        results = runner.run_all(requests)
        whole = time.monotonic() - began
        took = [result.elapsed_s for result in results]
        assert sum(took) <= whole
        assert all(took[number] >= 0.3 for number in (1, 4, 5, 6))
        assert took[5] >= 1.0
        if sum(took) > 0.8 * whole:
            return
    pytest.fail(f"of {whole} s, {took} are told")


def test_scenarios_each_have_the_whole_time_out(runner: BacktestRunner, slices: Sequence[BarsFile]) -> None:
    request = RunRequest(OBEYS, slices[0], params={"order": "wait"}, timeout_s=1.4)
    assert all(result.ok for result in runner.run_all([request] * 5))  # 1.5 s at least, together


def test_scenarios_of_different_versions_or_modes_are_refused(
    runner: BacktestRunner, slices: Sequence[BarsFile]
) -> None:
    one = RunRequest(OBEYS, slices[0])
    with pytest.raises(ValueError, match="no scenario"):
        runner.run_all([])
    with pytest.raises(ValueError, match="one strategy version"):
        runner.run_all([one, replace(one, source=TRADES_AT_RANDOM)])
    with pytest.raises(ValueError, match="one strategy version"):
        runner.run_all([one, replace(one, mode=Mode.SCRIPT)])
    with pytest.raises(ValueError, match="run each alone"):
        runner.run_all([replace(one, mode=Mode.SCRIPT)] * 2)


def test_impossible_terms_of_one_scenario_are_an_error_of_all(
    runner: BacktestRunner, slices: Sequence[BarsFile]
) -> None:
    one = RunRequest(OBEYS, slices[0])
    with pytest.raises(RunnerError, match="cash is 1"):
        runner.run_all([one, replace(one, terms=Terms(cash=1))])
