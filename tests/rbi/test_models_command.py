"""``rbi models``: what is listed, and what a real call shows."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from models.errors import MissingKey
from models.factory import ModelFactory
from models.providers.reachability import Checked
from rbi.console import Console
from rbi.models_page import TABLE_WIDTH, checks_page, models_page, print_page

ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "the-real-name",
    "choices": [{"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "yes"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
TOGETHER = threading.Barrier(2, timeout=60)


class Provider(BaseHTTPRequestHandler):
    """``/good`` answers, ``/bad`` refuses the key, ``/one`` and ``/two`` answer once both are asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._reply(200, {"object": "list", "data": [{"id": "first", "object": "model"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.path.startswith("/bad"):
            self._reply(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}})
            return
        if self.path.startswith(("/one", "/two")):
            TOGETHER.wait()
        self._reply(200, ANSWER)

    def _reply(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is the command's."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A working folder whose ``rbi.toml`` names providers at a server of ours."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        base = f"http://127.0.0.1:{server.server_port}"
        rows = "".join(
            f'[providers.{name}]\nbase_url = "{base}/{name}/v1"\ndefault_model = "m"\n'
            for name in ("good", "one", "two", "bad")
        )
        (tmp_path / "rbi.toml").write_text(
            f'{rows}[prices."good:m"]\ninput = 1.5\noutput = 3\n', encoding="utf-8"
        )
        yield tmp_path
        server.shutdown()
        thread.join()


def rbi(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    done = subprocess.run(
        [sys.executable, "-m", "rbi", "models", *arguments],
        cwd=folder,
        env={**kept, "OLLAMA_BASE_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_list_has_every_provider_the_users_own_and_why_one_cannot_be_used(folder: Path) -> None:
    listed = {row["provider"]: row for row in json.loads(rbi(folder, "--json").stdout)}
    assert {
        "openai",
        "claude",
        "deepseek",
        "groq",
        "gemini",
        "xai",
        "openrouter",
        "ollama",
        "offline",
    } <= set(listed)
    assert listed["good"]["usable"] is True
    assert float(listed["good"]["input_usd_per_mtok"]) == 1.5
    assert "OPENAI_API_KEY" in listed["openai"]["why_not"]
    table = rbi(folder).stdout
    assert "OPENROUTER_API_KEY" in table
    assert "1.50 / 3.00" in table
    assert "…" not in table


def test_a_check_asks_every_usable_provider_at_the_same_time_and_says_what_each_answered(
    folder: Path,
) -> None:
    checks = {c["provider"]: c for c in json.loads(rbi(folder, "--check", "--json", code=1).stdout)}
    assert set(checks) == {"good", "one", "two", "bad"}
    assert [checks[name]["ok"] for name in ("good", "one", "two", "bad")] == [True, True, True, False]
    assert checks["good"]["answered_as"] == "the-real-name"
    assert checks["bad"]["error_kind"] == "bad_key"


def test_only_the_named_ones_are_asked_and_all_well_is_no_error(folder: Path) -> None:
    page = rbi(folder, "--check", "good", "good:other").stdout
    assert page.count(" ok ") == 2
    assert "two" not in page


def test_a_name_that_means_nothing_is_a_failed_check_with_its_fix(folder: Path) -> None:
    page = rbi(folder, "--check", "opnai", "openai", code=1).stdout
    assert "Did you mean openai?" in page
    assert "OPENAI_API_KEY" in page


def test_a_name_without_check_is_wrong_usage(folder: Path) -> None:
    assert "--check good" in rbi(folder, "good", code=2).stderr


def test_with_no_provider_to_ask_a_check_fails_and_says_how_to_get_one(tmp_path: Path) -> None:
    said = rbi(tmp_path, "--check", code=1)
    assert said.stdout == ""
    assert "no provider can be used here" in said.stderr
    assert "OPENAI_API_KEY" in said.stderr
    assert json.loads(rbi(tmp_path, "--check", "--json", code=1).stdout) == []


@pytest.mark.parametrize("width", [60, 80, 100, 120, TABLE_WIDTH - 1, TABLE_WIDTH, 200])
def test_no_name_and_no_price_is_broken_at_any_width(width: int) -> None:
    listings = ModelFactory({"OLLAMA_BASE_URL": "http://127.0.0.1:9"}).available()
    checked = Checked("openai", "gpt", False, 1.25, error=MissingKey("no key", hint="Set OPENAI_API_KEY."))
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, markup=False)
    print_page(console, models_page(listings, width=width))
    print_page(console, checks_page([checked], width=width))
    shown = out.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    for listing in listings:
        assert listing.provider in shown
        assert listing.default_model in shown
        assert (listing.key_variable or "") in shown
        assert f"{listing.input_usd_per_mtok:.2f} / {listing.output_usd_per_mtok:.2f}" in shown
    assert "Set OPENAI_API_KEY." in shown
    assert "1.25" in shown
    assert "\u2026" not in shown
