from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from scripted_model import ScriptedModel

from models.base import Prompt
from models.client import CallEvent, FellBack, InMemoryCalls, ModelClient
from models.errors import (
    BadKey,
    BadRequest,
    ConnectionFailed,
    EmptyAnswer,
    Interrupted,
    MalformedAnswer,
    ModelError,
    Overloaded,
    QuotaExhausted,
    Refused,
    UnknownModel,
)
from models.limiter import Limiters, Limits
from models.retry import RetryPolicy

QUICK = RetryPolicy(first_wait_s=0.001, longest_wait_s=0.002)


def prompt(number: int = 0) -> Prompt:
    return Prompt("write", "s", f"question {number}")


def client_with(memory: InMemoryCalls, events: list[CallEvent], **clock: Callable[[], float]) -> ModelClient:
    limiters = Limiters(Limits(delay_s=0), **clock)
    return ModelClient(memory, limiters, policy=QUICK, observers=[events.append])


def pair(*outcomes: str | Exception, then: str | Exception = "fine") -> list[ScriptedModel]:
    first = ScriptedModel(outcomes, then=then, provider="claude", model="claude-opus-5")
    return [first, ScriptedModel(then="from the spare", provider="deepseek", model="deepseek-chat")]


@pytest.mark.parametrize(
    "error",
    [BadKey("no"), QuotaExhausted("spent"), UnknownModel("none"), Overloaded("busy"), ConnectionFailed("reset"),
     BadRequest("too long")],
)  # fmt: skip
def test_the_next_model_is_asked_and_the_answer_says_who_wrote_it(error: ModelError) -> None:
    events: list[CallEvent] = []
    first, spare = pair(then=error)
    answer = client_with(InMemoryCalls(), events).ask([first, spare], prompt(), labels={})
    assert (answer.text, answer.provider, answer.model) == ("from the spare", "deepseek", "deepseek-chat")
    (fell,) = [event for event in events if isinstance(event, FellBack)]
    assert (fell.from_model, fell.to_model) == ("claude:claude-opus-5", "deepseek:deepseek-chat")


@pytest.mark.parametrize("error", [Refused("no"), Interrupted("stop")])
def test_an_answer_that_is_a_no_is_not_asked_for_elsewhere(error: ModelError) -> None:
    first, spare = pair(error)
    with pytest.raises(type(error)):
        client_with(InMemoryCalls(), []).ask([first, spare], prompt(), labels={})
    assert spare.asked == 0


def test_what_the_spare_has_answered_is_not_asked_again_even_if_the_first_is_back() -> None:
    memory = InMemoryCalls()
    first, spare = pair(BadKey("no"))
    client_with(memory, []).ask([first, spare], prompt(), labels={})
    back = pair()[0]
    again = client_with(memory, []).ask([back, spare], prompt(), labels={})
    assert (again.text, again.replayed, back.asked) == ("from the spare", True, 0)


def test_when_all_fail_the_last_error_comes_out() -> None:
    first = ScriptedModel(then=BadKey("no"), key="a")
    last = ScriptedModel(then=QuotaExhausted("spent"), key="b")
    with pytest.raises(QuotaExhausted):
        client_with(InMemoryCalls(), []).ask([first, last], prompt(), labels={})


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailed("refused"),
        Overloaded("503"),
        BadKey("revoked"),
        MalformedAnswer("<html>"),
        EmptyAnswer(""),
    ],
)
def test_a_dead_provider_gets_few_of_the_calls(error: ModelError) -> None:
    # No time passes for the limiter: a first call that is held up lets no other through.
    client = client_with(InMemoryCalls(), [], clock=lambda: 1000.0)
    dead, alive = pair(then=error)

    def ask(begin: int) -> None:
        for number in range(begin, begin + 5):
            assert client.ask([dead, alive], prompt(number), labels={}).text == "from the spare"

    threads = [threading.Thread(target=ask, args=(5 * n,)) for n in range(18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert alive.asked == 90
    assert dead.asked <= 4
