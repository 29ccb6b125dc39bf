from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest

from models.base import StopReason, Usage
from models.cost import PriceTable, TokenPrice
from models.loopback import Answer, Failure, LoopbackServer, Misbehaviour, Reply, Script, rate_limited

Serve = Callable[..., LoopbackServer]

PRICES = PriceTable(
    {
        "openai:m": TokenPrice(Decimal(2), Decimal(8), Decimal("0.5")),
        "claude:m": TokenPrice(Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75")),
    }
)


def say(server: LoopbackServer, count: int, **more: Any) -> None:
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        for _ in range(count):
            try:
                made = client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": "u"}], **more
                )
                if more.get("stream"):
                    list(made)
            except openai.OpenAIError:
                continue


def test_every_answer_that_carried_a_usage_is_charged_and_nothing_else(serve: Serve) -> None:
    answers: list[Answer] = [
        Reply("fine", input_tokens=1000, output_tokens=100, cached_tokens=400),
        Reply("half", stop=StopReason.TRUNCATED, input_tokens=1000, output_tokens=10),
        Reply("no", stop=StopReason.REFUSED, input_tokens=1000, output_tokens=10),
        Reply("", input_tokens=1000, output_tokens=0),
        rate_limited(),
        Failure(500, "broken"),
        Misbehaviour.RESET,
    ]
    server = serve(Script(answers))
    say(server, len(answers))
    fine = 600 * Decimal(2) + 400 * Decimal("0.5") + 100 * 8
    rest = 3 * 1000 * Decimal(2) + 20 * 8
    assert server.bill(PRICES) == (fine + rest) / 1_000_000
    assert [e.answer for e in server.log] == [
        "complete", "truncated", "refused", "complete", "429", "500", "reset",
    ]  # fmt: skip


def test_a_price_that_an_answer_states_is_what_is_charged(serve: Serve) -> None:
    server = serve(Script([Reply("fine", cost_usd=0.0123)]))
    say(server, 1)
    assert server.bill(PRICES) == Decimal("0.0123")


def test_a_model_without_a_price_has_no_bill(serve: Serve) -> None:
    server = serve(Script([]))
    say(server, 1)
    with pytest.raises(LookupError, match="openai:m"):
        server.bill(PriceTable())


def test_a_stream_that_was_not_asked_for_its_usage_is_charged_but_not_reported(serve: Serve) -> None:
    server = serve(Script([]))
    say(server, 1, stream=True)
    say(server, 1, stream=True, stream_options={"include_usage": True})
    assert [entry.reported for entry in server.log] == [False, True]
    assert all(entry.usage for entry in server.log)


def test_an_answer_broken_off_is_charged_for_what_it_had_stated(serve: Serve) -> None:
    server = serve(Script([Misbehaviour.STOP_MIDWAY, Misbehaviour.STOP_MIDWAY]))
    say(server, 1, stream=True)
    with anthropic.Anthropic(api_key="k", base_url=server.anthropic_url, max_retries=0) as client:
        question: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "u" * 39}]}
        list(client.messages.create(**question, stream=True))
    assert [entry.usage for entry in server.log] == [None, Usage(input_tokens=10, output_tokens=1)]


def test_openai_caches_long_system_prompts_by_itself_in_blocks(serve: Serve) -> None:
    server = serve(Script([]), caching=True)
    with openai.OpenAI(api_key="k", base_url=server.openai_url) as client:
        cached = []
        for system in ("a" * 4400, "a" * 4400, "b" * 4400, "short", "short"):
            messages: Any = [{"role": "system", "content": system}, {"role": "user", "content": "u"}]
            usage = client.chat.completions.create(model="m", messages=messages).usage
            assert usage is not None
            assert usage.prompt_tokens_details is not None
            cached.append(usage.prompt_tokens_details.cached_tokens)
    assert cached == [0, 1024, 0, 0, 0]


def test_anthropic_caches_what_is_marked_and_charges_for_writing_it(serve: Serve) -> None:
    server = serve(Script([]), caching=True)
    marked: Any = [{"type": "text", "text": "a" * 4400, "cache_control": {"type": "ephemeral"}}]
    plain: Any = "a" * 4400
    with anthropic.Anthropic(api_key="k", base_url=server.anthropic_url) as client:
        counts = []
        for system in (plain, plain, marked, marked):
            usage = client.messages.create(
                model="m", max_tokens=9, system=system, messages=[{"role": "user", "content": "uuuu"}]
            ).usage
            counts.append(
                (usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens)
            )
    assert counts == [(1102, 0, 0), (1102, 0, 0), (2, 1100, 0), (2, 0, 1100)]
    written = server.log[0].usage
    assert written is not None
    output = 4 * written.output_tokens * Decimal(15)
    sent = (2 * 1102 + 2 + 2) * Decimal(3) + 1100 * Decimal("3.75") + 1100 * Decimal("0.3")
    assert server.bill(PRICES) == (sent + output) / 1_000_000
    assert server.log[-1].input_tokens == 2, "cache reads do not count towards limits"


def test_a_paced_stream_says_the_same_as_one_in_one_piece(serve: Serve) -> None:
    text = "word " * 100
    said = []
    for pace in (0.0, 0.001):
        server = serve(Script([text]), pace_s=pace)
        with openai.OpenAI(api_key="k", base_url=server.openai_url) as client:
            chunks = list(client.chat.completions.create(model="m", messages=[], stream=True))
        said.append("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
    assert said == [text, text]


def test_both_sdks_can_list_the_models(serve: Serve) -> None:
    server = serve(Script([]), models=["one", "two"])
    with openai.OpenAI(api_key="k", base_url=server.openai_url) as client:
        assert [model.id for model in client.models.list()] == ["one", "two"]
    with anthropic.Anthropic(api_key="k", base_url=server.anthropic_url) as claude:
        assert [model.id for model in claude.models.list()] == ["one", "two"]
    assert server.log == ()
    assert len(server.seen) == 2


def test_what_ended_can_be_followed_while_it_goes_on(serve: Serve) -> None:
    ended: list[str] = []
    server = serve(Script([rate_limited()]), on_end=lambda entry: ended.append(entry.answer))
    say(server, 2)
    server.close()
    assert json.dumps(ended[:1]) == '["429"]'
