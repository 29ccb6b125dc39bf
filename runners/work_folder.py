"""A private folder on the disk for each run, where its level has no file system in memory for it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runners.base import Level, RunnerError

_REMOVAL = Path(__file__).with_name("child") / "removal.py"


@contextmanager
def work_folder(root: Path, level: Level) -> Iterator[Path | None]:
    """A new folder in ``root``, removed with everything in it; ``None`` at the level that needs none.

    Raises `RunnerError` if it cannot be made.
    """
    if level is Level.NAMESPACES:
        yield None
        return
    try:
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=root.absolute()))
    except OSError as error:
        raise RunnerError(
            f"no work folder can be made in {root}: {error.strerror}",
            hint="make space, or choose a folder that can be written",
        ) from error
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Never raises for anything in ``folder``: how a run ended matters more than what it left behind."""
    try:
        (folder / "work").rmdir()  # most strategies leave it empty
        folder.rmdir()
    except OSError:
        command = [sys.executable, "-I", "-S", str(_REMOVAL), str(folder)]
        with suppress(OSError):
            subprocess.run(command, stdin=subprocess.DEVNULL, start_new_session=True, check=False)
