"""What a batch will probably ask, cost and take, before anything is asked: arithmetic only, nothing is read or sent.

``low`` is a batch where all goes well and nothing is optimized, ``likely`` what the assumptions lead to, ``high`` one
where every strategy takes all its rounds of debugging and optimizing and every answer is as long as it may be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from models.base import Usage
from models.cost import PriceTable
from rbi.config import RateLimits

ASKED_STAGES = ("research", "write", "debug", "optimize")
OUTPUT_TOKENS = {  # low, likely
    "research": (300, 800),
    "write": (500, 1500),
    "debug": (600, 1800),
    "optimize": (600, 1800),
}
# Answers for each strategy that is written. Half of them fail or never trade at first. Three quarters trade in the end,
# and for those the first answer that improves nothing is the last.
ROUNDS = {"debug": 0.5, "optimize": 0.75}
# What the prompt says beside note and code: of the failure; of results, trades and what was tried (measured on two
# datasets). Each answer before adds at most `ROUND_TOKENS`.
SHOWN_TOKENS = {"debug": 150, "optimize": 700}
ROUND_TOKENS = 150
CALL_SECONDS = (5.0, 20.0, 60.0)
BACKTEST_SECONDS = 0.3
SEARCH_SECONDS = 1.0  # all tries of a parameter search: so many bars as it may use, whatever the datasets
RUNS_OF_A_ROUND = 3  # of optimizing, at most: the run, the same once more, and with higher costs
BYTES_A_TOKEN = 4
ENOUGH_CALLS = 20  # from here on what was measured is believed

_NOTHING = Decimal(0)


class MeasuredUsage(Protocol):
    """What the answered calls of one stage took on average."""

    @property
    def calls(self) -> int:
        """Answers counted."""

    @property
    def input_tokens(self) -> float:
        """Input tokens of one call."""

    @property
    def output_tokens(self) -> float:
        """Output tokens of one call."""


@dataclass(frozen=True, slots=True)
class QuotedModel:
    """A model that a stage may ask. ``keyed`` ones are asked with the delay between calls."""

    provider: str
    model: str
    keyed: bool = True
    is_language_model: bool = True

    @property
    def name(self) -> str:
        """``provider:model``."""
        return f"{self.provider}:{self.model}"


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done.

    ``prompt_tokens`` is each stage's mean prompt without what earlier stages add. ``chains`` are each stage's
    models, the first one being asked first. ``measured`` is by stage. The rounds are the most answers that a strategy
    is debugged and optimized with.
    """

    ideas: int
    prompt_tokens: Mapping[str, float]
    chains: Mapping[str, Sequence[QuotedModel]]
    datasets: int
    workers: int
    cores: int
    max_output_tokens: int = 8192
    debug_rounds: int = 10
    optimize_rounds: int = 10
    limits: Mapping[str, RateLimits] = field(default_factory=lambda: MappingProxyType({}))
    measured: Mapping[str, MeasuredUsage] = field(default_factory=lambda: MappingProxyType({}))
    budget_usd: Decimal | None = None
    idea_budget_usd: Decimal | None = None
    spent_usd: Decimal = _NOTHING


@dataclass(frozen=True, slots=True)
class Range:
    """A number as it may turn out."""

    low: float
    likely: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, other: Range) -> Range:
        return Range(self.low * other.low, self.likely * other.likely, self.high * other.high)


@dataclass(frozen=True, slots=True)
class Money:
    """US dollars as they may turn out; ``None`` where a price is not known."""

    low: Decimal | None
    likely: Decimal | None
    high: Decimal | None

    def __add__(self, other: Money) -> Money:
        return Money(_sum(self.low, other.low), _sum(self.likely, other.likely), _sum(self.high, other.high))


@dataclass(frozen=True, slots=True)
class CallCost:
    """One call in US dollars; ``None`` where a price is not known.

    ``likely`` and ``high`` are what it costs, ``aside`` and ``high_aside`` what a budget has to hold for it: every
    byte of the prompt counted as a token, and the longest answer there may be.
    """

    likely: Decimal | None
    high: Decimal | None
    aside: Decimal | None
    high_aside: Decimal | None

    @property
    def reserve(self) -> Decimal | None:
        """What a budget has to hold beyond the likely cost."""
        return None if self.aside is None or self.likely is None else max(_NOTHING, self.aside - self.likely)


