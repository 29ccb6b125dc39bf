"""Models that do not exist, and models that refuse parameters, as the hosted ones do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from models.loopback.answers import (
    Answer,
    Answers,
    Asked,
    Failure,
    refused_parameter,
    refused_value,
    unknown_model,
)

_SAMPLING = frozenset({"temperature", "top_p", "top_k"})


class Strict:
    """Answers 404 for a model that is not among ``only``, and 400 for a parameter that the model ``refuses``.

    ``refuses`` is parameter names by model: ``{"o3": {"max_tokens", "temperature"}}``.
    """

    def __init__(
        self,
        answers: Answers,
        refuses: Mapping[str, Collection[str]] = MappingProxyType({}),
        only: Collection[str] | None = None,
    ) -> None:
        self._answers = answers
        self._refuses = {model: frozenset(names) for model, names in refuses.items()}
        self._only = only

    def __call__(self, asked: Asked) -> Answer:
        """The complaint, else the answer."""
        if self._only is not None and asked.model not in self._only:
            return unknown_model(asked.model)
        refused = sorted(self._refuses.get(asked.model, frozenset()) & asked.parameters)
        return _complaint(refused[0]) if refused else self._answers(asked)


def _complaint(name: str) -> Failure:
    return refused_value(name) if name in _SAMPLING else refused_parameter(name)
