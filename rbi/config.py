"""Settings: one table of them, and the order in which they are decided.

defaults < ``rbi.toml`` < environment and ``.env`` (``RBI_MODEL`` for ``model``) < command line.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rbi.errors import UsageError

CONFIG_FILE = "rbi.toml"
ENV_FILE = ".env"
ENVIRONMENTS = ("auto", "venv", "current", "conda:NAME")
OTHER_VARIABLES = ("RBI_CACHE", "RBI_DEBUG")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: its key, what it does, how it is read, and its bounds.

    A ``needed`` text must not be empty. ``identity`` settings can change a result: a batch keeps them for its
    whole life.
    """

    key: str
    help: str
    kind: type = str
    metavar: str = ""
    low: float | None = None
    high: float | None = None
    repeatable: bool = False
    needed: bool = False
    identity: bool = False

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.key.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "RBI_" + self.key.upper()


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings as resolved. Rates are fractions, times are seconds; 0 workers means by core count."""

    ideas: str = "ideas/ideas.txt"
    results: str = "results"
    name: str = ""
    model: str = ""
    data: tuple[str, ...] = ("GOOG", "EURUSD")
    env: str = "auto"
    workers: int = 0
    timeout: float = 300.0
    limit: int = 0
    only: str = ""
    cash: float = 1_000_000.0
    commission: float = 0.001
    spread: float = 0.0
    margin: float = 1.0
    max_calls: int = 16
    delay: float = 0.5
    call_timeout: float = 300.0
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def thread_count(self) -> int:
        """Parallel ideas: as set, or 5 to 18 by core count."""
        return self.workers or max(5, min(18, 4 * (os.cpu_count() or 1)))

    def identity(self) -> dict[str, Any]:
        """The settings that can change a result."""
        return {s.key: _plain(getattr(self, s.key)) for s in SETTINGS if s.identity}

    def as_json(self) -> dict[str, Any]:
        """Every setting as a JSON value (never the environment, which holds keys)."""
        return {s.key: _plain(getattr(self, s.key)) for s in SETTINGS}


SETTINGS: tuple[Setting, ...] = (
    Setting("ideas", "the ideas file: one idea a line", metavar="FILE", needed=True),
    Setting("results", "the results folder", metavar="FOLDER", needed=True),
    Setting("name", "name of the batch and its run folder (default: date and ideas file)", metavar="NAME"),
    Setting(
        "model",
        "who writes: openai[:NAME], claude[:NAME] or offline (default: the first with a key, else offline)",
        metavar="PROVIDER[:NAME]",
        identity=True,
    ),
    Setting(
        "data",
        "bars to test on: GOOG, EURUSD, BTCUSD or a CSV file; repeatable",
        metavar="NAME|FILE",
        repeatable=True,
        identity=True,
    ),
    Setting("env", "where strategies run: auto, venv, current or conda:NAME", metavar="ENV"),
    Setting("workers", "ideas worked on at once (0: by core count)", kind=int, low=0, high=1000, metavar="N"),
    Setting("timeout", "seconds a backtest may take", kind=float, low=1, high=86_400, metavar="SECONDS"),
    Setting("limit", "work on the first N ideas only (0: all)", kind=int, low=0, metavar="N"),
    Setting("only", "work only on ideas that contain this text", metavar="TEXT"),
    Setting("cash", "starting cash of every backtest", kind=float, low=1, metavar="AMOUNT", identity=True),
    Setting(
        "commission",
        "commission a side, as a fraction",
        kind=float,
        low=0,
        high=0.1,
        metavar="RATE",
        identity=True,
    ),
    Setting(
        "spread", "bid-ask spread, as a fraction", kind=float, low=0, high=0.1, metavar="RATE", identity=True
    ),
    Setting(
        "margin",
        "margin required, as a fraction (1: no leverage)",
        kind=float,
        low=0.01,
        high=1,
        metavar="RATE",
        identity=True,
    ),
    Setting("max_calls", "model calls in flight at once", kind=int, low=1, high=1000, metavar="N"),
    Setting(
        "delay",
        "seconds between the starts of two model calls",
        kind=float,
        low=0,
        high=3600,
        metavar="SECONDS",
    ),
    Setting(
        "call_timeout",
        "seconds a model call may take, wall clock",
        kind=float,
        low=1,
        high=86_400,
        metavar="SECONDS",
    ),
)
BY_KEY: Mapping[str, Setting] = {s.key: s for s in SETTINGS}


def load(
    flags: Mapping[str, Any], *, folder: Path, environ: Mapping[str, str], config: Path | None = None
) -> Settings:
    """Resolve the settings for a command started in ``folder``.

    ``flags`` holds only what the command line really said. Raises `UsageError` for an unknown key, a value of
    the wrong kind or out of bounds, or a file that is no TOML.
    """
    everything = {**_dotenv(folder / ENV_FILE), **environ}
    values: dict[str, Any] = {}
    path = config or folder / CONFIG_FILE
    for key, value in _toml(path, required=config is not None).items():
        setting = BY_KEY[_known(key, path)]
        values[key] = _read(setting, value, f"{path}: {key}")
    for setting in SETTINGS:
        if everything.get(setting.variable):
            values[setting.key] = _from_text(setting, everything[setting.variable], setting.variable)
    _refuse_misspelt(everything)
    for key, value in flags.items():
        values[key] = _from_flag(BY_KEY[key], value)
    return Settings(**values, environ=everything)


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """An unknown ``RBI_`` variable that is almost a known one is a slip; any other may be somebody else's."""
    known = [*(setting.variable for setting in SETTINGS), *OTHER_VARIABLES]
    for variable in environ:
        if variable.startswith("RBI_") and variable not in known:
            close = difflib.get_close_matches(variable, known, n=1, cutoff=0.8)
            if close:
                raise UsageError(
                    "unknown setting", where=f"variable {variable}", fix=f"did you mean {close[0]}?"
                )


