"""What was understood of an idea: series, conditions on them, and how a position is entered and left."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Value:
    """A number that becomes a class-level parameter. ``said`` tells whether the idea gave it."""

    name: str
    number: float
    said: bool = True


@dataclass(frozen=True, slots=True)
class Series:
    """A line with one value a bar: a row of the catalogue with its numbers, perhaps computed from another."""

    kind: str
    values: tuple[Value, ...] = ()
    source: Series | None = None


class Op(StrEnum):
    """How the two sides of a comparison stand to each other on the bar."""

    ABOVE = "above"
    BELOW = "below"
    CROSSES_ABOVE = "crosses above"
    CROSSES_BELOW = "crosses below"
    CROSSES = "crosses"


@dataclass(frozen=True, slots=True)
class Compare:
    """``left op factor * right``."""

    left: Series
    op: Op
    right: Series | Value
    factor: Value | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """The comparison held on at least one of the last ``bars`` bars."""

    condition: Compare
    bars: Value


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of the conditions hold: an exit that names several at once."""

    conditions: tuple[Condition, ...]


Condition = Compare | Recent | AnyOf | AllOf


class Stance(StrEnum):
    """Which way a condition, as the text states it, points."""

    BULL = "bull"
    BEAR = "bear"
    BOTH = "both"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition as the text states it, and its mirror for the other side of the market.

    ``stance`` is the side that ``literal`` speaks for (``BOTH``: the text states both, ``literal`` is the long one),
    ``family`` what the rule is about (``squeeze`` is a quiet
    period that a breakout may follow some bars later). A ``vague`` rule gives way to a
    less vague one of its family.
    """

    literal: Condition
    mirror: Condition
    stance: Stance
    family: str
    vague: int = 0
    assumed: tuple[str, ...] = ()


class StopKind(StrEnum):
    """What a stop or a target is measured in."""

    ATR = "atr"
    PERCENT = "percent"
    SWING = "swing"
    RISK = "risk"


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a stop or target is from the price: ATR multiples, percent, a swing extreme, or multiples of risk.

    ``period`` is the ATR's period or the bars of the swing.
    """

    kind: StopKind
    amount: Value
    period: Value | None = None


@dataclass(frozen=True, slots=True)
class Exits:
    """Every way out of a position besides the opposite entry."""

    long: tuple[Condition, ...] = ()
    short: tuple[Condition, ...] = ()
    stop: Distance | None = None
    target: Distance | None = None
    trail: Distance | None = None
    chandelier: Value | None = None
    bars: Value | None = None
    opposite_entry: bool = False


class Coverage(StrEnum):
    """How much of the idea the rules express."""

    WHOLLY = "wholly"
    PARTLY = "partly"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Plan:
    """An idea as rules. ``long`` and ``short`` are conditions that must all hold; an empty one means never."""

    coverage: Coverage
    long: tuple[Condition, ...] = ()
    short: tuple[Condition, ...] = ()
    exits: Exits = Exits()
    assumed: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    missing_data: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def direction(self) -> str:
        """``long``, ``short`` or ``both``."""
        if self.long and self.short:
            return "both"
        return "short" if self.short else "long"
