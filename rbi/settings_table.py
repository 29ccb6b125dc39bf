"""The table of settings: a row for each, from which flags, variables, ``rbi.toml`` and its template are made."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ENVIRONMENTS = ("auto", "venv", "current", "conda:NAME")
SANDBOXES = ("namespaces", "landlock", "limits", "cold")  # strongest first


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: its key, what it does, how it is read, and its bounds.

    A ``needed`` text must not be empty. ``identity`` settings can change a result: a batch keeps them for its
    whole life. Those ``identity_if_set`` are part of a batch's identity only when they are set, so that batches
    recorded before they existed still match. A number with an ``example`` may be left unset (``None``); the
    example is what the template shows. ``resumable`` ones can be given to ``rbi resume``.
    """

    key: str
    help: str
    kind: type = str
    metavar: str = ""
    low: float | None = None
    high: float | None = None
    repeatable: bool = False
    needed: bool = False
    identity: bool = False
    identity_if_set: bool = False
    example: float | None = None
    resumable: bool = False

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.key.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "RBI_" + self.key.upper()


def _stage_model(stage: str, does: str) -> Setting:
    return Setting(
        f"{stage}_model",
        f"who {does} (default: --model)",
        metavar="PROVIDER[:NAME]",
        identity=True,
        identity_if_set=True,
    )


def _per_minute(what: str, text: str) -> Setting:
    return Setting(
        f"{what}_per_minute",
        f"{text} a minute, for each account (0: as the provider says)",
        kind=int,
        low=0,
        metavar="N",
        resumable=True,
    )


def _rate(key: str, text: str, low: float, high: float) -> Setting:
    return Setting(key, text, kind=float, low=low, high=high, metavar="RATE", identity=True)


def _dollars(key: str, text: str, example: float | None = None, *, resumable: bool = True) -> Setting:
    return Setting(key, text, kind=float, low=0, metavar="USD", example=example, resumable=resumable)


def _rounds(stage: str, text: str) -> Setting:
    return Setting(
        f"{stage}_rounds",
        f"most times a strategy is {text} (0: never)",
        kind=int,
        low=0,
        high=10,
        metavar="N",
        identity=True,
        identity_if_set=True,
    )


def _target(score: str, text: str, example: float) -> Setting:
    return Setting(
        f"target_{score}",
        text,
        kind=float,
        low=-100,
        high=1_000_000,
        metavar=score.upper(),
        identity=True,
        identity_if_set=True,
        example=example,
    )


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "ideas",
        "the ideas: a file with one a line, a folder with one a file, or - for standard input",
        metavar="FILE|FOLDER|-",
        needed=True,
    ),
    Setting("results", "the results folder", metavar="FOLDER", needed=True, resumable=True),
    Setting("name", "name of the batch and its run folder (default: date and ideas file)", metavar="NAME"),
    Setting(
        "model",
        "who writes: a provider of `rbi models`, with or without a model's name, or several with commas between"
        " them, each for when those before it fail (default: the first that can be used here, else offline)",
        metavar="PROVIDER[:NAME],...",
        identity=True,
    ),
    _stage_model("research", "turns an idea into rules"),
    _stage_model("code", "writes the strategy"),
    _stage_model("debug", "repairs a strategy that fails"),
    _stage_model("optimize", "improves a strategy"),
    Setting(
        "temperature",
        "how freely models choose their words (default: the provider's own; many models refuse it)",
        kind=float,
        low=0,
        high=2,
        metavar="T",
        identity=True,
        identity_if_set=True,
        example=0.2,
    ),
    Setting(
        "max_output_tokens",
        "tokens that one answer may have",
        kind=int,
        low=1,
        high=1_000_000,
        metavar="N",
        identity=True,
        identity_if_set=True,
    ),
    Setting(
        "prompts",
        "folder of prompts of your own, each in place of the one of its name (default: those that come with rbi)",
        metavar="FOLDER",
        resumable=True,
    ),
    _dollars("budget", "US dollars that the batch may cost; 0 spends nothing (default: no limit)", 5.0),
    _dollars("budget_per_idea", "US dollars that one idea may cost (default: no limit)", 0.25),
    _dollars(
        "confirm_above", "US dollars of likely cost above which `rbi run` asks on a terminal", resumable=False
    ),
    Setting(
        "data",
        "bars to test on: GOOG, EURUSD, BTCUSD or a CSV file; repeatable",
        metavar="NAME|FILE",
        repeatable=True,
        identity=True,
    ),
    Setting(
        "env",
        "where strategies run: auto, venv, current, conda:NAME or conda:/PREFIX",
        metavar="ENV",
        resumable=True,
    ),
    Setting(
        "sandbox",
        f"containment that a backtest needs at least: {', '.join(SANDBOXES)}; =LEVEL uses exactly that one"
        " (default: the strongest that works here)",
        metavar="LEVEL",
        resumable=True,
    ),
    Setting(
        "workers",
        "ideas worked on at once, not counting those that wait for a backtest (0: by core count)",
        kind=int,
        low=0,
        high=1000,
        metavar="N",
        resumable=True,
    ),
    Setting(
        "timeout",
        "seconds a backtest may take",
        kind=float,
        low=1,
        high=86_400,
        metavar="SECONDS",
        resumable=True,
    ),
    Setting("limit", "work on the first N unfinished ideas only (0: all)", kind=int, low=0, metavar="N"),
    Setting("only", "work only on ideas that contain this text, or match it with * and ?", metavar="PATTERN"),
    Setting(
        "private_networks",
        "networks that are not public, with commas between them, from which documents may be fetched all the same"
        " (default: none)",
        metavar="NETWORK,...",
        resumable=True,
    ),
    _rounds("debug", "given back to the model when it fails or never trades"),
    _rounds("optimize", "given to the model to be improved"),
    _target("return", "return on the dev slice, in percent, at which optimizing ends (default: 50)", 50.0),
    _target("sharpe", "annualised Sharpe ratio to optimize for, in place of the return", 1.5),
    Setting("cash", "starting cash of every backtest", kind=float, low=1, metavar="AMOUNT", identity=True),
    _rate("commission", "commission a side, as a fraction", 0, 0.1),
    _rate("spread", "bid-ask spread, as a fraction", 0, 0.1),
    _rate("margin", "margin required, as a fraction (1: no leverage)", 0.01, 1),
    Setting(
        "max_calls",
        "most model calls in flight at once, for each account; the limit adapts below it",
        kind=int,
        low=1,
        high=1000,
        metavar="N",
        resumable=True,
    ),
    Setting(
        "delay",
        "seconds between the starts of two model calls",
        kind=float,
        low=0,
        high=3600,
        metavar="SECONDS",
        resumable=True,
    ),
    _per_minute("requests", "model calls"),
    _per_minute("tokens", "tokens, input and output together,"),
    _per_minute("input_tokens", "input tokens"),
    _per_minute("output_tokens", "output tokens"),
    Setting(
        "call_timeout",
        "seconds a model call may take, wall clock",
        kind=float,
        low=1,
        high=86_400,
        metavar="SECONDS",
        resumable=True,
    ),
)
BY_KEY: Mapping[str, Setting] = {s.key: s for s in SETTINGS}


def suggestion(word: str, known: Iterable[str]) -> str:
    """``did you mean X?`` for the nearest known word, else the list of them."""
    options = list(known)
    close = difflib.get_close_matches(word, options, n=1)
    return f"did you mean {close[0]}?" if close else "one of: " + ", ".join(options)
