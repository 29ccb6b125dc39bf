from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from models.base import BaseModel, Prompt, Usage
from models.cost import PriceTable
from models.errors import BadRequest, UnknownModel
from models.factory import ModelFactory
from models.loopback import LoopbackServer, Reply, Script, refused_parameter, unknown_model
from models.providers.service import Service

Serve = Callable[..., LoopbackServer]
ModelFor = Callable[[LoopbackServer, str], BaseModel]


@pytest.mark.parametrize(
    ("model", "parameter"),
    [
        ("gpt-4o", "max_tokens"),
        ("gpt-3.5-turbo", "max_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("gpt-5", "max_completion_tokens"),
        ("gpt-6.1-sol", "max_completion_tokens"),
        ("gpt-12", "max_completion_tokens"),
        ("openai/gpt-5-mini", "max_completion_tokens"),
        ("olmo-2", "max_tokens"),
    ],
)
def test_reasoning_models_get_the_limit_they_understand(
    serve: Serve, model_for: ModelFor, prompt: Prompt, model: str, parameter: str
) -> None:
    server = serve(Script(["fine"]))
    model_for(server, f"openai:{model}").generate(prompt, deadline_s=20)
    limits = {name: value for name, value in server.seen[0].body.items() if name.startswith("max_")}
    assert limits == {parameter: prompt.max_output_tokens}


def test_a_refused_parameter_is_replaced_once_and_remembered(
    serve: Serve, model_for: ModelFor, prompt: Prompt
) -> None:
    server = serve(Script([refused_parameter("max_tokens")], then="fine"))
    model = model_for(server, "openai:brand-new")
    assert model.generate(prompt, deadline_s=20).text == "fine"
    assert model.generate(prompt, deadline_s=20).text == "fine"
    used = [sorted(name for name in seen.body if name.startswith("max_")) for seen in server.seen]
    assert used == [["max_tokens"], ["max_completion_tokens"], ["max_completion_tokens"]]


def test_a_server_that_does_not_know_stream_options_is_asked_without_them(
    serve: Serve, model_for: ModelFor, prompt: Prompt
) -> None:
    server = serve(Script([refused_parameter("stream_options")], then="fine"))
    response = model_for(server, "openai:old-server").generate(prompt, deadline_s=20)
    assert response.usage is None
    assert ["stream_options" in seen.body for seen in server.seen] == [True, False]


@pytest.mark.parametrize("parameter", ["messages", "max_tokens"])
def test_a_parameter_that_is_refused_again_or_cannot_be_changed_is_an_error(
    serve: Serve, model_for: ModelFor, prompt: Prompt, parameter: str
) -> None:
    server = serve(Script([], then=refused_parameter(parameter)))
    with pytest.raises(BadRequest, match=parameter):
        model_for(server, "openai:gpt-4o").generate(prompt, deadline_s=20)
    assert len(server.seen) <= 2


def test_usage_includes_reasoning_and_a_reported_cost_wins(
    serve: Serve, model_for: ModelFor, prompt: Prompt
) -> None:
    reply = Reply(
        "x", input_tokens=50, output_tokens=30, reasoning_tokens=20, cached_tokens=10, cost_usd=0.125
    )
    response = model_for(serve(Script([reply])), "openai:gpt-4o").generate(prompt, deadline_s=20)
    assert response.usage == Usage(50, 30, cache_read_tokens=10, reasoning_tokens=20)
    assert PriceTable().cost_of(response, "gpt-4o") == Decimal("0.125")


def test_a_missing_model_suggests_names_from_the_price_table(
    serve: Serve, model_for: ModelFor, prompt: Prompt
) -> None:
    server = serve(Script([unknown_model("gpt-4oo")]))
    with pytest.raises(UnknownModel) as caught:
        model_for(server, "openai:gpt-4oo").generate(prompt, deadline_s=20)
    assert "gpt-4o" in caught.value.hint


def test_a_row_of_the_table_is_enough_for_another_service(serve: Serve, prompt: Prompt, key: str) -> None:
    server = serve(Script(["from elsewhere"]))
    row = Service("elsewhere", "ELSEWHERE_KEY", "ELSEWHERE_URL", "https://elsewhere.example/v1", "small")
    environ = {"ELSEWHERE_KEY": key, "ELSEWHERE_URL": server.openai_url}
    model = ModelFactory(environ, own=(row,)).create("elsewhere")
    response = model.generate(prompt, deadline_s=20)
    assert (response.provider, response.text, model.name) == (
        "elsewhere",
        "from elsewhere",
        "elsewhere:small",
    )
