"""What the rest of the idea says about a phrase: which bands are "the bands", what was spoken of last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from models.providers.offline.catalogue import series
from models.providers.offline.lexemes import Lexeme
from models.providers.offline.mirror import mirror
from models.providers.offline.rules import Condition, Rule, Series, Stance

EDGES = {"bollinger": "bb", "keltner": "kc", "donchian": "dc", "vwap": "vwap"}


@dataclass(slots=True)
class Scope:
    """``bands`` is the family that "the bands" means; ``numbers`` the periods given to each family."""

    bands: str = ""
    numbers: dict[str, tuple[float, ...]] = field(default_factory=dict)
    subject: Lexeme | None = None
    compare: Lexeme | None = None
    line: Lexeme | None = None
    oscillator: Lexeme | None = None
    pair: tuple[Series, Series] | None = None
    reverting: bool = False

    def edges(self, family: str, numbers: tuple[float, ...] = ()) -> tuple[Series, Series]:
        """Upper and lower edge of a band or channel."""
        numbers = numbers or self.numbers.get(family, ())
        if family == "cloud":
            return series("cloud_top"), series("cloud_bottom")
        prefix = EDGES[family]
        return series(f"{prefix}_upper", *numbers), series(f"{prefix}_lower", *numbers)

    def middle(self, family: str) -> Series:
        """Middle line of a band or channel."""
        if family in {"vwap", "cloud"}:
            return series("vwap" if family == "vwap" else "kijun")
        return series(f"{EDGES[family]}_middle", *self.numbers.get(family, ())[:1])


def survey(lexemes: Iterable[Lexeme]) -> Scope:
    """Find the bands that the idea speaks of, and their periods."""
    scope = Scope()
    for lexeme in lexemes:
        family = _family(lexeme)
        if family and lexeme.numbers and family not in scope.numbers:
            scope.numbers[family] = lexeme.numbers[: 1 if family == "donchian" else 2]
        if family and not scope.bands and family != "cloud":
            scope.bands = family
    return scope


def _family(lexeme: Lexeme) -> str:
    if lexeme.kind == "PAIR":
        return lexeme.value
    if lexeme.kind == "HIGH_LOW":
        return "donchian"
    prefix = lexeme.value[:3] if lexeme.kind in {"EDGE", "SERIES"} else ""
    return {"bb_": "bollinger", "kc_": "keltner", "dc_": "donchian"}.get(prefix, "")


def rule(
    literal: Condition,
    stance: Stance,
    family: str,
    *,
    vague: int = 0,
    assumed: tuple[str, ...] = (),
) -> Rule:
    """A rule with its mirror worked out."""
    return Rule(literal, mirror(literal), stance, family, vague, assumed)
