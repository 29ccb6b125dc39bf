"""Whether a provider answers: the smallest call there is."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from models.base import BaseModel, Prompt, Usage
from models.errors import BadRequest, EmptyAnswer, ModelError

_SMALLEST = Prompt("check", "", "Say yes.", max_output_tokens=1)
_ABOUT_THE_LIMIT = re.compile(r"max_(completion_|output_)?tokens|maxoutputtokens|output limit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Checked:
    """What one call of one token showed. ``ok`` says that the provider, the key and the model are usable.

    ``answered_as`` is the model that wrote the answer, as far as that was said; ``usage`` is what the call used.
    """

    provider: str
    model: str
    ok: bool
    seconds: float
    error: ModelError | None = None
    answered_as: str | None = None
    usage: Usage | None = None


def check(model: BaseModel, deadline_s: float) -> Checked:
    """Ask ``model`` for one token, once. An answer that one token was too little for is an answer."""
    if not model.is_language_model:
        return Checked(model.provider, model.model, True, 0.0, answered_as=model.model)
    began = time.monotonic()
    try:
        response = model.generate(_SMALLEST, deadline_s=deadline_s)
    except ModelError as error:
        ok = _is_reachable(error)
        return Checked(
            model.provider,
            model.model,
            ok,
            time.monotonic() - began,
            error=None if ok else error,
            answered_as=error.model if ok else None,
            usage=error.usage,
        )
    seconds = time.monotonic() - began
    return Checked(
        model.provider, model.model, True, seconds, answered_as=response.model, usage=response.usage
    )


def _is_reachable(error: ModelError) -> bool:
    if isinstance(error, EmptyAnswer):
        return True
    return isinstance(error, BadRequest) and bool(_ABOUT_THE_LIMIT.search(error.message))
