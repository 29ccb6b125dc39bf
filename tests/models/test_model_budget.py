from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from scripted_model import ScriptedModel

from models.base import Prompt, Usage
from models.client import Budget, CallMemory, InMemoryCalls, ModelClient
from models.cost import PriceTable
from models.errors import BadSetting, BudgetSpent, MalformedAnswer, ModelError, Overloaded
from models.limiter import Limiters, Limits
from models.memory import OverBudget
from models.retry import RetryPolicy
from rbi.journal import Journal

HALF = Budget("budget", Decimal("0.50"), ("batch",))
TWO_CENTS = Usage(4000, 1000)  # at $2.50 and $10 a million


@pytest.fixture(params=["in memory", "journal"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CallMemory]:
    if request.param == "in memory":
        yield InMemoryCalls()
    else:
        journal = Journal(tmp_path / "rbi.db")
        yield journal
        journal.close()


QUICK = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.02)


def client_with(memory: CallMemory, *budgets: Budget, policy: RetryPolicy = QUICK) -> ModelClient:
    return ModelClient(memory, Limiters(Limits(max_in_flight=32, delay_s=0)), budgets=budgets, policy=policy)


def prompt(number: int) -> Prompt:
    return Prompt("write", "s", f"question {number}", max_output_tokens=2000)


