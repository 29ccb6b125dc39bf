"""The two files that settings are read from: ``rbi.toml`` and ``.env``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from rbi.errors import UsageError


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a ``.env`` file, none if there is no file. Raises `UsageError` if it is no text."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path, encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            "the file is not UTF-8 text", where=str(path), fix="write lines such as OPENAI_API_KEY=..."
        ) from None
    except OSError as error:
        raise UsageError(
            f"the file cannot be read: {error.strerror}", where=str(path), fix="check its permissions"
        ) from None
    return {key: value for key, value in values.items() if value is not None}


def read_toml(path: Path, *, required: bool) -> dict[str, Any]:
    """The content of a settings file, empty if there is none and it is not ``required``. Raises `UsageError`."""
    if not path.is_file():
        if required or path.exists():
            raise UsageError(
                "there is no such settings file", where=str(path), fix="`rbi init` makes an rbi.toml"
            )
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the settings file is not valid TOML: {error}", where=str(path), fix="correct that line"
        ) from None
    except OSError as error:
        raise UsageError(
            f"the settings file cannot be read: {error.strerror}",
            where=str(path),
            fix="check its permissions",
        ) from None
