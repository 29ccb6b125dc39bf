"""A root folder with only what strategies need, and namespaces of their own: the strongest level.

The server builds the root once. A job gets process ids, mounts and IPC of its own from its supervisor, and mounts its
one scratch folder there.
"""

# No pathlib here: none of this needs more than the plain calls.
# ruff: noqa: PTH102, PTH103, PTH106, PTH110, PTH112, PTH114, PTH115, PTH118, PTH120, PTH123, PTH211, S108

import os
import resource
import select
import signal
import struct

from rbi_child.system_calls import (
    PR_SET_PDEATHSIG,
    ConfinementError,
    checked,
    libc,
    mount,
    prctl,
    system_call,
    unmount,
    unshare,
)

NEW_MOUNTS, NEW_HOSTNAME, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_USER, NEW_PIDS, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
SERVER = NEW_MOUNTS | NEW_HOSTNAME | NEW_IPC | NEW_PIDS | NEW_NETWORK
JOB = NEW_MOUNTS | NEW_IPC | NEW_PIDS

READ_ONLY, NO_SETUID, NO_DEVICES, NO_EXEC = 1, 2, 4, 8  # the same bits for mount and mount_setattr
BIND, RECURSIVE, PRIVATE = 1 << 12, 1 << 14, 1 << 18
HERE, RECURSIVELY = -100, 0x8000  # AT_FDCWD, AT_RECURSIVE

WORK = "/strategy"
HOST = "/.host"  # where the old root is while the new one is built
DEVICES = ("null", "zero", "full", "random", "urandom")


def leave_host(uid):
    """Continue as process 1 of new namespaces. The process that called this stays outside and waits.

    As real root there is no user namespace, so that strategies can have a user id that nobody else has. Otherwise, or
    where that is refused, there is one, in which ``uid`` is the user who started this.
    """
    if os.geteuid() != 0 or not is_mapped(uid) or not unshared_without_users():
        unshare_with_users(uid)
    divide()
    hostname = b"strategy"
    checked("host name", libc.sethostname(hostname, len(hostname)))
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # if the machine runs out of memory, this and its jobs go first and not rbi


def is_mapped(uid):
    """Whether this process's user namespace has that user and group id at all."""
    for table in ("/proc/self/uid_map", "/proc/self/gid_map"):
        with open(table) as lines:
            ranges = [(int(first), int(count)) for first, _, count in map(str.split, lines)]
        if not any(first <= uid < first + count for first, count in ranges):
            return False
    return True


def unshared_without_users():
    """Whether the namespaces could be had without one for users."""
    try:
        unshare("namespaces", SERVER)
    except ConfinementError:
        return False
    return True


