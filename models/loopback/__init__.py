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
    overloaded,
    quota_spent,
    rate_limited,
    refused_parameter,
    refused_value,
    retry_date,
    unknown_model,
)
from models.loopback.faults import FAULTS, PASSING_FAULTS, Faulty, Storm
from models.loopback.latency import Latency, Lognormal, Uniform, parse_latency
from models.loopback.ledger import Entry, WorstWindow, bill, worst_window
from models.loopback.limits import Enforced
from models.loopback.server import LoopbackServer, Seen
from models.loopback.strict import Strict
from models.loopback.truncation import Truncating

__all__ = [
    "FAULTS",
    "PASSING_FAULTS",
    "Answer",
    "Answers",
    "Asked",
    "Enforced",
    "Entry",
    "Failure",
    "Faulty",
    "Latency",
    "Lognormal",
    "LoopbackServer",
    "Misbehaviour",
    "Reply",
    "Script",
    "Seen",
    "Storm",
    "Strict",
    "Truncating",
    "Uniform",
    "WorstWindow",
    "bad_key",
    "bill",
    "overloaded",
    "parse_latency",
    "quota_spent",
    "rate_limited",
    "refused_parameter",
    "refused_value",
    "retry_date",
    "unknown_model",
    "worst_window",
]
