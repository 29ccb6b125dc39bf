"""The warm server: imports the libraries once, then forks a supervisor for each job.

Run as ``<environment python> -s server.py <config>``. The config is a JSON object: ``socket`` (an inherited
SEQPACKET socket), ``level``, ``confinement``, ``libraries`` (further modules to import if they are there).
It answers with one JSON message, ``{"ready": true, ...}`` or ``{"broken": why}``. Then each message is a job: the plan
of `rbi_child.supervisor`, in which descriptors are positions in the list that comes along with it.

It never runs strategy code and holds no data: bars go through it as descriptors that it does not look into. When the
socket closes (rbi wants an end, or rbi died), it ends, and every job with it.
"""

import sys

del sys.path[0]  # this folder: a file of it must never stand in for a module of the standard library

import array  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from os import _exit  # noqa: E402

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
MESSAGE_BYTES = 1 << 17
DESCRIPTORS = 250
WARM_UP = """
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover


class WarmUp(Strategy):
    length = 5

    def init(self):
        self.fast = self.I(lambda values: pd.Series(values).rolling(self.length).mean(), self.data.Close)
        self.slow = self.I(lambda values: pd.Series(values).rolling(3 * self.length).mean(), self.data.Close)

    def next(self):
        if crossover(self.fast, self.slow):
            self.position.close()
            self.buy(sl=self.data.Close[-1] * 0.9)
        elif crossover(self.slow, self.fast):
            self.position.close()
            self.sell(size=0.5, tp=self.data.Close[-1] * 0.9)
"""


def main():
    """Until the socket closes."""
    config = json.loads(sys.argv[1])
    link = socket.socket(fileno=config["socket"])
    locate_child()
    from rbi_child import confinement
    from rbi_child.supervisor import prctl

    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        confinement.enter_server(config["level"], config["confinement"])
        warm_up(config["libraries"])
    except BaseException as error:  # noqa: BLE001 - rbi says it to the user
        link.send(json.dumps({"broken": f"{type(error).__name__}: {error}"}).encode()[:MESSAGE_BYTES])
        _exit(1)
    link.send(json.dumps({"ready": True, "threads": thread_count()}).encode())
    serve(link, config)


def locate_child():
    """Make this folder importable as the package ``rbi_child``."""
    import importlib.util

    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is slow to import
    spec = importlib.util.spec_from_file_location(
        "rbi_child",
        os.path.join(folder, "__init__.py"),  # noqa: PTH118
        submodule_search_locations=[folder],
    )
    sys.modules["rbi_child"] = importlib.util.module_from_spec(spec)


def warm_up(libraries):
    """Import and exercise everything a run uses, so that its pages are shared and its code is specialised."""
    from rbi_child import harness

    harness.preload()  # first: it puts stand-ins where the imports below find them
    from rbi_child.attempt import attempt
    from rbi_child.environment_guard import FirstRead
    from rbi_child.observation import Observer

    for name in libraries:
        try:
            __import__(name)
        except BaseException:  # noqa: BLE001, S112 - a library that is missing or broken fails those who use it
            continue
    observer, request = Observer(), {"source": WARM_UP, "mode": "class"}
    terms = {"cash": 10_000.0, "commission": 0.001, "spread": 0.0, "margin": 1.0}
    scenario = {"terms": terms, "params": {}, "seed": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with observer.installed():
            for _ in range(3):
                document = attempt(request, scenario, some_bars(400), observer, FirstRead())
                harness.ENCODE(document)
    if "failure" in document:
        raise RuntimeError(f"a simple backtest does not run: {document['failure']['message']}")
    sys.modules.pop("strategy", None)
    flush()
    gc.collect()
    gc.freeze()  # the collector of a child must not write to what it shares with us


def flush():
    """What libraries printed when they were imported is not to come out of every job."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S112 - a library closed or replaced it
            continue


def some_bars(rows):
    """A random walk."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, rows)))
    columns = {"Open": close, "High": close * 1.01, "Low": close * 0.99, "Close": close, "Volume": close}
    return pd.DataFrame(columns, index=pd.date_range("2020-01-01", periods=rows, freq="D", name="Date"))


def thread_count():
    """How many threads this process has; forking is only sound with one."""
    import threading

    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208
    except OSError:
        return threading.active_count()


def serve(link, config):
    """Take jobs and bury the dead."""
    awake, wake = os.pipe()
    for fd in (awake, wake):
        os.set_blocking(fd, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    supervisors = set()
    while True:
        readable, _, _ = select.select([link, awake], [], [])
        if awake in readable:
            os.read(awake, 4096)
            bury(supervisors, config["level"])
        if link in readable:
            plan = receive(link)
            if plan is None:
                end(supervisors)
            supervisors.add(start(plan, config, [link.fileno(), awake, wake]))
            close_descriptors(plan)


def receive(link):
    """The next job with its descriptors in place, or ``None`` if rbi has gone."""
    try:
        data, ancillary, _, _ = link.recvmsg(
            MESSAGE_BYTES, socket.CMSG_SPACE(4 * DESCRIPTORS), socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionError:
        return None
    if not data:
        return None
    fds = array.array("i")
    for _, _, payload in ancillary:
        fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    plan = json.loads(data)
    for name in DESCRIPTOR_NAMES:
        if plan[name] is not None:
            plan[name] = fds[plan[name]]
    plan["bars"] = [fds[position] for position in plan["bars"]]
    return plan


DESCRIPTOR_NAMES = ("control", "report", "request", "text", "result", "stdout", "stderr")


def close_descriptors(plan):
    """They belong to the supervisor."""
    for fd in (*(plan[name] for name in DESCRIPTOR_NAMES), *plan["bars"]):
        if fd is not None:
            os.close(fd)


def start(plan, config, ours):
    """Fork a supervisor. Returns its process id."""
    server = os.getpid()
    supervisor = os.fork()
    if supervisor:
        return supervisor
    try:
        signal.set_wakeup_fd(-1)
        for fd in ours:
            os.close(fd)
        os.setsid()
        from rbi_child import harness
        from rbi_child.supervisor import prctl, supervise

        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server:
            _exit(1)
        own = {**config["confinement"], **plan["confinement"]}
        supervise({**plan, "level": config["level"], "confinement": own}, lambda: harness.run)
        _exit(0)
    except BaseException:  # noqa: BLE001 - rbi notices that the supervisor does not report
        sys.excepthook(*sys.exc_info())
    finally:
        _exit(1)


def bury(supervisors, level):
    """Collect ended children. What was handed down to us by a supervisor that was killed is killed too."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        supervisors.discard(pid)
    if level != "namespaces":
        from rbi_child.supervisor import children, kill

        for pid in children() or ():
            if pid not in supervisors:
                kill(pid, signal.SIGKILL)


def end(supervisors):
    """Give the supervisors, which see the same end, the time to kill their harnesses; then go."""
    deadline = time.monotonic() + 1.0
    while supervisors and time.monotonic() < deadline:
        bury(supervisors, "")
        time.sleep(0.005)
    _exit(0)


main()
