"""What a level of containment keeps from a strategy on this machine: measured by strategies that try."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, FailureKind, Level, RunnerError, RunRequest, RunResult
from runners.environments import Environment
from runners.limits import Limits
from runners.warmth import Containment

_MB = 1 << 20
_LIMITS = replace(
    Limits(),
    memory_bytes=512 * _MB,
    file_bytes=8 * _MB,
    scratch_bytes=16 * _MB,
    output_bytes=4 * _MB,
)
_TIMEOUT_S = 20.0
_HANG_S = 1.0
_LATE_S = 5.0  # a busy machine may be late; whoever is not ended goes on for ever
_SAID = "attempts: "
_ROWS = 60
_FORKS = 20

_MODULE = """
import contextlib, ctypes, glob, json, os, signal, socket, sys, time
from backtesting import Strategy

PLAN = json.loads({plan!r})

{body}

class Attempt(Strategy):
    def init(self):
        attempt()

    def next(self):
        pass
"""
_ATTEMPTS = """
def tried(function):
    try:
        return bool(function())
    except BaseException:
        return False


def key():
    library = ctypes.CDLL(None)
    library.getenv.restype = ctypes.c_char_p
    if library.getenv(PLAN["variable"].encode()):
        return True
    for path in glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if PLAN["secret"].encode() in file.read():
                return True
    return False


def connect():
    socket.create_connection(("127.0.0.1", PLAN["port"]), timeout=2).close()
    return True


def read():
    with open(PLAN["file"]) as file:
        return PLAN["secret"] in file.read()


def write():
    with open(PLAN["target"], "w") as file:
        return file.write("written")


def processes():
    others = [int(path.split("/")[2]) for path in glob.glob("/proc/[0-9]*/stat")]
    return [pid for pid in others if pid not in (1, os.getpid())] or can_signal()


def can_signal():
    with contextlib.suppress(ProcessLookupError):
        os.kill(PLAN["other"], 0)
        return True
    return False


def forks():
    made = 0
    for _ in range(PLAN["forks"]):
        child = os.fork()
        if child == 0:
            time.sleep(600)
            os._exit(0)
        made += 1
    return made


def grandchild():
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        os._exit(0)
    os.waitpid(child, 0)
    return True


def program():
    os.posix_spawn("/bin/true", ["true"], {{}})
    return True


def attempt():
    done = {{name: tried(globals()[name]) for name in PLAN["attempts"]}}
    print({said!r} + json.dumps(done), flush=True)
"""
_HOG = """
def attempt():
    held = []
    for _ in range(PLAN["megabytes"]):
        held.append(bytearray(b"x") * 2**20)
    print({said!r} + json.dumps({{"memory": True}}), flush=True)
"""
_FLOOD = """
def attempt():
    for _ in range(PLAN["megabytes"]):
        print("x" * 2**20)
    time.sleep(0.5)
