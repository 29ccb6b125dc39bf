"""The bars as a CSV file that is not there: whatever path a script reads them from, it gets the same text.

A script names the file on its author's machine. Here every path that ends in ``.csv`` can be opened for reading and
stands for the served text, unless the script wrote a file of that name. The text stays in its descriptor: opening it
costs what opening a file costs, and what is opened is a file for C code too (it can be mapped). Anything else, and
whatever is opened for writing, goes to the real file system. Paths among python's packages are the packages' own.
"""

# No pathlib here: it is built on the functions that are replaced.
# ruff: noqa: PTH100, PTH109, PTH116, PTH118, PTH119, PTH120, PTH207

import builtins
import fnmatch
import functools
import glob
import io
import os
import pathlib
import re
import site
import sys
import zlib

SUFFIX = ".csv"
MAGIC = re.compile(r"[*?[]")
WRITING = frozenset("wax+")


class ServedFile(io.FileIO):
    """A file over a shared descriptor, with a position of its own. Its name is the path that was asked for."""

    def __init__(self, descriptor, name):
        super().__init__(os.dup(descriptor), "rb")
        self.name = name
        self._size = os.fstat(descriptor).st_size
        self._position = 0

    def readinto(self, buffer):
        """Up to the buffer's length; 0 at the end."""
        view = memoryview(buffer).cast("B")
        data = os.pread(self.fileno(), len(view), self._position)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def read(self, size=-1):
        """Up to ``size`` bytes, or all that is left."""
        if size is None or size < 0:
            return self.readall()
        data = os.pread(self.fileno(), size, self._position)
        self._position += len(data)
        return data

    def readall(self):
        """All that is left."""
        parts = []
        while part := self.read(max(self._size - self._position, io.DEFAULT_BUFFER_SIZE)):
            parts.append(part)
        return b"".join(parts)

    def seek(self, offset, whence=os.SEEK_SET):
        """Move; returns the new position."""
        self.fileno()  # raises if it is closed
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError(22, "Invalid argument")
        self._position = start + offset
        return self._position

    def tell(self):
        """The position."""
        self.fileno()
        return self._position