@dataclass(frozen=True, slots=True)
class StageQuote:
    """One stage: its calls, the tokens of one call, and what all its calls cost.

    ``measured_calls`` is how many answers the tokens were measured over; 0 if they are assumed.
    """

    stage: str
    models: tuple[str, ...]
    calls: Range
    input_tokens: Range
    output_tokens: Range
    usd: Money
    call_usd: CallCost
    measured_calls: int


@dataclass(frozen=True, slots=True)
class BudgetQuote:
    """A budget against the likely cost: how many ideas it covers (``None``: unknown), what is left of it.

    ``holds_a_call`` is false when the first call may cost more than is left: nothing would be sent.
    """

    usd: Decimal
    left_usd: Decimal
    covers: int | None
    holds_a_call: bool


@dataclass(frozen=True, slots=True)
class IdeaBudgetQuote:
    """A budget for each idea against one idea, in US dollars; ``None`` where a price is not known.

    ``first_call_usd``, ``likely_usd`` and ``worst_usd`` are what the budget has to hold for the first call to be
    sent, for an idea of likely answers with a repair and the likely rounds of optimizing, and for an idea with all its
    rounds whose every answer has its full length.
    ``costs_usd`` is what an idea is likely to cost in the end.
    """

    usd: Decimal
    costs_usd: Decimal | None
    first_call_usd: Decimal | None
    likely_usd: Decimal | None
    worst_usd: Decimal | None

    @property
    def holds_a_call(self) -> bool:
        """Whether anything is sent at all."""
        return self.first_call_usd is not None and self.usd >= self.first_call_usd


@dataclass(frozen=True, slots=True)
class Rounds:
    """Answers that each written strategy is likely to be debugged or optimized with; assumed if not ``measured``."""

    count: float
    measured: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """The quote of a batch. ``unpriced`` are the models without a known price.

    ``rounds`` are those of debugging and optimizing, by stage.
    """

    ideas: int
    stages: tuple[StageQuote, ...]
    calls: Range
    input_tokens: Range
    output_tokens: Range
    usd: Money
    minutes: Range
    rounds: Mapping[str, Rounds]
    unpriced: tuple[str, ...]
    budget: BudgetQuote | None
    idea_budget: IdeaBudgetQuote | None
    uses_language_model: bool


def quote(work: Work, prices: PriceTable) -> Quote:
    """The quote of some work."""
    stages = tuple(_stage(stage, work, prices) for stage in ASKED_STAGES)
    calls, usd = Range(0, 0, 0), Money(_NOTHING, _NOTHING, _NOTHING)
    read = written = Range(0, 0, 0)
    for stage in stages:
        calls, usd = calls + stage.calls, usd + stage.usd
        read, written = read + stage.calls * stage.input_tokens, written + stage.calls * stage.output_tokens
    models = dict.fromkeys(model for stage in ASKED_STAGES for model in work.chains[stage])
    return Quote(
        ideas=work.ideas,
        stages=stages,
        calls=calls,
        input_tokens=read,
        output_tokens=written,
        usd=usd,
        minutes=_minutes(stages, work),
        rounds={stage: likely_rounds(stage, work) for stage in ROUNDS},
        unpriced=tuple(m.name for m in models if prices.price(m.provider, m.model, Usage(1, 1)) is None),
        budget=_budget(work, stages, usd.likely),
        idea_budget=_idea_budget(work, stages),
        uses_language_model=any(model.is_language_model for model in models),
    )


def likely_rounds(stage: str, work: Work) -> Rounds:
    """The answers that a strategy is debugged or optimized with: measured if enough were written.

    A results folder that never optimized says nothing of it: it may be older than that, or have been told not to.
    """
    written, asked = work.measured.get("write"), work.measured.get(stage)
    most = _most_rounds(stage, work)
    if written is None or written.calls < ENOUGH_CALLS or (stage == "optimize" and asked is None):
        return Rounds(min(ROUNDS[stage], most), measured=False)
    return Rounds(min(asked.calls / written.calls if asked else 0.0, most), measured=True)


