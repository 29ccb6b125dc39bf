"""The contract of a runner: a strategy, bars and terms go in; a typed result or a named failure comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from runners.packing import pack_floats, pack_times, pack_value, unpack_floats, unpack_times, unpack_value
from runners.stats import BacktestStats

Scalar = bool | int | float | str


class Level(StrEnum):
    """How strongly a strategy is contained, weakest first. docs/runner.md says what each one enforces."""

    COLD = "cold"
    LIMITS = "limits"
    LANDLOCK = "landlock"
    NAMESPACES = "namespaces"

    @property
    def strength(self) -> int:
        """A greater number contains more."""
        return tuple(Level).index(self)


STRONG = (Level.NAMESPACES, Level.LANDLOCK)  # a strategy cannot reach any other process, file or network


class Mode(StrEnum):
    """What a source is: a module that defines one strategy class, or a program that runs backtests by itself."""

    CLASS = "class"
    SCRIPT = "script"


class Road(StrEnum):
    """How the statistics of a result were obtained.

    ``class``: from the one backtest that the runner asked for. ``observed``: from the last `Backtest.run` of a
    script. ``printed``: only from what a script printed.
    """

    CLASS = "class"
    OBSERVED = "observed"
    PRINTED = "printed"


@dataclass(frozen=True, slots=True)
class BarsFile:
    """A slice of a dataset as a runner gets it: the file holds these bars and no other.

    ``path`` is an ``.npz`` with arrays ``time`` (int64, ns since 1970 UTC) and ``Open``, ``High``, ``Low``,
    ``Close``, ``Volume`` (float64), one value a bar. ``fingerprint`` is the sha256 of that content.
    ``text`` is a CSV file of the same bars, which scripts get to read; only script mode needs it.
    """

    name: str
    part: str
    rows: int
    fingerprint: str
    path: Path
    text: Path | None = None


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
    """One backtest: a strategy module's source on one slice under given terms and parameters.

    In script mode the script brings its own terms and parameters: ``terms`` and ``params`` are not used, and it may
    run several backtests, of which the last counts. ``seed`` is what `random` and numpy are seeded with.
    """

    source: str
    bars: BarsFile
    terms: Terms = Terms()
    params: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    timeout_s: float = 300.0
    mode: Mode = Mode.CLASS
    seed: int = 0


class FailureKind(StrEnum):
    """Every way a run can end badly. The set is closed: results and counts use these names."""

    SYNTAX = "syntax"
    IMPORT = "import"
    NO_STRATEGY_CLASS = "no_strategy_class"
    NO_BACKTEST = "no_backtest"
    DATA_MISSING = "data_missing"
    COLUMN = "column"
    INDICATOR_SHAPE = "indicator_shape"
    ARRAY_AS_SERIES = "array_as_series"
    INVENTED_ATTRIBUTE = "invented_attribute"
    PARAMETER = "parameter"
    ARGUMENTS = "arguments"
    ORDER_SIZE = "order_size"
    ORDER_PRICE = "order_price"
    NEVER_ORDERED = "never_ordered"
    ALL_CANCELLED = "all_cancelled"
    NO_TRADES = "no_trades"
    BUST = "bust"
    NOT_FINITE = "not_finite"
    ERROR = "error"
    ENVIRONMENT_READ = "environment_read"
    INPUT = "input"
    EXITED = "exited"
    FORBIDDEN = "forbidden"
    CRASHED = "crashed"
    KILLED = "killed"
    MEMORY = "memory"
    SCRATCH = "scratch"
    TIMEOUT = "timeout"
    OUTPUT = "output"
    STRAY_PROCESS = "stray_process"
    NO_RESULT = "no_result"
    FORGED = "forged"

    @property
    def has_numbers(self) -> bool:
        """Whether the backtest ran to its end and its numbers are true, although they lead nowhere."""
        return self in (self.NEVER_ORDERED, self.ALL_CANCELLED, self.NO_TRADES, self.BUST)


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

    def values(self) -> list[Any]:
        """What the fields hold, in their order; there are thousands of trades, and `dataclasses.astuple` is slow."""
        return [getattr(self, name) for name in self.__slots__]


@dataclass(frozen=True, slots=True)
class OrderDiagnostics:
    """What a strategy asked for and what became of it, counted over one backtest.

    ``signals`` counts the bars on which `buy`, `sell` or a `close` was called, also if the call raised.
    ``placed`` and ``filled`` count orders without the stop-loss and take-profit orders that belong to a trade
    (``contingent``). ``cancelled`` counts by reason: ``margin`` (the broker had too little), ``by_strategy``
    (`Order.cancel`), ``exclusive`` (replaced by the next order). ``pending`` were still open after the last bar.
    ``refused`` counts the calls that raised. ``bars`` is how many bars `next` was called on, ``warmup_bars`` how many
    were skipped before it, ``exposure_bars`` how many had an open position. ``first_order_bar`` is 0-based.
    """

    bars: int
    warmup_bars: int
    signals: int
    placed: int
    filled: int
    cancelled: Mapping[str, int]
    pending: int
    refused: int
    contingent: int
    exposure_bars: int
    first_order_bar: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What a backtest really ran with, as observed. ``commission`` is None where a function computes it.

    ``own_bars``: the bars were not those that the runner gave, because the script changed or replaced them.
    ``backtests`` counts the runs of the script (an optimization's included): each is a trial.
    """

    strategy: str
    cash: float
    spread: float
    commission: float | None
    commission_fixed: float
    margin: float
    trade_on_close: bool
    hedging: bool
    exclusive_orders: bool
    finalize_trades: bool
    bars: int
    own_bars: bool = False
    backtests: int = 1