def from_record(record: Mapping[str, Any], flags: Mapping[str, Any], current: Settings) -> Settings:
    """The settings of a recorded batch, with what the command line says now on top."""
    known = {f.name for f in fields(Settings)}
    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k in known
    }
    for key, value in flags.items():
        values[key] = _from_flag(BY_KEY[key], value)
    return Settings(**{**values, "results": current.results}, environ=current.environ)


def template() -> str:
    """An ``rbi.toml`` with every setting, its default and what it does, all commented out."""
    default = Settings()
    lines = [
        "# Settings of rbi. Every one is also a command-line flag and an environment variable RBI_<KEY>;",
        "# flags win over the environment, the environment over this file. Keys of models belong in .env.",
        "",
    ]
    for setting in SETTINGS:
        lines.append(f"# {setting.help}")
        lines.append(f"# {setting.key} = {_toml_value(getattr(default, setting.key))}")
        lines.append("")
    return "\n".join(lines)


def suggestion(word: str, known: Iterable[str]) -> str:
    """``did you mean X?`` for the nearest known word, else the list of them."""
    options = list(known)
    close = difflib.get_close_matches(word, options, n=1)
    return f"did you mean {close[0]}?" if close else "one of: " + ", ".join(options)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _dotenv(path: Path) -> dict[str, str]:
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


def _toml(path: Path, *, required: bool) -> dict[str, Any]:
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


def _known(key: str, path: Path) -> str:
    if key not in BY_KEY:
        raise UsageError(f"unknown setting {key!r}", where=str(path), fix=suggestion(key, BY_KEY))
    return key


def _from_flag(setting: Setting, value: Any) -> Any:
    if setting.repeatable:
        return _read(setting, list(value), setting.flag)
    return _from_text(setting, str(value), setting.flag)


def _from_text(setting: Setting, text: str, where: str) -> Any:
    if setting.repeatable:
        return _read(setting, [part.strip() for part in text.split(",") if part.strip()], where)
    if setting.kind is str:
        return _read(setting, text, where)
    try:
        number = setting.kind(text)
    except ValueError:
        kind = "a whole number" if setting.kind is int else "a number"
        raise UsageError(f"{text!r} is not {kind}", where=where, fix=_range(setting)) from None
    return _read(setting, number, where)


def _read(setting: Setting, value: Any, where: str) -> Any:
    if setting.repeatable:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not items or not all(isinstance(item, str) for item in items):
            raise UsageError("a list of names is needed", where=where, fix=f'{setting.key} = ["GOOG"]')
        for item in items:
            _check_text(setting, item, where)
        return tuple(items)
    if setting.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, setting.kind) or isinstance(value, bool):
        raise UsageError(f"{value!r} is of the wrong kind", where=where, fix=_range(setting))
    if isinstance(value, str):
        _check_text(setting, value, where)
    if isinstance(value, (int, float)) and not _within(setting, value):
        raise UsageError(f"{value} is out of bounds", where=where, fix=_range(setting))
    return value


def _check_text(setting: Setting, value: str, where: str) -> None:
    if setting.needed and not value.strip():
        raise UsageError(f"{setting.key} must not be empty", where=where, fix=_range(setting))
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the text is not valid UTF-8", where=where, fix="rename the file or folder"
        ) from None
    if setting.key == "env" and value not in ENVIRONMENTS and not value.startswith("conda:"):
        raise UsageError(
            f"there is no kind of environment {value!r}", where=where, fix=suggestion(value, ENVIRONMENTS)
        )


def _within(setting: Setting, value: float) -> bool:
    # Written so that NaN, which compares false with everything, is out of bounds.
    above = setting.low is None or value >= setting.low
    below = setting.high is None or value <= setting.high
    return above and below and value == value and abs(value) != float("inf")


def _range(setting: Setting) -> str:
    if setting.kind is str:
        return f'{setting.key} takes text, such as {setting.key} = "{setting.metavar.lower()}"'
    kind = "a whole number" if setting.kind is int else "a number"
    low = "" if setting.low is None else f" from {setting.low:g}"
    high = "" if setting.high is None else f" to {setting.high:g}"
    return f"{setting.flag} takes {kind}{low}{high}"


def _toml_value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