def _most_rounds(stage: str, work: Work) -> int:
    return {"debug": work.debug_rounds, "optimize": work.optimize_rounds}[stage]


def is_measured(stage: str, measured: Mapping[str, MeasuredUsage]) -> bool:
    """Whether enough calls of the stage were measured to be believed."""
    return stage in measured and measured[stage].calls >= ENOUGH_CALLS


def _stage(stage: str, work: Work, prices: PriceTable) -> StageQuote:
    chain = work.chains[stage]
    calls = _calls(stage, work, work.ideas)
    read, written = _input_tokens(stage, work), _output_tokens(stage, work)
    first = chain[0]
    call = CallCost(
        likely=_call_usd(first, prices, read.likely, written.likely),
        high=_dearest(chain, prices, read.high, written.high),
        # A budget counts every byte of a prompt as a token, and the longest answer there may be.
        aside=_dearest(chain, prices, BYTES_A_TOKEN * read.likely, work.max_output_tokens),
        high_aside=_dearest(chain, prices, BYTES_A_TOKEN * read.high, work.max_output_tokens),
    )
    usd = Money(
        _times(calls.low, _call_usd(first, prices, read.low, written.low)),
        _times(calls.likely, call.likely),
        _times(calls.high, call.high),
    )
    measured = work.measured[stage].calls if is_measured(stage, work.measured) else 0
    return StageQuote(stage, tuple(m.name for m in chain), calls, read, written, usd, call, measured)


def _calls(stage: str, work: Work, ideas: int) -> Range:
    if stage not in ROUNDS:
        return Range(ideas, ideas, ideas)
    return Range(0, ideas * likely_rounds(stage, work).count, ideas * _most_rounds(stage, work))


def _output_tokens(stage: str, work: Work) -> Range:
    most = work.max_output_tokens
    if is_measured(stage, work.measured):
        mean = work.measured[stage].output_tokens
        return Range(mean, mean, max(most, mean))
    low, likely = OUTPUT_TOKENS[stage]
    return Range(min(low, most), min(likely, most), most)


def _input_tokens(stage: str, work: Work) -> Range:
    own = work.prompt_tokens[stage]
    tokens = Range(own, own, own)
    if stage != "research":
        tokens += _output_tokens("research", work)
    if stage in ROUNDS:
        shown = SHOWN_TOKENS[stage]
        tokens += _output_tokens("write", work)
        tokens += Range(shown, shown, shown + ROUND_TOKENS * max(0, _most_rounds(stage, work) - 1))
    if is_measured(stage, work.measured):
        mean = work.measured[stage].input_tokens
        return Range(mean, mean, max(tokens.high, mean))
    return tokens


def _call_usd(model: QuotedModel, prices: PriceTable, read: float, written: float) -> Decimal | None:
    return prices.price(model.provider, model.model, Usage(math.ceil(read), math.ceil(written)))


def _dearest(chain: Sequence[QuotedModel], prices: PriceTable, read: float, written: float) -> Decimal | None:
    """The most that one call costs, whichever model of the chain answers it; unknown if one has no price."""
    found = [_call_usd(model, prices, read, written) for model in chain]
    known = [usd for usd in found if usd is not None]
    return max(known) if len(known) == len(found) else None


def _minutes(stages: Sequence[StageQuote], work: Work) -> Range:
    found = [_asking_seconds(stages, work, level) + _testing_seconds(work, level) for level in range(3)]
    return Range(found[0] / 60, found[1] / 60, found[2] / 60)


def _testing_seconds(work: Work, level: int) -> float:
    """Seconds of backtests on all cores: the first version, those of each round, and the parameter search."""
    debugged, optimized = (_at(_calls(stage, work, work.ideas), level) for stage in ("debug", "optimize"))
    runs = work.ideas + debugged + optimized * (RUNS_OF_A_ROUND if level == 2 else 1)
    searched = work.ideas * SEARCH_SECONDS if level and work.optimize_rounds else 0.0
    return (runs * work.datasets * BACKTEST_SECONDS + searched) / max(1, work.cores)


