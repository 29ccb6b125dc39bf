"""What a server was asked and what it would charge: one entry a question, for counting afterwards."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from models.base import Usage

_PROVIDERS = MappingProxyType({"openai": "openai", "anthropic": "claude"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One question. ``at`` is its arrival in seconds on the server's clock; ``number`` counts from 1.

    ``turned_away`` names the limit that it broke, if any. ``input_tokens`` and ``output_tokens`` are what counts
    towards limits (Anthropic leaves cache reads out). ``answer`` says what came of it: ``complete``, ``truncated``,
    ``refused``, a status such as ``429``, or the name of a misbehaviour. ``usage`` is what is charged; it is
    ``reported`` when all of it was written to the caller. ``cost_usd`` is a price the answer stated itself.
    """

    number: int
    at: float
    protocol: str
    model: str
    turned_away: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    answer: str = ""
    usage: Usage | None = None
    reported: bool = False
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class WorstWindow:
    """The most of each quantity in any one period; the maxima need not be of the same period."""

    requests: int = 0
    tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Prices(Protocol):
    """What prices tokens; `models.cost.PriceTable` is one."""

    def price(self, provider: str, model: str, usage: Usage | None) -> Decimal | None:
        """US dollars, or ``None`` when there is no price."""
        ...


class Ledger:
    """The entries, and how many questions are being answered. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, Entry] = {}
        self._begun = 0
        self._in_flight = 0
        self._peak = 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries so far, in order of their numbers."""
        with self._lock:
            return tuple(entry for _, entry in sorted(self._entries.items()))

    @property
    def peak(self) -> int:
        """The most questions ever being answered at once."""
        return self._peak

    def begin(self) -> int:
        """A question has arrived; gives its number."""
        with self._lock:
            self._begun += 1
            self._in_flight += 1
            self._peak = max(self._peak, self._in_flight)
            return self._begun

    def put(self, entry: Entry) -> None:
        """Write down what is known by now of the question with that number."""
        with self._lock:
            self._entries[entry.number] = entry

    def end(self) -> None:
        """A question is answered, but for the last write."""
        with self._lock:
            self._in_flight -= 1


def worst_window(
    entries: Iterable[Entry], period_s: float = 60.0, *, turned_away: bool = True
) -> WorstWindow:
    """The most that arrived in any ``period_s`` seconds; without those that were ``turned_away`` if so asked."""
    inside: deque[Entry] = deque()
    worst = WorstWindow()
    requests = sent = written = 0
    for entry in sorted(entries, key=lambda entry: entry.at):
        if entry.turned_away and not turned_away:
            continue
        inside.append(entry)
        requests, sent, written = requests + 1, sent + entry.input_tokens, written + entry.output_tokens
        while entry.at - inside[0].at >= period_s:
            old = inside.popleft()
            requests, sent, written = requests - 1, sent - old.input_tokens, written - old.output_tokens
        worst = WorstWindow(
            max(worst.requests, requests),
            max(worst.tokens, sent + written),
            max(worst.input_tokens, sent),
            max(worst.output_tokens, written),
        )
    return worst


def bill(entries: Iterable[Entry], prices: Prices, providers: Mapping[str, str] = _PROVIDERS) -> Decimal:
    """US dollars for every entry with a usage. ``providers`` gives the provider whose prices hold for a protocol.

    Raises `LookupError` for a model without a price.
    """
    total = Decimal(0)
    for entry in entries:
        if entry.cost_usd is not None:
            total += Decimal(str(entry.cost_usd))
        elif entry.usage is not None:
            provider = providers[entry.protocol]
            price = prices.price(provider, entry.model, entry.usage)
            if price is None:
                raise LookupError(f"no price for {provider}:{entry.model} (question {entry.number})")
            total += price
    return total
