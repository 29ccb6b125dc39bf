"""Examine a source: repair what is certain, round by round, and report the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from models.syntax import parse
from rbi.repairs import (
    arrays,
    class_values,
    columns,
    engine_names,
    functions,
    imports,
    indicators,
    kept,
    methods,
    order_calls,
    other_engines,
    own_attributes,
    own_program,
    own_run,
    several,
    shown,
)
from rbi.repairs.findings import Examination, Fix, Problem, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.libraries import COLUMNS
from rbi.repairs.module import Module
from rbi.repairs.problems import find_problems
from rbi.repairs.text import compatible, difference
from runners.base import Mode

Rule = Callable[[Module, Flow], Iterator[Proposal]]
# Earlier ones have precedence where two would change the same text; the later one gets its turn in the next round.
RULES: tuple[Rule, ...] = (
    own_run.runs,
    own_run.charts,
    own_program.saved,
    own_program.keywords,
    own_program.workers,
    own_program.statistics,
    own_program.padded,
    own_program.lowered,
    imports.crossunder,
    imports.crossings,
    imports.misplaced,
    imports.unused,
    functions.renamed,
    functions.windows,
    functions.periods,
    functions.fills,
    functions.fills_in_place,
    functions.frequencies,
    methods.defined,
    methods.inherited,
    order_calls.keywords,
    order_calls.stops_after,
    own_attributes.renamed,
    engine_names.calls,
    engine_names.stops,
    engine_names.first_cash,
    engine_names.functions_of_module,
    engine_names.attributes,
    other_engines.of_strategy,
    engine_names.position_compared,
    columns.spelling,
    columns.names,
    columns.clocks,
    columns.frame,
    kept.through_indicator,
    arrays.pandas_ta_arguments,
    arrays.wrap,
    arrays.given_to_series,
    arrays.concatenated,
    arrays.last_values,
    several.unpacked,
    several.by_name,
    indicators.in_next,
    indicators.computed,
    indicators.differences,
    indicators.whole_numbers,
    indicators.lists,
    indicators.later_less_earlier,
    class_values.bare,
    shown.invented,
    shown.formatted,
    imports.missing,
)
_ROUNDS = 20
_LONGEST = 200_000  # characters; nothing that long is a strategy


def examine(source: str, columns: tuple[str, ...] = COLUMNS, mode: Mode = Mode.CLASS) -> Examination:
    """Repair a strategy's source as far as that is certain. ``columns`` are those that ``self.data`` has.

    A class module loses what it does beside defining its strategy; a script stays one. Examining the result again
    changes nothing. Never raises: what does not compile comes back as it is, with a problem that says so.
    """
    try:
        module = _module(source, columns, mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Examination(source, (), (_not_python(source, error),))
    try:
        return _examined(module)
    except RecursionError:
        return Examination(source)


def _module(source: str, columns: tuple[str, ...], mode: Mode) -> Module:
    if len(source) > _LONGEST:
        raise ValueError(f"more than {_LONGEST:,} characters")
    compile(source, "strategy.py", "exec", dont_inherit=True)
    return Module(source, parse(source), mode, columns)


def _examined(first: Module) -> Examination:
    module = first
    fixes: list[Fix] = []
    origins: Sequence[int] = range(1, first.text.source.count("\n") + first.text.source.count("\r") + 3)
    for _ in range(_ROUNDS):
        flow = Flow(module)
        proposals = compatible(p for rule in _rules(module) for p in rule(module, flow))
        chosen, repaired = _applicable(module, proposals)
        if repaired is None:
            return Examination(module.text.source, tuple(fixes), tuple(find_problems(module, flow, first)))
        fixes += [_fix(module, proposal, origins) for proposal in chosen]
        moved = module.text.origins(edit for proposal in chosen for edit in proposal.edits)
        origins = [origins[line - 1] for line in moved]
        module = repaired
    # Not reached by any source known: fixes that go on for ever are none.
    return Examination(first.text.source, (), tuple(find_problems(first, Flow(first), first)))


def _rules(module: Module) -> tuple[Rule, ...]:
    """Those that apply: none to strategies with an ``I`` of their own, whose indicators may be anything."""
    return () if "I" in module.given else RULES


def _applicable(module: Module, proposals: Sequence[Proposal]) -> tuple[Sequence[Proposal], Module | None]:
    """Those that can be made so that the result compiles, and the result; ``None`` if there are none.

    One that cannot, such as new quotes inside an f-string, is left out, and what it is about stays as a problem.
    """
    if not proposals:
        return (), None
    repaired = _applied(module, proposals)
    if repaired is not None:
        return proposals, repaired
    chosen: list[Proposal] = []
    for proposal in proposals:
        attempt = _applied(module, [*chosen, proposal])
        if attempt is not None:
            chosen, repaired = [*chosen, proposal], attempt
    return chosen, repaired


def _applied(module: Module, proposals: Sequence[Proposal]) -> Module | None:
    source = module.text.apply(edit for proposal in proposals for edit in proposal.edits)
    try:
        return _module(source, module.columns, module.mode)
    except (SyntaxError, ValueError):
        return None


def _fix(module: Module, proposal: Proposal, origins: Sequence[int]) -> Fix:
    before, text = module.text.source, module.text
    line = text.line_at(min(edit.start for edit in proposal.edits))
    return Fix(
        proposal.rule, proposal.reason, origins[line - 1], difference(before, text.apply(proposal.edits))
    )


def _not_python(source: str, error: BaseException) -> Problem:
    line = getattr(error, "lineno", None) or 1
    lines = source.splitlines() or [""]
    message = getattr(error, "msg", None) or str(error)
    return Problem(
        "syntax",
        f"not valid Python: {message}",
        "correct the syntax and answer with the whole module",
        line,
        lines[min(line, len(lines)) - 1].strip(),
    )
