"""The ledger of trials: every backtest whose score anything or anyone could have selected on, for ever."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from rbi.domain import Idea
from runners.base import RunRequest, RunResult, Scalar

TRIAL_TABLE = """
CREATE TABLE trial (
    idea TEXT NOT NULL,
    key TEXT NOT NULL,
    batch TEXT NOT NULL,
    stage TEXT NOT NULL,
    version TEXT NOT NULL,
    dataset TEXT NOT NULL,
    part TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    params TEXT NOT NULL,
    costs TEXT NOT NULL,
    failure TEXT NOT NULL,
    trades INTEGER,
    return_pct REAL,
    sharpe REAL,
    PRIMARY KEY (idea, key)
)
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """One backtest as the ledger counts it, once for each idea that it was made for.

    ``idea`` is the idea's id, ``key`` the effect's. ``version`` is the sha256 of the source, ``fingerprint`` that of
    the bars, ``params`` what stood in for the class's own, ``costs`` commission and spread as fractions. ``failure`` is
    empty where it ended well. ``return_pct`` is percent over the slice, ``sharpe`` annualised; ``None`` where there is
    no such number.
    """

    idea: str
    key: str
    batch: str
    stage: str
    version: str
    dataset: str
    part: str
    fingerprint: str
    params: Mapping[str, Scalar]
    costs: tuple[float, float]
    failure: str
    trades: int | None
    return_pct: float | None
    sharpe: float | None

    def row(self) -> tuple[str | int | float | None, ...]:
        """The values of its columns, in the order of the table."""
        return (
            self.idea,
            self.key,
            self.batch,
            self.stage,
            self.version,
            self.dataset,
            self.part,
            self.fingerprint,
            json.dumps(dict(self.params), sort_keys=True),
            json.dumps(self.costs),
            self.failure,
            self.trades,
            self.return_pct,
            self.sharpe,
        )

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Trial:
        """The trial in a row of the table."""
        values = dict(zip(row.keys(), row, strict=True))
        commission, spread = json.loads(values["costs"])
        return cls(**{**values, "params": json.loads(values["params"]), "costs": (commission, spread)})


def trial_of(idea: Idea, stage: str, batch: str, key: str, request: RunRequest, result: RunResult) -> Trial:
    """The entry of a backtest that was made, or remembered, for an idea."""
    stats = result.stats
    return Trial(
        idea=idea.idea_id,
        key=key,
        batch=batch,
        stage=stage,
        version=hashlib.sha256(request.source.encode("utf-8", errors="surrogatepass")).hexdigest(),
        dataset=request.bars.name,
        part=request.bars.part,
        fingerprint=request.bars.fingerprint,
        params=request.params,
        costs=(request.terms.commission, request.terms.spread),
        failure=result.failure.kind.value if result.failure else "",
        trades=stats.trades if stats else None,
        return_pct=_number(stats.return_pct) if stats else None,
        sharpe=_number(stats.sharpe_ratio) if stats else None,
    )


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
