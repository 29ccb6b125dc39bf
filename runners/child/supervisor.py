"""Starts the harness, outlives it, and leaves no process behind.

Run as ``<environment python> -s -S supervisor.py <plan>``: without site-packages it starts in a few
milliseconds, and it never executes strategy code itself. The plan is a JSON object of inherited file descriptors
and limits:

- ``control``: read end of a pipe. When it closes (rbi wants an end, or rbi died), everything is killed.
- ``report``: gets one JSON line at the start (``started``) and one at the end (``exit``, ``lost``,
  ``strays``, ``max_rss``).
- ``request``, ``bars``, ``result``: passed on to the harness.
- ``folder``: the run's folder, which the supervisor removes if rbi may be gone.

On Linux it is the subreaper of everything the strategy starts: a process that daemonizes becomes its child again.
"""

# No pathlib here: importing it would be most of the time that this needs to start.
# ruff: noqa: PTH100, PTH112, PTH118, PTH120, PTH123, PTH208

import sys

del sys.path[0]  # this folder: a file of it must never stand in for a module of the standard library

import json  # noqa: E402
import mmap  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402
from os import _exit  # noqa: E402 - the strategy may replace os._exit in the harness

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
DUMP_S = 0.05  # how long a hung strategy gets to write where it hangs
SELF_ENDING_S = 0.2  # how long processes that outlive the harness get to end by themselves


def main():
    """Until everything has ended."""
    plan = json.loads(sys.argv[1])
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_DUMPABLE, 0)  # else the strategy could open our pipes under /proc
    lost = mmap.mmap(-1, 1)  # shared: how the harness says that the result channel was taken from it
    awake, wake = os.pipe()
    os.set_blocking(awake, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    supervisor, harness = os.getpid(), os.fork()
    if harness == 0:
        become_harness({**plan, "lost": lost}, supervisor, awake, wake)
    let_go(plan)
    report(plan, {"started": harness})
    family = Family(harness)
    stopped = family.wait(plan["control"], awake)
    if stopped:
        family.kill_harness()
    strays = family.end_strays(0 if stopped else SELF_ENDING_S)
    ending = {"exit": family.exit_code, "lost": lost[0], "strays": strays, "max_rss": family.max_rss}
    heard = report(plan, ending)
    if stopped or not heard:  # rbi may be gone: then nobody else removes the work folder
        locate_child()
        from rbi_child.removal import remove_folder

        remove_folder(plan["folder"])


def become_harness(plan, supervisor, awake, wake):
    """In the forked child: never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (plan["control"], plan["report"], awake, wake):
            os.close(fd)
        os.setpgid(0, 0)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            _exit(1)
        prctl(PR_SET_DUMPABLE, 1)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        set_limits(plan["limits"])
        import_harness()(plan)
    except BaseException:  # noqa: BLE001 - it is shown, and the process ends
        sys.excepthook(*sys.exc_info())
    finally:
        _exit(1)


def import_harness():
    """The harness's entry point, once site-packages are on the path."""
    import site

    site.main()
    locate_child()
    from rbi_child.harness import run

    return run


def locate_child():
    """Make this folder importable as the package ``rbi_child``."""
    import importlib.util

    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        "rbi_child", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    sys.modules["rbi_child"] = importlib.util.module_from_spec(spec)


def set_limits(limits):
    """Resource limits by name (``RLIMIT_...``); a system that lacks or refuses one does without."""
    for name, value in limits.items():
        number = getattr(resource, name, None)
        if number is None:
            continue
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(number, (value, value))
        except (ValueError, OSError) as error:
            print(f"limit {name} is not in force: {error}", file=sys.stderr)
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("1000")  # if the machine runs out of memory, this goes first and not rbi
    except OSError:
        return


def let_go(plan):
    """Close what belongs to the harness: the pipes must end when the strategy's processes do."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (1, 2):
        os.dup2(nothing, fd)
    for name in ("request", "bars", "result"):
        os.close(plan[name])


def report(plan, line):
    """One line to rbi. Returns whether rbi is still there to hear it."""
    try:
        os.write(plan["report"], json.dumps(line).encode() + b"\n")
    except BrokenPipeError:
        return False
    return True


class Family:
    """The harness and everything it started."""

    def __init__(self, harness):
        self.harness = harness
        self.exit_code = None  # negative: the signal that ended it
        self.max_rss = 0  # bytes

    def wait(self, control, awake):
        """Until the harness has ended (False) or the control pipe has closed (True)."""
        while True:
            self.reap()
            if self.exit_code is not None:
                return False
            readable, _, _ = select.select([control, awake], [], [])
            if control in readable:
                return True
            os.read(awake, 4096)

    def reap(self):
        """Collect ended children, without waiting."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.harness:
                self.exit_code = os.waitstatus_to_exitcode(status)
                self.max_rss = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    def kill_harness(self):
        """Ask where it hangs (the harness has a handler that writes it to stderr), then kill it."""
        kill(self.harness, signal.SIGUSR1)
        time.sleep(DUMP_S)
        kill(self.harness, signal.SIGKILL)
        while self.exit_code is None:
            self.reap()
            time.sleep(0.001)

    def end_strays(self, patience_s):
        """Kill what is left, level by level as it is handed down to us. Returns how many were killed."""
        deadline, killed = time.monotonic() + patience_s, set()
        while True:
            self.reap()
            left = children()
            if left is None:
                kill_group(self.harness)
                return 0
            if not left:
                return len(killed)
            if time.monotonic() >= deadline:
                for pid in left:
                    kill(pid, signal.SIGKILL)
                killed.update(left)
            time.sleep(0.001)


def children():
    """Our children's process ids; None where the system does not tell."""
    me = os.getpid()
    try:
        with open(f"/proc/self/task/{me}/children") as listing:
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return children_by_scan(str(me)) if os.path.isdir("/proc/self") else None


def children_by_scan(me):
    """The same from every process's stat file, for kernels without the ``children`` file."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[1] == me:
                    found.append(int(pid))
        except OSError:
            continue  # it has just ended
    return found


def kill(pid, number):
    """Send a signal; it may have ended already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def kill_group(group):
    """Kill a process group; it may have ended already."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def prctl(option, value):
    """Linux only; elsewhere the process group is all there is."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


main()
