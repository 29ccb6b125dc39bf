"""From how a run ended to a named failure, with a hint that a person or a model can act on."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runners.base import Failure, FailureKind, RunRequest
from runners.child_result import ChildResult
from runners.process import Ending, Limits, Stop
from runners.untrusted_text import neutralise

TEXT_LIMIT = 4096
_DUMPED_LINE = re.compile(r'File "strategy\.py", line (\d+)')
_BARS = (
    "Bars come from the runner as self.data with Open, High, Low, Close and Volume; there is no other data."
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """Names an exception. A field left empty matches everything; the first rule that matches wins."""

    kind: FailureKind
    hint: str
    stage: str = ""
    bases: frozenset[str] = frozenset()
    module: str = ""
    functions: frozenset[str] = frozenset()
    message: str = ""

    def matches(self, error: Mapping[str, Any]) -> bool:
        """Whether this is ``error``'s rule."""
        return (
            (not self.stage or self.stage == error["stage"])
            and (not self.bases or not self.bases.isdisjoint(error["bases"]))
            and error["module"].startswith(self.module)
            and (not self.functions or error["function"] in self.functions)
            and re.search(self.message, error["message"]) is not None
        )


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


_ENGINE = "backtesting.backtesting"
_RULES = (
    _Rule(
        FailureKind.ENVIRONMENT_READ,
        "Do not read environment variables: there is nothing in them. Make every setting a class attribute.",
        stage="environment",
    ),
    _Rule(
        FailureKind.SYNTAX,
        "Give the complete module again with this line put right; it may have been cut off.",
        stage="compile",
    ),
    _Rule(
        FailureKind.EXITED,
        "Do not call sys.exit, exit or quit: define the class and let the runner run it.",
        bases=_names("SystemExit"),
    ),
    _Rule(
        FailureKind.MEMORY,
        "Use less memory: compute indicators once, in init, with arrays as long as the data.",
        bases=_names("MemoryError"),
    ),
    _Rule(
        FailureKind.NO_STRATEGY_CLASS,
        "Define exactly one subclass of backtesting.Strategy in the module.",
        stage="find",
        bases=_names("NoStrategyClassError"),
    ),
    _Rule(
        FailureKind.INPUT,
        "Do not ask for input: nobody answers. Make it a class attribute.",
        bases=_names("EOFError"),
    ),
    _Rule(
        FailureKind.IMPORT,
        "Import only the standard library, numpy, pandas, scipy, talib, pandas_ta and backtesting.",
        bases=_names("ImportError"),
    ),
    _Rule(
        FailureKind.PARAMETER,
        "Declare every parameter as a class attribute of the strategy, with its default.",
        functions=_names("_check_params"),
        message="is missing parameter",
    ),
    _Rule(
        FailureKind.ERROR,
        "Do not set the account's cash or equity; trade with self.buy, self.sell and close.",
        bases=_names("NotFiniteError"),
    ),
    _Rule(
        FailureKind.DATA,
        f"Do not call Backtest: define the class and let the runner run it. {_BARS}",
        module=_ENGINE,
        message="must be a pandas.DataFrame",
    ),
    _Rule(
        FailureKind.ORDER,
        "size must be a fraction between 0 and 1 or a whole number of units: round it and skip the order when it is 0.",
        module=_ENGINE,
        functions=_names("buy sell"),
    ),
    _Rule(
        FailureKind.ORDER,
        "For a long order sl < entry price < tp, for a short one tp < entry price < sl. "
        "Compute them from the current close and skip the order if they are not on the right side.",
        module=_ENGINE,
        message="orders require:",
    ),
    _Rule(
        FailureKind.ORDER,
        "Check sizes, stops, limits and targets: finite numbers above 0; a portion to close is between 0 and 1.",
        module=_ENGINE,
        functions=_names("new_order close __set_contingent __init__"),
        bases=_names("AssertionError ValueError TypeError"),
    ),
    _Rule(FailureKind.DATA, _BARS, bases=_names("BundledDataError FileNotFoundError")),
    _Rule(FailureKind.DATA, _BARS, module="backtesting._util", bases=_names("KeyError AttributeError")),
    _Rule(FailureKind.DATA, _BARS, module="pandas", bases=_names("KeyError")),
    _Rule(
        FailureKind.DATA,
        f"Do not use the network. {_BARS}",
        bases=_names("ConnectionError gaierror URLError HTTPError RequestException"),
    ),
    _Rule(
        FailureKind.ERROR,
        "Series of self.data and indicators are numpy arrays. Inside a function given to self.I, wrap the argument "
        "in pd.Series(...) first; elsewhere use .s, as in self.data.Close.s.",
        bases=_names("AttributeError"),
        message=r"'(_Array|_Indicator|numpy\.ndarray)' object has no attribute",
    ),
    _Rule(
        FailureKind.ERROR,
        "A position has size, pl, pl_pct, is_long, is_short and close(). The entry price is "
        "self.trades[-1].entry_price.",
        bases=_names("AttributeError"),
        message="'Position' object has no attribute",
    ),
    _Rule(
        FailureKind.ERROR,
        "The broker is private. Use self.equity, self.position, self.orders, self.trades and self.closed_trades.",
        bases=_names("AttributeError"),
        message="'_?Broker' object has no attribute",
    ),
    _Rule(
        FailureKind.ERROR,
        "The number of the current bar is len(self.data) - 1.",
        bases=_names("AttributeError"),
        message="has no attribute '_?(i|index|bar_index|current_bar)'",
    ),
    _Rule(
        FailureKind.ERROR,
        "A function given to self.I must return an array, or a tuple of arrays, as long as the data.",
        module=_ENGINE,
        functions=_names("I"),
    ),
    _Rule(
        FailureKind.ERROR,
        "Define both init(self) and next(self).",
        bases=_names("TypeError"),
        message="abstract class",
    ),
)
_NO_RULE = "Correct the strategy at the line shown."


