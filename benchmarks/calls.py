"""What our layer costs a call: answers a second against the bare SDKs, from one server process, interleaved.

``python benchmarks/calls.py [CALLS] [ROUNDS]``. Each line is the median of the rounds.
"""

from __future__ import annotations

import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import openai

from models.base import BaseModel, Prompt
from models.client import CallMemory, InMemoryCalls, ModelClient
from models.factory import ModelFactory
from models.limiter import Limiters, Limits
from rbi.journal import Journal

THREADS = 32
LATENCY_S = 0.05
SYSTEM = "You write strategies."
TEXT = "Buy when the fast average crosses above the slow one. " * 40
LONGEST = 8192

WHOLE = ("openai SDK, whole answer", "anthropic SDK, whole answer")

Call = Callable[[str], object]


def main() -> None:
    """Start a server, measure, print."""
    calls, rounds = (int(word) for word in [*sys.argv[1:], "600", "5"][:2])
    command = [sys.executable, "-m", "models.loopback", "--answers", "echo", "--latency", str(LATENCY_S)]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None  # noqa: S101 - it is a pipe
        printed = server.stdout.readline() + server.stdout.readline()
        environ = dict(re.findall(r"(\w+)=(\S+)", printed.decode()))
        try:
            report(measured(environ, Path(folder), calls, rounds), calls, rounds)
        finally:
            server.terminate()


def measured(environ: dict[str, str], folder: Path, calls: int, rounds: int) -> dict[str, list[float]]:
    """Calls a second of every way of calling, by round."""
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        journal = Journal(folder / f"{number}.db")
        for name, call in ways(environ, journal).items():
            rates.setdefault(name, []).append(rate(call, calls))
        journal.close()
    return rates


def ways(environ: dict[str, str], journal: Journal) -> dict[str, Call]:
    """Every way of calling, each with clients of its own, as at the start of a batch."""
    factory = ModelFactory(environ)
    gpt, claude = factory.create("openai:gpt-4o"), factory.create("claude:claude-sonnet-5-5")
    return {
        WHOLE[0]: bare_openai(environ, stream=False),
        "openai SDK, streamed": bare_openai(environ, stream=True),
        "ours, openai": asking(gpt, InMemoryCalls()),
        "ours, openai, journal": asking(gpt, journal),
        WHOLE[1]: bare_anthropic(environ, stream=False),
        "anthropic SDK, streamed": bare_anthropic(environ, stream=True),
        "ours, claude": asking(claude, InMemoryCalls()),
        "ours, claude, journal": asking(claude, journal),
    }


def asking(model: BaseModel, memory: CallMemory) -> Call:
    """Through the client of ours: limiter, memory, money and all."""
    client = ModelClient(memory, Limiters(Limits(delay_s=0)))
    return lambda text: client.ask(model, Prompt("write", SYSTEM, text), labels={"batch": "b"})


def bare_openai(environ: dict[str, str], *, stream: bool) -> Call:
    """The SDK as its documentation shows it."""
    client = openai.OpenAI(
        api_key=environ["OPENAI_API_KEY"], base_url=environ["OPENAI_BASE_URL"], max_retries=0
    )

    def call(text: str) -> object:
        said: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
        answer: Any = client.chat.completions.create(
            model="gpt-4o", messages=said, max_tokens=LONGEST, stream=stream
        )
        if not stream:
            return answer.choices[0].message.content
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)

    return call


def bare_anthropic(environ: dict[str, str], *, stream: bool) -> Call:
    """The SDK as its documentation shows it."""
    client = anthropic.Anthropic(
        api_key=environ["ANTHROPIC_API_KEY"], base_url=environ["ANTHROPIC_BASE_URL"], max_retries=0
    )

    def call(text: str) -> object:
        body: Any = {
            "model": "claude-sonnet-5-5",
            "system": SYSTEM,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": LONGEST,
        }
        if not stream:
            return client.messages.create(**body)
        with client.messages.stream(**body) as events:
            return events.get_final_message()

    return call


def rate(call: Call, calls: int) -> float:
    """Answers a second with all threads busy, after each has opened its connection."""
    texts = (f"{number} {TEXT}" for number in itertools.count())
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(call, itertools.islice(texts, THREADS)))
        began = time.perf_counter()
        list(pool.map(call, itertools.islice(texts, calls)))
        return calls / (time.perf_counter() - began)


def report(rates: dict[str, list[float]], calls: int, rounds: int) -> None:
    """Print a line for each way of calling."""
    print(f"{THREADS} threads, {LATENCY_S * 1000:.0f} ms latency, {rounds} rounds of {calls} calls")
    for name, found in rates.items():
        bare = WHOLE["claude" in name or "anthropic" in name]
        share = statistics.median(one / other for one, other in zip(found, rates[bare], strict=True))
        print(f"{name:<28} {statistics.median(found):>6.0f} calls/s  {share:>5.0%} of {bare}")


if __name__ == "__main__":
    main()
