"""Entering with stops and targets, and following the price with a stop, as source lines."""

from __future__ import annotations

from models.providers.offline.names import Names
from models.providers.offline.rules import (
    Distance,
    Plan,
    StopKind,
    Value,
)

_CHANDELIER_BARS = 22


def risk_lines(plan: Plan, names: Names) -> list[str]:
    """The lines of ``init`` for ATR, swing and chandelier distances."""
    exits, lines = plan.exits, []
    for distance in (exits.stop, exits.target, exits.trail):
        if distance is None or distance.period is None:
            continue
        attribute, parameter = _risk_atr(distance, names)
        line = f"self.{attribute} = self.I(atr, self.data.High, self.data.Low, self.data.Close, self.{parameter})"
        if line not in lines:
            lines.append(line)
    if exits.stop is not None and exits.stop.kind is StopKind.SWING:
        bars = names.parameter("swing_bars", number=int(exits.stop.amount.number))
        lines.append(f"self.swing_low = self.I(lowest, self.data.Low, self.{bars})")
        lines.append(f"self.swing_high = self.I(highest, self.data.High, self.{bars})")
    if exits.chandelier is not None:
        bars = names.parameter("chandelier_bars", number=_CHANDELIER_BARS)
        lines.append(f"self.chandelier_high = self.I(highest, self.data.High, self.{bars})")
        lines.append(f"self.chandelier_low = self.I(lowest, self.data.Low, self.{bars})")
        lines.append(
            f"self.chandelier_range = self.I(atr, self.data.High, self.data.Low, self.data.Close, self.{bars})"
        )
    return lines


def enter(plan: Plan, side: str, names: Names) -> list[str]:
    """The lines of the method that opens a position on one side."""
    exits, lines = plan.exits, ["", f"    def enter_{side}(self):"]
    away = "+" if side == "long" else "-"
    stop, target = _stop_expression(plan, side, names), exits.target
    order = "buy" if side == "long" else "sell"
    if stop is None and target is None:
        return [*lines, f"        self.{order}(size=self.size)"]
    lines.append("        price = self.data.Close[-1]")
    given, bounds = [], ["price"]
    if stop is not None:
        lines.append(f"        stop = {stop}")
        given.append("sl=stop")
        bounds = ["stop", "price"] if side == "long" else ["price", "stop"]
    if target is not None:
        lines.append(f"        target = {_target_expression(target, away, names)}")
        given.append("tp=target")
        bounds = [*bounds, "target"] if side == "long" else ["target", *bounds]
    chain = " < ".join(["0", *bounds])
    upper = " < np.inf" if side == "short" else ""
    lines.append(f"        if {chain}{upper}:  # false while a distance is still unknown (NaN)")
    lines.append(f"            self.{order}(size=self.size, {', '.join(given)})")
    return lines


def follow(plan: Plan, names: Names) -> list[str]:
    """The lines of the method that moves stops after the price, never away from it."""
    exits = plan.exits
    lines = [
        "",
        "    def follow_price(self):",
        "        price = self.data.Close[-1]",
        "        for trade in self.trades:",
    ]
    for side in ("long", "short"):
        sign = "-" if side == "long" else "+"
        if exits.trail is not None:
            stop = f"price {sign} {_reach(exits.trail, names)}"
        elif exits.chandelier is not None:
            stop = _chandelier(exits.chandelier, side, names)
        else:
            return []
        lines += [
            f"            {'if' if side == 'long' else 'elif'} trade.is_{side}:",
            f"                stop = {stop}",
        ]
        if side == "long":
            lines += [
                "                if (trade.sl or 0) < stop < price:",
                "                    trade.sl = stop",
            ]
        else:
            lines += [
                "                if price < stop < (trade.sl or np.inf):",
                "                    trade.sl = stop",
            ]
    return lines


def _stop_expression(plan: Plan, side: str, names: Names) -> str | None:
    sign = "-" if side == "long" else "+"
    exits = plan.exits
    if exits.stop is not None and exits.stop.kind is StopKind.SWING:
        return "self.swing_low[-1]" if side == "long" else "self.swing_high[-1]"
    if exits.stop is not None:
        return f"price {sign} {_reach(exits.stop, names)}"
    if exits.trail is not None:
        return f"price {sign} {_reach(exits.trail, names)}"
    if exits.chandelier is not None:
        factor = f"self.{names.parameter(exits.chandelier.name, number=exits.chandelier.number)}"
        return f"price {sign} {factor} * self.chandelier_range[-1]"
    return None


def _target_expression(target: Distance, sign: str, names: Names) -> str:
    if target.kind is StopKind.RISK:
        ratio = f"self.{names.parameter(target.amount.name, number=target.amount.number)}"
        return f"price + {ratio} * (price - stop)"
    return f"price {sign} {_reach(target, names)}"


def _reach(distance: Distance, names: Names) -> str:
    amount = f"self.{names.parameter(distance.amount.name, number=distance.amount.number)}"
    if distance.kind is StopKind.ATR:
        return f"{amount} * self.{_risk_atr(distance, names)[0]}[-1]"
    return f"price * {amount} / 100"


def _risk_atr(distance: Distance, names: Names) -> tuple[str, str]:
    period = int(distance.period.number) if distance.period is not None else 14
    parameter = names.parameter("risk_atr_period", number=period)
    return parameter.replace("_period", ""), parameter


def _chandelier(multiple: Value, side: str, names: Names) -> str:
    factor = f"self.{names.parameter(multiple.name, number=multiple.number)}"
    if side == "long":
        return f"self.chandelier_high[-1] - {factor} * self.chandelier_range[-1]"
    return f"self.chandelier_low[-1] + {factor} * self.chandelier_range[-1]"
