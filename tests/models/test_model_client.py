from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_model import ScriptedModel

from models.base import BaseModel, ModelResponse, Prompt, Usage
from models.client import Answer, CallEvent, CallFinished, CallStarted, InMemoryCalls, ModelClient, Waiting
from models.errors import (
    BadKey,
    ConnectionFailed,
    Interrupted,
    MalformedAnswer,
    ModelError,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Refused,
    UnknownModel,
)
from models.limiter import Limiters, Limits
from models.loopback import Asked, LoopbackServer, Script, bad_key, rate_limited
from models.memory import key_of, request_of
from models.retry import RetryPolicy

LABELS = {"idea_id": "abc", "stage": "write"}
QUICK = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.02)
PROMPT = Prompt("write", "s", "u")


def client_with(memory: InMemoryCalls | None = None, **options: Any) -> ModelClient:
    limiters = Limiters(Limits(max_in_flight=4, delay_s=0))
    return ModelClient(memory or InMemoryCalls(), limiters, **{"policy": QUICK, **options})


def in_threads(work: Callable[[], Answer], count: int) -> list[Answer | ModelError]:
    results: list[Answer | ModelError] = []

    def run() -> None:
        try:
            results.append(work())
        except ModelError as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_an_answer_has_its_cost_and_is_written_down() -> None:
    memory = InMemoryCalls()
    answer = client_with(memory).ask(ScriptedModel(["hello"]), PROMPT, labels=LABELS)
    price = Decimal("0.0035")
    assert answer == Answer("hello", "openai", "gpt-4o", Usage(1000, 100), price, price, False, 1)
    (record,) = memory.records
    assert (record.kind, record.cost_usd) == ("model", price)
    assert record.labels == {**LABELS, "model": "openai:gpt-4o"}
    assert record.result is not None
    assert record.result["text"] == "hello"


def test_the_same_question_is_replayed_and_costs_nothing() -> None:
    memory, model = InMemoryCalls(), ScriptedModel(["first", "second"])
    first = client_with(memory).ask(model, PROMPT, labels=LABELS)
    again = client_with(memory).ask(model, PROMPT, labels={})
    assert again.text == first.text == "first"
    assert (again.replayed, again.cost_usd, again.original_cost_usd) == (True, Decimal(0), first.cost_usd)
    assert again.usage == first.usage
    assert model.asked == 1


def test_another_ask_number_is_another_question() -> None:
    client, model = client_with(), ScriptedModel(["first", "second"])
    texts = [client.ask(model, PROMPT, labels={}, ask_number=n).text for n in (1, 2, 1, 2)]
    assert texts == ["first", "second", "first", "second"]
    assert model.asked == 2


def test_equal_questions_at_the_same_time_go_out_once() -> None:
    client, model = client_with(), ScriptedModel(["only one"], seconds=0.1)
    answers = in_threads(lambda: client.ask(model, PROMPT, labels={}), 8)
    assert [answer.text for answer in answers if isinstance(answer, Answer)] == ["only one"] * 8
    assert sorted(answer.replayed for answer in answers if isinstance(answer, Answer)) == [False] + [True] * 7
    assert model.asked == 1


def test_passing_errors_are_retried_and_every_attempt_is_written_down() -> None:
    memory, events = InMemoryCalls(), list[CallEvent]()
    model = ScriptedModel([Overloaded("busy"), RateLimited("slow", retry_after_s=0.01), "fine"])
    answer = client_with(memory, observers=[events.append]).ask(model, PROMPT, labels=LABELS)
    assert (answer.text, answer.attempts) == ("fine", 3)
    kinds = [record.error["kind"] if record.error else "ok" for record in memory.records]
    assert kinds == ["overloaded", "rate_limited", "ok"]
    assert len({record.key for record in memory.records}) == 1
    # How long a rate limit holds up the account is told by whoever waits, if it is worth telling.
    assert [type(event) for event in events] == [
        CallStarted, CallFinished, Waiting, CallStarted, CallFinished, CallStarted, CallFinished,
    ]  # fmt: skip
    finished = [event for event in events if isinstance(event, CallFinished)]
    assert [event.error_kind for event in finished] == ["overloaded", "rate_limited", ""]
    assert all(event.labels == LABELS for event in events)


def test_retrying_ends_and_the_last_error_comes_out() -> None:
    model = ScriptedModel([MalformedAnswer(f"garbage {n}") for n in range(50)])
    three = replace(QUICK, max_attempts_if_unusable=3)  # more would be an outage, which is waited out
    with pytest.raises(MalformedAnswer, match="garbage 2"):
        client_with(policy=three).ask(model, PROMPT, labels={})
    assert model.asked == 3


