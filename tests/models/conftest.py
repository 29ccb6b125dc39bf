from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
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
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for ``localhost``, which clients trust for the length of the test."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


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
