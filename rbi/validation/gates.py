"""The gates: what a version must stand before its score counts for anything, whatever that score is.

Optimizing keeps no version that fails one, so that it does not climb towards what validation would throw away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rbi.repairs.findings import Problem
from runners.base import CheckStatus, FailureKind, RunResult

FEW_TRADES = 30
"""Trades, over all datasets in sum because the score is one of them all. Below it the error of a mean trade is too
large for its sign to mean anything."""
LEAST_EXPOSURE_PCT = 1.0
"""Percent of the bars, as the mean over the datasets. Below it the account stands still, and its return and Sharpe
ratio are those of a few bars. There is no upper limit: a strategy that turns its position is in the market always."""
COST_FACTOR = 3.0
"""What commission and spread are multiplied by. Costs of real orders are often a few times those that are assumed."""
LOOKING_AHEAD = frozenset({"look_ahead", "not_revealed"})
"""Rules of the check: what is computed from bars to come, and what shows `next` values of such bars."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a version: one result for each dataset, in the same order everywhere.

    ``repeated`` are those of the same run made once more, ``dearer`` those with costs times `COST_FACTOR`; ``None``
    where that was not done. ``problems`` are what the check found without running it. ``ahead`` is how it was seen to
    look ahead when it was run on bars with other futures: empty if it does not, ``None`` if that was not tried.
    """

    results: tuple[RunResult, ...]
    problems: tuple[Problem, ...] = ()
    repeated: tuple[RunResult, ...] | None = None
    dearer: tuple[RunResult, ...] | None = None
    ahead: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A check with a name; it returns why a version does not pass, and an empty text if it does."""

    name: str
    why_not: Callable[[Evidence], str]


def ran(evidence: Evidence) -> str:
    """It ran to its end on every dataset."""
    failures = [r.failure for r in evidence.results if r.failure and not r.failure.kind.has_numbers]
    if failures:
        return f"it fails ({failures[0].kind.value}: {failures[0].message})"
    return "" if evidence.results and all(r.completed for r in evidence.results) else "it was not run"


def confirmed(evidence: Evidence) -> str:
    """Its numbers are those that the runner's own computation gives."""
    for result in evidence.results:
        if result.check is None or result.check.status is not CheckStatus.CONFIRMED:
            detail = f" ({result.check.detail})" if result.check and result.check.detail else ""
            return f"its numbers are not confirmed{detail}"
    return ""


def solvent(evidence: Evidence) -> str:
    """No account lost everything."""
    return "an account went bust" if any(is_bust(result) for result in evidence.results) else ""


def is_bust(result: RunResult) -> bool:
    """Whether an account lost everything."""
    if result.failure is not None and result.failure.kind is FailureKind.BUST:
        return True
    return (
        result.stats is not None and result.stats.equity_final is not None and result.stats.equity_final <= 0
    )


def trades_enough(evidence: Evidence) -> str:
    """Its trades are enough to say anything."""
    trades = sum(result.stats.trades or 0 for result in evidence.results if result.stats)
    return f"{trades} trades in all ({FEW_TRADES} wanted)" if trades < FEW_TRADES else ""


def exposed(evidence: Evidence) -> str:
    """It is in the market often enough for its return to be more than an episode."""
    shares = [result.stats.exposure_time_pct or 0.0 for result in evidence.results if result.stats]
    mean = sum(shares) / len(shares) if shares else 0.0
    if mean >= LEAST_EXPOSURE_PCT:
        return ""
    return f"in the market on {mean:.2g}% of the bars only ({LEAST_EXPOSURE_PCT:g}% wanted)"


def looks_back_only(evidence: Evidence) -> str:
    """Nothing in its code is known to draw on bars to come."""
    ahead = next((p for p in evidence.problems if p.rule in LOOKING_AHEAD), None)
    return f"line {ahead.line} looks ahead: {ahead.message}" if ahead else ""


def decides_without_the_future(evidence: Evidence) -> str:
    """With other bars to come it has decided the same until then."""
    if evidence.ahead is None:
        return "it was not run on bars with another future"
    return evidence.ahead


def deterministic(evidence: Evidence) -> str:
    """The same run made once more gives the same statistics."""
    if evidence.repeated is None:
        return "it was run only once"
    again = [result.stats.to_json() if result.stats else None for result in evidence.repeated]
    first = [result.stats.to_json() if result.stats else None for result in evidence.results]
    return "" if again == first else "run once more it gives other statistics"


def loses_nothing(evidence: Evidence) -> str:
    """It does not lose, as the mean return over the datasets, whatever the score is.

    What loses with costs as they are need not be run with higher ones.
    """
    return _loss(evidence.results, "with the costs as they are")


def bears_costs(evidence: Evidence) -> str:
    """With costs times `COST_FACTOR` it does not lose either."""
    if evidence.dearer is None:
        return "it was not run with higher costs"
    return _loss(evidence.dearer, f"with {COST_FACTOR:g} times the costs")


def _loss(results: tuple[RunResult, ...], how: str) -> str:
    returns = [r.stats.return_pct if r.completed and r.stats else None for r in results]
    known = [value for value in returns if value is not None]
    if not known or len(known) < len(returns):
        return f"it has no return {how}"
    mean = sum(known) / len(known)
    return "" if mean >= 0 else f"it loses {how} (mean return {mean:.2f}%)"


OF_ONE_RUN: tuple[Gate, ...] = (
    Gate("ran", ran),
    Gate("confirmed", confirmed),
    Gate("solvent", solvent),
    Gate("enough trades", trades_enough),
    Gate("exposure", exposed),
    Gate("no look-ahead", looks_back_only),
    Gate("no loss", loses_nothing),
)
"""Those that one run on every dataset answers."""
GATES: tuple[Gate, ...] = (
    *OF_ONE_RUN,
    Gate("deterministic", deterministic),
    Gate("costs", bears_costs),
    Gate("no look-ahead, tried", decides_without_the_future),
)
"""All of them. The last ones need more runs."""


def failed(gates: tuple[Gate, ...], evidence: Evidence) -> Iterator[str]:
    """Why a version does not pass, a line for each of the gates that it fails."""
    for gate in gates:
        why = gate.why_not(evidence)
        if why:
            yield f"{gate.name}: {why}"
