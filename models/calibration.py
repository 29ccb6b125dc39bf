"""What calls of a model really take, against what could be said before they were made."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal

from models.base import GO_ON, BaseModel, Prompt, Usage
from models.cost import PriceTable
from models.limiter import Estimate

# Prose and code have three to four bytes a token; too few tokens reserved would break a limit, too many wait.
_FIRST_TOKENS_PER_BYTE = 0.33
_HEADROOM = 1.1
_DEAREST = Decimal("1.05")


@dataclass(slots=True)
class _Seen:
    answered: bool = False
    tokens_per_byte: float = _FIRST_TOKENS_PER_BYTE
    over_worst_case: Decimal = Decimal(1)


class Calibration:
    """Estimates of the tokens and the worst cost of a call, corrected by every answer of the same model."""

    def __init__(self, prices: PriceTable) -> None:
        self._prices = prices
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}

    def estimate(self, model: BaseModel, prompt: Prompt) -> Estimate:
        """The tokens that a call will take, for the limits per minute."""
        with self._lock:
            rate = self._seen.setdefault(model.name, _Seen()).tokens_per_byte
        tokens = int(_bytes_of(prompt) * rate * _HEADROOM) + 1
        return Estimate(input_tokens=tokens, most_output_tokens=prompt.max_output_tokens)

    def worst_case(self, model: BaseModel, prompt: Prompt) -> Decimal | None:
        """The most US dollars that a call can cost; ``None`` when the model has no known price.

        A provider that has once charged more than the prompt and the limit allow (for words of its own around
        them, or because it does not keep to the limit) is expected to do so again.
        """
        worst = self._prices.worst_case(model, prompt)
        with self._lock:
            factor = self._seen.setdefault(model.name, _Seen()).over_worst_case
        return None if worst is None else worst * factor

    def knows(self, model: BaseModel) -> bool:
        """Whether the model has answered, and so shown what a call takes."""
        with self._lock:
            return model.name in self._seen and self._seen[model.name].answered

    def observe(
        self,
        model: BaseModel,
        prompt: Prompt,
        usage: Usage | None,
        cost_usd: Decimal | None,
        reserved_usd: Decimal | None,
        *,
        answered: bool,
    ) -> None:
        """Take in what a call took, what had been reserved for it, and whether it was of any use."""
        over = cost_usd is not None and reserved_usd is not None and cost_usd > reserved_usd
        worst = self._prices.worst_case(model, prompt) if over else None
        with self._lock:
            seen = self._seen.setdefault(model.name, _Seen())
            if usage is not None and usage.input_tokens:
                seen.tokens_per_byte = usage.input_tokens / max(_bytes_of(prompt), 1)
            seen.answered |= answered
            if worst and cost_usd:
                seen.over_worst_case = max(seen.over_worst_case, cost_usd / worst * _DEAREST)


def _bytes_of(prompt: Prompt) -> int:
    texts = [prompt.system, prompt.user]
    if prompt.continuing:
        texts += [prompt.continuing, GO_ON]
    return sum(len(text.encode("utf-8", "replace")) for text in texts)
