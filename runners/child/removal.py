"""Removing a run's folder, whatever a strategy did in it. The supervisor imports it, rbi runs it as a script."""

# No pathlib here: the supervisor does without it.
# ruff: noqa: PTH101, PTH106, PTH108

import itertools
import os
import stat
import sys
from collections.abc import Iterator


def remove_folder(path: str) -> None:
    """Remove ``path`` and everything in it. Never raises; what cannot be removed (immutable files) is left.

    Symbolic links are not followed. Neither the depth of the folders nor the length of their paths matters: each
    is moved up into ``path`` before it is emptied.
    """
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
        os.chmod(path, 0o700)
        root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # it is gone, or not ours any more
    try:
        _remove_content(root)
    finally:
        os.close(root)
    try:
        os.rmdir(path)
    except OSError:
        return  # something in it cannot be removed


def _remove_content(root: int) -> None:
    names = (f".{os.getpid()}-{number}" for number in itertools.count())
    waiting = _empty(root, root, names)
    while waiting:
        name = waiting.pop()
        try:
            folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
        except OSError:
            continue
        try:
            waiting += _empty(folder, root, names)
        finally:
            os.close(folder)
        try:
            os.rmdir(name, dir_fd=root)
        except OSError:
            continue


def _empty(folder: int, root: int, names: Iterator[str]) -> list[str]:
    """Delete the files in ``folder``, move its folders into ``root`` and return what they are called there."""
    try:
        entries = os.listdir(folder)
    except OSError:
        return []
    moved = []
    for entry in entries:
        try:
            if not stat.S_ISDIR(os.lstat(entry, dir_fd=folder).st_mode):
                os.unlink(entry, dir_fd=folder)
                continue
            os.chmod(entry, 0o700, dir_fd=folder)  # one that cannot be written cannot be moved
            name = next(names)
            os.rename(entry, name, src_dir_fd=folder, dst_dir_fd=root)
            moved.append(name)
        except OSError:
            continue  # an immutable file, a mount: it stays
    return moved


if __name__ == "__main__":
    remove_folder(sys.argv[1])
