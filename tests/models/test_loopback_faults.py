from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from models.base import StopReason
from models.loopback import (
    FAULTS,
    PASSING_FAULTS,
    Asked,
    Failure,
    Faulty,
    Lognormal,
    LoopbackServer,
    Misbehaviour,
    Reply,
    Script,
    Storm,
    Strict,
    Truncating,
    Uniform,
    parse_latency,
    rate_limited,
)
from models.loopback.tokens import count_tokens

Serve = Callable[..., LoopbackServer]

LASTING = {"hang", "hang_midway", "trickle", "trickle_head"}


def asked(number: int = 1, **more: Any) -> Asked:
    return Asked("openai", more.pop("model", "m"), "s", "u", False, number, **more)


def honest(question: Asked) -> str:
    return "an honest answer"


def test_a_share_of_questions_fails_and_the_same_ones_again_with_the_same_seed() -> None:
    def outcomes(seed: int) -> list[object]:
        faulty = Faulty(honest, rate=0.3, kinds=["429", "500", Misbehaviour.RESET], seed=seed)
        return [faulty(asked(number)) for number in range(1000)]

    assert outcomes(1) == outcomes(1)
    assert outcomes(1) != outcomes(2)
    assert 200 < sum(answer != "an honest answer" for answer in outcomes(1)) < 400
    assert {a.status for a in outcomes(1) if isinstance(a, Failure)} == {429, 500}
    assert Misbehaviour.RESET in outcomes(1)


@pytest.mark.parametrize(("rate", "failed"), [(0.0, 0), (1.0, 100)])
def test_a_rate_of_none_or_all_is_exact(rate: float, failed: int) -> None:
    faulty = Faulty(honest, rate)
    assert sum(faulty(asked()) != "an honest answer" for _ in range(100)) == failed


def test_an_unknown_kind_of_fault_is_pointed_out() -> None:
    with pytest.raises(ValueError, match="did you mean hang"):
        Faulty(honest, 0.5, ["hangg"])
    with pytest.raises(ValueError, match="no kind of fault"):
        Faulty(honest, 0.5, [])


def test_a_storm_begins_and_ends_in_time() -> None:
    now = [50.0]
    storm = Storm(honest, 10, 20, clock=lambda: now[0])
    calm = []
    for seconds in (0, 9, 10, 19, 20, 30):
        now[0] = 50.0 + seconds
        calm.append(storm(asked()) == "an honest answer")
    assert calm == [True, True, False, False, True, True]


def question_body(*, streaming: bool) -> dict[str, Any]:
    message = {"role": "user", "content": "u"}
    return {"model": "m", "max_tokens": 9, "stream": streaming, "messages": [message]}


both_ways = pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])
both_protocols = pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])


@both_ways
@both_protocols
@pytest.mark.parametrize("name", sorted(set(FAULTS) - LASTING))
def test_every_fault_can_be_met_in_both_protocols_and_the_server_lives_on(
    serve: Serve, name: str, path: str, streaming: bool
) -> None:
    fault = FAULTS[name]
    server = serve(lambda question: fault(question, honest) if question.number == 1 else "fine")
    with httpx2.Client(base_url=server.anthropic_url, timeout=60) as client:
        with contextlib.suppress(httpx2.NetworkError, httpx2.RemoteProtocolError):
            client.post(path, json=question_body(streaming=streaming))
        again = client.post(path, json=question_body(streaming=False))
    assert "fine" in again.text
    first, second = server.log
    assert first.answer != "complete" or name == "empty"
    assert second.answer == "complete"


@both_ways
@both_protocols
@pytest.mark.parametrize("name", sorted(LASTING))
def test_a_fault_that_lasts_ends_when_the_caller_has_had_enough(
    serve: Serve, name: str, path: str, streaming: bool
) -> None:
    ended = threading.Event()
    fault = FAULTS[name]
    server = serve(lambda question: fault(question, honest), on_end=lambda entry: ended.set())
    content = json.dumps(question_body(streaming=streaming))
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as caller:
        caller.sendall(f"POST {path} HTTP/1.1\r\ncontent-length: {len(content)}\r\n\r\n{content}".encode())
        assert not ended.wait(0.3)
    assert ended.wait(60)


@pytest.mark.parametrize("how", [Misbehaviour.RESET, Misbehaviour.RESET_MIDWAY, Misbehaviour.HALF_BODY])
@pytest.mark.parametrize("streaming", [True, False])
def test_a_broken_connection_is_an_error_for_the_caller(
    serve: Serve, how: Misbehaviour, streaming: bool
) -> None:
    server = serve(Script([how]))
    body = {"model": "m", "stream": streaming, "messages": []}
    with pytest.raises((httpx2.NetworkError, httpx2.RemoteProtocolError)):
        httpx2.post(f"{server.openai_url}/chat/completions", json=body, timeout=60)


