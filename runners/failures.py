"""From how a run ended to a named failure, with a hint that a person or a model can act on."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any

from runners.base import Account, Failure, FailureKind, Mode, NumbersCheck, OrderDiagnostics, RunRequest
from runners.child_result import ScenarioResult, WithoutMargin
from runners.failure_rules import rule_of
from runners.limits import Limits
from runners.process import Ending, Stop
from runners.untrusted_text import neutralise

TEXT_LIMIT = 4096
_DUMPED_LINE = re.compile(r'File "(?:[^"\n]*/)?strategy\.py", line (\d{1,9})')
_TEXTS = ("stage", "type", "message", "module", "function", "context", "source_line")
_KILLED_HINT = (
    "If nobody killed it, the machine ran out of memory: use less, or run fewer backtests at a time."
)
_REASONS = {
    "margin": "for want of margin",
    "by_strategy": "by the strategy",
    "exclusive": "by the next order",
}


def find_failure(
    ending: Ending, scenario: ScenarioResult, request: RunRequest, limits: Limits
) -> Failure | None:
    """Why there are no numbers to be used, or ``None`` if there are.

    What stopped the run comes first, then how its process ended, then what it reported. Of a script that failed after
    its last backtest there may be numbers nevertheless.
    """
    if ending.stop:
        return _stopped(ending, request, limits)
    if ending.exit_code is None or ending.exit_code < 0:
        return _crashed(ending, request, limits)
    if scenario.failure is not None:
        return _raised(scenario.failure, request.mode)
    if scenario.claim and ending.exit_code == 0:
        return _stray(ending)
    return _without_numbers(ending, scenario, request.mode)


def forged(check: NumbersCheck) -> Failure:
    """The failure of a run whose numbers its bars and trades contradict."""
    return Failure(
        FailureKind.FORGED,
        f"the numbers are not those of a backtest on these bars: {check.detail}",
        "Trade with self.buy, self.sell and close only: change neither the bars, the engine nor its results.",
    )


def diagnose(scenario: ScenarioResult) -> Failure | None:
    """Why the numbers of a backtest that ran to its end lead nowhere; ``None`` if they may lead somewhere."""
    if scenario.claim is None or scenario.orders is None:
        return None
    orders, account = scenario.orders, scenario.claim.account
    if scenario.claim.stats.equity_final is not None and scenario.claim.stats.equity_final <= 0:
        return _bust(scenario, account)
    if scenario.trades:
        return None
    if orders.placed == 0 and orders.refused == 0:
        return _never_ordered(orders)
    lost = sum(orders.cancelled.values()) + orders.refused
    if orders.filled == 0 and lost > orders.pending:  # what was ordered last is often still waiting
        return _all_cancelled(orders, account, scenario.without_margin)
    return _no_trades(orders, account, len(scenario.claim.open_trades.size))


def _bust(scenario: ScenarioResult, account: Account) -> Failure:
    equity = scenario.equity.equity if scenario.equity else ()
    bar = next((number for number, value in enumerate(equity) if value <= 0), None)
    losses = [trade.pnl for trade in scenario.trades if trade.pnl < 0]
    worst = f"; the worst of {len(scenario.trades)} trades lost {-min(losses):g}" if losses else ""
    when = "" if bar is None else f" on bar {bar} of {account.bars}"
    return Failure(
        FailureKind.BUST,
        f"the account of {account.cash:g} was lost{when}{worst}",
        "Risk less on each trade: a smaller size, a stop-loss, and no more than one position at a time.",
    )


def _never_ordered(orders: OrderDiagnostics) -> Failure:
    if orders.bars == 0:
        return Failure(
            FailureKind.NEVER_ORDERED,
            f"next was never called: all {orders.warmup_bars} bars passed before every indicator had a value",
            "Use shorter indicator periods, or mend the indicator that never has a value (NaN).",
        )
    called = (
        f"buy, sell or close was called on {orders.signals} bars, but nothing was open to be closed"
        if orders.signals
        else "buy, sell and close were never called"
    )
    return Failure(
        FailureKind.NEVER_ORDERED,
        f"no order in {orders.bars} bars (after {orders.warmup_bars} bars of warm-up): {called}",
        "Loosen the entry conditions: count how often each of them holds, and drop those that are never true at the "
        "same time. Look for comparisons with NaN.",
    )


def _all_cancelled(orders: OrderDiagnostics, account: Account, first: WithoutMargin | None) -> Failure:
    price = (
        f"; the first, on bar {first.bar}, was for {_size(first.size)} at a price of {first.price:g} "
        f"with {first.available:g} available"
        if first
        else ""
    )
    return Failure(
        FailureKind.ALL_CANCELLED,
        f"none of {_counted(orders.placed + orders.refused, 'order')} on {orders.signals} of {orders.bars} bars "
        f"was filled: {_fates(orders)} (cash {account.cash:g}{price})",
        _cancelled_hint(orders, first),
    )


def _cancelled_hint(orders: OrderDiagnostics, first: WithoutMargin | None) -> str:
    if first and abs(first.size) >= 1:
        return (
            "Buy no more units than the cash pays for: size = int(self.equity * share / self.data.Close[-1]), or give "
            "size as a fraction below 1."
        )
    if first:
        return "The cash does not pay for one unit: use a larger fraction, more cash, or fractional trading."
    if orders.refused:
        return "Do not hide the exceptions of buy and sell: read their message and correct size and prices."
    return "Do not cancel or replace every order before it can be filled: leave it for some bars."


def _no_trades(orders: OrderDiagnostics, account: Account, still_open: int) -> Failure:
    if still_open:
        hint = (
            "The last bar is too late to begin a trade: order before it."
            if account.finalize_trades
            else "Close positions: call self.position.close() or set sl and tp, or give Backtest finalize_trades=True."
        )
        return Failure(
            FailureKind.NO_TRADES,
            f"{_counted(orders.placed, 'order')} on {orders.signals} of {orders.bars} bars, "
            f"{_counted(still_open, 'trade')} open at the end and none closed: {_fates(orders)}",
            hint,
        )
    return Failure(
        FailureKind.NO_TRADES,
        f"{_counted(orders.placed, 'order')} on {orders.signals} of {orders.bars} bars, but no trade: {_fates(orders)} "
        f"(cash {account.cash:g})",
        "Use market orders, or limits and stops that the price can reach within some bars.",
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _fates(orders: OrderDiagnostics) -> str:
    counts = [(orders.filled, "filled")]
    counts += [
        (orders.cancelled[reason], f"cancelled {why}")
        for reason, why in _REASONS.items()
        if reason in orders.cancelled
    ]
    counts += [(orders.pending, "never filled"), (orders.refused, "refused")]
    return ", ".join(f"{count} {fate}" for count, fate in counts if count) or "nothing became of them"


def _size(size: float) -> str:
    side = "buying" if size > 0 else "selling"
    return f"{side} {abs(size):g} units" if abs(size) >= 1 else f"{side} with {abs(size):.4%} of it"


def _stopped(ending: Ending, request: RunRequest, limits: Limits) -> Failure:
    line, text = _where(ending, request.source)
    if ending.stop is Stop.OUTPUT:
        return Failure(
            FailureKind.OUTPUT,
            f"the strategy wrote more than {limits.output_bytes / 2**20:g} MB and was stopped",
            "Do not print in next: it is called for every bar.",
            line,
            text,
        )
    if ending.stop is Stop.RESULT:
        return Failure(
            FailureKind.NO_RESULT,
            f"the result is larger than {limits.result_bytes / 2**20:g} MB",
            "Make fewer trades, and shorter tags.",
        )
    if ending.stop is Stop.SCRATCH:
        return _scratch(limits)
    if ending.stop is Stop.THREADS:
        return Failure(
            FailureKind.FORBIDDEN,
            "the strategy started hundreds of threads and was stopped",
            "Compute without threads: there is one core for each backtest.",
            line,
            text,
        )
    return Failure(
        FailureKind.TIMEOUT,
        f"not finished within {request.timeout_s:g} s and stopped" + (f", in line {line}" if line else ""),
        "Look for a loop without end; compute indicators once, in init, and keep loops over the past out of next.",
        line,
        text,
    )


def _scratch(limits: Limits) -> Failure:
    return Failure(
        FailureKind.SCRATCH,
        f"the strategy wrote more than {limits.scratch_bytes / 2**20:g} MB or {limits.scratch_files} files into its "
        f"work folder, or more than {limits.file_bytes / 2**20:g} MB into one file",
        "Write no files: results are recorded anyway.",
    )


def _crashed(ending: Ending, request: RunRequest, limits: Limits) -> Failure:
    if ending.exit_code is None and (ending.guarded or ending.server_lost or not ending.began):
        return Failure(
            FailureKind.KILLED, "the process that watches over the run was ended from outside", _KILLED_HINT
        )
    if ending.exit_code is None:
        return Failure(
            FailureKind.CRASHED,
            "the strategy ended the process that watches over it",
            "Do not send signals and do not touch other processes.",
        )
    number, memory = -ending.exit_code, f"it held up to {ending.max_rss / 2**20:.0f} MB"
    line, text = _where(ending, request.source)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    ended = f"the process was ended by {name}"
    if name == "SIGXFSZ":
        return _scratch(limits)
    if name == "SIGXCPU":
        hint = "Compute indicators once, in init, without threads, and keep loops over the past out of next."
        return Failure(FailureKind.TIMEOUT, f"{ended}: it used too much processor time", hint, line, text)
    if name == "SIGSYS":
        hint = "Do not start processes, open connections or call the system: compute from the bars alone."
        return Failure(FailureKind.FORBIDDEN, f"{ended}: a forbidden system call", hint, line, text)
    if name == "SIGKILL":
        return Failure(FailureKind.KILLED, f"{ended}, from outside; {memory}", _KILLED_HINT, line, text)
    hint = "A native library was misused (wrong array type or length), or memory ran out."
    return Failure(FailureKind.CRASHED, f"{ended}; {memory}", hint, line, text)


def _where(ending: Ending, source: str) -> tuple[int | None, str]:
    """The strategy's innermost line in the last dump that python wrote to stderr when it was killed or crashed."""
    text = ending.stderr.tail or ending.stderr.head
    _, found, dump = text.rpartition("most recent call first")
    match = _DUMPED_LINE.search(dump) if found else None
    lines = source.splitlines()
    if match is None or not 0 < int(match[1]) <= len(lines):
        return None, ""
    return int(match[1]), neutralise(lines[int(match[1]) - 1].strip(), 200)


