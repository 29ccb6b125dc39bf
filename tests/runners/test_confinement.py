"""Each level of containment, tried out: every denial is really attempted in a confined process, and what strategies
need is really done there. As root, the strong levels are tried as an ordinary user too."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import runners

CHILD = Path(runners.__file__).parent / "child"
MB = 2**20
NOBODY = 65534

# Stands in for the server: enters the level, then runs each piece of code in a confined process of its own.
DRIVER = r"""
import errno, importlib.util, json, os, signal, sys

order = json.loads(sys.argv[1])
spec = importlib.util.spec_from_file_location(
    "rbi_child", order["child"] + "/__init__.py", submodule_search_locations=[order["child"]]
)
sys.modules["rbi_child"] = importlib.util.module_from_spec(spec)
from rbi_child import confinement

level, config = order["level"], order["config"]
try:
    confinement.enter_server(level, config)
except confinement.ConfinementError as error:
    print(json.dumps({"refused": str(error)}), flush=True)
    os._exit(0)
for name in order["imports"]:
    __import__(name)


def outcome(code):
    space = {"order": order}
    try:
        exec(code, space)
        return space.get("value")
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except BaseException as error:
        return type(error).__name__


def harness(code, out):
    import resource  # what the runner has open stays usable

    work = f"{order['work']}/{os.getpid()}"
    if level != "namespaces":
        os.mkdir(work)
    work = confinement.enter_harness(level, config, work)
    order.update(seen=work, out=out)
    os.write(out, json.dumps(outcome(code)).encode())
    os._exit(0)


def supervisor(code, out):
    confinement.enter_supervisor(level, config)
    pid = os.fork()
    if pid == 0:
        try:
            harness(code, out)
        except BaseException as error:
            os.write(out, json.dumps(f"not confined: {error}").encode())
        finally:
            os._exit(1)
    os.close(out)
    os.waitpid(pid, 0)


def job(code):
    answer, out = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(answer)
        try:
            supervisor(code, out)
        finally:
            os._exit(0)
    os.close(out)
    return pid, answer


def said(code):
    pid, answer = job(code)
    with os.fdopen(answer, "rb") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else "no answer"


if "end" in order:
    exec(order["end"])
