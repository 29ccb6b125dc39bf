"""Links to documents inside ideas: PDFs, videos, web pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, unquote, urlsplit

_VIDEO_HOSTS = ("youtube.com", "youtube-nocookie.com")
_SHORT_HOST = "youtu.be"
_VIDEO_FOLDERS = ("shorts", "embed", "live", "v", "e", "watch")
_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")

_MARKS = ("://", "www.", "youtu", ".pdf")
_SITES = r"(?:www\.|(?:(?:www|m|music|gaming)\.)?youtube(?:-nocookie)?\.com/|youtu\.be/)"
_URL = re.compile(rf"(?<![\w@./-])(?:[a-z][a-z0-9+.-]{{1,20}}://|{_SITES})[^\s<>\"“”`|]+", re.IGNORECASE)
# "example.com/rules" and nothing else, perhaps as an item of a list or with a scheme that is misspelt: inside a
# sentence such a word may be anything.
_BARE = re.compile(
    r"(?:[-*+•]\s+|\d{1,4}[.)]\s+)?[<(\[\"']?"
    r"(?P<url>(?:https?:?[/\\]{1,2}|//)?(?:(?:[\w-]+\.)+[^\W\d_]{2,24}|\d+(?:\.\d+){3}|localhost)(?::\d+)?[/\\][^\s<>\"']*)"
    r"[>\])\"']?",
    re.IGNORECASE,
)
_PATH_QUOTED = re.compile(r"[\"'“`]([^\"'“”`\n]*[^\"'“”`\n/.]\.pdf)[\"'”`]", re.IGNORECASE)
_PATH_WORD = re.compile(r"(?<![^\s(\[])([^\s()\[\]\"'“”`<>]*[\w)]\.pdf)(?=$|[\s.,;:!?)\]])", re.IGNORECASE)
_PATH_WHOLE = re.compile(r"(?:[/~]|\.{1,2}/|[a-z]:\\)[^\n]*\.pdf", re.IGNORECASE)
_WRAPPING = re.compile(r"(?:\d{1,4}[.)](?:\s|$))?[+•\s<>()\[\]\"'“”`*_.,;:!-]*")
_SCHEME = re.compile(r"https?:?[/\\]", re.IGNORECASE)
_MARKDOWN_LABEL = re.compile(r"^!?\[[^\]\n]*\](?=\()")
_TRAILING = ".,;:!?'*_~"
_CLOSERS = {")": "(", "]": "[", "}": "{"}


class LinkKind(StrEnum):
    """What a link seems to lead to. Whether a web page turns out to be a PDF, its server says."""

    PDF = "PDF"
    FILE = "PDF file"
    YOUTUBE = "YouTube video"
    PAGE = "web page"


@dataclass(frozen=True, slots=True)
class Link:
    """A link in ``text[start:end]``: ``target`` is a whole URL, or for `LinkKind.FILE` a path as written."""

    kind: LinkKind
    target: str
    start: int
    end: int


def find_links(text: str) -> tuple[Link, ...]:
    """The links in a text, in their order, each target once."""
    found = {link.target: link for link in sorted(_all(text), key=lambda one: one.start, reverse=True)}
    return tuple(sorted(found.values(), key=lambda one: one.start))


def is_only_links(text: str, links: tuple[Link, ...]) -> bool:
    """Whether a text holds nothing but ``links``, and what is written around a link."""
    rest = text
    for link in reversed(links):
        rest = rest[: link.start] + rest[link.end :]
    rest = _MARKDOWN_LABEL.sub("", rest.strip())
    return bool(links) and _WRAPPING.fullmatch(rest) is not None


def names_files(idea_text: str) -> bool:
    """Whether an idea links to files of this machine."""
    return any(link.kind is LinkKind.FILE for link in find_links(idea_text))


def video_id(url: str) -> str:
    """The video that a YouTube address is of; empty if it is of a channel, a list or anything else."""
    parts = urlsplit(url)
    path = [unquote(one) for one in parts.path.split("/") if one]
    query = parse_qs(parts.query)
    if _host(url) == _SHORT_HOST:
        candidates = path[:1]
    elif len(path) == 2 and path[0] in _VIDEO_FOLDERS:
        candidates = path[1:]
    elif path[:1] == ["attribution_link"]:
        return video_id(f"https://youtube.com{query.get('u', [''])[0]}")
    else:
        candidates = query.get("v", []) if path == ["watch"] else []
    return next((one for one in candidates if _VIDEO.fullmatch(one)), "")


def _all(text: str) -> Iterator[Link]:
    stripped = text.strip()
    lower = stripped.lower()
    bare = _BARE.fullmatch(stripped)
    if bare:
        url = _without_punctuation(bare["url"])
        start = text.index(stripped) + bare.start("url")
        yield _web(_with_scheme(url), start, start + len(url))
        return
    if " " in stripped and not any(mark in lower for mark in _MARKS):
        return  # as nearly all ideas are; the patterns are slow
    urls = [_url(match) for match in _URL.finditer(text)]
    yield from urls
    if _PATH_WHOLE.fullmatch(stripped) and not urls:
        start = text.index(stripped)
        yield Link(LinkKind.FILE, stripped, start, start + len(stripped))
        return
    taken = [(url.start, url.end) for url in urls]
    for pattern in (_PATH_QUOTED, _PATH_WORD):
        for match in pattern.finditer(text):
            start, end = match.span(1)
            if not any(start < other_end and other < end for other, other_end in taken):
                taken.append((start, end))
                yield Link(LinkKind.FILE, match[1], start, end)


def _with_scheme(url: str) -> str:
    # A misspelt scheme stays: fetching says that it is no address.
    return f"https:{url}" if url.startswith("//") else url if _SCHEME.match(url) else f"https://{url}"


def _url(match: re.Match[str]) -> Link:
    written = _without_punctuation(match[0])
    # file:// and other schemes are links, too: fetching says that it does not follow them.
    target = written if "://" in written else f"https://{written}"
    return _web(target, match.start(), match.start() + len(written))


def _web(target: str, start: int, end: int) -> Link:
    if _is_youtube(target):
        kind = LinkKind.YOUTUBE
    elif _path(target).lower().endswith(".pdf"):
        kind = LinkKind.PDF
    else:
        kind = LinkKind.PAGE
    return Link(kind, target, start, end)


def _without_punctuation(url: str) -> str:
    """The URL without what ends the sentence or closes a bracket that was opened before it."""
    while url:
        last = url[-1]
        if last in _TRAILING or (last in _CLOSERS and url.count(last) > url.count(_CLOSERS[last])):
            url = url[:-1]
        else:
            break
    return url


def _is_youtube(url: str) -> bool:
    host = _host(url)
    return host == _SHORT_HOST or any(host == one or host.endswith(f".{one}") for one in _VIDEO_HOSTS)


def _host(url: str) -> str:
    try:
        host = (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:  # brackets that hold no address
        return ""
    return host.removeprefix("www.") if host == f"www.{_SHORT_HOST}" else host


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
