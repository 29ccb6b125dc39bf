from __future__ import annotations

from collections.abc import Callable

from models.base import BaseModel, Prompt
from models.factory import ModelFactory
from models.loopback import LoopbackServer, Script

Serve = Callable[..., LoopbackServer]
ModelFor = Callable[[LoopbackServer, str], BaseModel]


def test_the_system_prompt_is_marked_for_the_providers_cache(serve: Serve, model_for: ModelFor) -> None:
    server = serve(Script([], then="fine"))
    model = model_for(server, "claude")
    model.generate(Prompt("write", "rules", "u"), deadline_s=20)
    model.generate(Prompt("write", "", "u"), deadline_s=20)
    marked, without = (seen.body for seen in server.seen)
    assert marked["system"] == [{"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}}]
    assert "system" not in without


def test_the_output_limit_is_the_prompts_even_where_the_sdk_would_object_without_streaming(
    serve: Serve, model_for: ModelFor
) -> None:
    server = serve(Script(["fine"]))
    model_for(server, "claude").generate(Prompt("write", "s", "u", max_output_tokens=64_000), deadline_s=20)
    assert server.seen[0].body["max_tokens"] == 64_000


def test_the_alias_is_the_same_provider(
    serve: Serve, factory_for: Callable[[LoopbackServer], ModelFactory]
) -> None:
    factory = factory_for(serve(Script([])))
    assert factory.create("anthropic:claude-opus-5").name == "claude:claude-opus-5"
    assert factory.create("anthropic").account == factory.create("claude").account
