from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from models.base import BaseModel, ModelResponse, Prompt, RateReport
from models.errors import BadRequest, Refused
from models.loopback import Asked, Failure, LoopbackServer, Misbehaviour, Reply, Script
from models.loopback.offline import answers_of, prompt_of

Serve = Callable[..., LoopbackServer]


def test_the_sdks_get_whole_answers_too(serve: Serve) -> None:
    server = serve(lambda asked: f"{asked.protocol}: {asked.system}/{asked.user}")
    with openai.OpenAI(api_key="k", base_url=server.openai_url) as client:
        messages: Any = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
        chat = client.chat.completions.create(model="m", messages=messages)
    with anthropic.Anthropic(api_key="k", base_url=server.anthropic_url) as claude:
        message = claude.messages.create(
            model="m", max_tokens=9, system="s", messages=[{"role": "user", "content": "u"}]
        )
    assert chat.choices[0].message.content == "openai: s/u"
    assert chat.usage is not None
    assert chat.usage.total_tokens > 0
    assert message.content[0].text == "anthropic: s/u"  # type: ignore[union-attr]
    assert message.stop_reason == "end_turn"


def test_the_openai_path_works_without_its_version(serve: Serve) -> None:
    server = serve(Script(["short path"]))
    with openai.OpenAI(api_key="k", base_url=server.anthropic_url) as client:
        chat = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "u"}])
    assert chat.choices[0].message.content == "short path"


@pytest.mark.parametrize(("path", "body"), [("/v1/other", b"{}"), ("/v1/messages", b"not json")])
def test_what_is_no_question_gets_a_404_and_is_recorded(serve: Serve, path: str, body: bytes) -> None:
    server = serve(Script([]))
    request = urllib.request.Request(f"{server.anthropic_url}{path}", data=body)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 404
    caught.value.close()
    assert server.seen[0].path == path


def test_a_script_goes_on_with_its_last_word(serve: Serve) -> None:
    script = Script(["one", "two"], then="ever after")
    asked = Asked("openai", "m", "s", "u", True, 1)
    assert [script(asked) for _ in range(4)] == ["one", "two", "ever after", "ever after"]


def test_the_peak_is_the_number_of_requests_answered_at_once(serve: Serve) -> None:
    together = threading.Barrier(5, timeout=60)

    def answer(asked: Asked) -> str:
        together.wait()
        return "all here"

    server = serve(answer)
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        threads = [
            threading.Thread(
                target=lambda: client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": "u"}]
                )
            )
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert server.peak == 5


def test_closing_ends_hanging_answers() -> None:
    server = LoopbackServer(Script([], then=Misbehaviour.HANG))
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        failed = threading.Event()

        def ask() -> None:
            try:
                client.chat.completions.create(model="m", messages=[{"role": "user", "content": "u"}])
            except openai.APIConnectionError:
                failed.set()

        thread = threading.Thread(target=ask)
        thread.start()
        for _ in range(2000):
            if server.seen:
                break
            time.sleep(0.02)
        server.close()
        assert failed.wait(60)
        thread.join(60)


class Writer(BaseModel):
    provider, model = "offline", "test"

    def generate(
        self,
        prompt: Prompt,
        *,
        deadline_s: float,
        opened: Callable[[RateReport], None] | None = None,
    ) -> ModelResponse:
        if "impossible" in prompt.inputs["idea"]:
            raise Refused("I do not understand the idea")
        if "broken" in prompt.inputs["idea"]:
            raise BadRequest("cannot be")
        text = json.dumps([prompt.stage, dict(prompt.inputs)])
        return ModelResponse(text, self.provider, self.model, None)


def asked_about(user: str, system: str = "Stage: debug\nBe brief.") -> Asked:
    return Asked("openai", "m", system, user, False, 1)


def test_the_stage_and_inputs_are_read_out_of_the_text() -> None:
    user = (
        "Repair this.\n<idea>\nbuy & hold < 5\n</idea>\n<code>\nif a < b:\n    pass\n</code>"
        "<failure>line 1\nline 2</failure>\n<other>\nx\n</other>"
    )
    prompt = prompt_of(asked_about(user))
    assert prompt.stage == "debug"
    assert prompt.inputs == {
        "idea": "buy & hold < 5",
        "code": "if a < b:\n    pass",
        "failure": "line 1\nline 2",
    }


def test_a_writer_answers_refuses_and_fails_over_the_wire() -> None:
    answers = answers_of(Writer())
    assert answers(asked_about("<idea>\nbuy\n</idea>")) == '["debug", {"idea": "buy"}]'
    refused = answers(asked_about("<idea>impossible</idea>"))
    assert isinstance(refused, Reply)
    assert refused.stop == "refused"
    assert answers(asked_about("<idea>broken</idea>")) == Failure(400, "cannot be")
    no_stage = answers(asked_about("<idea>x</idea>", system="hello"))
    assert isinstance(no_stage, Failure)
    assert "Stage:" in no_stage.message


@pytest.mark.parametrize("answers", ["echo", "offline"])
def test_it_runs_from_the_command_line_until_interrupted(answers: str) -> None:
    command = [sys.executable, "-u", "-m", "models.loopback", "--answers", answers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stdout is not None
        settings = dict(word.split("=", 1) for word in process.stdout.readline().split())
        with openai.OpenAI(
            api_key=settings["OPENAI_API_KEY"], base_url=settings["OPENAI_BASE_URL"], max_retries=0
        ) as client:
            messages: Any = [
                {"role": "system", "content": "Stage: research"},
                {
                    "role": "user",
                    "content": "<idea>\nBuy when the 10 bar SMA crosses above the 30 bar SMA\n</idea>",
                },
            ]
            chat = client.chat.completions.create(model="m", messages=messages)
        assert "SMA" in (chat.choices[0].message.content or "")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_options_of_the_command_line_limit_cut_and_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    command = [
        sys.executable, "-u", "-m", "models.loopback", "--answers", "echo", "--cut-at", "2", "--models", "m,n",
        "--requests-per-minute", "1", "--latency", "uniform:0.01,0.02", "--log", str(log),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0].split("=", 1)[1]
        with openai.OpenAI(api_key="k", base_url=url, max_retries=0) as client:
            assert [model.id for model in client.models.list()] == ["m", "n"]
            messages: Any = [{"role": "user", "content": "0123456789"}]
            chat = client.chat.completions.create(model="m", messages=messages)
            with pytest.raises(openai.RateLimitError):
                client.chat.completions.create(model="m", messages=messages)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert chat.choices[0].message.content == "01234567"
    assert chat.choices[0].finish_reason == "length"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [(line["answer"], line["turned_away"]) for line in lines] == [
        ("truncated", ""),
        ("429", "requests"),
    ]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--latency", "soon", "uniform:LOW,HIGH"),
        ("--faults", "hangg", "did you mean hang?"),
        ("--fault-rate", "2", "from 0 to 1"),
        ("--port", "99999", "0 to 65535"),
        ("--concurrency", "0", "from 1 on"),
        ("--models", ",", "at least one"),
    ],
)
def test_a_wrong_option_is_explained(option: str, value: str, said: str) -> None:
    command = [sys.executable, "-m", "models.loopback", option, value]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
