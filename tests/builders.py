"""Values and small real implementations that many tests need."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import numpy as np

from models.base import Usage
from models.client import Answer
from rbi.domain import Brief, Idea
from rbi.stages.context import Context, Scenario
from runners.base import BarsFile, Captured, EquityCurve, Failure, RunResult, Scalar, Trade
from runners.stats import BacktestStats

DAY_NS = 86_400_000_000_000
VERSIONS = {"python": "3.11.7", "backtesting": "0.6.6", "pandas": "3.1.1", "numpy": "2.4.6"}


def stats(*, trades: int = 40, sharpe: float = 0.5, equity_final: float = 1_100_000.0) -> BacktestStats:
    nothing = math.nan
    return BacktestStats(
        start=datetime(2020, 1, 1),
        end=datetime(2020, 12, 31),
        duration_s=365 * 86_400.0,
        exposure_time_pct=50.0,
        equity_final=equity_final,
        equity_peak=1_200_000.0,
        return_pct=10.0,
        buy_and_hold_return_pct=8.0,
        return_ann_pct=10.0,
        volatility_ann_pct=15.0,
        sharpe_ratio=sharpe,
        sortino_ratio=1.0,
        calmar_ratio=0.5,
        max_drawdown_pct=-20.0,
        avg_drawdown_pct=-5.0,
        max_drawdown_duration_s=86_400.0,
        avg_drawdown_duration_s=86_400.0,
        trades=trades,
        win_rate_pct=nothing if not trades else 55.0,
        best_trade_pct=5.0,
        worst_trade_pct=-5.0,
        avg_trade_pct=0.5,
        max_trade_duration_s=86_400.0,
        avg_trade_duration_s=86_400.0,
        profit_factor=1.2,
        expectancy_pct=0.5,
        sqn=1.0,
    )


def good_result(*, trades: int = 40, sharpe: float = 0.5, equity_final: float = 1_100_000.0) -> RunResult:
    trade = Trade(10.0, 1, 2, 100.0, 101.0, None, None, 10.0, 0.2, 0.01, DAY_NS, 2 * DAY_NS)
    curve = EquityCurve((0, DAY_NS, 2 * DAY_NS), (1e6, 1.05e6, equity_final), (0.0, 0.0, 0.0))
    return RunResult(
        stats=stats(trades=trades, sharpe=sharpe, equity_final=equity_final),
        equity=curve,
        trades=(trade,) * trades,
        failure=None,
        stdout=Captured("printed\n"),
        stderr=Captured(),
        elapsed_s=0.5,
    )


def bad_result(failure: Failure) -> RunResult:
    return RunResult(None, None, (), failure, Captured(), Captured("Traceback"), 0.5)


@cache
def _bars_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory()


def bars(name: str = "GOOG", rows: int = 3) -> BarsFile:
    """Some bars, by default as many as the equity curve of `good_result` has."""
    path = Path(_bars_folder().name) / f"{name}-{rows}.npz"
    close = 100.0 + 2.0 * np.arange(rows)
    np.savez(path, Open=close, Close=close)
    return BarsFile(name, "dev", rows, f"fp-{name}", path)


class ScriptedEffects:
    """Effects from a script: answers by stage, results by what the source contains. Records what was asked."""

    def __init__(
        self,
        answers: Mapping[str, str | Exception],
        result: Callable[[str, BarsFile], RunResult],
        briefs: Mapping[str, Brief | Exception] = MappingProxyType({}),
    ) -> None:
        self.answers = answers
        self.briefs = briefs
        self.result = result
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.ran: list[tuple[str, str]] = []
        self.scored: list[tuple[str, dict[str, Scalar]]] = []

    def brief(self, idea: Idea) -> Brief:
        found = self.briefs[idea.text]
        if isinstance(found, Exception):
            raise found
        return found

    def ask(self, idea: Idea, stage: str, inputs: Mapping[str, str]) -> Answer:
        self.asked.append((stage, inputs))
        answer = self.answers[stage]
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer, "test", "model", Usage(), None, None, False, 1)

    def backtest(self, idea: Idea, stage: str, source: str, scenario: Scenario) -> RunResult:
        self.ran.append((source, scenario.bars.name))
        return self.result(source, scenario.bars)

    def scores(
        self, idea: Idea, stage: str, source: str, scenarios: Sequence[Scenario]
    ) -> tuple[RunResult, ...]:
        self.scored += [(source, dict(scenario.params)) for scenario in scenarios]
        results = [self.result(source, scenario.bars) for scenario in scenarios]
        return tuple(replace(result, equity=None, trades=()) for result in results)


def context(effects: ScriptedEffects) -> Context:
    return Context(effects, (bars("GOOG"), bars("EURUSD")), VERSIONS, lambda bars, first: bars)


class NoLibrary:
    """Where no document is."""

    def identity(self, idea_text: str) -> Mapping[str, str]:
        return {"idea": idea_text}

    def brief(self, idea_text: str) -> Brief:
        raise AssertionError(f"no document was expected to be read for {idea_text!r}")
