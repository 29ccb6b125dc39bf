"""A real server on this machine for trying the SDKs without a key, and for making providers fail on purpose."""

from models.loopback.answers import (
    Answer,
    Answers,
    Asked,
    Failure,
    Misbehaviour,
    Reply,
    Script,
    bad_key,
    quota_spent,
    rate_limited,
    refused_parameter,
    unknown_model,
)
from models.loopback.server import LoopbackServer, Seen

__all__ = [
    "Answer",
    "Answers",
    "Asked",
    "Failure",
    "LoopbackServer",
    "Misbehaviour",
    "Reply",
    "Script",
    "Seen",
    "bad_key",
    "quota_spent",
    "rate_limited",
    "refused_parameter",
    "unknown_model",
]
