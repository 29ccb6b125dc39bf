"""Runs `rbi` commands as ``python -m rbi`` does, in forks of one process that has imported what they need.

Starting python and importing libraries is most of what a short command takes: here it is done once. Each command has
a process, an environment, streams and an exit code of its own. The tests use `Commands`; its process runs this very
file.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

_MESSAGE_BYTES = 1 << 17
_LIBRARIES = (
    *("rbi.cli", "rbi.app", "rbi.views", "rbi.plan_view", "rbi.show", "rbi.models_page", "rbi.doctor"),
    *("models.providers.offline", "openai.resources.chat", "rapidfuzz"),
)


class Commands:
    """Commands one after the other. Close it."""

    def __init__(self) -> None:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._said = TemporaryFile()  # noqa: SIM115 - closed by `close`
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                start_new_session=True,
            )
        if not self._link.recv(_MESSAGE_BYTES):
            raise RuntimeError(self._how_it_ended())

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        return (
            f"the process that commands are forked from has ended with {code}: {self._said.read().decode()}"
        )

    def run(
        self, *arguments: str, folder: Path, environ: Mapping[str, str], stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """One command in ``folder``, with no other environment variables than ``environ``."""
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin.encode())
            given.seek(0)
            order = {"arguments": arguments, "folder": str(folder), "environ": dict(environ)}
            streams = [file.fileno() for file in (given, out, err)]
            try:
                socket.send_fds(self._link, [json.dumps(order).encode()], streams)
                said = self._link.recv(_MESSAGE_BYTES)
            except OSError:
                said = b""
            if not said:
                raise RuntimeError(self._how_it_ended())
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess(["rbi", *arguments], int(said), *texts)

    def close(self) -> None:
        """End the process."""
        self._link.close()
        self._process.wait()
        self._said.close()


def serve(link: socket.socket) -> dict[str, Any] | None:
    """In the process, until the link closes: ``None``. In each fork of it: the order to carry out."""
    while True:
        message, streams, _, _ = socket.recv_fds(link, _MESSAGE_BYTES, 3)
        if not message:
            return None
        child = os.fork()
        if child == 0:
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
        for stream in streams:
            os.close(stream)
        if child == 0:
            link.close()
            return dict(json.loads(message))
        _, status = os.waitpid(child, 0)
        link.send(str(os.waitstatus_to_exitcode(status)).encode())


def carry_out(order: dict[str, Any]) -> None:
    """Ends the process by an exception, as the command does."""
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["folder"])
    sys.argv[1:] = order["arguments"]
    runpy.run_module("rbi", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path[0] = ""  # as with -m
    for library in _LIBRARIES:
        __import__(library)
    gc.collect()
    gc.freeze()  # else each fork would copy all of it, to look through it at its end
    to_tests = socket.socket(fileno=int(sys.argv[1]))
    to_tests.send(b"ready")
    ordered = serve(to_tests)
    if ordered is not None:
        carry_out(ordered)
