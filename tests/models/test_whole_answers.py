"""Servers that answer in one body although a stream was asked for."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from models.base import Prompt, Usage
from models.factory import ModelFactory

COMPLETION = {
    "model": "m",
    "choices": [{"index": 0, "message": {"content": "all at once"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "all "}, {"type": "text", "text": "at once"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 4},
}


class WholeBodyHandler(BaseHTTPRequestHandler):
    """A server that ignores ``stream``."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(MESSAGE if self.path.endswith("/messages") else COMPLETION).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("provider", ["openai", "claude"])
def test_a_server_that_ignores_streaming_is_understood(prompt: Prompt, key: str, provider: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), WholeBodyHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        environ = {
            f"{name}_{what}": value
            for name in ("OPENAI", "ANTHROPIC")
            for what, value in (("API_KEY", key), ("BASE_URL", url))
        }
        response = ModelFactory(environ).create(f"{provider}:m").generate(prompt, deadline_s=20)
        server.shutdown()
    assert (response.text, response.model, response.usage) == ("all at once", "m", Usage(3, 4))
