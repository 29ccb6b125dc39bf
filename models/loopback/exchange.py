"""One connection to the server: each question on it is recorded, admitted or turned away, answered and charged."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from models.loopback.answers import Answer, Asked, Failure, Misbehaviour, Reply
from models.loopback.anthropic_wire import AnthropicWire
from models.loopback.ledger import Entry
from models.loopback.limits import Admission
from models.loopback.line import Line, Request, read_request
from models.loopback.misbehave import LASTING, fail_midway, misbehave, stated_usage
from models.loopback.openai_wire import OpenAIWire
from models.loopback.tokens import usage_of
from models.loopback.wire import Wire

if TYPE_CHECKING:
    from models.loopback.server import LoopbackServer

_WIRES: Mapping[str, Wire] = {
    "/v1/chat/completions": OpenAIWire(),
    "/chat/completions": OpenAIWire(),
    "/v1/messages": AnthropicWire(),
}
_MODEL_LISTS = ("/v1/models", "/models")


class Listener(socketserver.ThreadingTCPServer):
    """Takes connections, each in a thread of its own."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], loopback: LoopbackServer) -> None:
        super().__init__(address, Connection)
        self.loopback = loopback


class Connection(socketserver.BaseRequestHandler):
    """Answers requests until the caller hangs up; a caller that hangs up in the middle is no error."""

    request: socket.socket
    server: Listener

    def handle(self) -> None:
        """Serve the connection."""
        loopback = self.server.loopback
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with (
            loopback.connected(self.request),
            contextlib.suppress(OSError),
            self.request.makefile("rb") as reader,
        ):
            while not loopback.closing.is_set() and (request := read_request(reader)):
                if not self._serve(request):
                    break
        # Without this the base class would send an orderly end before a reset.
        self.request.close()

    def _serve(self, request: Request) -> bool:
        """Answer one request; gives whether the connection can be used for another."""
        body = _json_object(request.content)
        path = request.path.partition("?")[0]
        self.server.loopback.record(request, body or {})
        wire = _WIRES.get(path) if request.method == "POST" else None
        if wire is not None and body is not None:
            return Exchange(self.server.loopback, self.request, wire, body).serve(request)
        line = Line(self.request, {}, keeps_alive=request.keeps_alive)
        if request.method == "GET" and path in _MODEL_LISTS:
            line.send(200, "application/json", json.dumps(self.server.loopback.model_list()).encode())
        else:
            error = {"error": "not a chat completion or messages request"}
            line.send(404, "application/json", json.dumps(error).encode())
        return line.keeps_alive


class Exchange:
    """One question and what becomes of it."""

    def __init__(
        self, loopback: LoopbackServer, connection: socket.socket, wire: Wire, body: Mapping[str, Any]
    ) -> None:
        self._loopback = loopback
        self._connection = connection
        self._wire = wire
        options = body.get("stream_options")
        self._wants_usage = isinstance(options, Mapping) and bool(options.get("include_usage"))
        self._number = loopback.ledger.begin()
        self._asked = wire.asked(body, self._number)
        self._admission = loopback.enforcement.admit(self._asked.input_tokens, self._asked.max_output_tokens)
        self._entry = self._first_entry(self._asked, self._admission)
        loopback.ledger.put(self._entry)
        self._open = True

    def serve(self, request: Request) -> bool:
        """Answer; gives whether the connection can be used for another request.

        Raises `OSError` when the caller is gone.
        """
        headers = self._wire.headers(self._number, self._admission.report)
        line = Line(self._connection, headers, keeps_alive=request.keeps_alive)
        try:
            self._answer(line, self._choose())
        except OSError:
            self._note(reported=False)
            raise
        finally:
            self._leave()
            self._loopback.ended(self._entry)
        return line.keeps_alive

    def _first_entry(self, asked: Asked, admission: Admission) -> Entry:
        excess = admission.excess
        return Entry(
            self._number,
            admission.at,
            asked.protocol,
            asked.model,
            turned_away=excess.quantity if excess else "",
            input_tokens=asked.input_tokens,
        )

    def _choose(self) -> Answer:
        excess = self._admission.excess
        if excess is not None:
            says_when = self._loopback.enforcement.enforced.retry_after
            return self._wire.too_many(self._asked, excess, says_when=says_when)
        return self._loopback.answers(self._asked)

    def _answer(self, line: Line, answer: Answer) -> None:
        if isinstance(answer, Misbehaviour):
            self._note(answer=answer.value, usage=stated_usage(self._wire, self._asked, answer))
            self._loopback.wait_before_answering()
            if answer not in LASTING:
                self._leave()
            misbehave(line, self._wire, self._asked, answer, self._loopback.closing)
        elif isinstance(answer, Failure):
            self._fail(line, answer)
        else:
            self._reply(line, Reply(answer) if isinstance(answer, str) else answer)

    def _fail(self, line: Line, failure: Failure) -> None:
        usage = stated_usage(self._wire, self._asked, failure)
        self._note(answer=str(failure.status), usage=usage)
        if self._admission.excess is None:
            self._loopback.wait_before_answering()
        self._leave()
        if failure.midway:
            fail_midway(line, self._wire, self._asked, failure)
        else:
            content = json.dumps(self._wire.error(failure)).encode()
            line.send(failure.status, "application/json", content, failure.headers)

    def _reply(self, line: Line, reply: Reply) -> None:
        asked, wire = self._asked, self._wire
        usage = usage_of(asked, reply, self._loopback.cache)
        stated = wire.opening_usage(usage) is not None or not asked.streaming or self._wants_usage
        self._note(answer=reply.stop.value, usage=usage, reported=stated, cost_usd=reply.cost_usd)
        self._loopback.wait_before_answering()
        if not asked.streaming:
            content = json.dumps(wire.whole(asked, reply, usage)).encode()
            self._leave()
            line.send(200, "application/json", content)
            return
        events = wire.events(asked, reply, usage, wants_usage=self._wants_usage)
        if self._loopback.is_paced:
            line.open_stream()
            for event in events:
                line.send_part(event)
                self._loopback.wait_between_events()
            self._leave()
            line.end_stream()
        else:
            text = "".join(events)
            self._leave()
            line.send_stream(text)

    def _note(self, **facts: Any) -> None:
        """Write down what is known, before the caller knows it: it may look at once."""
        self._entry = replace(self._entry, **facts)
        usage = self._entry.usage
        if usage is not None:
            read = usage.cache_read_tokens if self._asked.protocol == "anthropic" else 0
            sent = usage.input_tokens - read
            self._entry = replace(self._entry, input_tokens=sent, output_tokens=usage.output_tokens)
            self._loopback.enforcement.settle(self._admission, sent, usage.output_tokens)
        self._loopback.ledger.put(self._entry)

    def _leave(self) -> None:
        """Make room, before the last write: the caller may ask again as soon as it has that."""
        if self._open:
            self._open = False
            self._loopback.ledger.end()
            self._loopback.enforcement.release(self._admission)


def _json_object(content: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