@pytest.mark.parametrize("error", [Refused("no"), Refused("no", usage=Usage(1000, 100))])
def test_a_bad_answer_is_recorded_with_its_cost_but_never_replayed(error: ModelError) -> None:
    memory, model = InMemoryCalls(), ScriptedModel([error, "fine"])
    client = client_with(memory)
    with pytest.raises(type(error)):
        client.ask(model, PROMPT, labels={})
    assert memory.records[0].cost_usd == (Decimal("0.0035") if error.usage else None)
    assert client.ask(model, PROMPT, labels={}).text == "fine"
    assert model.asked == 2


def test_a_failure_that_was_surely_not_billed_costs_nothing_and_one_that_may_have_been_is_unknown() -> None:
    memory = InMemoryCalls()
    client_with(memory).ask(ScriptedModel([RateLimited("x"), ConnectionFailed("x"), "ok"]), PROMPT, labels={})
    assert [record.cost_usd for record in memory.records[:2]] == [Decimal(0), None]


@pytest.mark.parametrize("error", [BadKey("no"), QuotaExhausted("spent")])
def test_a_fatal_error_ends_its_account_and_no_other(error: ModelError) -> None:
    client = client_with()
    first, same_account, other = (
        ScriptedModel([error]),
        ScriptedModel(model="gpt-4"),
        ScriptedModel(key="other"),
    )
    with pytest.raises(type(error)):
        client.ask(first, PROMPT, labels={})
    with pytest.raises(type(error), match=error.message):
        client.ask(same_account, PROMPT, labels={})
    assert client.ask(other, PROMPT, labels={}).text == "fine"
    assert (first.asked, same_account.asked) == (1, 0)


def test_an_unknown_model_ends_only_itself() -> None:
    client = client_with()
    missing, present = ScriptedModel([UnknownModel("no")], model="nope"), ScriptedModel()
    for number in (1, 2):
        with pytest.raises(UnknownModel):
            client.ask(missing, PROMPT, labels={}, ask_number=number)
    assert missing.asked == 1
    assert client.ask(present, PROMPT, labels={}).text == "fine"


def test_a_remembered_answer_is_given_even_after_the_key_stopped_working() -> None:
    client = client_with()
    client.ask(ScriptedModel(), PROMPT, labels={})
    with pytest.raises(BadKey):
        client.ask(ScriptedModel([BadKey("revoked")]), Prompt("write", "s", "new"), labels={})
    assert client.ask(ScriptedModel(), PROMPT, labels={}).replayed


def test_a_slot_is_free_while_a_call_waits_to_be_retried() -> None:
    limiters = Limiters(Limits(max_in_flight=1, delay_s=0))
    waiting = threading.Event()

    def observe(event: CallEvent) -> None:
        if isinstance(event, Waiting):
            waiting.set()

    client = ModelClient(
        InMemoryCalls(), limiters, observers=[observe], policy=RetryPolicy(first_wait_s=3600)
    )
    patient = threading.Thread(
        target=lambda: in_threads(lambda: client.ask(ScriptedModel([Overloaded("x")]), PROMPT, labels={}), 1)
    )
    patient.start()
    assert waiting.wait(60)
    assert client.ask(ScriptedModel(), Prompt("write", "s", "other"), labels={}).text == "fine"
    client.stop()
    patient.join(60)
    assert not patient.is_alive()


def test_a_stop_ends_retry_waits_and_refuses_new_questions() -> None:
    client = ModelClient(InMemoryCalls(), Limiters(Limits(delay_s=0)), policy=RetryPolicy(first_wait_s=3600))
    threading.Timer(0.1, client.stop).start()
    with pytest.raises(Interrupted):
        client.ask(ScriptedModel([Overloaded("x")]), PROMPT, labels={})
    model = ScriptedModel()
    with pytest.raises(Interrupted):
        client.ask(model, PROMPT, labels={})
    assert model.asked == 0


def test_a_model_gets_ready_before_it_takes_a_slot() -> None:
    limiters = Limiters(Limits(max_in_flight=4, delay_s=0))
    under_way: list[int] = []

    class Late(ScriptedModel):
        def get_ready(self) -> None:
            under_way.append(limiters.for_account(self.account).stats().in_flight)

    assert ModelClient(InMemoryCalls(), limiters).ask(Late(), PROMPT, labels=LABELS).text == "fine"
    assert under_way == [0]


def test_a_call_under_way_at_the_stop_is_finished_and_kept() -> None:
    memory = InMemoryCalls()
    client = client_with(memory)

    class StoppedMeanwhile(ScriptedModel):
        def generate(self, prompt: Prompt, **options: Any) -> ModelResponse:
            client.stop()
            return super().generate(prompt, **options)

    assert client.ask(StoppedMeanwhile(), PROMPT, labels={}).text == "fine"
    assert memory.records[0].result is not None


