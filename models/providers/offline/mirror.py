"""The other side of the market: what a condition for rising prices is for falling ones."""

from __future__ import annotations

from dataclasses import replace

from models.providers.offline.catalogue import CATALOGUE, DERIVED, IN_A_ROW
from models.providers.offline.rules import AllOf, AnyOf, Compare, Condition, Op, Recent, Series, Value

_FLIP = {
    Op.ABOVE: Op.BELOW,
    Op.BELOW: Op.ABOVE,
    Op.CROSSES_ABOVE: Op.CROSSES_BELOW,
    Op.CROSSES_BELOW: Op.CROSSES_ABOVE,
    Op.CROSSES: Op.CROSSES,
}


def is_directional(series: Series) -> bool:
    """Whether the series rises and falls with the price, as against a strength, a width or a volume."""
    row = CATALOGUE[series.kind]
    if series.kind == "divergence":
        return True
    if series.kind in DERIVED:
        return series.source is not None and is_directional(series.source)
    return bool(row.shape) or row.centre is not None


def mirror(condition: Condition) -> Condition:
    """The condition with rising and falling exchanged; one that points no way stays as it is."""
    if isinstance(condition, AnyOf):
        return AnyOf(tuple(mirror(part) for part in condition.conditions))
    if isinstance(condition, AllOf):
        return AllOf(tuple(mirror(part) for part in condition.conditions))
    if isinstance(condition, Recent):
        return Recent(_mirror_compare(condition.condition), condition.bars)
    return _mirror_compare(condition)


def _mirror_compare(condition: Compare) -> Compare:
    if condition.left.kind in IN_A_ROW:
        return replace(condition, left=mirror_series(condition.left))
    if not is_directional(condition.left):
        return condition
    right = condition.right
    flipped = _mirror_level(condition.left, right) if isinstance(right, Value) else mirror_series(right)
    factor = condition.factor
    if factor is not None and condition.left.kind == "close":
        factor = replace(factor, number=round(2 - factor.number, 6))  # 5% below is 5% above on the other side
    return Compare(mirror_series(condition.left), _FLIP[condition.op], flipped, factor)


def mirror_series(series: Series) -> Series:
    """Upper band for lower band, high for low; most series are their own mirror."""
    row = CATALOGUE[series.kind]
    if not row.opposite:
        return series
    names = [name for name, _ in CATALOGUE[row.opposite].defaults]
    values = tuple(
        replace(value, name=name, number=-value.number if name != value.name else value.number)
        for name, value in zip(names, series.values, strict=True)
    )
    source = mirror_series(series.source) if series.source is not None else None
    return Series(row.opposite, values, source)


def negate(condition: Condition) -> Condition | None:
    """The condition that holds when this one does not; ``None`` when there is no single one."""
    if isinstance(condition, AnyOf | AllOf):
        parts = tuple(part for item in condition.conditions if (part := negate(item)) is not None)
        whole = AllOf if isinstance(condition, AnyOf) else AnyOf
        return whole(parts) if len(parts) == len(condition.conditions) else None
    if isinstance(condition, Recent) or condition.op is Op.CROSSES or condition.left.kind in IN_A_ROW:
        return None
    falls = condition.op in {Op.ABOVE, Op.CROSSES_ABOVE}
    return replace(condition, op=Op.BELOW if falls else Op.ABOVE)


def _mirror_level(left: Series, level: Value) -> Value:
    centre = CATALOGUE[left.kind].centre
    if left.kind == "rank":
        centre = 50
    return replace(level, number=2 * (centre or 0.0) - level.number)