print(json.dumps({name: said(code) for name, code in order["probes"].items()}), flush=True)
os._exit(0)
"""

LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"


@dataclass(frozen=True)
class Denied:
    """``code`` must end in one of these errors: at namespaces, what cannot be seen may also not be there."""

    code: str
    namespaces: frozenset[str] = frozenset({"EPERM", "EACCES", "EROFS", "ENOENT"})
    landlock: frozenset[str] = frozenset({"EPERM", "EACCES"})


NO = frozenset({"EPERM"})
DENIED = {
    "a socket": Denied("import socket; socket.socket()", NO, NO),
    "a unix socket": Denied("import socket; socket.socket(socket.AF_UNIX)", NO, NO),
    "a pair of sockets": Denied("import socket; socket.socketpair()", NO, NO),
    "fork": Denied("import os; os.fork()", NO, NO),
    "a program": Denied("import os; os.execv('/bin/true', ['true'])", NO, NO),
    "a subprocess": Denied("import subprocess; subprocess.run(['/bin/true'])"),
    "posix_spawn": Denied("import os; os.posix_spawn('/bin/true', ['true'], {})"),
    "a session of its own": Denied("import os; os.setsid()", NO, NO),
    "another process group": Denied("import os; os.setpgid(0, 0)", NO, NO),
    "a signal to everybody": Denied("import os; os.kill(-1, 0)", NO, NO),
    "a signal to the own group": Denied("import os; os.kill(0, 0)", NO, NO),
    "a signal to the supervisor": Denied(
        "import os; os.kill(os.getppid() or order['supervisor'], 9)", NO, NO
    ),
    "a signal to nobody": Denied("import os; os.kill(4194000, 0)", NO, NO),
    "a process descriptor": Denied("import os; os.pidfd_open(os.getpid())", NO, NO),
    "limits of the parent": Denied("import os, resource; resource.prlimit(os.getppid() or 2, 7)", NO, NO),
    "affinity of another": Denied("import os; os.sched_getaffinity(2)", NO, NO),
    "group of another": Denied("import os; os.getpgid(2)", NO, NO),
    "another user": Denied("import os; os.setuid(0)", NO, NO),
    "ptrace": Denied(LIBC + "if libc.ptrace(0, 0, 0, 0) < 0: raise OSError(ctypes.get_errno(), '')", NO, NO),
    "a namespace": Denied(
        LIBC + "if libc.unshare(0x10000000) < 0: raise OSError(ctypes.get_errno(), '')", NO, NO
    ),
    "a mount": Denied(
        LIBC
        + "if libc.mount(b'x', b'/there/is/none', b'tmpfs', 0, b'') < 0: raise OSError(ctypes.get_errno(), '')",
        NO,
        NO,
    ),
    "dumpable again": Denied(
        LIBC + "if libc.prctl(4, 1, 0, 0, 0) < 0: raise OSError(ctypes.get_errno(), '')", NO, NO
    ),
    "a memory file": Denied("import os; os.memfd_create('x')", NO, NO),
    "a pipe in the folder": Denied("import os; os.mkfifo('pipe')", NO, NO),
    "a watch on files": Denied(
        LIBC + "if libc.inotify_init1(0) < 0: raise OSError(ctypes.get_errno(), '')", NO, NO
    ),
    "SysV shared memory": Denied(
        LIBC + "if libc.shmget(0, 4096, 0o1600) < 0: raise OSError(ctypes.get_errno(), '')", NO, NO
    ),
    "a larger pipe": Denied("import fcntl, os; fcntl.fcntl(os.pipe()[0], 1031, 1 << 20)", NO, NO),
    "owner of a descriptor": Denied("import fcntl, os; fcntl.fcntl(os.pipe()[0], 8, 1)", NO, NO),
    "input for a terminal": Denied("import fcntl; fcntl.ioctl(0, 0x5412, b'x')", NO, NO),
    "a password file": Denied("open('/etc/shadow').read()"),
    "a folder of the system": Denied("import os; os.listdir('/var')"),
    "environment of process 1": Denied("open('/proc/1/environ', 'rb').read()"),
    "own environment in /proc": Denied("open('/proc/self/environ', 'rb').read()"),
    "root through /proc": Denied("import os; os.listdir('/proc/self/root/etc')"),
    "own memory through /proc": Denied("open('/proc/self/mem', 'r+b')"),
    "a foreign file": Denied("open(order['foreign']).read()"),
    "a foreign file through a link": Denied(
        "import os; os.symlink(order['foreign'], 'link'); open('link').read()"
    ),
    "a foreign file as an own one": Denied(
        "import os; os.link(order['foreign'], 'own')", landlock=frozenset({"EACCES", "EXDEV"})
    ),
    "a foreign folder": Denied("import os; os.listdir(os.path.dirname(order['foreign']))"),
    "permissions of a foreign file": Denied("import os; os.chmod(order['foreign'], 0o777)"),
    "times of a foreign file": Denied("import os; os.utime(order['foreign'])"),
    "emptying a foreign file": Denied("import os; os.truncate(order['foreign'], 0)"),
    "emptying a readable file": Denied("import os; os.open(order['seen_file'], os.O_RDONLY | os.O_TRUNC)"),
    "writing to a library": Denied("open(order['seen_file'], 'a')"),
    "a new file among the libraries": Denied("open(order['seen_file'] + '.new', 'w')"),
    "another work folder": Denied("open(order['neighbour'], 'w')"),
    "a hidden file": Denied("open(order['hidden']).read()"),
    "executing an own file": Denied(
        "import os; open('x', 'w').write('#!/bin/sh'); os.execv('./x', ['x'])", NO, NO
    ),
}

# What must work, with its value. {seen} is the work folder as the strategy sees it.
WORKING: dict[str, tuple[str, Any]] = {
    "the work folder is the current one": ("import os; value = os.getcwd() == order['seen']", True),
    "it is empty": ("import os; value = os.listdir('.')", []),
    "files": ("open('a', 'w').write('text'); value = open('a').read()", "text"),
    "folders": (
        "import os; os.makedirs('a/b'); os.rename('a/b', 'c'); value = sorted(os.listdir('.'))",
        ["a", "c"],
    ),
    "temporary files": (
        "import os, tempfile\ntempfile.tempdir = order['seen']\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    open(folder + '/x', 'w').write('y')\n    value = os.listdir(folder)",
        ["x"],
    ),
    "copies": (
        "import os, shutil; open('a', 'w').write('x'); shutil.copyfile('a', 'b'); value = open('b').read()",
        "x",
    ),
    "mapped files": (
        "import mmap\nopen('a', 'wb').write(bytes(4096))\nfile = open('a', 'r+b')\n"
        "value = len(mmap.mmap(file.fileno(), 0))",
        4096,
    ),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool: value = sum(pool.map(abs, range(100)))",
        4950,
    ),
    "timers and signals to itself": (
        "import os, signal\ncaught = []\nsignal.signal(signal.SIGALRM, lambda *_: caught.append(1))\n"
        "signal.raise_signal(signal.SIGALRM)\nsignal.alarm(0)\nos.kill(os.getpid(), 0)\nvalue = caught",
        [1],
    ),
    "standard library": (
        "import decimal, sqlite3, csv, uuid; value = sqlite3.connect(':memory:').execute('select 1').fetchone()",
        [1],
    ),
    "closures of C functions": (
        "import ctypes\ncallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: 2 * x)\nvalue = callback(21)",
        42,
    ),
    "random numbers": ("import os; value = len(os.urandom(8)) + len(open('/dev/urandom', 'rb').read(8))", 16),
    "readable files": ("value = open(order['seen_file']).read()", "seen"),
    "the null device": ("value = open('/dev/null', 'w').write('x')", 1),
    "processor count": ("import os; value = os.cpu_count() > 0", True),
    "no terminal": ("import os; value = os.isatty(1)", False),
    "memory up to the limit": ("value = len(bytearray(100 << 20))", 100 << 20),
    "no memory beyond it": ("value = len(bytearray(900 << 20))", "MemoryError"),
    "no shared memory beyond it": ("import mmap; value = len(mmap.mmap(-1, 900 << 20))", "ENOMEM"),
    "the configured limits": (
        "import resource; value = [resource.getrlimit(n)[1] for n in (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)]",
        [0, 64],
    ),
    "one file's size": (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); open('big', 'wb').write(bytes(9 << 20))",
        "EFBIG",
    ),
}
NEEDING_LIBRARIES: dict[str, tuple[str, Any]] = {
    "a lazily loaded part of pandas": (
        "import io, pandas as pd\nvalue = pd.read_csv(io.StringIO('a,b\\n1,2')).to_json()",
        '{"a":{"0":1},"b":{"0":2}}',
    ),
    "linear algebra": (
        "import numpy as np\nvalue = round(float(np.linalg.det(np.linalg.qr(np.eye(200) + 1)[0]) ** 2), 6)",
        1.0,
    ),
    "files of numpy and pandas": (
        "import numpy as np, pandas as pd\nnp.save('a', np.arange(5))\n"
        "pd.DataFrame({'x': np.load('a.npy', mmap_mode='r')}).to_csv('b.csv')\n"
        "value = pd.read_csv('b.csv').x.sum().item()",
        10,
    ),
    "time zones": (
        "import pandas as pd; value = str(pd.Timestamp('2020-06-01', tz='America/New_York').tz)",
        "America/New_York",
    ),
}
AT_NAMESPACES: dict[str, tuple[str, Any]] = {
    "process 1, and nobody above it": ("import os; value = [os.getpid(), os.getppid()]", [1, 0]),
    "a user of its own": (
        "import os, pwd; value = [os.getuid(), os.getgid(), pwd.getpwuid(65533).pw_name]",
        [65533, 65533, "strategy"],
    ),
    "an empty /proc": ("import os; value = os.listdir('/proc')", []),
    "nothing else of the host": (
        "import os; value = {'home', 'var', 'sys', 'boot', 'run'} & {*os.listdir('/')} == set()",
        True,
    ),
    "a host name that says nothing": ("import os; value = os.uname().nodename", "strategy"),
    "a limited scratch": (
        "file = open('a', 'wb', 0)\nother = open('b', 'wb', 0)\n"
        "for _ in range(7): file.write(bytes(1 << 20)); other.write(bytes(1 << 20))",
        "ENOSPC",
    ),
    "a limited number of files": ("for n in range(100): open(f'{n}', 'w').close()", "ENOSPC"),
    "shared memory counted as scratch": (
        "for n in range(7): open(f'/dev/shm/{n}', 'wb').write(bytes(2 << 20))",
        "ENOSPC",
    ),
    "no code from scratch": (
        "import mmap\nopen('x', 'wb').write(bytes(4096))\nfile = open('x', 'rb')\n"
        "mmap.mmap(file.fileno(), 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
        "EPERM",
    ),
    "a limited number of threads": (
        # Not threading.Thread: its start waits for ever for a thread that dies at once for want of something.
        "import _thread\n_thread.stack_size(65536)\nheld = _thread.allocate_lock()\nheld.acquire()\nvalue = 0\ntry:\n"
        "    while value < 300: _thread.start_new_thread(held.acquire, ()); value += 1\n"
        "except RuntimeError: value = value < 256",
        True,
    ),
    "permissions of own files": (
        "import os; open('a', 'w'); os.chmod('a', 0o700); value = oct(os.stat('a').st_mode)",
        "0o100700",
    ),
    "an empty folder where something is hidden": (
        "import os; value = os.listdir(os.path.dirname(order['hidden']))",
        [],
    ),
}


@dataclass(frozen=True)
class Place:
    """A level and who tries it."""

    level: str
    ordinary: bool = False

    def __str__(self) -> str:
        return f"{self.level} as {'an ordinary user' if self.ordinary else 'this user'}"


AS_ROOT = sys.platform == "linux" and os.geteuid() == 0
STRONG = [
    Place(level, who)
    for level in ("namespaces", "landlock")
    for who in ((False, True) if AS_ROOT else (False,))
]


def ordinary_python() -> str:
    """An interpreter that a user who may do nothing else can start."""
    for path in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin"), "/usr/bin/python3"):
        probe = [
            str(path),
            "-c",
            f"import sys; assert sys.version_info >= (3, 11); open({str(CHILD / '__init__.py')!r})",
        ]
        with contextlib.suppress(OSError):
            if (
                path
                and subprocess.run(probe, user=NOBODY, group=NOBODY, cwd="/", capture_output=True).returncode
                == 0
            ):
                return str(path)
    pytest.skip("no python that an ordinary user can start")


def paths_of(python: str) -> dict[str, str]:
    code = "import json, sys, sysconfig as s; print(json.dumps([sys.prefix, sys.base_prefix, *s.get_paths().values()]))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd="/").stdout
    prefix, base, *folders = json.loads(found)
    if prefix in ("/usr", "/usr/local"):
        return {"stdlib": folders[0]}
    return {"prefix": prefix, "base": base}


class Stage:
    """Folders for one place and the order for the driver."""

    def __init__(self, root: Path, place: Place) -> None:
        self.place = place
        self.python = ordinary_python() if place.ordinary else sys.executable
        scratch, outside = root / "scratch", root / "outside"
        library = root / "library"
        for folder in (scratch / "job", scratch / "neighbour", outside, library / "data"):
            folder.mkdir(parents=True)
        (outside / "secret").write_text("secret")
        (library / "data" / "hidden").write_text("bars to come")
        (library / "seen").write_text("seen")
        if place.ordinary:
            for path in (root, *root.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        readable = [
            *paths_of(self.python).values(),
            "/lib",
            "/lib64",
            "/usr/lib",
            "/usr/share/zoneinfo",
            str(CHILD),
        ]
        limits = {"RLIMIT_CORE": 0, "RLIMIT_DATA": 600 * MB, "RLIMIT_NOFILE": 64, "RLIMIT_FSIZE": 8 * MB}
        self.order = {
            "child": str(CHILD),
            "level": place.level,
            "imports": [],
            "supervisor": 2,
            "work": str(scratch / "job"),
            "foreign": str(outside / "secret"),
            "neighbour": str(scratch / "neighbour" / "x"),
            "hidden": str(library / "data" / "hidden"),
            "seen_file": str(library / "seen"),
            "config": {
                "readable": [*readable, str(library)],
                "hidden": [str(library / "data")],
                "uid": 65533,
                "scratch_root": str(scratch),
                "scratch_bytes": 12 * MB,
                "scratch_files": 50,
                "limits": limits,
            },
        }

    def start(self, **more: Any) -> subprocess.Popen[str]:
        who: dict[str, Any] = (
            {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self.place.ordinary else {}
        )
        command = [self.python, "-c", DRIVER, json.dumps({**self.order, **more})]
        environ = {"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/", env=environ, **who)

    def outcomes(self, probes: Mapping[str, str], imports: tuple[str, ...] = ()) -> dict[str, Any]:
        with self.start(probes=dict(probes), imports=list(imports)) as process:
            assert process.stdout is not None
            text = process.stdout.read()
        answer: dict[str, Any] = json.loads(text)
        if "refused" in answer:
            pytest.skip(f"{self.place.level} cannot be had here: {answer['refused']}")
        return answer


@contextlib.contextmanager
def stage(place: Place) -> Iterator[Stage]:
    """On a folder that every user can reach, other than pytest's own."""
    with tempfile.TemporaryDirectory(prefix="confinement-") as folder:
        Path(folder).chmod(0o755)
        yield Stage(Path(folder), place)


