"""What is promised at every level of containment, and what only the strong ones promise, through the runner."""

from __future__ import annotations

import gc
import json
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, FailureKind, Level, RunnerError, RunRequest, RunResult
from runners.clean_environment import clean_environment
from runners.environments import Environment
from runners.limits import Limits
from runners.warmth import Containment

MB = 2**20
LIMITS = Limits(
    memory_bytes=400 * MB,
    file_bytes=4 * MB,
    scratch_bytes=8 * MB,
    scratch_files=100,
    output_bytes=2 * MB,
)
STRONG = (Level.NAMESPACES, Level.LANDLOCK)
HANG_S = 2.0  # more than a cold start takes on a busy machine
LATE_S = 30.0  # what hangs does so for a thousand seconds
AT_ONCE = 4
SECRET = "sk-planted-in-the-environment-of-the-tests"

Kinds = frozenset[FailureKind | None]


@dataclass(frozen=True)
class Contained:
    """A runner at one level, and the folder it has for its work folders."""

    runner: BacktestRunner
    level: Level
    scratch: Path


@pytest.fixture(scope="module", params=list(Level))
def contained(
    request: pytest.FixtureRequest,
    environment: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Contained]:
    scratch = tmp_path_factory.mktemp("levels")
    level = Level(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RBI_TEST_API_KEY", SECRET)
        runner = BacktestRunner(
            environment,
            scratch_root=scratch,
            slots=AT_ONCE,
            limits=LIMITS,
            containment=Containment(exactly=level),
        )
        with closing(runner):
            try:
                runner.level()
            except RunnerError as error:
                pytest.skip(error.message)
            yield Contained(runner, level, scratch)


@pytest.fixture
def strong(contained: Contained) -> Contained:
    if contained.level not in STRONG:
        pytest.skip("only the strong levels promise it")
    return contained


@pytest.fixture(scope="module")
def reference(
    environment: Environment, bars: BarsFile, sma_cross: str, tmp_path_factory: pytest.TempPathFactory
) -> RunResult:
    cold = Containment(exactly=Level.COLD)
    scratch = tmp_path_factory.mktemp("reference")
    with closing(BacktestRunner(environment, scratch_root=scratch, containment=cold)) as runner:
        return runner.run(RunRequest(sma_cross, bars))


def test_the_numbers_are_the_same(
    contained: Contained, bars: BarsFile, sma_cross: str, reference: RunResult
) -> None:
    result = contained.runner.run(RunRequest(sma_cross, bars))
    assert result.level is contained.level
    assert result.ok
    own = {"elapsed_s": 0.0, "level": Level.COLD}
    assert replace(result, **own).to_json() == replace(reference, **own).to_json()  # type: ignore[arg-type]


def kinds(*expected: FailureKind | None) -> Kinds:
    return frozenset(expected)


@dataclass(frozen=True)
class Harm:
    """``code`` of ``next`` (or the module's top), and how it may end; ``strong`` where strong levels differ.

    ``None`` stands for a run that ended well, because what the strategy tried had no effect. Whoever harms the
    process that others come from, too, where that can be reached, is tried alone.
    """

    code: str
    weak: Kinds
    strong: Kinds | None = None
    at_top: bool = False
    hangs: bool = False
    to_others: bool = False

    def allowed(self, level: Level) -> Kinds:
        return self.strong if self.strong is not None and level in STRONG else self.weak


F = FailureKind
EVERY_FD = "for fd in range(3, 256):\n    try: os.write(fd, {junk!r})\n    except OSError: pass"
IGNORE_SIGNALS = (
    "for number in range(1, 65):\n"
    "    try: signal.signal(number, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\n"
)
FORK_AND_SLEEP = "if os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)"
HARMS = {
    # Failures of ordinary code.
    "a syntax error": Harm("def (:", kinds(F.SYNTAX), at_top=True),
    "a missing library": Harm("import no_such_package", kinds(F.IMPORT), at_top=True),
    "a missing file": Harm("open('prices.csv')", kinds(F.DATA_MISSING)),
    "an impossible size": Harm("self.buy(size=1.5)", kinds(F.ORDER_SIZE)),
    "an unknown column": Harm("self.data.vix", kinds(F.DATA_MISSING)),
    "an exception": Harm("1 / 0", kinds(F.ERROR)),
    "recursion": Harm("def deeper(): deeper()\ndeeper()", kinds(F.ERROR)),
    "no orders": Harm("pass", kinds(F.NEVER_ORDERED)),
    "reading the environment": Harm("os.environ['HOME']", kinds(F.ENVIRONMENT_READ)),
    # Ends and crashes.
    "sys.exit": Harm("sys.exit(0)", kinds(F.EXITED)),
    "os._exit": Harm("os._exit(0)", kinds(F.EXITED)),
    "a segmentation fault": Harm("ctypes.string_at(0)", kinds(F.CRASHED)),
    "abort": Harm("os.abort()", kinds(F.CRASHED)),
    # Process 1 of a namespace does not hear its own signals.
    "killing itself": Harm("os.kill(os.getpid(), 9)\nself.buy()", kinds(F.KILLED), kinds(F.KILLED, None)),
    "killing its supervisor": Harm("os.kill(os.getppid(), 9)", kinds(F.CRASHED), kinds(F.FORBIDDEN)),
    "killing its process group": Harm("os.killpg(0, 9)", kinds(F.KILLED), kinds(F.FORBIDDEN)),
    # The input and the result.
    "asking for input": Harm("input('?')", kinds(F.INPUT)),
    "reading standard input": Harm("assert os.read(0, 1) == b''\nself.buy()", kinds(None)),
    "closing every descriptor": Harm("os.closerange(0, 4096)", kinds(F.NO_RESULT)),
    "garbage in every descriptor": Harm(EVERY_FD.format(junk=b"junk\n"), kinds(F.NO_RESULT)),
    "an empty result in every descriptor": Harm(
        EVERY_FD.format(junk=b'{"scenario": 0, "result": {}}\n'), kinds(F.NO_RESULT)
    ),
    "a failure in every descriptor": Harm(
        EVERY_FD.format(junk=b'{"scenario": 0, "failure": {}}\n'), kinds(F.NO_RESULT)
    ),
    "bytes that are no text in every descriptor": Harm(
        EVERY_FD.format(junk=b"\xff\x00\n"), kinds(F.NO_RESULT)
    ),
    # Limits.
    "memory": Harm("self.hoard = [b'x' * 10**7 for _ in range(10**4)]", kinds(F.MEMORY)),
    "a flood of output": Harm("print('x' * 2**20)\ntime.sleep(0.05)", kinds(F.OUTPUT)),
    "a large file": Harm("open('f', 'wb').write(b'x' * 2**23)", kinds(F.SCRATCH)),
    "much in many files": Harm(
        "open(f'f{len(self.data)}', 'wb').write(b'x' * 2**20)\ntime.sleep(0.02)", kinds(F.SCRATCH)
    ),
    "very many files": Harm("open(f'f{len(self.data)}', 'wb').close()\ntime.sleep(0.01)", kinds(F.SCRATCH)),
    "folders without end": Harm(
        "for _ in range(20):\n    os.mkdir('d')\n    os.chdir('d')\ntime.sleep(0.01)",
        kinds(F.SCRATCH),
    ),
    # What starts processes.
    "a process left behind": Harm(
        f"{FORK_AND_SLEEP}\nself.buy()", kinds(F.STRAY_PROCESS), kinds(F.FORBIDDEN)
    ),
    "a program": Harm("subprocess.run(['/bin/true'])\nself.buy()", kinds(None), kinds(F.FORBIDDEN)),
    # What does not end.
    "a loop that ignores signals": Harm(
        f"{IGNORE_SIGNALS}while True: pass", kinds(F.TIMEOUT), at_top=True, hangs=True
    ),
    "forks that sleep": Harm(
        f"{FORK_AND_SLEEP}\ntime.sleep(1000)", kinds(F.TIMEOUT), kinds(F.FORBIDDEN), hangs=True
    ),
    "a call of C that sleeps": Harm("ctypes.CDLL(None).sleep(1000)", kinds(F.TIMEOUT), hangs=True),
    "a call of C that computes": Harm("3 ** 10**9", kinds(F.TIMEOUT), hangs=True),
    "a read that blocks": Harm("os.read(os.pipe()[0], 1)", kinds(F.TIMEOUT), hangs=True),
    "stopping itself": Harm(
        "os.kill(os.getpid(), signal.SIGSTOP)\ntime.sleep(1000)", kinds(F.TIMEOUT), hangs=True
    ),
    "stopping its supervisor": Harm(
        "os.kill(os.getppid(), signal.SIGSTOP)\ntime.sleep(1000)",
        kinds(F.TIMEOUT, F.CRASHED),
        kinds(F.FORBIDDEN),
        hangs=True,
        to_others=True,
    ),
    "a thread left behind": Harm(
        "import threading\nthreading.Thread(target=time.sleep, args=(1000,)).start()",
        kinds(F.TIMEOUT),
        at_top=True,
        hangs=True,
    ),
}


class Tried:
    """Every harm at one level, most of them at the same time as others: they wait."""

    def __init__(self, bars: BarsFile, sma_cross: str, strategy_doing: Callable[..., str]) -> None:
        self._bars = bars
        self._sma_cross = sma_cross
        self._strategy_doing = strategy_doing
        self._results: dict[Level, dict[str, RunResult]] = {}

    def __call__(self, contained: Contained, name: str) -> RunResult:
        if contained.level not in self._results:
            run = partial(self._run, contained.runner, contained.level)
            together = [known for known, harm in HARMS.items() if not harm.to_others]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                results = dict(zip(together, pool.map(run, together), strict=True))
            results |= {known: run(known) for known in HARMS if known not in results}
            self._results[contained.level] = results
        return self._results[contained.level][name]

    def _run(self, runner: BacktestRunner, level: Level, name: str) -> RunResult:
        harm = HARMS[name]
        if harm.at_top:
            imports = "import os, signal, time\n"
            source = f"{imports}{harm.code}\n{self._sma_cross}"
        else:
            source = self._strategy_doing(harm.code)
        hangs = F.TIMEOUT in harm.allowed(level)
        return runner.run(RunRequest(source, self._bars, timeout_s=HANG_S if hangs else 60.0))


@pytest.fixture(scope="module")
def tried(bars: BarsFile, sma_cross: str, strategy_doing: Callable[..., str]) -> Tried:
    return Tried(bars, sma_cross, strategy_doing)


@pytest.mark.parametrize("name", HARMS)
def test_it_ends_in_its_name(contained: Contained, tried: Tried, name: str) -> None:
    result = tried(contained, name)
    assert (result.failure.kind if result.failure else None) in HARMS[name].allowed(contained.level)
    assert result.level is contained.level


@pytest.mark.parametrize("name", [name for name, harm in HARMS.items() if harm.hangs])
def test_it_ends_soon_after_its_time(contained: Contained, tried: Tried, name: str) -> None:
    assert tried(contained, name).elapsed_s < HANG_S + LATE_S


def test_nothing_is_left_of_any_of_it(
    contained: Contained,
    tried: Tried,
    processes_of: Callable[[Path], list[int]],
    environment: Environment,
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    tried(contained, "no orders")
    kept = {Level.COLD: 0, Level.NAMESPACES: 2}.get(contained.level, 1)  # the server stays
    wait_until(lambda: len(processes_of(contained.scratch)) <= kept)
    assert list(contained.scratch.iterdir()) == []


def test_runs_leave_no_descriptor_open(contained: Contained, bars: BarsFile, sma_cross: str) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("needs /proc")
    contained.runner.run(RunRequest(sma_cross, bars))
    gc.collect()  # what other tests left behind must not be counted
    before = len(list(descriptors.iterdir()))
    for _ in range(4 if contained.level is Level.COLD else 12):
        contained.runner.run(RunRequest(sma_cross, bars))
    gc.collect()
    assert len(list(descriptors.iterdir())) <= before


def test_the_servers_end_is_not_another_strategys_end(
    contained: Contained, bars: BarsFile, sma_cross: str, strategy_doing: Callable[..., str]
) -> None:
    """Only where processes can be seen can a strategy find the server, its supervisor's parent, and kill it."""
    if contained.level is not Level.LIMITS:
        pytest.skip("there is no server that a strategy can reach")
    code = (
        "supervisor = open(f'/proc/{os.getppid()}/stat').read()\n"
        "os.kill(int(supervisor.rpartition(')')[2].split()[1]), 9)\ntime.sleep(1000)"
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        killer = pool.submit(contained.runner.run, RunRequest(strategy_doing(code), bars))
        others = [pool.submit(contained.runner.run, RunRequest(sma_cross, bars)) for _ in range(6)]
        ended = killer.result().failure
        assert ended is not None
        assert ended.kind is FailureKind.CRASHED
        assert contained.runner.run(RunRequest(sma_cross, bars)).ok
        assert all(other.result().ok for other in others)


ENVIRONMENT = """
import ctypes, json
entries = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
found, number = [], 0
while entries[number]:
    found.append(entries[number].decode())
    number += 1
print(json.dumps(found))
"""


def test_no_other_environment_variables_than_the_known_ones_are_there(
    contained: Contained, bars: BarsFile, sma_cross: str, environment: Environment
) -> None:
    result = contained.runner.run(RunRequest(ENVIRONMENT + sma_cross, bars))
    variables = dict(entry.split("=", 1) for entry in json.loads(result.stdout.head))
    known = clean_environment(environment.python, Path("/"))
    assert variables.keys() <= {*known, "RBI_RUN"}
    assert SECRET not in variables.values()


TRYING = """
import ctypes, glob, json, os, socket, subprocess
import backtesting
plan = json.loads({plan!r})
library = ctypes.CDLL(None, use_errno=True)


def refused(function):
    try:
        value = function()
    except OSError:
        return True
    return value == -1


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def write(path):
    with open(path, "ab") as file:
        file.write(b"written")


def through_a_link(name, path, attempt):
    os.symlink(path, name)
    attempt(name)


def in_memory():
    try:
        write("/dev/shm/" + plan["name"])
    except OSError:
        pass  # there is one of its own at one level


def bundled():
    names = glob.glob(os.path.join(os.path.dirname(backtesting.__file__), "test", "*.csv"))
    if names:
        read(names[0])
    else:
        raise FileNotFoundError


in_memory()
others = [name for name in glob.glob("/proc/[0-9]*") if int(name[6:]) != os.getpid()]
print(json.dumps({{
    "connecting": refused(lambda: socket.create_connection(("127.0.0.1", plan["port"]), 1).close()),
    "a socket": refused(socket.socket),
    "a pair of sockets": refused(socket.socketpair),
    "a socket of the system": refused(lambda: socket.socket(socket.AF_UNIX)),
    "reading the bars' file": refused(lambda: read(plan["bars"])),
    "reading a file elsewhere": refused(lambda: read(plan["file"])),
    "reading the password file": refused(lambda: read("/etc/shadow")),
    "reading the tests": refused(lambda: read(plan["tests"])),
    "listing a folder elsewhere": refused(lambda: os.listdir(os.path.dirname(plan["file"]))),
    "reading through a link": refused(lambda: through_a_link("r", plan["file"], read)),
    "writing a file elsewhere": refused(lambda: write(plan["file"])),
    "writing a new file elsewhere": refused(lambda: write(plan["file"] + ".new")),
    "writing through a link": refused(lambda: through_a_link("w", plan["file"], write)),
    "writing to a library": refused(lambda: write(backtesting.__file__)),
    "removing a file elsewhere": refused(lambda: os.unlink(plan["file"])),
    "fork": refused(os.fork),
    "a program": refused(lambda: subprocess.run(["/bin/true"])),
    "exec": refused(lambda: os.execv("/bin/true", ["true"])),
    "ptrace": refused(lambda: library.ptrace(16, plan["pid"], 0, 0)),
    "memory of another process": refused(lambda: read(f"/proc/{{plan['pid']}}/mem")),
    "a signal to the tests": refused(lambda: os.kill(plan["pid"], 0)),
    "environment of the tests": refused(lambda: read(f"/proc/{{plan['pid']}}/environ")),
    "seeing processes": not others,
    "bundled data": refused(bundled),
}}))
"""


@pytest.fixture(scope="module")
def refusals(
    contained: Contained, bars: BarsFile, sma_cross: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What a strategy at this level was refused, and what became of the files it went for."""
    if contained.level not in STRONG:
        return {}
    file = tmp_path_factory.mktemp("elsewhere") / "secret"
    file.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        plan = {
            "port": server.getsockname()[1],
            "bars": str(bars.path),
            "file": str(file),
            "tests": __file__,
            "pid": os.getpid(),
            "name": f"rbi-test-{os.getpid()}",
        }
        source = TRYING.format(plan=json.dumps(plan)) + sma_cross
        result = contained.runner.run(RunRequest(source, bars))
    assert result.ok, result.failure
    said: dict[str, Any] = json.loads(result.stdout.head)
    return {
        **said,
        "changing a file elsewhere": file.read_text() == "secret",
        "files in the memory of the machine": not Path("/dev/shm", plan["name"]).exists(),
    }


ATTEMPTS = [line.split('"')[1] for line in TRYING.splitlines() if line.startswith('    "')]


@pytest.mark.parametrize(
    "attempt", [*ATTEMPTS, "changing a file elsewhere", "files in the memory of the machine"]
)
def test_it_is_refused(strong: Contained, refusals: dict[str, Any], attempt: str) -> None:
    assert refusals[attempt] is True


def test_a_run_finds_nothing_of_the_one_before(
    contained: Contained, bars: BarsFile, strategy_doing: Callable[..., str]
) -> None:
    leave = "import builtins, pandas\nbuiltins.left = pandas.left = 1\nopen('left', 'w').close()"
    look = "import builtins, pandas\nprint(hasattr(builtins, 'left'), hasattr(pandas, 'left'), os.listdir())"
    contained.runner.run(RunRequest(strategy_doing("self.buy()", top=leave), bars))
    result = contained.runner.run(RunRequest(strategy_doing("self.buy()", top=look), bars))
    assert result.stdout.head == "False False []\n"