def find_failure(ending: Ending, child: ChildResult, request: RunRequest, limits: Limits) -> Failure | None:
    """Why there are no numbers to be used, or ``None`` if there are.

    What stopped the run comes first, then how its process ended,
    then what it reported.
    """
    if ending.stop:
        return _stopped(ending, request, limits)
    if ending.exit_code is None or ending.exit_code < 0:
        return _crashed(ending, request.source)
    if child.failure is not None:
        return _raised(child.failure)
    if child.numbers and ending.exit_code == 0:
        return _stray(ending)
    return _without_numbers(ending, child)


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
    return Failure(
        FailureKind.TIMEOUT,
        f"not finished within {request.timeout_s:g} s and stopped" + (f", in line {line}" if line else ""),
        "Look for a loop without end; compute indicators once, in init, and keep loops over the past out of next.",
        line,
        text,
    )


def _crashed(ending: Ending, source: str) -> Failure:
    if ending.exit_code is None:
        return Failure(
            FailureKind.CRASHED,
            "the strategy ended the process that watches over it",
            "Do not send signals and do not touch other processes.",
        )
    number, memory = -ending.exit_code, f"it held up to {ending.max_rss / 2**20:.0f} MB"
    line, text = _where(ending, source)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = "A native library was misused (wrong array type or length), or memory ran out."
    return Failure(FailureKind.CRASHED, f"the process was ended by {name}; {memory}", hint, line, text)


def _where(ending: Ending, source: str) -> tuple[int | None, str]:
    """The strategy's innermost line in the last dump that python wrote to stderr when it was killed or crashed."""
    text = ending.stderr.tail or ending.stderr.head
    _, found, dump = text.rpartition("most recent call first")
    match = _DUMPED_LINE.search(dump) if found else None
    lines = source.splitlines()
    if match is None or not 0 < int(match[1]) <= len(lines):
        return None, ""
    return int(match[1]), neutralise(lines[int(match[1]) - 1].strip(), 200)


def _raised(error: Mapping[str, Any]) -> Failure:
    """``error`` comes from the child: wrong types in it are a forgery, and worth no more than its text."""
    seen = {
        key: str(error.get(key, "")) for key in ("stage", "type", "message", "module", "function", "context")
    }
    bases = [str(base) for base in error["bases"]] if isinstance(error.get("bases"), list) else []
    rule = next((rule for rule in _RULES if rule.matches({**seen, "bases": bases})), None)
    line = error.get("line")
    message = (
        seen["message"] if seen["stage"] in ("find", "environment") else f"{seen['type']}: {seen['message']}"
    )
    if seen["context"]:
        message = f"{message} ({seen['context'].removesuffix(' See traceback above.')})"
    return Failure(
        kind=rule.kind if rule else FailureKind.ERROR,
        message=neutralise(message, TEXT_LIMIT),
        hint=rule.hint if rule else _NO_RULE,
        line=line if isinstance(line, int) and line > 0 else None,
        source_line=neutralise(str(error.get("source_line", "")), 200),
        traceback=neutralise(str(error.get("traceback", "")), TEXT_LIMIT),
    )


def _stray(ending: Ending) -> Failure | None:
    if ending.strays == 0:
        return None
    return Failure(
        FailureKind.STRAY_PROCESS,
        f"the strategy left {ending.strays} running process(es) behind, which were killed",
        "Do not start processes: a strategy computes in its own one.",
    )


def _without_numbers(ending: Ending, child: ChildResult) -> Failure:
    if ending.channel_lost or child.garbage:
        detail = f": {child.garbage}" if child.garbage else ""
        return Failure(
            FailureKind.NO_RESULT,
            f"no result arrived from the strategy's process{detail}",
            "Do not close or write to file descriptors that the strategy did not open.",
        )
    return Failure(
        FailureKind.EXITED,
        f"the strategy ended its process with status {ending.exit_code}",
        "Do not call os._exit: define the class and let the runner run it.",
    )
