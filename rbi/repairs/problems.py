"""All that will fail or mislead and was not repaired, one finding for each place."""

from __future__ import annotations

from collections.abc import Iterator

from rbi.repairs import name_problems, order_problems, own_program, shape_problems, time_problems
from rbi.repairs.findings import Problem
from rbi.repairs.flow import Flow
from rbi.repairs.module import Module
from rbi.repairs.own_run import terms_of_its_own
from rbi.repairs.report import Found
from runners.base import Mode

_MOST = 40
_TERMS = {
    "exclusive_orders": "Close the position with self.position.close() before an order for the other side.",
    "hedging": "There is no hedging: an order for the other side closes trades first.",
    "trade_on_close": "Orders are filled at the next bar's open, not at this bar's close.",
}


def find_problems(module: Module, flow: Flow, original: Module) -> Iterator[Problem]:
    """At most 40, by line. ``original`` is the module as it was given."""
    found = [
        *name_problems.problems(module, flow),
        *shape_problems.problems(module, flow),
        *order_problems.problems(module, flow),
        *time_problems.problems(module, flow),
        *own_program.problems(module),
        *_terms(module, original),
    ]
    problems: dict[tuple[int, str, str], Found] = {}
    for one in found:
        line = one.node.lineno
        problems.setdefault((line, one.rule, one.message), one)
    for (line, rule, message), one in sorted(problems.items(), key=lambda item: item[0])[:_MOST]:
        yield Problem(rule, message, one.hint, line, module.text.line(line).strip())


def _terms(module: Module, original: Module) -> Iterator[Found]:
    if module.mode is not Mode.CLASS or not module.strategies:
        return
    for name, written in terms_of_its_own(original).items():
        yield Found(
            "terms", module.strategies[0], f"written for {written}; the runner's account is not", _TERMS[name]
        )
