"""Answers from the offline writer, given only what is on the wire: the stage and inputs are read out of the text."""

from __future__ import annotations

import re

from models.base import BaseModel, Prompt, StopReason
from models.errors import ModelError, Refused
from models.loopback.answers import Answer, Answers, Asked, Failure, Reply

_STAGE = re.compile(r"\AStage:[ \t]*(\w+)")
_INPUT = re.compile(r"<(idea|code|failure|note|stats)>\n?(.*?)\n?</\1>", re.DOTALL)
_PATIENCE_S = 60.0


def prompt_of(asked: Asked) -> Prompt:
    """The prompt whose text is in the question.

    The stage is on the system prompt's first line (``Stage: write``), each input between tags of its name
    (``<idea>...</idea>``) in the user prompt. Raises `ValueError` if there is no stage.
    """
    stage = _STAGE.match(asked.system)
    if stage is None:
        raise ValueError("the system prompt does not begin with a line such as 'Stage: write'")
    inputs = dict(_INPUT.findall(asked.user))
    return Prompt(stage[1], asked.system, asked.user, inputs)


def answers_of(writer: BaseModel) -> Answers:
    """Let ``writer`` answer: its refusals become refusals, its other errors a status 400."""

    def answer(asked: Asked) -> Answer:
        try:
            return writer.generate(prompt_of(asked), deadline_s=_PATIENCE_S).text
        except Refused as error:
            return Reply(error.message, stop=StopReason.REFUSED)
        except (ModelError, ValueError) as error:
            return Failure(400, str(error))

    return answer