class ServedText:
    """Which paths stand for the text in ``descriptor`` (a regular file or memory file), and what they look like.

    ``name`` is the dataset's, ``work`` the folder that the script may write to: files there are its own. It runs in
    the current folder. Files of the names ``written`` (patterns) are not seen before the script has written them.
    """

    def __init__(self, descriptor, name, work, written=()):
        self.descriptor = descriptor
        self.file_name = name + SUFFIX
        self._folder = os.getcwd()
        self._work = tuple({os.path.abspath(work) + os.sep, os.path.realpath(work) + os.sep})
        self._libraries = tuple({os.path.abspath(folder) + os.sep for folder in library_folders()})
        self._written, self._own_names = set(), written
        self._open, self._lstat = io.open, os.lstat

    def stands_at(self, path):
        """Whether ``path`` (str, bytes or path-like; anything else never) is a name for the text."""
        if isinstance(path, int):
            return False
        try:
            text = os.fsdecode(path)
        except (TypeError, ValueError):
            return False
        if not text.lower().endswith(SUFFIX) or "://" in text or "\0" in text:
            return False
        full = os.path.abspath(text)
        if full.startswith(self._work) or full in self._written:
            return not self._is_there(full)
        return not full.startswith(self._libraries)

    def is_seen_at(self, path):
        """Whether ``path`` is such a name to a script that asks if there is a file."""
        if not self.stands_at(path):
            return False
        name = os.path.basename(os.fsdecode(path)).lower()
        return not any(fnmatch.fnmatchcase(name, own) for own in self._own_names)

    def note_written(self, path):
        """The script opens ``path`` for writing: from now on it is its own, as long as it exists."""
        if isinstance(path, (str, bytes, os.PathLike)):
            self._written.add(os.path.abspath(os.fsdecode(path)))

    def open(self, path, mode="r", buffering=-1, encoding=None, errors=None, newline=None):
        """What `open` gives for a file with that text."""
        checked = (mode, buffering, encoding, errors, newline)
        self._open(path, *checked, opener=lambda *_: os.dup(self.descriptor)).close()  # raises as python does
        raw = ServedFile(self.descriptor, os.fspath(path))
        if buffering == 0:
            return raw
        size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
        buffered = io.BufferedReader(raw, size)
        if "b" in mode:
            return buffered
        text = io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)
        text.mode = mode
        return text

    def stat(self, path):
        """What `os.stat` gives: each path has an inode of its own, so that one can be copied to another."""
        kind, (fields, more) = os.fstat(self.descriptor).__reduce__()
        inode = zlib.crc32(os.fsencode(os.path.abspath(path)))
        return kind((fields[0], inode, *fields[2:]), more)

    def matching(self, pattern):
        """The path that ``pattern`` (with ``*``, ``?`` or ``[``) finds outside the work folder; empty for none.

        It finds the dataset under its name, in the innermost folder that the pattern names without a wildcard.
        """
        *folders, last = pattern.split("/")
        if not last.lower().endswith(SUFFIX) or "://" in pattern:
            return ""
        if not fnmatch.fnmatch(self.file_name.lower(), last.lower()):
            return ""
        return "/".join([*(name for name in folders if not MAGIC.search(name)), self.file_name])

    def listed_in(self, folder, names):
        """Names to be added to those of a folder, None if it is not there: that of the text where a script may look.

        That is any folder that it has not made itself: those are not there, and its own.
        """
        if isinstance(folder, int | bytes):
            return []
        path = os.path.abspath("." if folder is None else folder)
        if names is None:
            return [self.file_name] if self.stands_at(os.path.join(path, self.file_name)) else []
        if path != self._folder or any(name.lower().endswith(SUFFIX) for name in names):
            return []
        return [self.file_name]

    def _is_there(self, path):
        try:
            self._lstat(path)
        except OSError:
            return False
        return True


def library_folders():
    """The folders whose files belong to python and its packages."""
    return {*site.getsitepackages(), os.path.dirname(os.__file__)}


def serve(served):
    """Put the text in the place of the files, for python's own ways of reading them and for numpy's."""
    builtins.open = io.open = opening(io.open, served)
    numpy_source = sys.modules.get("numpy.lib._datasource")
    if numpy_source is not None:
        numpy_source._file_openers._file_openers[None] = io.open  # a copy it made when it was imported
    for name in ("stat", "lstat"):
        replace(name, answering(getattr(os, name), served))
    replace("access", allowing(os.access, served))
    replace("open", opening_descriptor(os.open, served))
    replace("listdir", listing(os.listdir, served))
    replace("scandir", scanning(os.scandir, served))
    glob.iglob = finding(glob.iglob, served)
    glob.glob = functools.wraps(glob.glob)(lambda *args, **kwargs: list(glob.iglob(*args, **kwargs)))
    for name in ("glob", "rglob"):
        setattr(pathlib.Path, name, finding_paths(getattr(pathlib.Path, name), served))


def replace(name, function):
    """Put ``function`` in the place of a function of `os`, also where `os` lists what that one supports."""
    original = getattr(os, name)
    setattr(os, name, function)
    for supporting in (
        os.supports_dir_fd,
        os.supports_effective_ids,
        os.supports_fd,
        os.supports_follow_symlinks,
    ):
        if original in supporting:
            supporting.add(function)


def opening(original, served):
    """`open`."""

    @functools.wraps(original)
    def open(
        file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None
    ):
        if isinstance(mode, str) and WRITING.isdisjoint(mode):
            if opener is None and closefd and served.stands_at(file):
                return served.open(file, mode, buffering, encoding, errors, newline)
        else:
            served.note_written(file)
        return original(file, mode, buffering, encoding, errors, newline, closefd, opener)

    return open


