from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from models.base import BaseModel, Prompt
from models.factory import ModelFactory
from models.loopback import Answers, LoopbackServer

KEY = "sk-test-0123456789abcdefghijklmnop"


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
def prompt() -> Prompt:
    return Prompt(
        "write", "Stage: write\nYou write strategies.", "<idea>\nbuy the dip\n</idea>", {"idea": "buy"}
    )


@pytest.fixture
def serve() -> Iterator[Callable[..., LoopbackServer]]:
    """Start loopback servers that are closed after the test."""
    servers: list[LoopbackServer] = []

    def start(answers: Answers, **options: Any) -> LoopbackServer:
        servers.append(LoopbackServer(answers, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def factory_for() -> Callable[[LoopbackServer], ModelFactory]:
    def make(server: LoopbackServer) -> ModelFactory:
        return ModelFactory(
            {
                "OPENAI_API_KEY": KEY,
                "OPENAI_BASE_URL": server.openai_url,
                "ANTHROPIC_API_KEY": KEY,
                "ANTHROPIC_BASE_URL": server.anthropic_url,
            }
        )

    return make


@pytest.fixture
def model_for(
    factory_for: Callable[[LoopbackServer], ModelFactory],
) -> Callable[[LoopbackServer, str], BaseModel]:
    return lambda server, spec: factory_for(server).create(spec)
