"""Starts the harness, outlives it, and leaves no process behind.

It is either a process that the warm server forked, or, at the level cold, one of its own: run as
``<environment python> -s -S supervisor.py <plan>`` it starts in a few milliseconds, without site-packages. It never
executes strategy code. The plan is a JSON object; descriptors in it are inherited:

- ``control``: read end of a pipe. When it closes (rbi wants an end, or rbi died), everything is killed.
- ``report``: gets one JSON line at the start (``started``) and one at the end (``exit``, ``lost``,
  ``strays``, ``max_rss``, ``scratch``, ``threads``).
- ``request``, ``bars`` (a list), ``text`` (or null), ``result``: passed on to the harness.
- ``stdout``, ``stderr``: what the harness's streams become; absent where the process was started with them.
- ``level``, ``confinement``: how the harness is contained (`rbi_child.confinement`).
- ``folder``: the run's folder, which the supervisor removes if rbi may be gone; null where it is not on disk.
- ``work``: the strategy's work folder in it.

On Linux it is the subreaper of everything the strategy starts: a process that daemonizes becomes its child again.
"""

# No pathlib here: importing it would be most of the time that this needs to start.
# ruff: noqa: PTH100, PTH112, PTH116, PTH118, PTH120, PTH123, PTH208

import sys

if __name__ == "__main__":
    del sys.path[0]  # this folder: a file of it must never stand in for a module of the standard library

import json
import mmap
import os
import select
import signal
import time
from os import _exit  # the strategy may replace os._exit in the harness

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
DUMP_S = 0.05  # how long a hung strategy gets to write where it hangs
TURN_S = 0.3  # how long it may take, on a busy machine, until it has a turn to do so
SELF_ENDING_S = 0.2  # how long processes that outlive the harness get to end by themselves
CONTROL, SCRATCH, THREADS = "control", "scratch", "threads"  # why a run was ended from here
MOST_THREADS = 256
LOOK_S = 0.05  # how often the size of the work folder is looked at


def main():
    """The process of its own: until everything has ended."""
    plan = json.loads(sys.argv[1])
    locate_child()
    supervise(plan, import_harness)


def supervise(plan, find_harness):
    """Run ``find_harness()`` in a contained child until everything has ended."""
    from rbi_child import confinement

    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_DUMPABLE, 0)  # else the strategy could open our pipes under /proc
    confinement.enter_supervisor(plan["level"], plan["confinement"])
    lost = mmap.mmap(-1, 1)  # shared: how the harness says that the result channel was taken from it
    awake, wake = os.pipe()
    os.set_blocking(awake, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    supervisor, harness = os.getpid(), os.fork()
    if harness == 0:
        become_harness({**plan, "lost": lost}, find_harness, supervisor, awake, wake)
    let_go(plan)
    report(plan, {"started": harness})
    family = Family(harness)
    why = family.wait(plan["control"], awake, scratch_of(plan, harness))
    if why:
        family.kill_harness()
    strays = family.end_strays(0 if why else SELF_ENDING_S)
    ending = {"exit": family.exit_code, "lost": lost[0], "strays": strays, "max_rss": family.max_rss}
    heard = report(plan, {**ending, "scratch": int(why == SCRATCH), "threads": int(why == THREADS)})
    if plan["folder"] and (
        why == CONTROL or not heard
    ):  # rbi may be gone: then nobody else removes the folder
        from rbi_child.removal import remove_folder

        remove_folder(plan["folder"])


def become_harness(plan, find_harness, supervisor, awake, wake):
    """In the forked child: never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (plan["control"], plan["report"], awake, wake):
            os.close(fd)
        os.setpgid(0, 0)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if plan["level"] != "namespaces" and os.getppid() != supervisor:
            _exit(1)
        prctl(PR_SET_DUMPABLE, 1)
        take_streams(plan)
        prefer_for_killing()
        run = find_harness()
        from rbi_child import confinement

        plan["work"] = confinement.enter_harness(plan["level"], plan["confinement"], plan["work"])
        run(plan)
    except BaseException:  # noqa: BLE001 - it is shown, and the process ends
        sys.excepthook(*sys.exc_info())
    finally:
        _exit(1)


def take_streams(plan):
    """Make the run's pipes the standard streams, where they are not that already."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        if name in plan:
            os.dup2(plan[name], fd)
            os.close(plan[name])


def prefer_for_killing():
    """If the machine runs out of memory, this goes first and not rbi."""
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("1000")
    except OSError:
        return


def import_harness():
    """The harness's entry point, once site-packages are on the path."""
    import site

    site.main()
    from rbi_child.harness import load_and_run

    return load_and_run


def locate_child():
    """Make this folder importable as the package ``rbi_child``."""
    import importlib.util

    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        "rbi_child", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    sys.modules["rbi_child"] = importlib.util.module_from_spec(spec)


def let_go(plan):
    """Close what belongs to the harness: the pipes must end when the strategy's processes do."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)
    for fd in strategy_descriptors(plan):
        os.close(fd)


def strategy_descriptors(plan):
    """Those that the harness uses."""
    single = (plan.get(name) for name in ("request", "text", "result", "stdout", "stderr"))
    return [*(fd for fd in single if fd is not None), *plan["bars"]]


def scratch_of(plan, harness):
    """What to look at for its size; ``None`` where the kernel limits what can be written."""
    if not plan["folder"]:
        return None
    from rbi_child.scratch import Scratch

    confinement = plan["confinement"]
    return Scratch(
        plan["work"],
        harness,
        most_bytes=confinement["scratch_bytes"],
        most_files=confinement["scratch_files"],
    )


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

    def wait(self, control, awake, scratch):
        """Until the harness has ended (``None``), or there is a reason to end it."""
        patience = LOOK_S if scratch else None
        while True:
            self.reap()
            if self.exit_code is not None:
                return None
            readable, _, _ = select.select([control, awake], [], [], patience)
            if control in readable:
                return CONTROL
            if awake in readable:
                os.read(awake, 4096)
            elif scratch and scratch.is_over():
                return SCRATCH
            elif scratch and threads_of(self.harness) > MOST_THREADS:
                return THREADS

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
        latest = time.monotonic() + TURN_S
        while is_pending(self.harness, signal.SIGUSR1) and time.monotonic() < latest:
            time.sleep(0.005)
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


def threads_of(process):
    """How many threads it has; 0 where the system does not tell."""
    try:
        return os.stat(f"/proc/{process}/task").st_nlink - 2
    except OSError:
        return 0


def is_pending(process, number):
    """Whether a signal waits for the process to have a turn; False where the system does not tell."""
    try:
        with open(f"/proc/{process}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
    except OSError:
        return False
    return any(int(fields.get(name, "0"), 16) >> (number - 1) & 1 for name in ("SigPnd", "ShdPnd"))


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


if __name__ == "__main__":
    main()
