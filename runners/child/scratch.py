"""How much a run holds on the disk, where no file system limits it: its work folder, and deleted files it holds."""

# ruff: noqa: PTH114, PTH116, PTH118, PTH208

import errno
import os
import stat

BLOCK = 512
DEEPEST = 64  # folders in one another: the deeper one is, the longer the kernel takes to find it


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
        """Whether more is held than may be. A folder that hides its content, or too deeply, counts as that."""
        size, files = 0, 0
        try:
            for found in (*deleted_files(self.harness), *deleted_maps(self.harness)):
                size += found
            for found in entries_below(self.folder):
                size, files = size + found, files + 1
                if size > self.most_bytes or files > self.most_files:
                    return True
        except OSError:
            return True
        return size > self.most_bytes


def entries_below(folder):
    """What each entry below ``folder`` takes, in bytes. Raises `OSError` for what cannot be looked into."""
    folders = [] if os.path.islink(folder) else [(folder, 0)]
    while folders:
        path, depth = folders.pop()
        if depth > DEEPEST:
            raise OSError(errno.ENAMETOOLONG, "folders too deep in one another")
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    try:
                        yield entry.stat(follow_symlinks=False).st_blocks * BLOCK
                    except FileNotFoundError:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((entry.path, depth + 1))
        except (FileNotFoundError, NotADirectoryError):
            continue  # removed or replaced meanwhile


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
