"""How much a run holds on the disk, where no file system limits it: its work folder, and deleted files it holds."""

# ruff: noqa: PTH116, PTH118, PTH208

import os
import stat

BLOCK = 512
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LOOKS = 50  # at folders whose names change meanwhile


class Scratch:
    """Asked now and then whether a run has written more than it may.

    ``folder`` is the work folder, or ``None`` where the kernel limits it. ``harness`` is the process whose deleted
    files count too.
    """

    def __init__(self, folder, harness, *, most_bytes, most_files):
        self.folder = folder
        self.harness = harness
        self.most_bytes = most_bytes
        self.most_files = most_files

    def is_over(self):
        """Whether more is held than may be. A folder that hides its content counts as that."""
        size, files = 0, 0
        try:
            for found in (*deleted_files(self.harness), *deleted_maps(self.harness)):
                size += found
            for found in entries_of(self.folder):
                size, files = size + found, files + 1
                if size > self.most_bytes or files > self.most_files:
                    return True
        except OSError:
            return True
        return size > self.most_bytes


def entries_of(path):
    """What each entry below the folder at ``path`` takes, in bytes. Raises `OSError` for content that is hidden.

    If a folder has another name after it was listed, all are looked at again.
    """
    counted = set()
    for _ in range(LOOKS):
        found, complete = set(), True
        for status in entries_once(path):
            if status is None:
                complete = False
            elif status.st_ino not in counted:
                found.add(status.st_ino)
                yield status.st_blocks * BLOCK
        if complete:
            return
        counted |= found
    raise OSError("the names of folders keep changing")


def entries_once(path):
    """The status of each entry below ``path``, and None for a folder that has not its name any more.

    Folders are opened inside of their parents, never by a path: neither their depth nor new names hide what they hold.
    """
    try:
        levels = [(os.open(path, FOLDER), None)]
    except (FileNotFoundError, NotADirectoryError):
        return  # removed or replaced
    try:
        while levels:
            parent, names = levels[-1]
            if names is None:
                levels[-1] = parent, (names := (yield from files_of(parent)))
            inner = None
            if names:
                try:
                    inner = os.open(names.pop(), FOLDER, dir_fd=parent)
                except (FileNotFoundError, NotADirectoryError):
                    yield None
                    continue
            if not names:  # so that a chain of any length has two of them open
                levels.pop()
                os.close(parent)
            if inner is not None:
                levels.append((inner, None))
                yield os.fstat(inner)
    finally:
        for folder, _ in levels:
            os.close(folder)


def files_of(folder):
    """The status of each entry of an open folder that is none itself; returns the names of those that are."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                names.append(entry.name)
                continue
            try:
                yield entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
    return names


def deleted_files(process):
    """What each regular file takes that ``process`` has open and nobody can find any more."""
    listing = f"/proc/{process}/fd"
    try:
        names = os.listdir(listing)
    except OSError:
        return  # it has ended, or this is not Linux
    for name in names:
        try:
            found = os.stat(os.path.join(listing, name))
        except OSError:
            continue
        if found.st_nlink == 0 and stat.S_ISREG(found.st_mode):
            yield found.st_blocks * BLOCK


def deleted_maps(process):
    """The size of each deleted file that ``process`` has mapped: it may have closed it."""
    try:
        with open(f"/proc/{process}/maps", "rb") as maps:  # noqa: PTH123 - pathlib is slow to import
            lines = maps.read().splitlines()
    except OSError:
        return
    for line in lines:
        if line.endswith(b" (deleted)") and b"memfd:" not in line and b" /dev/zero" not in line:
            first, _, last = line.partition(b" ")[0].partition(b"-")
            yield int(last, 16) - int(first, 16)