def test_a_bug_in_a_model_is_recorded_and_comes_out_unchanged() -> None:
    memory = InMemoryCalls()
    with pytest.raises(ZeroDivisionError):
        client_with(memory).ask(ScriptedModel([ZeroDivisionError("bug")]), PROMPT, labels={})
    assert memory.records[0].error == {"kind": "unexpected", "message": "ZeroDivisionError"}


def test_a_call_killed_in_the_middle_stays_open_in_the_memory() -> None:
    class Killed(ScriptedModel):
        def generate(self, prompt: Prompt, **options: Any) -> ModelResponse:
            raise KeyboardInterrupt

    memory = InMemoryCalls()
    with pytest.raises(KeyboardInterrupt):
        client_with(memory).ask(Killed(), PROMPT, labels={})
    (record,) = memory.records
    assert record.result is None
    assert record.error is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.text(max_size=5), json_values, max_size=5)


@given(body=bodies, number=st.integers(1, 5))
def test_a_key_does_not_depend_on_the_order_of_names(body: Mapping[str, Any], number: int) -> None:
    backwards = dict(reversed(list(body.items())))
    assert key_of({"body": body}, number) == key_of({"body": backwards}, number)


@given(one=bodies, two=bodies)
def test_different_requests_have_different_keys(one: Mapping[str, Any], two: Mapping[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (key_of({"body": one}, 1) == key_of({"body": two}, 1)) == same


def test_what_is_asked_and_where_makes_the_key_and_the_credential_does_not() -> None:
    base = key_of(request_of(ScriptedModel(), PROMPT), 1)
    assert base == key_of(request_of(ScriptedModel(key="another"), PROMPT), 1)
    assert base == key_of(request_of(ScriptedModel(), Prompt("write", "s", "u", {"idea": "unsent"})), 1)
    others = [
        key_of(request_of(ScriptedModel(model="gpt-4"), PROMPT), 1),
        key_of(request_of(ScriptedModel(), Prompt("write", "s2", "u")), 1),
        key_of(request_of(ScriptedModel(), Prompt("write", "s", "u2")), 1),
        key_of(request_of(ScriptedModel(), Prompt("write", "s", "u", max_output_tokens=5)), 1),
        key_of(request_of(ScriptedModel(), PROMPT), 2),
    ]
    assert len({base, *others}) == 6


@pytest.mark.parametrize("spec", ["openai:gpt-4o", "claude:claude-sonnet-5"])
def test_over_the_wire_it_retries_remembers_and_shows_the_key_to_nobody(
    serve: Callable[..., LoopbackServer],
    model_for: Callable[[LoopbackServer, str], BaseModel],
    prompt: Prompt,
    key: str,
    spec: str,
) -> None:
    server = serve(Script([rate_limited(retry_after_ms=20), "the answer"], then=bad_key(key)))
    memory, events = InMemoryCalls(), list[CallEvent]()
    client = client_with(memory, observers=[events.append])
    model = model_for(server, spec)
    assert client.ask(model, prompt, labels=LABELS).text == "the answer"
    assert client.ask(model, prompt, labels=LABELS).replayed
    for number in (2, 3):
        with pytest.raises(BadKey) as caught:
            client.ask(model, prompt, labels=LABELS, ask_number=number)
        assert key not in str(caught.value) + caught.value.hint
    assert len(server.seen) == 3
    assert server.seen[1].at - server.seen[0].at >= 0.02
    assert key not in repr(memory.records) + repr(events)


def test_over_the_wire_calls_stay_within_the_gate_and_start_apart(
    serve: Callable[..., LoopbackServer],
    model_for: Callable[[LoopbackServer, str], BaseModel],
) -> None:
    counting, under_way = threading.Lock(), [0]

    def answer(asked: Asked) -> str:
        with counting:
            under_way.append(under_way[-1] + 1)
        time.sleep(0.15)
        with counting:
            under_way.append(under_way[-1] - 1)
        return asked.user

    limiters = Limiters(Limits(max_in_flight=3, delay_s=0.03))
    client = ModelClient(InMemoryCalls(), limiters)
    model = model_for(serve(answer), "openai:gpt-4o")
    numbers = iter(range(10))
    answers = in_threads(lambda: client.ask(model, Prompt("write", "s", str(next(numbers))), labels={}), 10)
    assert len([answer for answer in answers if isinstance(answer, Answer)]) == 10
    assert limiters.stats()[model.account].peak_in_flight <= 3
    assert max(under_way) <= 3
