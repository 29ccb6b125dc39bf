"""The research note: what was understood, what was assumed, what was ignored."""

from __future__ import annotations

from collections.abc import Iterable

from models.providers.offline.catalogue import CATALOGUE
from models.providers.offline.describe import (
    all_series,
    entries_in_words,
    exits_in_words,
    needs_volume,
    plan_conditions,
    risk_in_words,
    series_in_words,
)
from models.providers.offline.rules import Coverage, Plan
from models.providers.offline.text import printable
from models.providers.offline.titles import title

ADVICE = (
    "Set OPENAI_API_KEY or ANTHROPIC_API_KEY (or choose a model with --model) to have a language model read the idea, "
    "or reword it with a rule that bars can decide, such as 'buy when RSI(14) crosses above 30, exit above 60' or "
    "'long when the 50-day SMA crosses above the 200-day SMA, 2x ATR stop'."
)


def write_note(plan: Plan, idea: str) -> str:
    """The note in Markdown, with the headings that every writer uses."""
    traded = plan.coverage is not Coverage.NONE
    heading = title(plan) if traded else "Not understood"
    direction = plan.direction if traded else "both"
    sections = [
        f"# {heading}",
        f"Coverage: {plan.coverage}\nDirection: {direction}",
        f"## Hypothesis\n{_hypothesis(plan, idea)}",
        f"## Entries\n{_bullets(entries_in_words(plan))}",
        f"## Exits\n{_bullets(exits_in_words(plan.exits) if traded else [])}",
        f"## Risk\n{_bullets(_risk(plan) if traded else [])}",
        f"## Indicators\n{_bullets(_indicators(plan))}",
        f"## Data needed\n{_data(plan)}",
        f"## Assumed\n{_bullets(plan.assumed)}",
        f"## Ignored\n{_bullets(printable(words, 80) for words in plan.ignored)}",
    ]
    if not traded:
        sections.append(f"## Why not\n{plan.why_not} {ADVICE}")
    return "\n\n".join(sections) + "\n"


def _hypothesis(plan: Plan, idea: str) -> str:
    lines = [f"The idea, in its own words: {printable(idea, 300)}"]
    if plan.missing_data and plan.coverage is Coverage.PARTLY:
        lines.insert(
            0,
            "**Not the whole idea is tested: it needs data that bars do not hold "
            f"({', '.join(plan.missing_data)}), and that part was dropped.**",
        )
    if plan.coverage is not Coverage.NONE:
        lines.append("The rules below were read from that text by fixed rules, not by a language model.")
    return "\n".join(lines)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or "- none"


def _risk(plan: Plan) -> list[str]:
    lines = risk_in_words(plan.exits) or ["No stop: the text names none"]
    return [*lines, "95% of the equity in one position"]


def _indicators(plan: Plan) -> list[str]:
    used = (line for line in all_series(plan_conditions(plan)) if CATALOGUE[line.kind].function)
    lines = [series_in_words(line) for line in used]
    return list(dict.fromkeys(lines))


def _data(plan: Plan) -> str:
    missing = f" Not available: {', '.join(plan.missing_data)}." if plan.missing_data else ""
    if needs_volume(plan):
        return (
            "OHLCV bars with real volume. Without volume, conditions that compare volume alone are not applied."
            + missing
        )
    return "OHLCV bars." + missing