def spend(client: ModelClient, model: ScriptedModel, threads: int, calls: int) -> list[ModelError]:
    """Ask ``calls`` questions from each of ``threads`` until the budget is spent."""
    errors: list[ModelError] = []

    def ask_on(thread: int) -> None:
        try:
            for number in range(calls):
                client.ask(model, prompt(thread * calls + number), labels={"batch": "b", "idea": str(thread)})
        except ModelError as error:
            errors.append(error)

    workers = [threading.Thread(target=ask_on, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    return errors


def test_many_threads_together_never_spend_more_than_the_budget(memory: CallMemory) -> None:
    model = ScriptedModel(seconds=0.002, usage=TWO_CENTS)
    errors = spend(client_with(memory, HALF), model, threads=32, calls=4)
    assert model.asked * Decimal("0.02") <= HALF.limit_usd
    # What is left is less than one more call could cost at worst.
    assert model.asked * Decimal("0.02") > HALF.limit_usd - Decimal("0.0225")
    assert errors
    assert all(isinstance(error, BudgetSpent) for error in errors)


def test_a_provider_that_charges_more_than_was_to_be_expected_is_not_trusted_again(
    memory: CallMemory,
) -> None:
    model = ScriptedModel(seconds=0.002, usage=Usage(20_000, 5_000))  # 10 cents where 2 are the worst case
    # No time passes for the limiter: until the first call is answered no other begins, however long that takes.
    limiters = Limiters(Limits(max_in_flight=32, delay_s=0), clock=lambda: 1000.0)
    spend(ModelClient(memory, limiters, budgets=[HALF], policy=QUICK), model, threads=8, calls=4)
    assert model.asked * Decimal("0.10") <= HALF.limit_usd


def test_a_call_waits_for_others_to_give_money_back_before_it_is_given_up(memory: CallMemory) -> None:
    # Each reserves a little over 2 cents, of which half a cent is spent: only one fits at a time.
    tight = Budget("budget", Decimal("0.03"), ("batch",))
    model = ScriptedModel(seconds=0.01, usage=Usage(0, 300))
    assert spend(client_with(memory, tight), model, threads=3, calls=1) == []
    assert model.asked == 3


def test_what_may_have_been_paid_counts_at_its_worst(memory: CallMemory) -> None:
    model = ScriptedModel(then=MalformedAnswer("garbage"))
    once = replace(QUICK, max_attempts_if_unusable=1)  # more would be an outage, which is waited out
    with pytest.raises(BudgetSpent):
        for number in range(100):
            with pytest.raises(MalformedAnswer):
                client_with(memory, HALF, policy=once).ask(model, prompt(number), labels={"batch": "b"})
            assert number < 30
    assert model.asked <= HALF.limit_usd / Decimal("0.02")


def test_what_was_turned_away_is_given_back(memory: CallMemory) -> None:
    model = ScriptedModel([Overloaded("busy")] * 2)
    tight = Budget("budget", Decimal("0.021"), ("batch",))
    assert client_with(memory, tight).ask(model, prompt(1), labels={"batch": "b"}).text == "fine"


def test_each_idea_has_a_budget_of_its_own(memory: CallMemory) -> None:
    each = Budget("budget per idea", Decimal("0.05"), ("batch", "idea"))
    client, model = client_with(memory, each), ScriptedModel(usage=TWO_CENTS)
    for idea in ("one", "two"):
        for number in range(2):
            client.ask(model, prompt(hash(idea) + number), labels={"batch": "b", "idea": idea})
        with pytest.raises(BudgetSpent) as caught:
            client.ask(model, prompt(hash(idea) + 2), labels={"batch": "b", "idea": idea})
        assert caught.value.budget == "budget per idea"
        assert caught.value.committed_usd == Decimal("0.04")
    assert client.ask(model, prompt(0), labels={"batch": "another", "idea": "one"}).text == "fine"


def test_a_budget_of_nothing_gives_what_is_remembered_and_sends_nothing(memory: CallMemory) -> None:
    model = ScriptedModel()
    client_with(memory).ask(model, prompt(1), labels={"batch": "b"})
    nothing = client_with(memory, Budget("budget", Decimal(0), ("batch",)))
    assert nothing.ask(model, prompt(1), labels={"batch": "b"}).replayed
    with pytest.raises(BudgetSpent):
        nothing.ask(model, prompt(2), labels={"batch": "b"})
    assert model.asked == 1


def test_a_free_model_needs_no_budget(memory: CallMemory) -> None:
    model = ScriptedModel(provider="ollama", model="llama")
    nothing = client_with(memory, Budget("budget", Decimal(0), ("batch",)))
    assert nothing.ask(model, prompt(1), labels={"batch": "b"}).cost_usd == 0


def test_a_budget_refuses_a_model_whose_price_nobody_knows(memory: CallMemory) -> None:
    model = ScriptedModel(model="from-the-future")
    with pytest.raises(BadSetting, match="no price"):
        client_with(memory, HALF).ask(model, prompt(1), labels={"batch": "b"})
    assert model.asked == 0
    assert client_with(memory).ask(model, prompt(1), labels={"batch": "b"}).cost_usd is None


def test_two_processes_on_one_journal_share_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "rbi.db"
    one, two = Journal(path), Journal(path)
    model = ScriptedModel(seconds=0.002, usage=TWO_CENTS)
    both: list[Callable[[], object]] = [
        lambda: spend(client_with(one, HALF), model, threads=8, calls=4),
        lambda: spend(client_with(two, HALF), model, threads=8, calls=4),
    ]
    # The same questions are other ones for the second, so that both have to pay.
    threads = [threading.Thread(target=work) for work in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert one.totals("b").cost_usd <= HALF.limit_usd
    one.close()
    two.close()


def test_the_reservation_of_a_process_that_died_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "rbi.db"
    dead = Journal(path, owner="here:1:0")
    dead.intend("k", kind="model", request={}, labels={"batch": "b"}, reserve_usd=Decimal("0.49"))
    dead.close()
    journal = Journal(path)
    with pytest.raises(OverBudget) as caught:
        journal.intend(
            "k2",
            kind="model",
            request={},
            labels={"batch": "b"},
            reserve_usd=Decimal("0.02"),
            budgets=[HALF],
        )
    assert caught.value.committed_usd == Decimal("0.49")
    assert journal.totals("b").reserved_usd == Decimal("0.49")
    journal.close()


def test_the_worst_case_is_never_less_than_what_the_limits_allow() -> None:
    prices = PriceTable()
    model = ScriptedModel()
    question = Prompt("write", "é" * 500, "u" * 100, max_output_tokens=50)
    worst = prices.worst_case(model, question)
    assert worst is not None
    most = prices.price("openai", "gpt-4o", Usage(1100, 50))
    assert most is not None
    assert most <= worst <= 2 * most
