"""The body of an answer that is none: only as much of it as an explanation needs."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2

# Of redirects and errors, as it comes over the wire. The SDKs read these whole, whatever their size.
_LONGEST_EXPLANATION = 256 * 1024


class Explanation(httpx2.SyncByteStream):
    """The beginning of a stream. That it breaks off changes nothing: the status has been said."""

    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        left = _LONGEST_EXPLANATION
        try:
            for piece in self._stream:
                yield piece[:left]
                left -= len(piece)
                if left <= 0:
                    return
        except httpx2.TransportError:
            return

    def close(self) -> None:
        """See `httpx2.SyncByteStream.close`."""
        self._stream.close()


def shorten_explanation(response: httpx2.Response) -> None:
    """An event hook of an HTTP client: bound what is read of a response that is not an answer."""
    if response.status_code >= 300 and isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = Explanation(response.stream)
