"""Keeping keys out of everything that is printed, logged, pickled or remembered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "[hidden]"

# Providers shorten a key they complain about ("sk-pr***wxyz"): any word with stars in it goes.
_MASKED_WORD = re.compile(r"[^\s'\"]*\*{2,}[^\s'\"]*")
_SHORTEST_PART = 8


class Secret:
    """A key. Only `reveal` gives it away; printing, formatting, copying and pickling do not."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The key itself. Call this only where it goes into a request header."""
        return self.__value

    def digest(self) -> str:
        """Twelve hex digits that tell two keys apart and cannot be turned back into one."""
        return hashlib.sha256(self.__value.encode()).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not copied or pickled: pass the object on, or read the key again")


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """``text`` without any of the secrets, without parts of them of 8 characters or more, and without
    words that look like a shortened key (``sk-pr***wxyz``).
    """
    for secret in secrets:
        text = _without_parts(text, secret.reveal())
    return _MASKED_WORD.sub(HIDDEN, text)


def without(text: str, secret: Secret) -> str:
    """``text`` with the whole secret replaced wherever it stands, and nothing else.

    For text that is worth keeping to the letter, such as an answer; words too short to be a key are left alone.
    """
    value = secret.reveal()
    return text.replace(value, HIDDEN) if len(value) >= _SHORTEST_PART else text


def public_url(url: str) -> str:
    """``url`` without the parts that may hold a password: user, query and fragment."""
    try:
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return HIDDEN


def _without_parts(text: str, key: str) -> str:
    if not key:
        return text
    shortest = min(_SHORTEST_PART, len(key))
    kept: list[str] = []
    position = 0
    while position < len(text):
        end = position + shortest
        if text[position:end] not in key or end > len(text):
            kept.append(text[position])
            position += 1
            continue
        while end < len(text) and text[position : end + 1] in key:
            end += 1
        kept.append(HIDDEN)
        position = end
    return "".join(kept)
