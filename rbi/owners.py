"""Processes as the journal knows them."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def owner_name() -> str:
    """This process as the journal knows it: host, process id and start time (ids are reused, pairs are not)."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _started(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def is_alive(owner: str) -> bool:
    """Whether the process that wrote ``owner`` still runs. An owner on another host counts as alive."""
    host, pid, started = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return started == _started(int(pid))
