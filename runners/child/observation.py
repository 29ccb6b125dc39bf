"""Watches backtests from inside the engine, without changing what they do: the last run that finished counts."""

import contextlib
import functools

import numpy as np
import pandas as pd
from backtesting import backtesting as engine
from rbi_child.encoding import encode_bars, encode_floats, encode_number, encode_statistics, encode_texts
from rbi_child.exceptions import CLASS_NAME, NotFiniteError
from rbi_child.order_log import TAG_LENGTH, OrderLog, WatchedWarnings, cancelling, repricing, signalling
from rbi_child.serial_pool import SerialPool

NAME_LENGTH = 200
ORDER_PRICES = 200_000
TRADE_COLUMNS = {
    "size": lambda trade: trade.size,
    "entry_bar": lambda trade: trade.entry_bar,
    "exit_bar": lambda trade: trade.exit_bar,
    "entry_price": lambda trade: trade.entry_price,
    "exit_price": lambda trade: trade.exit_price,
    "sl": lambda trade: trade.sl,
    "tp": lambda trade: trade.tp,
    "pnl": lambda trade: trade.pl,
    "commission": lambda trade: trade._commissions,
    "return_pct": lambda trade: trade.pl_pct,
}


class FinishedRun:
    """What is kept of a run: its figures are copied, so that a script which edits its statistics changes nothing."""

    def __init__(self, backtest, stats):
        values = dict(zip(stats.index, stats.to_numpy(), strict=True))
        self.strategy = values.pop("_strategy")
        self.equity = values.pop("_equity_curve")["Equity"].to_numpy(copy=True)
        values.pop("_trades")
        self.statistics = tuple(values.items())
        self.broker = self.strategy._broker
        self.frame = backtest._data.copy(deep=False)  # what is written to the original does not reach it
        self.finalized = backtest._finalize_trades
        self.unit = float(getattr(backtest, "_fractional_unit", 1.0))


class Observer:
    """Keeps the ``last`` finished run, and counts all ``backtests``.

    A run inside an optimization is not the last one, unless the script has no other.
    """

    def __init__(self):
        self.forget()
        self._originals = []

    def install(self):
        """Watch every backtest from now on."""
        run, new_order = engine.Backtest.run, engine._Broker.new_order.__code__
        self._replace(engine.Backtest, "run", watched(run, self))
        self._replace(engine, "_Broker", observed_broker(engine._Broker))
        self._replace(engine, "warnings", WatchedWarnings(engine.warnings, run.__code__))
        for owner, name, broker_name, closed_by in (
            (engine.Strategy, "buy", "_broker", None),
            (engine.Strategy, "sell", "_broker", None),
            (engine.Position, "close", "_Position__broker", None),
            (engine.Trade, "close", "_Trade__broker", run.__code__),
        ):
            original = getattr(owner, name)
            wrapper = signalling(original, broker_name, closed_by)
            self._replace(owner, name, functools.wraps(original)(wrapper))
        cancel = engine.Order.cancel
        self._replace(engine.Order, "cancel", functools.wraps(cancel)(cancelling(cancel, new_order)))
        change = engine.Order._replace
        self._replace(engine.Order, "_replace", functools.wraps(change)(repricing(change)))

    def _replace(self, owner, name, value):
        self._originals.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    @contextlib.contextmanager
    def installed(self):
        """Watch inside the with block only."""
        self.install()
        try:
            yield self
        finally:
            while self._originals:
                setattr(*self._originals.pop())
            self.forget()

    def forget(self):
        """As if no backtest had run yet."""
        self._last = self._last_task = None
        self.backtests = 0

    @property
    def last(self):
        """The run that counts; None if none has finished."""
        return self._last or self._last_task

    def finished(self, backtest, stats):
        """A backtest ran to its end."""
        self.backtests += 1
        run = FinishedRun(backtest, stats)
        if SerialPool.working:
            self._last_task = run
        else:
            self._last = run

    def result(self, bars_given):
        """The last run as JSON values; its bars too, unless the runner knows them (``bars_given``).

        Raises `NotFiniteError` for an account whose worth became infinite or undefined.
        """
        run = self.last
        require_finite(run.equity)
        broker, log = run.broker, run.broker._log
        return {
            "stats": encode_statistics(run.statistics),
            "equity": encode_floats(run.equity),
            "trades": {
                name: encode_floats([get(trade) for trade in broker.closed_trades])
                for name, get in TRADE_COLUMNS.items()
            },
            "tags": encode_texts([tag_of(trade) for trade in broker.closed_trades]),
            "open_trades": {
                name: encode_floats([TRADE_COLUMNS[name](trade) for trade in broker.trades])
                for name in ("size", "entry_bar", "entry_price")
            },
            "order_prices": encode_floats(fill_prices(broker, log.prices)),
            "orders": order_diagnostics(run),
            "first_without_margin": log.first_without_margin,
            "account": {**account(run), "backtests": self.backtests},
            "hold_bar": int(engine._indicator_warmup_nbars(run.strategy)),
            "unit": run.unit,
            "bars": None if bars_given else encode_bars(run.frame),
        }


