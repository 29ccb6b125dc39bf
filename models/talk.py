"""One question to one model, and the parts of its answer so far."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from decimal import Decimal
from typing import Any

from models.base import BaseModel, ModelResponse, Prompt, Usage
from models.continuation import is_unfinished, joined, next_prompt
from models.memory import key_of, request_of


@dataclass(frozen=True, slots=True)
class Part:
    """A response, what it cost in US dollars, and whether it came from memory."""

    response: ModelResponse
    cost_usd: Decimal | None
    replayed: bool


@dataclass(slots=True)
class Talk:
    """The question and the parts; ``calls`` counts the requests sent for it."""

    model: BaseModel
    prompt: Prompt
    labels: Mapping[str, str]
    ask_number: int
    parts: list[Part] = field(default_factory=list)
    calls: int = 0
    _next: tuple[Prompt, dict[str, Any], str] | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the parts are a whole answer."""
        return bool(self.parts) and not is_unfinished([part.response for part in self.parts])

    @property
    def text(self) -> str:
        """The text of all parts as one."""
        return joined([part.response for part in self.parts])

    def add(self, part: Part) -> None:
        """Take in the next part."""
        self.parts.append(part)
        self._next = None

    def next_call(self) -> tuple[Prompt, dict[str, Any], str]:
        """The prompt that asks for the next part, what is sent for it, and the key it is remembered under."""
        if self._next is None:
            prompt = next_prompt(self.prompt, [part.response for part in self.parts])
            request = request_of(self.model, prompt)
            self._next = (prompt, request, key_of(request, self.ask_number))
        return self._next


def sum_of_costs(parts: Sequence[Part]) -> Decimal | None:
    """US dollars; ``None`` when one of the costs is unknown."""
    total = Decimal(0)
    for part in parts:
        if part.cost_usd is None:
            return None
        total += part.cost_usd
    return total


def sum_of_usage(parts: Sequence[Part]) -> Usage | None:
    """The tokens of all parts; ``None`` when those of one are unknown."""
    total = parts[0].response.usage
    for part in parts[1:]:
        usage = part.response.usage
        if total is None or usage is None:
            return None
        total = Usage(*map(operator.add, astuple(total), astuple(usage)))
    return total