class Tried:
    """Everything tried at one place, in one go: starting is what takes time. Each attempt has its own process."""

    def __init__(self) -> None:
        self.outcomes: dict[Place, dict[str, Any]] = {}

    def __call__(self, place: Place, name: str) -> Any:
        if place not in self.outcomes:
            with stage(place) as found:
                own = found.python == sys.executable
                tables = [WORKING, NEEDING_LIBRARIES if own else {}]
                if place.level == "namespaces":
                    tables.append(AT_NAMESPACES)
                probes = {attempt: denied.code for attempt, denied in DENIED.items()}
                probes |= {attempt: code for table in tables for attempt, (code, _) in table.items()}
                self.outcomes[place] = found.outcomes(probes, ("numpy", "pandas") if own else ())
        if name not in self.outcomes[place]:
            pytest.skip("the python that an ordinary user can start has no such libraries")
        return self.outcomes[place][name]


@pytest.fixture(scope="module")
def tried() -> Tried:
    return Tried()


everywhere = pytest.mark.parametrize("place", STRONG, ids=str)
in_namespaces = pytest.mark.parametrize("place", [p for p in STRONG if p.level == "namespaces"], ids=str)


@everywhere
@pytest.mark.parametrize("name", DENIED)
def test_it_is_denied(tried: Tried, place: Place, name: str) -> None:
    outcome = tried(place, name)
    assert outcome in getattr(DENIED[name], place.level), outcome


