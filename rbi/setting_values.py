"""One setting's value from where it was written: text of a flag or variable, or a value of ``rbi.toml``."""

from __future__ import annotations

from typing import Any

from rbi.errors import UsageError
from rbi.settings_table import ENVIRONMENTS, SANDBOXES, Setting, suggestion

UNSET = "none"


def from_flag(setting: Setting, value: Any) -> Any:
    """The value of a command-line flag. Raises `UsageError`."""
    if setting.repeatable:
        return checked(setting, list(value), setting.flag)
    return from_text(setting, str(value), setting.flag)


def from_text(setting: Setting, text: str, where: str) -> Any:
    """The value written as ``text``; ``none`` unsets a number that may be unset. Raises `UsageError`."""
    if setting.repeatable:
        return checked(setting, [part.strip() for part in text.split(",") if part.strip()], where)
    if setting.kind is str:
        return checked(setting, text, where)
    if setting.example is not None and text.strip().lower() == UNSET:
        return None
    try:
        number = setting.kind(text)
    except ValueError:
        kind = "a whole number" if setting.kind is int else "a number"
        raise UsageError(f"{text!r} is not {kind}", where=where, fix=range_of(setting)) from None
    return checked(setting, number, where)


def checked(setting: Setting, value: Any, where: str) -> Any:
    """The value if it is of the setting's kind and within its bounds. Raises `UsageError` naming ``where``."""
    if setting.repeatable:
        return _names(setting, value, where)
    if setting.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = _as_float(setting, value, where)
    if not isinstance(value, setting.kind) or isinstance(value, bool):
        raise UsageError(f"{value!r} is of the wrong kind", where=where, fix=range_of(setting))
    if isinstance(value, str):
        _check_text(setting, value, where)
    if isinstance(value, (int, float)) and not _within(setting, value):
        raise UsageError(f"{value} is out of bounds", where=where, fix=range_of(setting))
    return value


def range_of(setting: Setting) -> str:
    """What the setting takes, in a few words."""
    if setting.kind is str:
        return f'{setting.key} takes text, such as {setting.key} = "{setting.metavar.lower()}"'
    kind = "a whole number" if setting.kind is int else "a number"
    low = "" if setting.low is None else f" from {setting.low:g}"
    high = "" if setting.high is None else f" to {setting.high:g}"
    unset = "" if setting.example is None else f", or {UNSET}"
    return f"{setting.flag} takes {kind}{low}{high}{unset}"


def _names(setting: Setting, value: Any, where: str) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or not all(isinstance(item, str) for item in items):
        raise UsageError("a list of names is needed", where=where, fix=f'{setting.key} = ["GOOG"]')
    for item in items:
        _check_text(setting, item, where)
    return tuple(items)


def _as_float(setting: Setting, value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise UsageError("the number is out of bounds", where=where, fix=range_of(setting)) from None


def _check_text(setting: Setting, value: str, where: str) -> None:
    if setting.needed and not value.strip():
        raise UsageError(f"{setting.key} must not be empty", where=where, fix=range_of(setting))
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
    if setting.key == "private_networks":
        _check_networks(value, where)
    if setting.key == "sandbox" and value and value.removeprefix("=") not in SANDBOXES:
        raise UsageError(
            f"there is no level of containment {value!r}",
            where=where,
            fix=suggestion(value.removeprefix("="), SANDBOXES),
        )


def _check_networks(value: str, where: str) -> None:
    import ipaddress  # most settings name none

    for part in filter(None, (one.strip() for one in value.split(","))):
        try:
            ipaddress.ip_network(part)
        except ValueError as error:
            raise UsageError(
                f"{part!r} is no network: {error}", where=where, fix="write 192.168.1.0/24, or fd00::/8"
            ) from None


def _within(setting: Setting, value: float) -> bool:
    # Written so that NaN, which compares false with everything, is out of bounds.
    above = setting.low is None or value >= setting.low
    below = setting.high is None or value <= setting.high
    return above and below and value == value and value not in (float("inf"), float("-inf"))
