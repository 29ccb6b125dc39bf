"""``rbi models --check``: whether providers really answer, by the smallest call there is to each."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from models.factory import OFFLINE, ModelFactory
from models.providers.reachability import Checked
from rbi.terminal import printable

AT_ONCE = 16


def check_providers(factory: ModelFactory, names: Sequence[str]) -> tuple[Checked, ...]:
    """Ask each named model for one token, all at the same time; without names, every usable hosted provider.

    What goes wrong is in the result, not raised.
    """
    specs = list(dict.fromkeys(names)) or [
        listing.provider for listing in factory.available() if listing.usable and listing.provider != OFFLINE
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(factory.check, specs))


def checks_table(checks: Sequence[Checked]) -> RenderableType:
    """One line for each provider that was asked."""
    table = Table(expand=False)
    for name in ("provider", "model", "answers"):
        table.add_column(name, no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("error")
    for checked in checks:
        table.add_row(
            printable(checked.provider),
            printable(checked.model),
            "ok" if checked.ok else "no",
            f"{checked.seconds:.2f}",
            printable(_error(checked)),
        )
    return table


def checks_json(checks: Sequence[Checked]) -> list[dict[str, Any]]:
    """The checks for machines."""
    return [
        {
            "provider": checked.provider,
            "model": checked.model,
            "ok": checked.ok,
            "seconds": round(checked.seconds, 3),
            "error": checked.error.message if checked.error else None,
            "error_kind": checked.error.kind if checked.error else None,
            "fix": checked.error.hint if checked.error else None,
            "answered_as": checked.answered_as,
        }
        for checked in checks
    ]


def _error(checked: Checked) -> str:
    if checked.error is None:
        return ""
    return f"{checked.error.message} {checked.error.hint}".strip()