def test_the_faults_that_pass_are_faults_that_do_not_last() -> None:
    assert set(PASSING_FAULTS) <= set(FAULTS) - LASTING


def test_a_wait_can_be_stated_as_a_date(serve: Serve) -> None:
    server = serve(lambda question: FAULTS["429_date"](question, honest))
    client = openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0)
    before = time.time()
    with client, pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="m", messages=[])
    moment = parsedate_to_datetime(caught.value.response.headers["retry-after"])
    assert before < moment.timestamp() < time.time() + 5


@pytest.mark.parametrize(
    ("name", "code"), [("max_tokens", "unsupported_parameter"), ("top_p", "unsupported_value")]
)
def test_a_strict_model_names_the_parameter_it_refuses(serve: Serve, name: str, code: str) -> None:
    server = serve(Strict(honest, refuses={"o3": {"max_tokens", "top_p"}}))
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="o3", messages=[], **{name: 1})  # type: ignore[call-overload]
        assert client.chat.completions.create(model="gpt-4o", messages=[], top_p=1).choices
    assert (caught.value.param, caught.value.code) == (name, code)


def test_a_model_that_is_not_among_the_only_ones_is_not_found(serve: Serve) -> None:
    server = serve(Strict(honest, only=["m"]))
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        assert client.chat.completions.create(model="m", messages=[]).choices
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="n", messages=[])


def test_parts_of_a_cut_answer_make_up_the_whole(serve: Serve) -> None:
    text = "".join(f"line {number}\n" for number in range(200))
    server = serve(Truncating(lambda question: text, at_tokens=100))
    got = ""
    with openai.OpenAI(api_key="k", base_url=server.openai_url) as client:
        for _ in range(20):
            messages: Any = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
            if got:
                messages += [{"role": "assistant", "content": got}, {"role": "user", "content": "Go on."}]
            chat = client.chat.completions.create(model="m", messages=messages, max_completion_tokens=90)
            got += chat.choices[0].message.content or ""
            assert chat.usage is not None
            assert chat.usage.completion_tokens <= 90
            if chat.choices[0].finish_reason == "stop":
                break
    assert got == text
    assert len(server.log) == -(-len(text) // 360)
    assert [entry.answer for entry in server.log][-2:] == ["truncated", "complete"]


def test_anthropics_limit_cuts_too_and_the_continued_text_is_told(serve: Serve) -> None:
    heard: list[Asked] = []

    def answer(question: Asked) -> str:
        heard.append(question)
        return "0123456789" * 4

    server = serve(Truncating(answer))
    with anthropic.Anthropic(api_key="k", base_url=server.anthropic_url) as client:
        messages: Any = [{"role": "user", "content": "first"}]
        first = client.messages.create(model="m", max_tokens=5, messages=messages)
        text = first.content[0].text  # type: ignore[union-attr]
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "Go on."}]
        second = client.messages.create(model="m", max_tokens=5, messages=messages)
    assert first.stop_reason == "max_tokens"
    assert second.stop_reason == "end_turn"
    assert text + second.content[0].text == "0123456789" * 4  # type: ignore[union-attr]
    assert [(h.user, h.continuing) for h in heard] == [("first", ""), ("first", text)]


def test_continuing_something_else_is_a_bad_request() -> None:
    answer = Truncating(honest)(asked(continuing="another"))
    assert isinstance(answer, Failure)
    assert answer.status == 400


def test_only_texts_are_cut() -> None:
    refusal = Reply("x" * 100, stop=StopReason.REFUSED)
    for answer in (rate_limited(), Misbehaviour.HANG, refusal):
        assert Truncating(Script([answer]), at_tokens=1)(asked()) == answer
    cut = Truncating(Script(["x" * 100]), at_tokens=3)(asked())
    assert isinstance(cut, Reply)
    assert count_tokens(cut.text) == 3


def test_times_are_drawn_around_their_median_and_within_their_bounds() -> None:
    lognormal = Lognormal(2.0, 0.6, seed=3)
    times = sorted(lognormal() for _ in range(2001))
    assert 1.8 < times[1000] < 2.2
    uniform = Uniform(1.0, 3.0, seed=3)
    assert all(1.0 <= uniform() <= 3.0 for _ in range(500))
    assert [Uniform(0, 1, seed=4)() for _ in range(2)] == [Uniform(0, 1, seed=4)()] * 2


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "nan", "inf", "1,2", "uniform:3", "uniform:3,1", "lognormal:0,1", "a:1,2"]
)
def test_a_time_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|has a number"):
        parse_latency(text)


def test_a_time_is_a_number_or_a_distribution() -> None:
    assert parse_latency("0.5") == 0.5
    assert isinstance(parse_latency("uniform:0.1,0.2"), Uniform)
    assert isinstance(parse_latency("lognormal:0.5,0.6"), Lognormal)
