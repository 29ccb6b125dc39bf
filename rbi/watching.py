"""How a batch is shown and stopped while it runs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models import client as calls
from rbi.batch import StopSignal
from rbi.console import console
from rbi.events import CallFinished, CallStarted, CallWaiting, Events, FellBack
from rbi.locks import ConsoleLock
from rbi.progress import JsonProgress, LiveProgress, PlainProgress
from rbi.terminal import ending_signals


def translated(event: calls.CallEvent) -> CallStarted | CallFinished | CallWaiting | FellBack:
    """What happened to a model call, in the batch's own words."""
    match event:
        case calls.CallStarted():
            return CallStarted(event.model)
        case calls.CallFinished():
            return CallFinished(event.model, event.seconds, event.cost_usd, event.error_kind)
        case calls.Waiting():
            return CallWaiting(event.model, event.seconds, event.reason)
        case calls.FellBack():
            return FellBack(event.from_model, event.to_model, event.reason)


@contextmanager
def shown(events: Events, *, json_output: bool) -> Iterator[None]:
    """Show the batch in the way that fits where the output goes."""
    if json_output:
        events.add(JsonProgress(ConsoleLock(sys.stdout)))
        yield
    elif sys.stderr.isatty():
        with LiveProgress(console(sys.stderr)) as live:
            events.add(live)
            yield
    else:
        events.add(PlainProgress(ConsoleLock(sys.stderr)))
        yield


@contextmanager
def signals(stop: StopSignal, end_waits: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask the batch to stop, a second one to stop at once."""

    def request(_number: int, _frame: object) -> None:
        stop.request()
        end_waits()

    numbers = ending_signals()
    before = [signal.signal(number, request) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
