"""Which exception of a strategy is which kind of failure, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runners.base import FailureKind
from runners.data_rules import DATA_RULES
from runners.engine_rules import ATTRIBUTE_RULES, CALL_RULES, INDICATOR_RULES, ORDER_RULES
from runners.failure_rule import BARS, FILE, Rule, names

_ALONE = (
    "There is no network, no other process, and no file outside the work folder: compute from the bars alone."
)
_NETWORK = "ConnectionError gaierror herror URLError HTTPError RequestException SSLError"
_ENDINGS = (
    Rule(
        FailureKind.ENVIRONMENT_READ,
        "Do not read environment variables: there is nothing in them. Make every setting a class attribute.",
        stage="environment",
    ),
    Rule(
        FailureKind.SYNTAX,
        "Give the complete module again with this line put right; it may have been cut off.",
        stage="compile",
    ),
    Rule(
        FailureKind.EXITED,
        "Do not call sys.exit, exit or quit: define the class and let the runner run it.",
        "Do not call sys.exit, exit or quit with a status: let the script reach its end.",
        bases=names("SystemExit"),
    ),
    Rule(
        FailureKind.MEMORY,
        "Use less memory: compute indicators once, in init, with arrays as long as the data.",
        bases=names("MemoryError"),
    ),
    Rule(
        FailureKind.NO_STRATEGY_CLASS,
        "Define exactly one subclass of backtesting.Strategy in the module.",
        stage="find",
        bases=names("NoStrategyClassError"),
    ),
    Rule(
        FailureKind.INPUT,
        "Do not ask for input: nobody answers. Make it a class attribute.",
        bases=names("EOFError"),
    ),
    Rule(
        FailureKind.IMPORT,
        "Import only the standard library, numpy, pandas, scipy, talib, pandas_ta and backtesting, "
        "and only names that they have.",
        bases=names("ImportError"),
    ),
    Rule(
        FailureKind.PARAMETER,
        "Declare every parameter as a class attribute of the strategy, with its default.",
        functions=names("_check_params"),
        message="is missing parameter",
    ),
    Rule(
        FailureKind.PARAMETER,
        "The constraint allows none of the combinations: loosen it, or give optimize other values.",
        bases=names("ValueError"),
        message="^No admissible parameter combinations",
    ),
    Rule(
        FailureKind.NOT_FINITE,
        "Do not set the account's cash or equity; trade with self.buy, self.sell and close, at finite prices.",
        bases=names("NotFiniteError"),
    ),
)
_SURROUNDINGS = (
    Rule(
        FailureKind.SCRATCH,
        "The work folder is small and files are limited: write less, or nothing; results are recorded anyway.",
        bases=names("OSError"),
        message=r"\[Errno (27|28|122)\]",
    ),
    Rule(
        FailureKind.FORBIDDEN,
        f"Do not use the network. {BARS}",
        f"Do not use the network. {FILE}",
        bases=names(_NETWORK),
    ),
    Rule(FailureKind.FORBIDDEN, _ALONE, bases=names("PermissionError")),
    Rule(
        FailureKind.FORBIDDEN,
        "Do not start processes or many threads: a strategy computes in its own process.",
        bases=names("BlockingIOError"),
    ),
    Rule(
        FailureKind.FORBIDDEN,
        "Do not start processes or many threads: a strategy computes in its own process.",
        message="can't start new thread",
    ),
    Rule(FailureKind.FORBIDDEN, _ALONE, bases=names("OSError"), message=r"\[Errno (1|13|30|38)\]"),
    Rule(FailureKind.DATA_MISSING, BARS, FILE, bases=names("BundledDataError FileNotFoundError")),
)
_REST = (
    Rule(
        FailureKind.NOT_FINITE,
        "The figure is NaN or infinite: an indicator has no value yet, or something was divided by 0. Check with "
        "np.isfinite before it is used.",
        bases=names("ValueError OverflowError"),
        message="cannot convert float (NaN|infinity) to integer",
    ),
    Rule(
        FailureKind.ERROR,
        "At the line shown something is divided by 0, such as by the distance of a stop that is the price itself: skip "
        "the bar then.",
        bases=names("ZeroDivisionError"),
    ),
    Rule(
        FailureKind.ERROR,
        "Define both init(self) and next(self).",
        bases=names("TypeError"),
        message="abstract class",
    ),
    Rule(
        FailureKind.ERROR,
        "That name has no value where none of its branches was taken: give it one before them.",
        bases=names("UnboundLocalError"),
    ),
    Rule(FailureKind.ERROR, "Define or import that name before it is used.", bases=names("NameError")),
    Rule(
        FailureKind.ERROR,
        "Compare like with like: numbers with numbers, times of day with datetime.time(hour, minute).",
        bases=names("TypeError"),
        message="not supported between instances of",
    ),
    Rule(
        FailureKind.ERROR,
        "There is no trade there yet: an order becomes one on the next bar. Ask for it with `if self.trades:` first.",
        bases=names("IndexError"),
        message="tuple index out of range",
        source=r"\b(trades|orders)\[",
    ),
    Rule(
        FailureKind.ERROR,
        "There are not that many values yet: check len(self.data) before looking back.",
        bases=names("IndexError"),
    ),
)
_RULES = (
    *_ENDINGS,
    *_SURROUNDINGS,
    *ORDER_RULES,
    *INDICATOR_RULES,
    *DATA_RULES,
    *ATTRIBUTE_RULES,
    *CALL_RULES,
    *_REST,
)
_NO_RULE = Rule(FailureKind.ERROR, "Correct the strategy at the line shown.")


def rule_of(error: Mapping[str, Any]) -> Rule:
    """The rule for an exception's description."""
    return next((rule for rule in _RULES if rule.matches(error)), _NO_RULE)
