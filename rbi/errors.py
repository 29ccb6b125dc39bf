"""The expected error: three short parts that the command line prints, and the exit code that goes with it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller."""

    OK = 0
    ERROR = 1
    USAGE = 2
    STOPPED = 3
    INTERRUPTED = 130


class RbiError(Exception):
    """Something the user can put right: ``what`` is wrong, ``where``, and the command or edit that ``fix``es it."""

    def __init__(self, what: str, *, where: str = "", fix: str = "", exit_code: int = ExitCode.ERROR) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.exit_code = exit_code


class UsageError(RbiError):
    """A command line or setting that cannot be meant."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix, exit_code=ExitCode.USAGE)