class CheckStatus(StrEnum):
    """What the runner's own computation says of the numbers that came out of the strategy's process."""

    CONFIRMED = "confirmed"
    CANNOT_TELL = "cannot tell"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class NumbersCheck:
    """``detail`` is the first difference where the numbers are invalid, or why they cannot be checked."""

    status: CheckStatus
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: with ``stats``, ``equity`` and ``trades``, or with a ``failure``, or with both.

    Both: the backtest ran to its end but leads nowhere (`FailureKind.has_numbers`), or a script failed after it.
    Numbers whose ``check`` is invalid are not there at all; the failure is `FORGED` then.
    ``level`` is the containment it ran under, ``road`` how the numbers were obtained, ``elapsed_s`` wall-clock
    seconds of the run. ``disagreement`` says how a script's printed statistics differ from the observed ones.
    """

    stats: BacktestStats | None
    equity: EquityCurve | None
    trades: tuple[Trade, ...]
    failure: Failure | None
    stdout: Captured
    stderr: Captured
    elapsed_s: float
    level: Level = Level.COLD
    road: Road = Road.CLASS
    seed: int = 0
    orders: OrderDiagnostics | None = None
    account: Account | None = None
    check: NumbersCheck | None = None
    disagreement: str = ""

    @property
    def ok(self) -> bool:
        """Whether the run ended well and its numbers mean something."""
        return self.failure is None

    @property
    def completed(self) -> bool:
        """Whether the backtest ran to its end with true numbers, traded or not."""
        return self.stats is not None and (self.failure is None or self.failure.kind.has_numbers)

    def to_json(self) -> dict[str, Any]:
        """The result as strict JSON values, exactly restored by `from_json`.

        The equity curve is packed (`runners.packing`), because it is by far the largest part.
        """
        return {
            "stats": self.stats.to_json() if self.stats else None,
            "equity": _pack_equity(self.equity) if self.equity else None,
            "trades": [[pack_value(value) for value in trade.values()] for trade in self.trades],
            "failure": asdict(self.failure) if self.failure else None,
            "stdout": asdict(self.stdout),
            "stderr": asdict(self.stderr),
            "elapsed_s": self.elapsed_s,
            "level": self.level.value,
            "road": self.road.value,
            "seed": self.seed,
            "orders": {**asdict(self.orders), "cancelled": dict(self.orders.cancelled)}
            if self.orders
            else None,
            "account": {k: pack_value(v) for k, v in asdict(self.account).items()} if self.account else None,
            "check": asdict(self.check) if self.check else None,
            "disagreement": self.disagreement,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunResult:
        """The inverse of `to_json`. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        stats, equity, failure = data["stats"], data["equity"], data["failure"]
        orders, account, check = data["orders"], data["account"], data["check"]
        return cls(
            stats=BacktestStats.from_json(stats, complete=False) if stats else None,
            equity=_unpack_equity(equity) if equity else None,
            trades=tuple(Trade(*map(unpack_value, row)) for row in data["trades"]),
            failure=Failure(**{**failure, "kind": FailureKind(failure["kind"])}) if failure else None,
            stdout=Captured(**data["stdout"]),
            stderr=Captured(**data["stderr"]),
            elapsed_s=data["elapsed_s"],
            level=Level(data["level"]),
            road=Road(data["road"]),
            seed=data["seed"],
            orders=OrderDiagnostics(**orders) if orders else None,
            account=Account(**{k: unpack_value(v) for k, v in account.items()}) if account else None,
            check=NumbersCheck(CheckStatus(check["status"]), check["detail"]) if check else None,
            disagreement=data["disagreement"],
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

    def accepts(self, result: RunResult) -> bool:
        """Whether a remembered ``result`` can stand for a new run.

        Not if it was contained in another way than is asked for now, and not if something outside ended it.
        """
        ...

    def run(self, request: RunRequest) -> RunResult:
        """Run one backtest to its end, at most ``request.timeout_s`` seconds.

        Raises `RunnerError` when the environment is unusable and `RunInterrupted` after `drain`
        or `interrupt`.
        """
        ...

    def run_all(self, requests: Sequence[RunRequest]) -> tuple[RunResult, ...]:
        """Run many scenarios of one strategy version in one job; one result for each, in their order.

        The requests differ in bars, terms, params and seed only. Each has its own time-out. The strategy is imported
        anew for each, but they share a process: what one leaves behind in a library, the next one finds. Use `run`
        where scenarios must not know of each other. Raises `ValueError` for requests of different sources or modes,
        or of scripts, and what `run` raises.
        """
        ...

    def drain(self) -> None:
        """Begin no further run: those that wait raise `RunInterrupted`, those in progress go on."""
        ...

    def interrupt(self) -> None:
        """Kill every run in progress with its whole process tree, and refuse new ones."""
        ...
