"""Which values a parameter search tries: few, always the same, and cheap enough for every idea of a batch.

A search costs no tokens, but backtests: they are most of what a batch without a language model takes. One of 23,000
bars takes about 0.4 s of a core, so that `MOST_BARS` is about a second an idea.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from rbi.optimizing.parameters import Number, Parameter, steps

MOST_TRIES = 12
"""Sets of values that are tried for one idea; with more, the luck among them outweighs what is found."""
MOST_BARS = 60_000
"""Bars of all datasets together that all the tries of one idea may be run over."""
_FIRST_SHARE = 2 / 3  # of the tries go to single steps, the others to what lies around the best of them

Values = Mapping[str, Number]


def affordable_tries(bars: int) -> int:
    """How many sets of values may be tried on datasets of so many bars in all; 0 where one try is too dear."""
    return min(MOST_TRIES, MOST_BARS // max(1, bars))


def first_tries(parameters: Sequence[Parameter], tries: int) -> tuple[Values, ...]:
    """Single steps, the nearest of every parameter before the next of any; leaves some of ``tries`` for `next_tries`.

    With fewer than three tries all of them are single steps.
    """
    most = tries if tries < 3 else round(tries * _FIRST_SHARE)
    rows = zip_longest(*[[{p.name: step} for step in steps(p)] for p in parameters])
    return tuple(values for row in rows for values in row if values is not None)[:most]


def next_tries(
    parameters: Sequence[Parameter], tried: Sequence[tuple[Values, float | None]], base: float, tries: int
) -> tuple[Values, ...]:
    """What to try around the best of the first tries, given the score of each (``None``: it has none).

    The best step together with the best of the other parameters' steps that raised the score, the better first; then
    its parameter a step further, and half-way back. Nothing if no step scored above ``base``.
    """
    better = sorted(
        ((score, n) for n, (_, score) in enumerate(tried) if score is not None and score > base),
        key=lambda found: (-found[0], found[1]),
    )
    if not better:
        return ()
    ranked = [tried[n][0] for _, n in better]
    best = ranked[0]
    joined = [{**values, **best} for values in _one_each(ranked[1:], taken=set(best))]
    (name,) = best
    declared = next(p for p in parameters if p.name == name)
    known = [dict(values) for values, _ in tried]
    found = [values for values in (*joined, *_around(declared, best[name])) if values not in known]
    return tuple(found[: max(0, tries - len(tried))])


def _one_each(ranked: Sequence[Values], taken: set[str]) -> list[Values]:
    """The first step of each parameter."""
    firsts: dict[str, Values] = {}
    for values in ranked:
        (name,) = values
        if name not in taken:
            firsts.setdefault(name, values)
    return list(firsts.values())


def _around(declared: Parameter, best: Number) -> list[dict[str, Number]]:
    """The best value's own nearest step away from the declared one, and the middle between the two."""
    away = [s for s in steps(Parameter(declared.name, best)) if (s - best) * (best - declared.value) > 0]
    middle = (declared.value + best) / 2
    between: Number = round(middle) if isinstance(declared.value, int) else float(f"{middle:.6g}")
    inside = [between] if between not in (declared.value, best) else []
    return [{declared.name: value} for value in [*away[:1], *inside]]
