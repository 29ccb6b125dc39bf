"""Notices a strategy that reads environment variables: there is nothing in them for it.

Libraries read them freely. The environment holds no secret in any case; this makes the dependence visible.
"""

import os
import sys

LOOKED_THROUGH = frozenset({"os", "_collections_abc", "collections.abc", __name__})


class EnvironmentReadError(BaseException):
    """Raised into the strategy. Not an `Exception`, so that a wide ``except`` does not hide it."""


class GuardedEnviron(os._Environ):
    """`os.environ`, readable by everyone but the strategy's own module. Writing stays possible."""

    first_read = None  # (line, key) of the strategy's first attempt

    def __getitem__(self, key):
        self._refuse_strategy(repr(key)[:100])
        return super().__getitem__(key)

    def __iter__(self):
        self._refuse_strategy("all of it")
        return super().__iter__()

    def __repr__(self):
        self._refuse_strategy("all of it")
        return super().__repr__()

    def _refuse_strategy(self, key):
        frame = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__") in LOOKED_THROUGH:
            frame = frame.f_back
        if frame is None or frame.f_globals.get("__name__") != "strategy":
            return
        if self.first_read is None:
            self.first_read = (frame.f_lineno, key)
        raise EnvironmentReadError(f"strategies cannot read the environment: {key}")


def guard_environment():
    """Put the guard in the place of `os.environ` and return it."""
    plain = os.environ
    guard = GuardedEnviron(
        plain._data, plain.encodekey, plain.decodekey, plain.encodevalue, plain.decodevalue
    )
    os.environ = guard  # noqa: B003 - it wraps the same environment
    return guard
