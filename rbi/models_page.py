"""``rbi models`` where its tables do not fit: some lines for each provider, and no name is broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from models.factory import ModelListing
from models.providers.reachability import Checked
from rbi.provider_check import checks_table
from rbi.terminal import printable
from rbi.views import models_table

TABLE_WIDTH = 150  # a narrower table breaks the names of models and variables, which are there to be copied


def models_page(listings: Sequence[ModelListing], *, width: int) -> Iterable[RenderableType]:
    """Every provider, in a table if there is room for it."""
    if width >= TABLE_WIDTH:
        return [models_table(listings)]
    return [part for listing in listings for part in _listed(listing)]


def checks_page(checks: Sequence[Checked], *, width: int) -> Iterable[RenderableType]:
    """Every provider that was asked, in a table if there is room for it."""
    if width >= TABLE_WIDTH:
        return [checks_table(checks)]
    return [part for checked in checks for part in _checked(checked)]


def print_page(out: Console, page: Iterable[RenderableType]) -> None:
    """Print the parts of a page one below the other."""
    for part in page:
        out.print(part)


def _listed(listing: ModelListing) -> list[RenderableType]:
    rates = (listing.input_usd_per_mtok, listing.output_usd_per_mtok)
    known = [f"{usd:.2f}" for usd in rates if usd is not None]
    price = (
        f"{' / '.join(known)} USD a million tokens, in / out" if len(known) == len(rates) else "price unknown"
    )
    key = f", with the key in {listing.key_variable}" if listing.key_variable else ", without a key"
    usable = f"can be used here{key}" if listing.usable else f"cannot be used: {listing.why_not}"
    model = listing.default_model
    head = f"{listing.provider}:{model}" if model else f"{listing.provider} (the first model it has)"
    return [_line(head), _below(usable), _below(price)]


def _checked(checked: Checked) -> list[RenderableType]:
    head = f"{checked.provider}:{checked.model}" if checked.model else checked.provider
    answers = "answers" if checked.ok else "no answer"
    lines = [_line(head), _below(f"{answers}, {checked.seconds:.2f} s")]
    if checked.error is not None:
        lines += [_below(text) for text in (checked.error.message, checked.error.hint) if text]
    return lines


def _line(text: str) -> RenderableType:
    return Text(printable(text), overflow="fold")


def _below(text: str) -> RenderableType:
    return Padding(_line(text), (0, 0, 0, 4), expand=False)