"""
_DISK = """
def attempt():
    for number in range(PLAN["megabytes"] // 4):
        with open(f"file-{{number}}", "wb") as file:
            file.write(b"x" * 2**22)
        time.sleep(0.02)
    print({said!r} + json.dumps({{"disk": True}}), flush=True)
"""
_HANG = """
def attempt():
    for number in range(1, 65):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    while True:
        pass
"""
_REFUSALS: Mapping[str, str] = {
    "key": "a key in the environment of rbi or of another process",
    "connect": "a connection to a server on this machine",
    "read": "reading a file elsewhere",
    "write": "writing a file elsewhere",
    "processes": "seeing or signalling other processes",
    "program": "starting a program",
    "forks": f"{_FORKS} forks",
    "grandchild": "a grandchild that outlives the run and holds its pipes",
}


@dataclass(frozen=True, slots=True)
class Enforced:
    """Whether ``level`` kept ``attempt`` from a strategy; ``detail`` says what happened."""

    level: Level
    attempt: str
    enforced: bool
    detail: str


def measure(environment: Environment, level: Level) -> tuple[Enforced, ...]:
    """Every attempt at exactly this level.

    Raises `RunnerError` if the level does not work here, or the attempts end in a way that tells nothing of it.

    Touches only loopback and a temporary folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        work = root / "work"
        work.mkdir()
        runner = BacktestRunner(
            environment, scratch_root=work, limits=_LIMITS, containment=Containment(exactly=level)
        )
        try:
            runner.level()
            found = [*_refusals(runner, level, root), *_limits(runner, level, root)]
        finally:
            runner.close()
    return tuple(found)


def _refusals(runner: BacktestRunner, level: Level, root: Path) -> Iterator[Enforced]:
    secret, variable = secrets.token_hex(16), "RBI_PLANTED_API_KEY"
    target, file = root / "target", root / "secret"
    file.write_text(secret)
    before = _processes_of(root)
    with _listener() as (port, accepted), _bystander(variable, secret) as other, _planted(variable, secret):
        result = _run(
            runner,
            root,
            _ATTEMPTS,
            {
                "variable": variable,
                "secret": secret,
                "port": port,
                "file": str(file),
                "target": str(target),
                "other": other,
                "forks": _FORKS,
                "attempts": list(_REFUSALS),
            },
        )
        connected = accepted()
    done = _said(result)
    left = len(_processes_of(root) - before)
    if not done:
        raise _unclear(level, result)
    facts = {**done, "connect": connected or done["connect"], "write": target.exists()}
    for name, attempt in _REFUSALS.items():
        if name in ("forks", "grandchild") and facts[name]:
            ended = "killed afterwards" if not left else f"{left} processes left behind"
            yield Enforced(level, attempt, enforced=False, detail=f"possible; {ended}")
        else:
            yield Enforced(level, attempt, not facts[name], "possible" if facts[name] else "refused")


def _limits(runner: BacktestRunner, level: Level, root: Path) -> Iterator[Enforced]:
    memory, scratch = _LIMITS.memory_bytes // _MB, _LIMITS.scratch_bytes // _MB
    trials = {
        f"{memory} MB of memory": (_HOG, 2 * memory, FailureKind.MEMORY),
        f"{scratch} MB in the work folder": (_DISK, 8 * scratch, FailureKind.SCRATCH),
    }
    for attempt, (body, megabytes, kind) in trials.items():
        result = _run(runner, root, body, {"megabytes": megabytes})
        stopped = result.failure is not None and result.failure.kind is kind
        if not stopped and not _said(result):
            raise _unclear(level, result)
        yield Enforced(level, f"more than {attempt}", stopped, _ending(result))
    flood = _run(runner, root, _FLOOD, {"megabytes": 16 * _LIMITS.output_bytes // _MB})
    stopped = flood.failure is not None and flood.failure.kind is FailureKind.OUTPUT
    yield Enforced(level, f"more than {_LIMITS.output_bytes // _MB} MB of output", stopped, _ending(flood))
    began = time.monotonic()
    hung = _run(runner, root, _HANG, {}, timeout_s=_HANG_S)
    late = time.monotonic() - began - _HANG_S
    ended = hung.failure is not None and hung.failure.kind is FailureKind.TIMEOUT and late < _LATE_S
    yield Enforced(level, "a loop that ignores signals", ended, f"ended {late:.2f} s after its time")


def _run(
    runner: BacktestRunner,
    root: Path,
    body: str,
    plan: Mapping[str, object],
    *,
    timeout_s: float = _TIMEOUT_S,
) -> RunResult:
    source = _MODULE.format(plan=json.dumps(plan), body=body.format(said=_SAID))
    return runner.run(RunRequest(source, _bars(root), timeout_s=timeout_s))


def _said(result: RunResult) -> dict[str, bool]:
    """What the strategy says it could do; nothing if it was stopped first."""
    for line in (result.stdout.head + result.stdout.tail).splitlines():
        if line.startswith(_SAID):
            return dict(json.loads(line.removeprefix(_SAID)))
    return {}


def _unclear(level: Level, result: RunResult) -> RunnerError:
    """A trial that neither succeeded nor was stopped by what was tried."""
    return RunnerError(
        f"what the level {level} enforces cannot be measured: {_ending(result)}",
        hint="run `rbi doctor` again when the machine has less to do",
    )


def _ending(result: RunResult) -> str:
    return result.failure.message if result.failure else "not stopped"


def _bars(root: Path) -> BarsFile:
    path = root / "bars.npz"
    if not path.exists():
        price = np.linspace(100.0, 110.0, _ROWS)
        time_ns = np.arange(_ROWS, dtype=np.int64) * 86_400 * 10**9
        np.savez(path, time=time_ns, Open=price, High=price, Low=price, Close=price, Volume=price)
    return BarsFile("attempt", "dev", _ROWS, "attempt", path)


@contextmanager
def _listener() -> Iterator[tuple[int, Callable[[], bool]]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)

        def accepted() -> bool:
            try:
                server.accept()[0].close()
            except TimeoutError:
                return False
            return True

        yield server.getsockname()[1], accepted


@contextmanager
def _bystander(variable: str, secret: str) -> Iterator[int]:
    """A process of the same user, started with a key in its environment."""
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(
        command, env={variable: secret}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@contextmanager
def _planted(variable: str, secret: str) -> Iterator[None]:
    os.environ[variable] = secret
    try:
        yield
    finally:
        del os.environ[variable]


def _processes_of(root: Path) -> set[int]:
    """Processes that work somewhere below ``root``: strategies do, where they can be seen from here."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").readlink().is_relative_to(root):
                found.add(int(folder.name))
        except OSError:
            continue
    return found