def _asking_seconds(stages: Sequence[StageQuote], work: Work, level: int) -> float:
    """Seconds of model calls: as many at once as may be, and never faster than an account's limits allow."""
    at_once_s = 0.0
    calls: dict[QuotedModel, float] = {}
    read: dict[str, float] = {}
    written: dict[str, float] = {}
    for stage in stages:
        model = work.chains[stage.stage][0]
        if not model.is_language_model:
            continue
        count = _at(stage.calls, level)
        most = work.limits.get(model.provider, RateLimits()).max_calls
        at_once_s += count * CALL_SECONDS[level] / max(1, min(work.workers, work.ideas, most))
        calls[model] = calls.get(model, 0) + count
        read[model.provider] = read.get(model.provider, 0) + count * _at(stage.input_tokens, level)
        written[model.provider] = written.get(model.provider, 0) + count * _at(stage.output_tokens, level)
    floors = [_floor_seconds(calls, read, written, provider, work.limits) for provider in read]
    return max([at_once_s, *floors])


def _floor_seconds(
    calls: Mapping[QuotedModel, float],
    read: Mapping[str, float],
    written: Mapping[str, float],
    provider: str,
    limits: Mapping[str, RateLimits],
) -> float:
    limit = limits.get(provider, RateLimits())
    asked = sum(count for model, count in calls.items() if model.provider == provider)
    keyed = any(model.keyed for model in calls if model.provider == provider)
    windows = (
        (asked, limit.requests_per_minute),
        (read[provider] + written[provider], limit.tokens_per_minute),
        (read[provider], limit.input_tokens_per_minute),
        (written[provider], limit.output_tokens_per_minute),
    )
    # A whole minute's allowance can be used at once, so the first one takes no time.
    waits = [60 * max(0.0, used / allowed - 1) for used, allowed in windows if allowed]
    return max([asked * limit.delay if keyed else 0.0, *waits])


def _budget(work: Work, stages: Sequence[StageQuote], likely: Decimal | None) -> BudgetQuote | None:
    if work.budget_usd is None:
        return None
    left = max(_NOTHING, work.budget_usd - work.spent_usd)
    reserves = [stage.call_usd.reserve for stage in stages if stage.call_usd.reserve is not None]
    first = stages[0].call_usd.aside
    if likely is None or first is None or len(reserves) < len(stages):
        return BudgetQuote(work.budget_usd, left, None, holds_a_call=False)
    usable = left - max(reserves)
    covers = (
        work.ideas if likely <= usable or likely == 0 else int(max(_NOTHING, usable) * work.ideas / likely)
    )
    return BudgetQuote(work.budget_usd, left, covers, holds_a_call=left >= first)


def _idea_budget(work: Work, stages: Sequence[StageQuote]) -> IdeaBudgetQuote | None:
    if work.idea_budget_usd is None:
        return None
    costs: Decimal | None = _NOTHING
    likely: list[CallCost] = []
    worst: list[CallCost] = []
    for stage in stages:
        calls, call = _calls(stage.stage, work, 1), stage.call_usd
        costs = _sum(costs, _times(calls.likely, call.likely))
        likely += [call] * math.ceil(calls.likely)
        worst += [call] * math.ceil(calls.high)
    return IdeaBudgetQuote(
        usd=work.idea_budget_usd,
        costs_usd=costs,
        first_call_usd=stages[0].call_usd.aside,
        likely_usd=_needed([(call.likely, call.aside) for call in likely]),
        worst_usd=_needed([(call.high, call.high_aside) for call in worst]),
    )


def _needed(calls: Sequence[tuple[Decimal | None, Decimal | None]]) -> Decimal | None:
    """What has to be there for calls made one after another, each given its cost and what is set aside for it."""
    spent: Decimal | None = _NOTHING
    most = _NOTHING
    for cost, aside in calls:
        needed = _sum(spent, aside)
        if needed is None:
            return None
        most, spent = max(most, needed), _sum(spent, cost)
    return most


def _at(values: Range, level: int) -> float:
    return (values.low, values.likely, values.high)[level]


def _times(count: float, usd: Decimal | None) -> Decimal | None:
    return None if usd is None else Decimal(str(count)) * usd


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
