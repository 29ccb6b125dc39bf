"""Notices a strategy that reads environment variables: there is nothing in them for it.

Libraries read them freely. The environment holds no secret in any case; this makes the dependence visible.
"""

import os
import posix
import sys

LOOKED_THROUGH = frozenset({"os", "_collections_abc", "collections.abc", __name__})


class EnvironmentReadError(BaseException):
    """Raised into the strategy. Not an `Exception`, so that a wide ``except`` does not hide it."""


class FirstRead:
    """The strategy's first attempt to read the environment: ``place`` is its (line, key), or None."""

    place = None


class GuardedEnviron(os._Environ):
    """`os.environ`, readable by everyone but the strategy's own module. Writing stays possible."""

    def __init__(self, plain, content, first_read):
        self._first_read = first_read
        self._content = content
        super().__init__(content, plain.encodekey, plain.decodekey, plain.encodevalue, plain.decodevalue)

    @property
    def _data(self):
        if sys._getframe(1).f_globals.get("__name__") == "strategy":
            self._refuse_strategy("all of it")
        return self._content

    @_data.setter
    def _data(self, content):
        self._content = content

    def __getitem__(self, key):
        self._refuse_strategy(repr(key)[:100])
        return super().__getitem__(key)

    def __iter__(self):
        self._refuse_strategy("all of it")
        return super().__iter__()

    def __len__(self):
        self._refuse_strategy("how much there is")
        return super().__len__()

    def __repr__(self):
        self._refuse_strategy("all of it")
        return super().__repr__()

    def _refuse_strategy(self, key):
        frame = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__") in LOOKED_THROUGH:
            frame = frame.f_back
        if frame is None or frame.f_globals.get("__name__") != "strategy":
            return
        if self._first_read.place is None:
            self._first_read.place = (frame.f_lineno, key)
        raise EnvironmentReadError(f"strategies cannot read the environment: {key}")


def guard_environment():
    """Put guards in the place of `os.environ` and `os.environb`. Returns where they note the first read."""
    first_read = FirstRead()
    content = dict(os.environ._data)
    os.environ = GuardedEnviron(os.environ, content, first_read)  # noqa: B003 - it wraps the same environment
    os.environb = GuardedEnviron(os.environb, content, first_read)
    posix.environ.clear()  # the plain dict that os.environ was made from
    return first_read