def watched(run, observer):
    """`Backtest.run`, which tells ``observer`` when it has finished."""

    @functools.wraps(run)
    def watched_run(self, **kwargs):
        stats = run(self, **kwargs)
        observer.finished(self, stats)
        return stats

    return watched_run


def observed_broker(broker):
    """The engine's broker with an `OrderLog`, under its own name, which messages show."""

    def initialize(self, **terms):
        broker.__init__(self, **terms)
        self._observed_terms = terms
        self._log = self.orders = OrderLog(self)

    names = {"__init__": initialize, "__module__": broker.__module__, "__qualname__": broker.__qualname__}
    return type(broker.__name__, (broker,), names)


def require_finite(equity):
    """Raise for an account whose worth is infinite or undefined: no figure of it means anything."""
    bad = np.flatnonzero(~np.isfinite(equity))
    if bad.size:
        raise NotFiniteError(
            f"the account's figures are not finite: equity is {equity[bad[0]]} on bar {bad[0]}"
        )


def tag_of(trade):
    """A trade's tag as text."""
    tag = trade.tag
    return "" if tag is None or pd.isna(tag) is True else str(tag)[:TAG_LENGTH]


def fill_prices(broker, prices):
    """The orders' prices, or, if they are too many or not all known, those at which something may have been filled."""
    found = np.fromiter(prices, dtype=float, count=len(prices))
    found = found[np.isfinite(found)]
    seen = broker.orders is broker._log  # else the strategy put another list in its place
    if seen and len(found) <= ORDER_PRICES:
        return found
    spread = abs(broker._spread)
    trades = [*broker.closed_trades, *broker.trades]
    fills = [trade.entry_price / (1 + spread * (1 if trade.size > 0 else -1)) for trade in trades]
    fills = np.sort([*fills, *(trade.exit_price for trade in broker.closed_trades)])
    if not seen:
        return fills[:ORDER_PRICES]
    after = np.searchsorted(fills, found * (1 - 1e-9))
    near = fills[np.minimum(after, len(fills) - 1)] if len(fills) else np.full(len(found), np.inf)
    return found[np.abs(near - found) <= 1e-9 * found][:ORDER_PRICES]


def order_diagnostics(run):
    """The counts of one run, as the runner's OrderDiagnostics."""
    log, processed = run.broker._log, np.flatnonzero(~np.isnan(run.broker._equity))
    bars = len(run.equity)
    first = int(processed[0]) if processed.size else bars
    last = run.broker.__dict__.get("_i", -1)
    bust = processed.size and run.broker._equity[last] == 0 and not log.finalizing
    return {
        "bars": max(0, last - first + 1 - bool(bust)),
        "warmup_bars": first,
        "signals": log.signals,
        "placed": log.placed,
        "filled": log.filled,
        "cancelled": log.cancelled,
        "pending": log.pending(),
        "refused": log.refused,
        "contingent": log.contingent,
        "exposure_bars": exposure(run.broker, bars),
        "first_order_bar": log.first_bar,
    }


def exposure(broker, bars):
    """On how many bars there was an open position."""
    change = np.zeros(bars + 1, dtype=int)
    for trade in (*broker.closed_trades, *broker.trades):
        change[trade.entry_bar] += 1
        change[bars if trade.exit_bar is None else trade.exit_bar + 1] -= 1
    return int(np.count_nonzero(np.cumsum(change[:-1])))


def account(run):
    """What the backtest really ran with, as the runner's Account."""
    terms = run.broker._observed_terms
    commission, fixed = terms["commission"], 0.0
    if callable(commission):
        commission = None
    elif isinstance(commission, tuple):
        fixed, commission = commission
    return {
        "strategy": CLASS_NAME(type(run.strategy))[:NAME_LENGTH],
        "cash": encode_number(terms["cash"]),
        "spread": encode_number(abs(terms["spread"])),  # the engine does not look at its sign
        "commission": None if commission is None else encode_number(commission),
        "commission_fixed": encode_number(fixed),
        "margin": encode_number(terms["margin"]),
        "trade_on_close": bool(terms["trade_on_close"]),
        "hedging": bool(terms["hedging"]),
        "exclusive_orders": bool(terms["exclusive_orders"]),
        "finalize_trades": bool(run.finalized),
        "bars": len(run.equity),
    }
