"""``python -m models.loopback``: serve canned answers until interrupted, and print how to reach them."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from models.loopback.answers import Answers, Asked
from models.loopback.faults import FAULTS, PASSING_FAULTS, Faulty
from models.loopback.latency import parse_latency
from models.loopback.ledger import Entry
from models.loopback.limits import Enforced
from models.loopback.offline import answers_of
from models.loopback.server import LoopbackServer
from models.loopback.strict import Strict
from models.loopback.truncation import Truncating


def main() -> None:
    """Serve until Ctrl-C."""
    parser = _parser()
    options = parser.parse_args()
    try:
        answers = _answers(options)
        latency_s, pace_s = (parse_latency(text, options.seed) for text in (options.latency, options.pace))
    except ValueError as error:
        parser.error(str(error))
    try:
        with _log(options.log) as on_end:
            server = LoopbackServer(
                answers,
                port=options.port,
                latency_s=latency_s,
                pace_s=pace_s,
                limits=_limits(options),
                caching=options.caching,
                models=options.models or ("loopback",),
                on_end=on_end,
            )
            _serve(server)
    except OSError as error:
        sys.exit(f"cannot serve: {error}\nfix: choose another --port or --log")


def _serve(server: LoopbackServer) -> None:
    with server:
        print(f"OPENAI_BASE_URL={server.openai_url} OPENAI_API_KEY=loopback", flush=True)
        print(f"ANTHROPIC_BASE_URL={server.anthropic_url} ANTHROPIC_API_KEY=loopback", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.loopback", description=__doc__)
    add = parser.add_argument
    add("--port", type=_port, default=0, help="TCP port on 127.0.0.1 (default: a free one)")
    add(
        "--answers",
        choices=("offline", "echo"),
        default="offline",
        help="the offline writer, or the prompt itself",
    )
    add(
        "--cut-at",
        type=_count,
        metavar="N",
        help="tokens of an answer before it is cut off (default: its limit)",
    )
    times = "SECONDS, uniform:LOW,HIGH or lognormal:MEDIAN,SIGMA"
    add("--latency", default="0", metavar="TIME", help=f"before each answer: {times}")
    add("--pace", default="0", metavar="TIME", help="between the events of a stream, likewise")
    for name in ("requests", "tokens", "input-tokens", "output-tokens"):
        add(
            f"--{name}-per-minute",
            type=_count,
            metavar="N",
            help=f"the most {name.replace('-', ' ')} in any minute",
        )
    add("--concurrency", type=_count, metavar="N", help="the most questions at once")
    add("--no-retry-after", action="store_true", help="do not say how long to wait")
    add(
        "--fault-rate", type=_share, default=0.0, metavar="SHARE", help="share of questions that fail, 0 to 1"
    )
    add(
        "--faults",
        type=_names,
        default=list(PASSING_FAULTS),
        metavar="LIST",
        help=f"how they fail, with commas: {', '.join(FAULTS)} (default: {','.join(PASSING_FAULTS)})",
    )
    add("--seed", type=int, default=0, metavar="N", help="of times and faults")
    add("--models", type=_names, metavar="LIST", help="the only models there are, with commas")
    add("--caching", action="store_true", help="report long prefixes that come again as cached")
    add("--log", type=Path, metavar="FILE", help="append a JSON line for each question")
    return parser


def _answers(options: argparse.Namespace) -> Answers:
    answers: Answers = Truncating(_offline() if options.answers == "offline" else _echo, options.cut_at)
    if options.models:
        answers = Strict(answers, only=options.models)
    return Faulty(answers, options.fault_rate, options.faults, options.seed)


def _limits(options: argparse.Namespace) -> Enforced:
    return Enforced(
        requests_per_minute=options.requests_per_minute,
        tokens_per_minute=options.tokens_per_minute,
        input_tokens_per_minute=options.input_tokens_per_minute,
        output_tokens_per_minute=options.output_tokens_per_minute,
        concurrency=options.concurrency,
        retry_after=not options.no_retry_after,
    )


@contextlib.contextmanager
def _log(path: Path | None) -> Iterator[Callable[[Entry], None] | None]:
    if path is None:
        yield None
        return
    lock = threading.Lock()
    with path.open("a", encoding="utf-8") as file:

        def write(entry: Entry) -> None:
            line = json.dumps({"ended": datetime.now(UTC).isoformat(), **asdict(entry)})
            with lock:
                file.write(f"{line}\n")
                file.flush()

        yield write


def _offline() -> Answers:
    from models.providers.offline.writer import OfflineWriter

    return answers_of(OfflineWriter())


def _echo(asked: Asked) -> str:
    return asked.user


def _port(text: str) -> int:
    return _whole(text, 0, 65_535)


def _count(text: str) -> int:
    return _whole(text, 1, None)


def _whole(text: str, low: int, high: int | None) -> int:
    value = int(text) if text.isascii() and text.isdigit() else -1
    if value < low or (high is not None and value > high):
        upper = f" to {high}" if high is not None else " on"
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low}{upper}")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("a list needs at least one name")
    return names


if __name__ == "__main__":
    main()
