"""Which models a server on this machine has, in one quick question over the standard library."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from models.providers import untrusted
from models.providers.deadline import DeadlineWatch, within
from models.secrets import Secret

# Where nothing runs the answer is a refusal, at once: only a busy machine, or a silent address, takes so long.
QUICKLY_S = 2.0
PATIENTLY_S = 5.0
_LONGEST_BODY = 1_000_000
_PIECE = 65_536


def served_models(base_url: str, timeout_s: float, key: Secret) -> tuple[str, ...] | None:
    """The names of the models at ``base_url``; ``None`` when nothing answers there in ``timeout_s`` seconds.

    An empty ``key`` is not sent. Empty when it has none, or does not say. Goes through no proxy: the server is near.
    """
    try:
        # Looking up a name has no timeout.
        return within(timeout_s, lambda: _asked(base_url, timeout_s, key))
    except TimeoutError:
        return None


def _asked(base_url: str, timeout_s: float, key: Secret) -> tuple[str, ...] | None:
    import http.client

    parts = urlsplit(base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    end = time.monotonic() + timeout_s
    headers = {"Accept": "application/json"}
    if key.reveal():
        headers["Authorization"] = f"Bearer {key.reveal()}"
    watch = DeadlineWatch()
    deadline = None
    try:
        connection.connect()
        # The timeout is for each read: headers that trickle in would never run into it.
        deadline = watch.start(timeout_s, partial(_shut, connection.sock))
        connection.request("GET", f"{parts.path.rstrip('/')}/models", headers=headers)
        answer = connection.getresponse()
        body = b""
        while (piece := answer.read1(_PIECE)) and len(body) < _LONGEST_BODY:
            body += piece
            if time.monotonic() > end:
                return None
    except (OSError, http.client.HTTPException, ValueError):  # nothing there that speaks HTTP, or not quickly
        return None
    finally:
        if deadline is not None:
            watch.stop(deadline)
        connection.close()
    if deadline.passed:
        return None
    return _names(untrusted.parsed(body)) if answer.status == 200 else ()


def _shut(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


def _names(body: object) -> tuple[str, ...]:
    rows = body.get("data") if isinstance(body, Mapping) else None
    names = [untrusted.text(row, "id") for row in rows] if isinstance(rows, list) else []
    return tuple(name for name in names if name)