def answering(original, served):
    """`os.stat` and `os.lstat`."""

    @functools.wraps(original)
    def stat(path, **options):
        return served.stat(path) if served.is_seen_at(path) else original(path, **options)

    return stat


def allowing(original, served):
    """`os.access`."""

    @functools.wraps(original)
    def access(path, mode, **options):
        if served.is_seen_at(path):
            return not mode & (os.W_OK | os.X_OK)
        return original(path, mode, **options)

    return access


def opening_descriptor(original, served):
    """`os.open`: the descriptor is the text's own, at its start."""

    @functools.wraps(original)
    def open(path, flags, mode=0o777, *, dir_fd=None):
        if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and served.stands_at(path):
            descriptor = os.dup(served.descriptor)
            os.lseek(descriptor, 0, os.SEEK_SET)
            return descriptor
        if flags & os.O_CREAT:
            served.note_written(path)
        return original(path, flags, mode, dir_fd=dir_fd)

    return open


class ServedEntry:
    """What `os.scandir` gives for the text: an `os.DirEntry`."""

    def __init__(self, folder, name):
        self.name, self.path = name, os.path.join(folder, name)

    def __fspath__(self):
        return self.path

    def inode(self):
        """As `os.stat` has it."""
        return os.stat(self.path).st_ino

    def is_dir(self, *, follow_symlinks=True):  # noqa: ARG002 - as an os.DirEntry
        """It is a file."""
        return False

    is_symlink = is_dir

    def is_file(self, *, follow_symlinks=True):  # noqa: ARG002 - as an os.DirEntry
        """It is one."""
        return True

    def stat(self, *, follow_symlinks=True):  # noqa: ARG002 - as an os.DirEntry
        """As `os.stat`."""
        return os.stat(self.path)


class Entries:
    """The iterator that `os.scandir` gives."""

    def __init__(self, entries):
        self._entries = iter(entries)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def close(self):
        """Nothing more comes."""
        self._entries = iter(())


def listing(original, served):
    """`os.listdir`."""

    @functools.wraps(original)
    def listdir(path=None):
        try:
            names = original(path)
        except FileNotFoundError:
            if added := served.listed_in(path, None):
                return added
            raise
        return names + served.listed_in(path, names)

    return listdir


def scanning(original, served):
    """`os.scandir`, which `os.walk` asks."""

    @functools.wraps(original)
    def scandir(path=None):
        shown = "." if path is None else path
        try:
            with original(path) as found:
                entries = list(found)
        except FileNotFoundError:
            if added := served.listed_in(path, None):
                return Entries([ServedEntry(os.fspath(shown), name) for name in added])
            raise
        added = served.listed_in(path, [entry.name for entry in entries])
        return Entries([*entries, *(ServedEntry(os.fspath(shown), name) for name in added)])

    return scandir


def finding(original, served):
    """`glob.iglob`: patterns with wildcards (names without are looked up, which is replaced already)."""

    @functools.wraps(original)
    def iglob(pathname, **options):
        found = list(original(pathname, **options))
        if isinstance(pathname, str) and MAGIC.search(pathname) and not options.get("root_dir"):
            found = own_or_served(found, served, pathname)
        return iter(found)

    return iglob


def finding_paths(original, served):
    """`Path.glob` and `Path.rglob`."""

    @functools.wraps(original)
    def glob(self, pattern, **options):
        found = list(original(self, pattern, **options))
        asked = str(self / os.fspath(pattern))
        if MAGIC.search(asked):
            found = [self.__class__(path) for path in own_or_served([*map(str, found)], served, asked)]
        return iter(found)

    return glob


def own_or_served(found, served, pattern):
    """What a pattern finds: files that the script wrote, else the one that is served if it fits; else as found."""
    there = served.matching(pattern)
    own = [path for path in found if not served.stands_at(path)]
    return own or ([there] if there else found)