def _raised(error: Mapping[str, Any], mode: Mode) -> Failure:
    """``error`` comes from the child: wrong types in it are a forgery, and worth no more than its text."""
    # Cut before the rules see it: their patterns are slow on long texts.
    seen = {key: str(error.get(key, ""))[:TEXT_LIMIT] for key in _TEXTS}
    lists = {key: _strings(error.get(key)) for key in ("bases", "owner")}
    rule = rule_of({**seen, **lists})
    line = error.get("line")
    message = (
        seen["message"] if seen["stage"] in ("find", "environment") else f"{seen['type']}: {seen['message']}"
    )
    if seen["context"] not in ("", seen["message"]):
        message = f"{message} ({seen['context'].removesuffix(' See traceback above.')})"
    return Failure(
        kind=rule.kind,
        message=neutralise(message, TEXT_LIMIT),
        hint=rule.advice(mode),
        line=line if type(line) is int and line > 0 else None,
        source_line=neutralise(seen["source_line"], 200),
        traceback=neutralise(str(error.get("traceback", "")), TEXT_LIMIT),
    )


def _strings(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _stray(ending: Ending) -> Failure | None:
    if ending.strays == 0:
        return None
    return Failure(
        FailureKind.STRAY_PROCESS,
        f"the strategy left {ending.strays} running process(es) behind, which were killed",
        "Do not start processes: a strategy computes in its own one.",
    )


def _without_numbers(ending: Ending, scenario: ScenarioResult, mode: Mode) -> Failure:
    if ending.channel_lost or scenario.garbage:
        detail = f": {scenario.garbage}" if scenario.garbage else ""
        return Failure(
            FailureKind.NO_RESULT,
            f"no result arrived from the strategy's process{detail}",
            "Do not close or write to file descriptors that the strategy did not open.",
        )
    if mode is Mode.SCRIPT and scenario.reported:
        return _stray(ending) or Failure(
            FailureKind.NO_BACKTEST,
            "the script ended without having run a backtest to its end",
            "Call Backtest(data, Strategy, ...).run() where the script gets to; nothing calls its functions for it.",
        )
    return Failure(
        FailureKind.EXITED,
        f"the strategy ended its process with status {ending.exit_code}",
        "Do not call os._exit: define the class and let the runner run it."
        if mode is Mode.CLASS
        else "Do not call os._exit: let the script reach its end.",
    )