@everywhere
@pytest.mark.parametrize("name", WORKING | NEEDING_LIBRARIES)
def test_it_works(tried: Tried, place: Place, name: str) -> None:
    assert tried(place, name) == (WORKING | NEEDING_LIBRARIES)[name][1]


@in_namespaces
@pytest.mark.parametrize("name", AT_NAMESPACES)
def test_in_namespaces_there_is(tried: Tried, place: Place, name: str) -> None:
    assert tried(place, name) == AT_NAMESPACES[name][1]


@everywhere
def test_an_attack_leaves_nothing_behind(place: Place) -> None:
    with stage(place) as found:
        found.outcomes({name: denied.code for name, denied in DENIED.items()})
        root = Path(found.order["work"]).parent.parent
        assert (root / "outside" / "secret").read_text() == "secret"
        assert (root / "library" / "seen").read_text() == "seen"
        assert sorted(path.name for path in (root / "library").iterdir()) == ["data", "seen"]
        assert list((root / "scratch" / "neighbour").iterdir()) == []


@in_namespaces
def test_a_job_finds_nothing_of_the_one_before(place: Place) -> None:
    with stage(place) as found:
        probes = {"first": "open('left', 'w').write('x')", "second": "import os; value = os.listdir('.')"}
        assert found.outcomes(probes)["second"] == []


