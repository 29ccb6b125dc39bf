"""The contract of a runner: a strategy, bars and terms go in; a typed result or a named failure comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from runners.packing import pack_floats, pack_times, pack_value, unpack_floats, unpack_times, unpack_value
from runners.stats import BacktestStats

Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class BarsFile:
    """A slice of a dataset as a runner gets it: the file holds these bars and no other.

    ``path`` is an ``.npz`` with arrays ``time`` (int64, ns since 1970 UTC) and ``Open``, ``High``, ``Low``,
    ``Close``, ``Volume`` (float64), one value a bar. ``fingerprint`` is the sha256 of that content.
    """

    name: str
    part: str
    rows: int
    fingerprint: str
    path: Path


@dataclass(frozen=True, slots=True)
class Terms:
    """The account a strategy trades with. Rates are fractions: ``commission=0.001`` is 0.1% a side.

    Trades still open on the last bar are closed there and counted (``finalize_trades``), always.
    """

    cash: float = 1_000_000.0
    commission: float = 0.001
    spread: float = 0.0
    margin: float = 1.0


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One backtest: a strategy module's source on one slice under given terms and parameters."""

    source: str
    bars: BarsFile
    terms: Terms = Terms()
    params: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    timeout_s: float = 300.0


class FailureKind(StrEnum):
    """Every way a run can end badly. The set is closed: results and counts use these names."""

    SYNTAX = "syntax"
    IMPORT = "import"
    NO_STRATEGY_CLASS = "no_strategy_class"
    DATA = "data"
    PARAMETER = "parameter"
    ORDER = "order"
    ERROR = "error"
    ENVIRONMENT_READ = "environment_read"
    INPUT = "input"
    EXITED = "exited"
    CRASHED = "crashed"
    MEMORY = "memory"
    TIMEOUT = "timeout"
    OUTPUT = "output"
    STRAY_PROCESS = "stray_process"
    NO_RESULT = "no_result"


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong. ``line`` is 1-based in the strategy's source; ``None`` where there is none."""

    kind: FailureKind
    message: str
    hint: str
    line: int | None = None
    source_line: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Captured:
    """One output stream with its middle cut out: ``dropped`` bytes between ``head`` and ``tail`` are gone."""

    head: str = ""
    tail: str = ""
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Equity in account currency and drawdown as a fraction (0.1 = 10% below the peak), one value a bar."""

    time: tuple[int, ...]
    equity: tuple[float, ...]
    drawdown: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Trade:
    """One closed trade. Times are ns since 1970 UTC, prices and PnL in account currency, size in units.

    ``return_pct`` is a fraction, as backtesting.py's ``ReturnPct`` column is; ``sl`` and ``tp`` are ``None`` if unset.
    """

    size: float
    entry_bar: int
    exit_bar: int
    entry_price: float
    exit_price: float
    sl: float | None
    tp: float | None
    pnl: float
    commission: float
    return_pct: float
    entry_time: int
    exit_time: int
    tag: str = ""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: with ``stats``, ``equity`` and ``trades``, or with a ``failure``.

    ``level`` is the containment it ran under, ``road`` how the numbers were obtained (``class``),
    ``elapsed_s`` wall-clock seconds of the whole run.
    """

    stats: BacktestStats | None
    equity: EquityCurve | None
    trades: tuple[Trade, ...]
    failure: Failure | None
    stdout: Captured
    stderr: Captured
    elapsed_s: float
    level: str = "cold"
    road: str = "class"

    @property
    def ok(self) -> bool:
        """Whether there are numbers."""
        return self.failure is None

    def to_json(self) -> dict[str, Any]:
        """The result as strict JSON values, exactly restored by `from_json`.

        The equity curve is packed (`runners.packing`), because it is by far the largest part.
        """
        return {
            "stats": self.stats.to_json() if self.stats else None,
            "equity": _pack_equity(self.equity) if self.equity else None,
            "trades": [[pack_value(v) for v in astuple(trade)] for trade in self.trades],
            "failure": asdict(self.failure) if self.failure else None,
            "stdout": asdict(self.stdout),
            "stderr": asdict(self.stderr),
            "elapsed_s": self.elapsed_s,
            "level": self.level,
            "road": self.road,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunResult:
        """The inverse of `to_json`. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        stats, equity, failure = data["stats"], data["equity"], data["failure"]
        return cls(
            stats=BacktestStats.from_json(stats) if stats else None,
            equity=_unpack_equity(equity) if equity else None,
            trades=tuple(Trade(*map(unpack_value, row)) for row in data["trades"]),
            failure=Failure(**{**failure, "kind": FailureKind(failure["kind"])}) if failure else None,
            stdout=Captured(**data["stdout"]),
            stderr=Captured(**data["stderr"]),
            elapsed_s=data["elapsed_s"],
            level=data["level"],
            road=data["road"],
        )


def _pack_equity(curve: EquityCurve) -> dict[str, str]:
    return {
        "time": pack_times(curve.time),
        "equity": pack_floats(curve.equity),
        "drawdown": pack_floats(curve.drawdown),
    }


def _unpack_equity(data: Mapping[str, str]) -> EquityCurve:
    return EquityCurve(
        time=unpack_times(data["time"]),
        equity=unpack_floats(data["equity"]),
        drawdown=unpack_floats(data["drawdown"]),
    )


class RunnerError(Exception):
    """The runner itself could not do its work (not the strategy's fault). Never a result."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class RunInterrupted(RunnerError):
    """The run was stopped from outside before it ended: nothing is known about the strategy."""


class Runner(Protocol):
    """Runs backtests; safe to call from many threads."""

    def identity(self, request: RunRequest) -> Mapping[str, Any]:
        """Everything that can change the numbers, as JSON values: what a result is remembered under.

        Time and memory limits are no part of it, so the failures `TIMEOUT`, `MEMORY` and `OUTPUT` are true only
        of the limits they happened under.
        """
        ...

    def run(self, request: RunRequest) -> RunResult:
        """Run one backtest to its end, at most ``request.timeout_s`` seconds.

        Raises `RunnerError` when the environment is unusable and `RunInterrupted` after `interrupt`.
        """
        ...

    def interrupt(self) -> None:
        """Kill every run in progress with its whole process tree, and refuse new ones."""
        ...
