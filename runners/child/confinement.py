"""What a strategy's processes cannot do, at each level: set up in three steps, each by a single-threaded process.

``namespaces``: a root with nothing else in it, process ids of its own, no network, Landlock, a system call filter.
``landlock``: Landlock and a system call filter. ``limits`` and ``cold``: resource limits and no new privileges.

``config``: ``readable`` paths, ``hidden`` folders in them, ``uid`` for strategies that real root starts,
``scratch_root`` (the folder on the host that has every job's work folder in it), ``scratch_bytes`` and
``scratch_files`` of a job's scratch where the kernel can limit them, ``limits`` by name (``RLIMIT_...``).
"""

import os
import resource
import sys

from rbi_child import namespaces
from rbi_child.landlock import READING, SCRATCH, Ruleset
from rbi_child.landlock import version as landlock_version
from rbi_child.seccomp import install, program
from rbi_child.system_calls import (
    ConfinementError,
    drop_capabilities,
    forget_capabilities,
    machine,
    refuse_new_privileges,
)

NAMESPACES, LANDLOCK = "namespaces", "landlock"
STRONG = (NAMESPACES, LANDLOCK)
CPU_GRACE_S = 2  # between SIGXCPU, which names the limit, and SIGKILL; were they one, only SIGKILL would come
THREADS = 256  # of all jobs of one user together; at namespaces, where nothing else of that user is counted


class Inherited:
    """What the server and the supervisor prepare and leave to their children."""

    landlock = 0  # its version
    size_file = None  # descriptor of the server's statm: there is no /proc later
    readable = None  # the Ruleset of what can be read
    filter = None  # the system call filter for process 1
    bond = None  # of the harness to its supervisor


inherited = Inherited()


def enter_server(level, config):
    """In the fresh server, before it imports anything large. Raises `ConfinementError` if the level cannot be had.

    For namespaces it returns in a forked process, while the one that called it waits and ends as that one does.
    """
    if level not in STRONG:
        return
    machine()
    inherited.landlock = landlock_version()
    if level == NAMESPACES:
        namespaces.leave_host(config["uid"])
        inherited.size_file = open_size_file()
        namespaces.build_root(config["readable"], config["hidden"], config["uid"])
        inherited.filter = program(machine(), own_pid=1, foreign_files=False)
    else:
        inherited.size_file = open_size_file()
        inherited.readable = readable_only(config)
    forget_capabilities()


def enter_supervisor(level, config):  # noqa: ARG001 - the steps have one signature
    """In the supervisor, before it forks the harness, which must be its next child."""
    if level == NAMESPACES:
        inherited.bond = namespaces.Bond()
        namespaces.enter_job()


def enter_harness(level, config, work):
    """In the harness, right after the fork. Returns the work folder's path as the strategy sees it.

    At the strong levels it is the current folder then, and what the caller has open stays usable.
    """
    if level == NAMESPACES:
        work = namespaces.WORK
        namespaces.mount_scratch(config["scratch_bytes"], config["scratch_files"], config["uid"])
        namespaces.become(config["uid"])
        inherited.bond.tie()
    set_limits(limits_at(level, config["limits"]), must=level in STRONG)
    if level not in STRONG and sys.platform != "linux":
        return work
    refuse_new_privileges()
    drop_capabilities()  # also where little else holds: root's own would let it look into the supervisor
    if level not in STRONG:
        return work
    os.chdir(work)
    if level == NAMESPACES:
        restrict_writing(work)
        install(inherited.filter)
    else:
        restrict_files(config["readable"], work)
        install(program(machine(), own_pid=os.getpid(), foreign_files=True))
    return work


def open_size_file():
    """A descriptor that tells the address space of this process, also without /proc."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfinementError(f"size of the address space: {error}") from error


def limits_at(level, limits):
    """The configured limits and those that only a strong level can have.

    Shared memory is in the address space only, not in ``RLIMIT_DATA``; so the address space may grow by as much.
    """
    if level not in STRONG:
        return limits
    pages = int(os.pread(inherited.size_file, 100, 0).split()[0])
    os.close(inherited.size_file)
    limits = {**limits, "RLIMIT_AS": pages * resource.getpagesize() + limits["RLIMIT_DATA"]}
    return {"RLIMIT_NPROC": THREADS, **limits} if level == NAMESPACES else limits


def set_limits(limits, must):
    """Resource limits by name. One that this system lacks or refuses is done without, unless it ``must`` be."""
    for name, value in limits.items():
        number = getattr(resource, name, None)
        if number is None:
            continue
        last = value + CPU_GRACE_S if name == "RLIMIT_CPU" else value
        hard = resource.getrlimit(number)[1]
        if hard != resource.RLIM_INFINITY:
            value, last = min(value, hard), min(last, hard)
        try:
            resource.setrlimit(number, (value, last))
        except (ValueError, OSError) as error:
            if must:
                raise ConfinementError(f"limit {name}: {error}") from error
            print(f"limit {name} is not in force: {error}", file=sys.stderr)


def readable_only(config):
    """Landlock's rules for all jobs: reading, and writing where the work folders are."""
    if not inherited.landlock:
        raise ConfinementError("landlock: this kernel does not have it, or it is switched off")
    rules = Ruleset(inherited.landlock)
    hidden = [os.path.realpath(path) for path in config["hidden"]]
    for path in config["readable"]:
        rules.grant_reading(path, hidden)
    rules.grant(config["scratch_root"], SCRATCH)
    rules.grant_devices()
    return rules


def restrict_files(readable, work):
    """The rules for all jobs, and on top of them that the only work folder is the own one."""
    rules = Ruleset(inherited.landlock)
    for path in readable:
        rules.grant(path, READING)
    rules.grant(work, SCRATCH)
    rules.grant_devices()
    for layer in (inherited.readable, rules):
        layer.enforce()
        layer.close()


def restrict_writing(work):
    """Where everything is mounted read-only and nothing foreign can be seen, this is a second line of defence."""
    if not inherited.landlock:
        return
    rules = Ruleset(inherited.landlock, ungoverned=READING)
    rules.grant(work, SCRATCH)
    rules.grant_devices()
    rules.enforce()
    rules.close()
