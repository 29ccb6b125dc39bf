"""Acting out each `Misbehaviour` on a connection."""

from __future__ import annotations

import json
import threading
from itertools import islice

from models.base import Usage
from models.loopback.answers import Asked, Failure, Misbehaviour, Reply
from models.loopback.line import Line
from models.loopback.tokens import usage_of
from models.loopback.wire import Wire

_A_LOT = 1_000_000

_BEGUN = Reply("half an answer")
_AFTER_A_BEGINNING = frozenset(
    {
        Misbehaviour.HANG_MIDWAY,
        Misbehaviour.TRICKLE,
        Misbehaviour.RESET_MIDWAY,
        Misbehaviour.STOP_MIDWAY,
        Misbehaviour.HALF_BODY,
    }
)

LASTING = frozenset(
    {Misbehaviour.HANG, Misbehaviour.HANG_MIDWAY, Misbehaviour.TRICKLE, Misbehaviour.TRICKLE_HEAD}
)
"""What goes on until the caller has had enough."""


def stated_usage(wire: Wire, asked: Asked, how: Misbehaviour | Failure) -> Usage | None:
    """What the beginning of an answer that breaks off says of its usage, which is not all; ``None`` for nothing."""
    begins = how.midway if isinstance(how, Failure) else how in _AFTER_A_BEGINNING
    return wire.opening_usage(usage_of(asked, _BEGUN)) if begins and asked.streaming else None


def fail_midway(line: Line, wire: Wire, asked: Asked, failure: Failure) -> None:
    """Begin an answer, then send an error in its stream."""
    line.send_stream(_beginning(wire, asked) + wire.error_event(failure))


def misbehave(line: Line, wire: Wire, asked: Asked, how: Misbehaviour, closing: threading.Event) -> None:
    """Do it. What would last for ever ends when ``closing`` is set or the caller is gone.

    The connection is of no use afterwards.
    """
    line.keeps_alive = False
    match how:
        case Misbehaviour.HANG:
            _hang(line, closing)
        case Misbehaviour.RESET:
            line.break_off()
        case Misbehaviour.TRICKLE_HEAD:
            line.send_raw(b"HTTP/1.1 200 OK\r\nx-slow: ")
            _trickle(line, b"y", closing)
        case Misbehaviour.GARBAGE:
            line.send(200, "text/html", b"<html>not what you asked for</html>")
        case Misbehaviour.GARBAGE_EVENTS:
            _send(
                line, asked, "event: message_start\ndata: {not json\n\n" if asked.streaming else "{not json"
            )
        case Misbehaviour.NO_CHOICES:
            _send(line, asked, wire.hollow(asked))
        case Misbehaviour.HALF_BODY:
            kind = "text/event-stream" if asked.streaming else "application/json"
            line.open_body(kind, _A_LOT)
            line.send_raw(_beginning(wire, asked).encode())
        case _ if asked.streaming:
            _in_stream(line, wire, asked, how, closing)
        case _:
            _in_body(line, wire, asked, how, closing)


def _send(line: Line, asked: Asked, text: str) -> None:
    if asked.streaming:
        line.send_stream(text)
    else:
        line.send(200, "application/json", text.encode())


def _in_stream(line: Line, wire: Wire, asked: Asked, how: Misbehaviour, closing: threading.Event) -> None:
    if how is Misbehaviour.STOP_MIDWAY:
        line.send_stream(_beginning(wire, asked))
        return
    line.open_stream()
    line.send_part(_beginning(wire, asked))
    if how is Misbehaviour.TRICKLE:
        # Comment lines are swallowed by the SDKs: their callers see no chunk at all.
        comment = b": still thinking\n"
        _trickle(line, b"%x\r\n%s\r\n" % (len(comment), comment), closing)
    _end_badly(line, how, closing)


def _in_body(line: Line, wire: Wire, asked: Asked, how: Misbehaviour, closing: threading.Event) -> None:
    line.open_body("application/json", _A_LOT)
    line.send_raw(_beginning(wire, asked).encode())
    if how is Misbehaviour.TRICKLE:
        _trickle(line, b" ", closing)
    _end_badly(line, how, closing)


def _end_badly(line: Line, how: Misbehaviour, closing: threading.Event) -> None:
    if how is Misbehaviour.HANG_MIDWAY:
        _hang(line, closing)
    elif how is Misbehaviour.RESET_MIDWAY:
        line.break_off()


def _trickle(line: Line, drop: bytes, closing: threading.Event) -> None:
    while line.wait(closing):
        line.send_raw(drop)


def _hang(line: Line, closing: threading.Event) -> None:
    while line.wait(closing):
        pass


def _beginning(wire: Wire, asked: Asked) -> str:
    """A stream's first events, up to and with some text; or the first half of a body."""
    usage = usage_of(asked, _BEGUN)
    if asked.streaming:
        return "".join(islice(wire.events(asked, _BEGUN, usage, wants_usage=True), wire.opening_events))
    body = json.dumps(wire.whole(asked, _BEGUN, usage))
    return body[: len(body) // 2]
