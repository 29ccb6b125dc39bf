"""What the containment of this process keeps from it, found by trying. Each attempt is harmless if it succeeds."""

import errno
import os
import socket

REFUSED = (errno.EPERM, errno.EACCES)


def examine(work, foreign_file):
    """``{attempt: whether it was refused}``. ``foreign_file`` exists outside of everything a strategy may use."""
    return {
        "read": refused(lambda: open(foreign_file, "rb").close(), errno.ENOENT),  # noqa: PTH123
        "write": refused(lambda: open(__file__, "ab").close(), errno.EROFS),  # noqa: PTH123
        "network": refused(lambda: socket.socket().close(), errno.EAFNOSUPPORT),
        "fork": refused(fork),
        "exec": refused(lambda: os.execv(os.devnull + "/none", ["none"])),  # noqa: S606
        "signal": refused(lambda: os.kill(os.getppid() or os.getpid() + 1, 0), errno.ESRCH),
        "scratch": not refused(lambda: scratch(work)),
        "libraries": not refused(read_libraries),
    }


def refused(attempt, *also):
    """Whether ``attempt`` ended in an error that says no. ``also`` are further ways of saying it here."""
    try:
        attempt()
    except OSError as error:
        return error.errno in (*REFUSED, *also)
    return False


def fork():
    """A copy that ends at once."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def read_libraries():
    """What a strategy may import any time: into every package, and one file of it."""
    import numpy

    packages = os.path.dirname(os.path.dirname(numpy.__file__))  # noqa: PTH120
    with os.scandir(packages) as entries:
        for entry in entries:
            if entry.is_dir():
                os.listdir(entry.path)  # noqa: PTH208
    for path in (os.__file__, numpy.__file__):
        open(path, "rb").close()  # noqa: PTH123


def scratch(work):
    """A file where a strategy may write one."""
    path = os.path.join(work, ".self-test")  # noqa: PTH118
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    os.unlink(path)  # noqa: PTH108
