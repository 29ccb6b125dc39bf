"""Looking at an interpreter from outside: its versions, and which strategy libraries it can import."""

from __future__ import annotations

import errno
import json
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runners.clean_environment import clean_environment
from runners.untrusted_text import neutralise

_SCRIPT = Path(__file__).with_name("child") / "probe.py"
_TIMEOUT_S = 120


_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
_SHORTAGE = re.compile(
    rf"\[Errno ({'|'.join(map(str, _SHORTAGES))})\]|MemoryError|Too many open files|Cannot allocate"
)


class ProbeFailed(Exception):
    """The interpreter does not run; the message says why.

    ``passing``: the machine is short of something, or somebody killed it. That says nothing of the interpreter.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing or _SHORTAGE.search(message) is not None


def is_shortage(error: OSError) -> bool:
    """Whether the system had too little of something, which can pass."""
    return error.errno in _SHORTAGES


@dataclass(frozen=True, slots=True)
class Probe:
    """What an interpreter said. ``broken`` has the reason for every library that cannot be imported."""

    prefix: Path
    versions: Mapping[str, str]
    broken: Mapping[str, str]


def home_in(cache: Path) -> Path:
    """The home folder of probes: always the same, so that one that is killed leaves nothing behind."""
    return cache.absolute() / "probe"


def probe(python: Path, home: Path) -> Probe:
    """Ask ``python``, in the environment that strategies get (about a second).

    ``home`` is made if it is not there; it is where libraries keep files of their own.
    Raises `ProbeFailed` if ``python`` does not run or does not answer.
    """
    with suppress(OSError):  # without a home it still answers
        home.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [str(python), "-s", str(_SCRIPT)],
            env=clean_environment(python, home),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise ProbeFailed(f"{python} does not start: {error.strerror}", passing=is_shortage(error)) from error
    except subprocess.TimeoutExpired as error:
        raise ProbeFailed(f"{python} does not answer", passing=True) from error
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
        return Probe(Path(answer["prefix"]), dict(answer["versions"]), dict(answer["broken"]))
    except (IndexError, ValueError, KeyError, TypeError) as error:
        said = neutralise(done.stderr.decode("utf-8", "replace").strip(), 300)
        why = said or f"exit status {done.returncode}"
        killed = done.returncode == -signal.SIGKILL
        raise ProbeFailed(f"{python} does not work: {why}", passing=killed) from error
