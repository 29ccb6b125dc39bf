"""Names for the lines and parameters of a written strategy: telling, unique, and shared where numbers are."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.providers.offline.catalogue import CATALOGUE, DERIVED
from models.providers.offline.describe import all_series, plan_conditions
from models.providers.offline.rules import Plan, Series, Value

_AVERAGES = frozenset({"sma", "ema", "wma", "hma", "dema", "tema", "vwma"})
Key = tuple[str, tuple[float, ...], "Key | None"]


def key(line: Series) -> Key:
    """What makes two series the same line, whoever chose the numbers."""
    return line.kind, tuple(value.number for value in line.values), key(line.source) if line.source else None


@dataclass(slots=True)
class Names:
    """``lines`` maps a series to its attribute, ``parameters`` a name to its number, in order of use."""

    lines: dict[Key, str] = field(default_factory=dict)
    arguments: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    parameters: dict[str, float] = field(default_factory=dict)
    order: list[Series] = field(default_factory=list)

    def parameter(self, *candidates: str, number: float) -> str:
        """The first candidate that is free or already holds this number; numbered when all are taken."""
        tries = [*candidates, *(f"{candidates[-1]}_{count}" for count in range(2, 99))]
        name = next(name for name in tries if self.parameters.get(name, number) == number)
        self.parameters[name] = number
        return name

    def value(self, line: Series, value: Value, side: str, *, leaving: bool) -> str:
        """The parameter for a level or factor that ``line`` is compared with."""
        stem = self.lines.get(
            key(line), CATALOGUE[line.kind].columns[0].lower() if line.kind == "close" else line.kind
        )
        exit_part = "exit_" if leaving else ""
        return self.parameter(
            f"{stem}_{exit_part}{value.name}", f"{side}_{stem}_{exit_part}{value.name}", number=value.number
        )


def name_everything(plan: Plan) -> Names:
    """Name every line of the plan and its periods."""
    names = Names()
    lines = list(all_series(plan_conditions(plan)))
    averages = sorted({(line.values[0].number, line.kind) for line in lines if line.kind in _AVERAGES})
    for line in lines:
        if key(line) in names.lines or not CATALOGUE[line.kind].function:
            continue
        stem = _stem(line, names)
        if line.kind in _AVERAGES and len(averages) == 2:
            stem = ("fast_" if (line.values[0].number, line.kind) == averages[0] else "slow_") + stem
        attribute = _free(stem, names)
        base = CATALOGUE[line.kind].group or attribute
        names.lines[key(line)] = attribute
        names.arguments[key(line)] = tuple(
            names.parameter(f"{base}_{value.name}", f"{attribute}_{value.name}", number=_typed(value))
            for value in line.values
        )
        names.order.append(line)
    return names


def _stem(line: Series, names: Names) -> str:
    if line.kind in DERIVED and line.source is not None:
        source = names.lines.get(key(line.source), line.source.kind)
        return f"{source}_{line.kind.removesuffix('_of')}"
    row = CATALOGUE[line.kind]
    if row.group in {"bollinger", "keltner", "channel"}:
        return f"{row.group}_{line.kind.split('_', 1)[1]}"
    return line.kind


def _free(stem: str, names: Names) -> str:
    taken = set(names.lines.values())
    return next(name for name in (stem, *(f"{stem}_{count}" for count in range(2, 99))) if name not in taken)


def _typed(value: Value) -> float:
    return (
        int(value.number)
        if float(value.number).is_integer() and value.name not in {"deviations", "factor"}
        else value.number
    )
