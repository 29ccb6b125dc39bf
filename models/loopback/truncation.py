"""Answers that end at the request's token limit, and go on from there when they are asked to."""

from __future__ import annotations

from dataclasses import replace

from models.base import StopReason
from models.loopback.answers import Answer, Answers, Asked, Failure, Reply, as_reply
from models.loopback.tokens import CHARACTERS_PER_TOKEN


class Truncating:
    """Cuts texts at the request's limit, or at ``at_tokens`` if that is less.

    A question that shows a part of the answer gets the rest, so ``answers`` has to say the same thing every time;
    a part that is not the beginning of the answer is a status 400.
    """

    def __init__(self, answers: Answers, at_tokens: int | None = None) -> None:
        self._answers = answers
        self._at_tokens = at_tokens

    def __call__(self, asked: Asked) -> Answer:
        """The answer, or as much of it as fits."""
        answer = self._answers(asked)
        reply = as_reply(answer)
        if reply is None or reply.stop is StopReason.REFUSED:
            return answer
        if not reply.text.startswith(asked.continuing):
            return Failure(400, "The text to be continued is not the beginning of the answer.")
        rest = replace(reply, text=reply.text[len(asked.continuing) :])
        limits = [limit for limit in (asked.max_output_tokens, self._at_tokens) if limit is not None]
        return cut(rest, min(limits)) if limits else rest


def cut(reply: Reply, tokens: int) -> Reply:
    """The first ``tokens`` of a reply; one that is no longer than that stays complete."""
    kept = reply.text[: tokens * CHARACTERS_PER_TOKEN]
    if kept == reply.text:
        return reply
    return replace(reply, text=kept, stop=StopReason.TRUNCATED, output_tokens=None)
