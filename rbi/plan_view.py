"""A quote as lines, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rbi.quote import (
    BACKTEST_SECONDS,
    CALL_SECONDS,
    OUTPUT_TOKENS,
    SEARCH_SECONDS,
    BudgetQuote,
    IdeaBudgetQuote,
    Money,
    Quote,
    Range,
    StageQuote,
)
from rbi.screening import some
from rbi.terminal import printable

if TYPE_CHECKING:
    from rbi.plan import Plan

_CENT = Decimal("0.01")
_SMALLEST = Decimal("0.0001")


def quote_lines(quote: Quote) -> list[str]:
    """The quote in one line, and a line more for what is not known or does not fit into the budget."""
    cost = "unknown cost" if quote.usd.likely is None else _likely_cost(quote)
    lines = [
        f"{cost} for {_count(quote.ideas, 'idea')}"
        f" and {_count(round(quote.calls.likely), 'call')}, {_time(quote.minutes.likely)}"
    ]
    if quote.unpriced:
        lines.append(f"no price is known for {', '.join(quote.unpriced)}; `rbi plan` shows how to set one")
    elif quote.budget:
        lines.append(_budget_line(quote.budget, quote.ideas))
    if quote.idea_budget and not quote.unpriced:
        lines.append(_idea_budget_line(quote.idea_budget))
    return lines


def plan_page(made: Plan) -> RenderableType:
    """The quote for a person: stages, money, time, and every assumption."""
    quote = made.quote
    lines = [f"{_count(quote.ideas, 'idea')} to do"]
    if made.batch:
        lines[0] += f"; {made.finished} finished in batch {printable(made.batch)} are left out"
    elif made.finished:
        lines[0] += f"; {made.finished} finished in other batches are left out"
    if made.refused:
        lines.append(
            f"{_count(len(made.refused), 'entry')} cannot be {'an idea' if len(made.refused) == 1 else 'ideas'}"
        )
        lines += some([f"{one.place}: {one.what}" for one in made.refused])
    if made.with_documents:
        lines.append(
            f"{_count(made.with_documents, 'idea')} with links: the length of documents is not counted"
        )
    lines += made.screening.remarks()
    cost = [
        f"cost      {_likely_cost(quote)}",
        f"calls     {_numbers(quote.calls)}",
        f"time      {_times(quote.minutes)}",
    ]
    if quote.budget and quote.ideas:
        cost.append(f"budget    {_budget_line(quote.budget, quote.ideas)}")
    if quote.idea_budget and quote.ideas:
        cost.append(f"an idea   {_idea_budget_line(quote.idea_budget)}")
    return Group(
        Text("\n".join(lines)),
        _stage_table(quote),
        Text("\n".join([*cost, *_unpriced_lines(quote)])),
        Text("\nassumed:\n" + "\n".join(f"- {line}" for line in assumptions(quote)), style="dim"),
    )


def plan_json(made: Plan) -> dict[str, Any]:
    """The quote for machines. Money is in US dollars, ``null`` where unknown."""
    quote = made.quote
    return {
        "ideas": quote.ideas,
        "batch": made.batch or None,
        "finished_ideas": made.finished,
        "refused_lines": len(made.refused),
        "ideas_with_documents": made.with_documents,
        "flagged_ideas": len(made.screening.flagged),
        "near_duplicates": len(made.screening.near),
        "calls": _range_json(quote.calls),
        "input_tokens": _range_json(quote.input_tokens),
        "output_tokens": _range_json(quote.output_tokens),
        "usd": _money_json(quote.usd),
        "minutes": {k: round(v, 2) for k, v in _parts(quote.minutes).items()},
        "stages": [_stage_json(stage) for stage in quote.stages],
        "unpriced": list(quote.unpriced),
        "budget": _budget_json(quote.budget) if quote.budget else None,
        "budget_per_idea": _idea_budget_json(quote.idea_budget) if quote.idea_budget else None,
        "assumptions": list(assumptions(quote)),
    }


def assumptions(quote: Quote) -> tuple[str, ...]:
    """What the numbers rest on, one sentence each."""
    backtest = f"a backtest takes {BACKTEST_SECONDS:g} s on one core"
    rounds = [_rounds_assumed(quote, "debug", "repairs"), _rounds_assumed(quote, "optimize", "improvements")]
    if quote.rounds["optimize"].count:
        backtest += f", all tries of a parameter search {SEARCH_SECONDS:g} s"
    if not quote.uses_language_model:
        return (*rounds, f"{backtest}; the offline writer takes no time and costs nothing")
    low, likely, high = CALL_SECONDS
    return (
        *_tokens_assumed(quote.stages),
        *rounds,
        f"a call takes {likely:g} s ({low:g} to {high:g}), {backtest}",
        "low: no repairs, no improvements and short answers",
        "high: every strategy takes all of --debug-rounds and --optimize-rounds, and every answer has"
        " --max-output-tokens, which is about what --budget sets aside for it",
        "not counted: failed attempts that are repeated and answers that are cut off and continued add to it;"
        " prompt caching and answers that the results folder already holds take from it",
    )


def _rounds_assumed(quote: Quote, stage: str, what: str) -> str:
    rounds = quote.rounds[stage]
    measured = ", as measured here" if rounds.measured else ""
    return f"{rounds.count:.2g} {what} are asked for of each strategy{measured}"


def dollars(usd: Decimal) -> str:
    """An amount with as many digits as it needs to be told from nothing."""
    if usd == 0 or usd >= _CENT:
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if usd >= _SMALLEST else f"less than ${_SMALLEST}"


def _tokens_assumed(stages: Sequence[StageQuote]) -> list[str]:
    found = [
        f"{stage.stage}: tokens as measured here over {stage.measured_calls} calls"
        for stage in stages
        if stage.measured_calls
    ]
    assumed = [stage.stage for stage in stages if not stage.measured_calls]
    if assumed:
        answers = ", ".join(f"{OUTPUT_TOKENS[stage][1]} ({stage})" for stage in assumed)
        least = ", ".join(str(OUTPUT_TOKENS[stage][0]) for stage in assumed)
        found.append(f"a token is 4 bytes of a prompt; answers have {answers} tokens, at least {least}")
    return found


def _likely_cost(quote: Quote) -> str:
    if quote.usd.likely is None:
        return "unknown"
    about = "about " if quote.usd.high != 0 else ""
    return f"{about}{dollars(quote.usd.likely)}{_spread(quote.usd)}"


def _spread(usd: Money) -> str:
    if usd.low is None or usd.high == 0:
        return ""
    high = "unknown" if usd.high is None else dollars(usd.high)
    return f" ({dollars(usd.low)} to {high})"


def _stage_table(quote: Quote) -> Table:
    table = Table(expand=False)
    for name in ("stage", "model"):
        table.add_column(name, no_wrap=name == "stage")
    for name in ("calls", "tokens in", "tokens out", "USD"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in quote.stages:
        usd = "unknown" if stage.usd.likely is None else dollars(stage.usd.likely)
        table.add_row(
            stage.stage,
            printable(", then ".join(stage.models)),
            f"{stage.calls.likely:,.0f}",
            f"{stage.input_tokens.likely:,.0f}",
            f"{stage.output_tokens.likely:,.0f}",
            usd,
        )
    table.caption = "likely; tokens of one call"
    return table


def _budget_line(budget: BudgetQuote, ideas: int) -> str:
    left = f", {dollars(budget.left_usd)} of it left," if budget.left_usd != budget.usd else ""
    start = f"the budget of {dollars(budget.usd)}{left}"
    if budget.covers is None:
        return f"{start} cannot be kept without a price: nothing would be sent"
    if not budget.holds_a_call:
        return f"{start} is less than one call may cost: lower --max-output-tokens or allow more"
    if budget.covers >= ideas:
        return f"{start} covers all {ideas} ideas"
    return f"{start} covers about {budget.covers} of {ideas} ideas"


def _idea_budget_line(budget: IdeaBudgetQuote) -> str:
    start = f"the budget of {dollars(budget.usd)} for each idea"
    first, likely, worst = budget.first_call_usd, budget.likely_usd, budget.worst_usd
    if first is None or likely is None or worst is None or budget.costs_usd is None:
        return f"{start} cannot be kept without a price: nothing would be sent"
    if not budget.holds_a_call:
        return (
            f"{start} is less than its first call may cost ({dollars(first)}), so nothing would be sent:"
            " lower --max-output-tokens or allow more"
        )
    if budget.usd >= worst:
        return f"{start} holds the worst case of an idea ({dollars(worst)})"
    if budget.usd >= likely:
        return (
            f"{start} holds a likely idea with its repair and improvements ({dollars(likely)}),"
            f" not the worst case ({dollars(worst)})"
        )
    return (
        f"{start} is too little for a likely idea with its repair and improvements: it costs about"
        f" {dollars(budget.costs_usd)}, but each call is set aside at its longest answer,"
        f" which takes {dollars(likely)} (at worst {dollars(worst)})"
    )


def _unpriced_lines(quote: Quote) -> list[str]:
    if not quote.unpriced:
        return []
    lines = ["", "No price is known here for these models. Write it into rbi.toml, USD per million tokens:"]
    for name in quote.unpriced:
        lines += [f'[prices."{printable(name)}"]', "input = ", "output = "]
    return lines


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def _numbers(values: Range) -> str:
    return f"{values.likely:,.0f} ({values.low:,.0f} to {values.high:,.0f})"


def _times(minutes: Range) -> str:
    low, likely, high = (_time(m) for m in (minutes.low, minutes.likely, minutes.high))
    return likely if low == high else f"{likely} ({low} to {high})"


def _time(minutes: float) -> str:
    if minutes < 1:
        return "less than 1 min"
    return f"about {minutes:.0f} min" if minutes < 120 else f"about {minutes / 60:.1f} h"


def _stage_json(stage: StageQuote) -> dict[str, Any]:
    return {
        "stage": stage.stage,
        "models": list(stage.models),
        "calls": _range_json(stage.calls),
        "input_tokens_per_call": _range_json(stage.input_tokens),
        "output_tokens_per_call": _range_json(stage.output_tokens),
        "usd": _money_json(stage.usd),
        "measured_calls": stage.measured_calls,
    }


def _budget_json(budget: BudgetQuote) -> dict[str, Any]:
    return {
        "usd": f"{budget.usd:f}",
        "left_usd": f"{budget.left_usd:f}",
        "covers_ideas": budget.covers,
        "holds_a_call": budget.holds_a_call,
    }


def _idea_budget_json(budget: IdeaBudgetQuote) -> dict[str, Any]:
    amounts = {
        "usd": budget.usd,
        "costs_usd": budget.costs_usd,
        "first_call_usd": budget.first_call_usd,
        "likely_usd": budget.likely_usd,
        "worst_usd": budget.worst_usd,
    }
    shown = {name: None if usd is None else f"{usd:f}" for name, usd in amounts.items()}
    return {**shown, "holds_a_call": budget.holds_a_call}


def _parts(values: Range) -> dict[str, float]:
    return {"low": values.low, "likely": values.likely, "high": values.high}


def _range_json(values: Range) -> dict[str, int]:
    return {name: round(value) for name, value in _parts(values).items()}


def _money_json(usd: Money) -> dict[str, str | None]:
    parts = {"low": usd.low, "likely": usd.likely, "high": usd.high}
    return {name: None if value is None else f"{value:.6f}" for name, value in parts.items()}
