"""The warm server seen from rbi: started once for an environment, asked for a supervisor for each job."""

from __future__ import annotations

import array
import errno
import json
import signal
import socket
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from runners.base import Level, RunnerError
from runners.interruption import Interruption
from runners.process_sweep import RunTrace, sweep
from runners.untrusted_text import neutralise

_SERVER = Path(__file__).with_name("child") / "server.py"
_START_S = 120.0
_END_S = 3.0
_GOING_S = 0.3
_LOOK_S = 0.1
_MESSAGE_BYTES = 1 << 17


class ServerFailed(Exception):
    """The server does not start, or has ended; the message says why. ``killed``: somebody ended it by force."""

    def __init__(self, message: str, *, killed: bool = False) -> None:
        super().__init__(message)
        self.killed = killed


class WarmServer:
    """One server process with everything it forked. `launch` is safe to call from many threads."""

    def __init__(
        self,
        python: Path,
        *,
        level: Level,
        confinement: Mapping[str, Any],
        libraries: Sequence[str],
        environ: Mapping[str, str],
        marker: str,
        interruption: Interruption,
    ) -> None:
        """Start it and wait until it is ready. ``libraries`` are modules that it imports if they are there.

        Raises `ServerFailed` if it cannot be had at this level, `RunnerError` if no python starts at all.
        """
        self.level = level
        self._marker = marker
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        config = {
            "socket": theirs.fileno(),
            "level": level.value,
            "confinement": dict(confinement),
            "libraries": list(libraries),
        }
        name, _, value = marker.partition("=")
        with TemporaryFile() as log, theirs:
            try:
                self._process = subprocess.Popen(
                    [str(python), "-s", str(_SERVER), json.dumps(config)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[theirs.fileno()],
                    cwd="/",
                    env={**environ, name: value},
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise does_not_start(python, error) from error
            theirs.close()
            self._socket = ours
            self._finalizer = weakref.finalize(self, _end, ours, self._process)
            self._await_ready(log, interruption)

    @property
    def pid(self) -> int:
        """Of the outermost process."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether it can be asked for more."""
        return self._process.poll() is None

    def has_ended(self) -> bool:
        """Whether it has gone; one that is just going is waited for."""
        try:
            self._process.wait(_GOING_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def was_killed(self) -> bool:
        """Whether it has gone because somebody killed it."""
        return self.has_ended() and self._process.returncode == -signal.SIGKILL

    def launch(self, plan: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Have a supervisor started with ``plan``, whose descriptors are positions in ``descriptors``.

        Raises `ServerFailed` if the server has ended.
        """
        message = json.dumps(dict(plan), allow_nan=False).encode()
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        try:
            self._socket.sendmsg([message], passed)
        except OSError as error:
            raise ServerFailed(f"the warm server has ended: {error.strerror}") from error

    def kill(self) -> bool:
        """End it at once with everything it forked. Returns whether nothing of it is left."""
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LOOK_S)
        if self._process.returncode is None:
            gone = sweep(RunTrace(self._process.pid, None, self._marker))
            self._process.wait()
            return gone
        return True

    def close(self) -> None:
        """End it in good order."""
        self._finalizer()

    def _await_ready(self, log: Any, interruption: Interruption) -> None:
        self._socket.settimeout(_LOOK_S)
        waited = 0.0
        answer = b""
        while waited < _START_S and not interruption.is_set():
            try:
                answer = self._socket.recv(_MESSAGE_BYTES)
                break
            except TimeoutError:
                waited += _LOOK_S
            except OSError:
                break
        self._socket.settimeout(None)
        try:
            said = json.loads(answer)
        except ValueError:
            said = {}
        if said.get("ready") and said.get("threads") == 1:
            return
        killed = not answer and self.was_killed()
        self.kill()
        log.seek(0)
        heard = neutralise(log.read(4096).decode("utf-8", "replace").strip(), 1000)
        reason = said.get("broken") or heard or f"it ended with status {self._process.returncode}"
        if said.get("ready"):
            reason = f"{said.get('threads')} threads run in it after importing"
        raise ServerFailed(neutralise(str(reason), 1000), killed=killed)


def does_not_start(python: Path, error: OSError) -> RunnerError:
    """The error of a python that the system did not start: no weaker level of containment would help."""
    short = {
        errno.EMFILE: "allow more open files (ulimit -n 4096), or use fewer --workers",
        errno.ENFILE: "this machine has too many files open: end other programs",
        errno.EAGAIN: "this machine has too many processes: end other programs, or use fewer --workers",
        errno.ENOMEM: "this machine is short of memory: end other programs, or use fewer --workers",
    }
    return RunnerError(
        f"the strategy environment's python does not start: {python}: {error.strerror}",
        hint=short.get(error.errno or 0, "make the environment again: rbi env create"),
    )


def _end(link: socket.socket, process: subprocess.Popen[bytes]) -> None:
    link.close()  # it sees the end and goes
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