@in_namespaces
def test_the_process_outside_ends_as_the_one_inside_does(place: Place) -> None:
    with stage(place) as found:
        skip_unless_entered(found)
        with found.start(end="os._exit(7)") as process:
            process.wait()
    assert process.returncode == 7


@in_namespaces
def test_killing_the_process_outside_ends_the_one_inside(place: Place) -> None:
    with stage(place) as found:
        skip_unless_entered(found)
        with found.start(end="print('up', flush=True); signal.pause()") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.kill()
            assert process.stdout.read() == ""  # only the one inside holds it


@in_namespaces
def test_killing_the_process_inside_ends_the_one_outside(place: Place) -> None:
    with stage(place) as found:
        skip_unless_entered(found)
        with found.start(end="print('up', flush=True); signal.pause()") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            inside = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            os.kill(int(inside), signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL


KILL_SUPERVISORS = """
for wait in (True, False) * 10:
    pid, answer = job("import os, signal; os.write(order['out'], b'up'); signal.pause()")
    if wait:
        assert os.read(answer, 2) == b"up"
    os.kill(pid, signal.SIGKILL)
    while os.read(answer, 100):
        pass
    os.waitpid(pid, 0)
    os.close(answer)
print("all ended", flush=True)
os._exit(0)
"""


@in_namespaces
def test_a_harness_dies_with_its_supervisor_whenever_that_is_killed(place: Place) -> None:
    with stage(place) as found:
        skip_unless_entered(found)
        with found.start(end=KILL_SUPERVISORS) as process:
            assert process.stdout is not None
            assert process.stdout.read() == "all ended\n"


def skip_unless_entered(found: Stage) -> None:
    assert found.outcomes({"anything": "value = 1"}) == {"anything": 1}


@in_namespaces
def test_the_whole_file_system_cannot_be_readable(place: Place) -> None:
    with stage(place) as found:
        skip_unless_entered(found)
        config = {**found.order["config"], "readable": ["/"]}
        with found.start(probes={}, config=config) as process:
            assert process.stdout is not None
            assert "the whole file system" in json.loads(process.stdout.read())["refused"]


@pytest.mark.parametrize("level", ["limits", "cold"])
def test_the_weak_levels_set_limits_and_refuse_new_privileges(level: str) -> None:
    probes = {
        "folder": "import os; value = os.path.dirname(order['seen']) == order['work']",
        "limits": WORKING["the configured limits"][0],
        "privileges": LIBC + "value = libc.prctl(39, 0, 0, 0, 0)",
        "memory": "value = len(bytearray(900 << 20))",
        "files": "value = open(order['foreign']).read()",
    }
    expected = {
        "folder": True,
        "limits": [0, 64],
        "privileges": 1,
        "memory": "MemoryError",
        "files": "secret",
    }
    if sys.platform != "linux":
        del expected["privileges"], expected["memory"]
    with stage(Place(level)) as found:
        outcomes = found.outcomes({name: probes[name] for name in expected})
    assert outcomes == expected
