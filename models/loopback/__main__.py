"""``python -m models.loopback``: serve canned answers until interrupted, and print how to reach them."""

from __future__ import annotations

import argparse
import threading

from models.loopback.answers import Answers, Asked
from models.loopback.offline import answers_of
from models.loopback.server import LoopbackServer


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m models.loopback", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument(
        "--answers",
        choices=("offline", "echo"),
        default="offline",
        help="the offline writer, or the prompt itself",
    )
    options = parser.parse_args()
    answers = _offline() if options.answers == "offline" else _echo
    with LoopbackServer(answers, port=options.port, latency_s=options.latency) as server:
        print(f"OPENAI_BASE_URL={server.openai_url} OPENAI_API_KEY=loopback", flush=True)
        print(f"ANTHROPIC_BASE_URL={server.anthropic_url} ANTHROPIC_API_KEY=loopback", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped", flush=True)


def _offline() -> Answers:
    from models.providers.offline.writer import OfflineWriter

    return answers_of(OfflineWriter())


def _echo(asked: Asked) -> str:
    return asked.user


if __name__ == "__main__":
    main()