def unshare_with_users(uid):
    """The namespaces and one for users. The one user in it is ourselves."""
    user, group = os.geteuid(), os.getegid()
    unshare("user namespace (the system may forbid or limit them)", NEW_USER | SERVER)
    try:
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {user} 1"),
            ("gid_map", f"{uid} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as table:
                table.write(line)
    except OSError as error:
        raise ConfinementError(f"users of the user namespace: {error}") from error


def divide():
    """Fork. The child goes on as process 1; the parent ends as the child does. Neither outlives the other."""
    bond = Bond()
    pid = os.fork()
    if pid == 0:
        bond.tie()
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(0, bond.held)  # the pipes must end when the child's do
    os.closerange(bond.held + 1, 1 << 20)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


class Bond:
    """Lets a child die with its parent, also if that died before the child could ask for it.

    The usual question, whether the parent has changed, has no answer across process id namespaces.
    """

    def __init__(self):
        self.watched, self.held = os.pipe()

    def tie(self):
        """In the child. Must be called (again) after its user changes: the kernel forgets it then."""
        os.close(self.held)
        checked("dying with the parent", prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        poll = select.poll()
        poll.register(self.watched, 0)
        if poll.poll(0):
            os._exit(1)
        os.close(self.watched)


def build_root(readable, hidden, uid):
    """Replace the root folder by one in which there is only what is said here; only the scratch will be writable."""
    mount("private mounts", None, "/", None, RECURSIVE | PRIVATE)
    options = "size=1m,mode=755"
    mount("new root", "root", "/tmp", "tmpfs", NO_SETUID | NO_DEVICES | NO_EXEC, options)
    os.mkdir("/tmp" + HOST)
    system_call("pivot_root", "pivot_root", b"/tmp", b"/tmp" + HOST.encode())
    os.chdir("/")
    shown = []
    for path in sorted(map(os.path.normpath, readable)):
        show(path, shown)
    cover(hidden)
    if os.path.lexists(WORK):
        raise ConfinementError(f"{WORK} is needed for strategies, but something readable is there")
    for name in DEVICES:
        bind(f"/dev/{name}", READ_ONLY | NO_SETUID | NO_EXEC)
    os.mkdir(WORK)
    os.makedirs("/proc", exist_ok=True)
    write_users(uid)
    for place in ("/tmp", "/dev/shm"):  # part of the one scratch folder, so that one limit is for all of it
        if not os.path.lexists(place):
            os.symlink(WORK, place)
    unmount("leaving the old root", HOST)
    os.rmdir(HOST)
    restrict("/", READ_ONLY | NO_SETUID | NO_DEVICES | NO_EXEC, 0)


def show(path, shown):
    """Bind the host's ``path`` at the same place. Symbolic links on the way are made again, and followed."""
    place, rest = "", path.strip("/").split("/")
    while rest:
        place = f"{place}/{rest.pop(0)}"
        if os.path.islink(HOST + place):
            target = os.readlink(HOST + place)
            if not os.path.lexists(place):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.symlink(target, place)
            show(os.path.normpath(os.path.join(os.path.dirname(place), target, *rest)), shown)
            return
    if place == "/":
        raise ConfinementError("the whole file system cannot be readable")
    if any(place == parent or place.startswith(parent + "/") for parent in shown):
        return
    if os.path.exists(HOST + place):
        bind(place, READ_ONLY | NO_SETUID | NO_DEVICES)
        shown.append(place)


def bind(place, restrictions):
    """Show the host's ``place``, with everything that is mounted below it."""
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.isdir(HOST + place):
        os.makedirs(place, exist_ok=True)
    else:
        open(place, "x").close()
    mount(f"showing {place}", HOST + place, place, None, BIND | RECURSIVE)
    restrict(place, restrictions, RECURSIVELY)


def restrict(place, restrictions, depth):
    """mount_setattr(2): set flags of the mount at ``place``."""
    attributes = struct.pack("4Q", restrictions, 0, 0, 0)
    step = f"restricting {place}"
    system_call(step, "mount_setattr", HERE, place.encode(), depth, attributes, len(attributes))


def cover(hidden):
    """Put something empty in the place of what must not be seen."""
    for path in hidden:
        if os.path.isdir(path):
            flags = READ_ONLY | NO_SETUID | NO_DEVICES | NO_EXEC
            mount(f"hiding {path}", "hidden", os.path.realpath(path), "tmpfs", flags, "size=4k,mode=755")
        elif os.path.exists(path):
            mount(f"hiding {path}", f"{HOST}/dev/null", os.path.realpath(path), None, BIND)


def write_users(uid):
    """The one user there is, for who looks up a name or a home folder."""
    os.makedirs("/etc", exist_ok=True)
    for name, line in (("passwd", f"strategy:x:{uid}:{uid}::{WORK}:/"), ("group", f"strategy:x:{uid}:")):
        if not os.path.lexists(f"/etc/{name}"):
            with open(f"/etc/{name}", "w") as table:
                table.write(line + "\n")


def enter_job():
    """In the supervisor: the next child is process 1 of a namespace of its own, and has mounts of its own."""
    unshare("namespaces of the job", JOB)


def mount_scratch(size, files, uid):
    """The only place to write to: at most ``size`` bytes and ``files`` files and folders, kept in memory."""
    options = f"size={size},nr_inodes={files},mode=700,uid={uid},gid={uid}"
    mount("scratch", "scratch", WORK, "tmpfs", NO_SETUID | NO_DEVICES | NO_EXEC, options)


def become(uid):
    """As real root, turn into that user for good. In a user namespace we are it already."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
