"""Where rbi keeps what it can make again: strategy environments and slices of datasets."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from rbi.errors import RbiError


def cache_folder(environ: Mapping[str, str]) -> Path:
    """``RBI_CACHE``, else the user's cache folder, else the one of the account.

    Raises `RbiError` when none of them can be written.
    """
    if environ.get("RBI_CACHE"):
        return Path(environ["RBI_CACHE"]).absolute()
    candidates = [Path(platformdirs.user_cache_dir("rbi")), _account_home() / ".cache" / "rbi"]
    for folder in candidates:
        if _can_write(folder):
            return folder.absolute()
    raise RbiError(
        "no cache folder can be written", where=str(candidates[0]), fix="name one in the variable RBI_CACHE"
    )


def _can_write(folder: Path) -> bool:
    existing = next((p for p in (folder, *folder.parents) if p.exists()), folder)
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _account_home() -> Path:
    # HOME may be another user's (sudo, containers); the account's own home is the next best guess.
    if sys.platform == "win32":
        return Path.home()
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/nonexistent")
