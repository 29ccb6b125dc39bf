"""Why a document could not become an idea."""

from __future__ import annotations

from enum import StrEnum

from rbi.errors import RbiError
from rbi.terminal import printable

_LONGEST_WHERE = 300


class Trouble(StrEnum):
    """What is wrong, by a stable name."""

    ADDRESS = "bad address"
    PRIVATE_ADDRESS = "private address"
    UNREACHABLE = "unreachable"
    TOO_SLOW = "too slow"
    TOO_LARGE = "too large"
    REDIRECTS = "too many redirects"
    REFUSED = "refused by the server"
    NOT_FOUND = "not found"
    SERVER = "server error"
    BROKEN_ANSWER = "broken answer"
    CONTENT_TYPE = "unusable content type"
    STOPPED = "stopped"
    NOT_INSTALLED = "reader not installed"
    BROKEN = "broken document"
    ENCRYPTED = "encrypted"
    NO_TEXT = "no text"
    NEEDS_JAVASCRIPT = "needs JavaScript"
    PAYWALL = "paywall"
    TOO_HEAVY = "too heavy to read"
    NO_TRANSCRIPT = "no transcript"
    UNAVAILABLE = "video unavailable"
    BLOCKED = "blocked"


_FIXES = {
    Trouble.ADDRESS: "write a whole http:// or https:// address",
    Trouble.PRIVATE_ADDRESS: "if you trust it, allow its network (--private-networks 192.168.1.0/24 --retry-failed);"
    " or save the document and name the file",
    Trouble.UNREACHABLE: "check the address and the network, then try again",
    Trouble.TOO_SLOW: "try again later",
    Trouble.TOO_LARGE: "write the part that matters into the ideas file",
    Trouble.REDIRECTS: "open it in a browser and use the address that it ends at",
    Trouble.REFUSED: "rbi sends no password and no cookie: save the document and name the file, or write the idea down",
    Trouble.NOT_FOUND: "check the address, or the path",
    Trouble.SERVER: "try again later",
    Trouble.BROKEN_ANSWER: "try again",
    Trouble.CONTENT_TYPE: "name a web page, a text or a PDF",
    Trouble.STOPPED: "go on with `rbi resume`",
    Trouble.NOT_INSTALLED: "pip install 'rbi[documents]', then `rbi resume`",
    Trouble.BROKEN: "check that a viewer opens it; save it anew",
    Trouble.ENCRYPTED: "save a copy without a password",
    Trouble.NO_TEXT: "write the idea into the ideas file",
    Trouble.NEEDS_JAVASCRIPT: "write the idea into the ideas file, or print the page to a PDF and name that",
    Trouble.PAYWALL: "write the idea into the ideas file",
    Trouble.TOO_HEAVY: "save the pages that matter as a file of their own",
    Trouble.NO_TRANSCRIPT: "write what the video says into the ideas file",
    Trouble.UNAVAILABLE: "check in a browser that the video plays without an account",
    Trouble.BLOCKED: "try again later, or from another network",
}
_RETRYABLE = {
    Trouble.UNREACHABLE,
    Trouble.TOO_SLOW,
    Trouble.SERVER,
    Trouble.BROKEN_ANSWER,
    Trouble.STOPPED,
    Trouble.NOT_INSTALLED,
    Trouble.BLOCKED,
}


class DocumentFailed(RbiError):
    """A document that cannot be had or read. ``retryable``: the same may well work later."""

    def __init__(self, trouble: Trouble, what: str, where: str) -> None:
        super().__init__(printable(what), where=printable(where, longest=_LONGEST_WHERE), fix=_FIXES[trouble])
        self.trouble = trouble
        self.retryable = trouble in _RETRYABLE
