"""What the lines about money say."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

from rbi.economy import economy
from rbi.records import BatchRecord, Totals
from rbi.views import money_line, status_json

NOTHING = Totals(
    answers=7,
    failed_calls=0,
    backtests=3,
    cost_usd=Decimal("1.25"),
    unknown_cost=0,
    in_flight=0,
    possibly_paid=0,
)


def test_a_plain_batch_has_a_plain_line() -> None:
    assert money_line(NOTHING) == "7 answers · 3 backtests · $1.2500"


def test_everything_that_is_not_known_of_the_cost_is_said() -> None:
    line = money_line(replace(NOTHING, failed_calls=2, unknown_cost=1, in_flight=3, possibly_paid=4))
    for part in (
        "2 failed calls",
        "1 calls of unknown cost",
        "3 calls in flight",
        "4 calls ended without an answer",
    ):
        assert part in line


def test_what_caching_saved_is_said_only_when_it_saved_something() -> None:
    assert "saved by prompt caching $0.0300" in money_line(replace(NOTHING, saved_usd=Decimal("0.03")))
    for saved in ("0", "-0.01"):
        assert "caching" not in money_line(replace(NOTHING, saved_usd=Decimal(saved)))


def test_a_budget_counts_what_is_set_aside_as_used() -> None:
    line = money_line(replace(NOTHING, reserved_usd=Decimal("0.5")), 2.0)
    assert "budget $1.7500 of $2.00 used ($0.5000 of it set aside)" in line
    assert "budget $1.2500 of $0.00 used" in money_line(NOTHING, 0.0)
    assert "budget" not in money_line(NOTHING)


def test_a_status_for_machines_has_the_budget_and_is_json() -> None:
    identity = {"model": "offline:rules", "data": {}}
    for settings, budget in (({"budget": 2.0}, 2.0), ({}, None)):
        batch = BatchRecord("b", "i.txt", 0.0, "b", {**settings, "identity": identity})
        totals = replace(NOTHING, saved_usd=Decimal("0.1"))
        status = json.loads(json.dumps(status_json(batch, (), totals, economy({}, ()))))
        assert (status["budget_usd"], status["saved_usd"], status["reserved_usd"]) == (budget, "0.1", "0")
