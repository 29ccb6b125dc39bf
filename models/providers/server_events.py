"""The body of an answer -> the JSON values in it, streamed or not, whatever its content type says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from models.providers import untrusted

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_END = b"[DONE]"
_LAST_WORD = re.compile(rb"[\r\n](?:data: ?\[DONE\]|event: ?message_stop)")


def json_values(body: bytes) -> Iterator[object]:
    """Every value in order; ``None`` for one that is not JSON.

    A body that is JSON itself has one. In a stream of server-sent events each event has one. An event that was
    cut off by the end of the body is left out.
    """
    # Not str.splitlines: that also breaks lines at characters which may stand inside a JSON text.
    lines = body.removeprefix(_BYTE_ORDER_MARK).splitlines()
    first = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith(b":")), None)
    if first is None:
        return
    if lines[first].lstrip()[:1] in (b"{", b"["):
        yield untrusted.parsed(b"\n".join(lines[first:]))
        return
    yield from _at_once(lines) or _of_events(lines)


def is_over(tail: bytes) -> bool:
    """Whether the newest bytes of a stream say that nothing more will come."""
    return _LAST_WORD.search(tail) is not None


def _at_once(lines: list[bytes]) -> list[object] | None:
    """The values of a stream with one line of data an event, read as one list: several times faster."""
    data = [line[5:] for line in lines if line.startswith(b"data:")]
    if data and data[-1].strip() == _END:
        data.pop()
    if not data or lines[-1] or 2 * len(data) > len(lines):
        return None
    values = untrusted.parsed(b"[" + b",".join(data) + b"]")
    return values if isinstance(values, list) and len(values) == len(data) else None


def _of_events(lines: list[bytes]) -> Iterator[object]:
    data: list[bytes] = []
    for line in lines:
        if line.startswith(b"data:"):
            data.append(line[5:].strip())
        elif not line and data:
            yield from _of_event(data)
            data.clear()
    yield from (value for value in _of_event(data) if value is not None)


def _of_event(data: list[bytes]) -> Iterator[object]:
    said = [line for line in data if line and line != _END]
    if not said:
        return
    whole = untrusted.parsed(b"\n".join(said))
    if whole is None and len(said) > 1:
        # Some servers leave the empty line between events out.
        yield from (untrusted.parsed(line) for line in said)
    else:
        yield whole
