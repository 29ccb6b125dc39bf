"""What is kept of a byte stream of any length: its head and its tail."""

from __future__ import annotations

from collections import deque

from runners.base import Captured
from runners.untrusted_text import neutralise


class StreamCapture:
    """Takes a stream in pieces and holds at most ``2 * keep`` bytes of it (and one piece more)."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.total = 0

    def add(self, piece: bytes) -> None:
        """The next piece."""
        self.total += len(piece)
        if (room := self._keep - len(self._head)) > 0:
            self._head += piece[:room]
            piece = piece[room:]
        if piece:
            self._tail.append(piece)
            self._tail_bytes += len(piece)
        while self._tail and self._tail_bytes - len(self._tail[0]) >= self._keep:
            self._tail_bytes -= len(self._tail.popleft())

    def captured(self) -> Captured:
        """The stream as text, safe to show; all of it is in ``head`` if nothing had to be dropped."""
        tail = b"".join(self._tail)[-self._keep :]
        dropped = self.total - len(self._head) - len(tail)
        if dropped == 0:
            return Captured(head=_text(bytes(self._head) + tail))
        return Captured(head=_text(bytes(self._head)), tail=_text(tail), dropped=dropped)


def _text(data: bytes) -> str:
    return neutralise(data.decode("utf-8", errors="replace"))
