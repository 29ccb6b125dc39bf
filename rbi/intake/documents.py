"""What an idea resolves to: its own text, or that of the documents it links to."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from rbi.domain import Brief
from rbi.intake.failures import DocumentFailed, Trouble
from rbi.intake.fetching import LARGEST_DOCUMENT, Fetch, Fetched, Kind
from rbi.intake.links import Link, LinkKind, find_links, is_only_links, video_id
from rbi.intake.reading import LONGEST_TEXT, ReadText, read_document
from rbi.intake.youtube import transcript

MOST_LINKS = 5


def brief(
    idea_text: str, fetch: Fetch, *, base: Path = Path(), is_stopping: Callable[[], bool] = lambda: False
) -> Brief:
    """The brief of an idea: plain text is its own, a link becomes its document, text with links keeps its text and
    gets the documents appended, each under a heading.

    Relative paths begin at ``base``. Once ``is_stopping`` returns true, reading ends soon. Raises `DocumentFailed` if
    any document cannot be had: an address is never passed on as if it were the idea.
    """
    links = find_links(idea_text)
    if not links:
        return Brief(idea_text)
    if len(links) > MOST_LINKS:
        what = f"the idea links to {len(links)} documents; at most {MOST_LINKS} are read"
        raise DocumentFailed(Trouble.TOO_LARGE, what, links[MOST_LINKS].target)
    read = [(link, _read(link, fetch, base, is_stopping)) for link in links]
    source = "\n".join(link.target for link, _ in read)
    titles = [document.title for _, document in read if document.title]
    notes = tuple(f"{link.target}: {note}" for link, document in read for note in document.notes)
    if len(read) == 1 and is_only_links(idea_text, links):
        return Brief(read[0][1].text, source, "".join(titles), read[0][1].notes)
    own = [] if is_only_links(idea_text, links) else [idea_text]
    share = LONGEST_TEXT // len(read)
    cut = tuple(
        f"{link.target}: only the first {share:,} characters" for link, one in read if len(one.text) > share
    )
    text = "\n\n".join([*own, *(_section(link, document, share) for link, document in read)])
    return Brief(text, source, titles[0] if titles else "", (*notes, *cut))


def _section(link: Link, document: ReadText, share: int) -> str:
    name = f"{document.title} ({link.target})" if document.title else link.target
    return f"## Document: {name}\n\n{document.text[:share].rstrip()}"


def _read(link: Link, fetch: Fetch, base: Path, is_stopping: Callable[[], bool]) -> ReadText:
    if link.kind is LinkKind.FILE:
        return read_document(_local_pdf(link.target, base), is_stopping)
    if link.kind is LinkKind.YOUTUBE:
        video = video_id(link.target)
        if not video:
            what = "this YouTube address is not of a video"
            raise DocumentFailed(Trouble.ADDRESS, what, link.target)
        return transcript(video, fetch)
    return read_document(fetch.get(link.target), is_stopping)


def _local_pdf(name: str, base: Path) -> Fetched:
    path = base / Path(name).expanduser()
    try:
        # Without blocking: a pipe of that name would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DocumentFailed(Trouble.BROKEN, "this is not a file", str(path))
            content = file.read(LARGEST_DOCUMENT + 1)
    except FileNotFoundError:
        raise DocumentFailed(Trouble.NOT_FOUND, "there is no such PDF", str(path)) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise DocumentFailed(Trouble.BROKEN, f"the PDF cannot be read: {error}", str(path)) from None
    if len(content) > LARGEST_DOCUMENT:
        what = f"it is larger than {LARGEST_DOCUMENT >> 20} MB"
        raise DocumentFailed(Trouble.TOO_LARGE, what, str(path))
    if not content[:1024].lstrip().startswith(b"%PDF-"):
        raise DocumentFailed(Trouble.BROKEN, "this is not a PDF", str(path))
    return Fetched(str(path), Kind.PDF, "", content)
