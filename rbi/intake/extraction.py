"""The text of a PDF or a web page, as a program of its own: bytes on standard input, a JSON object on standard output.

Files from anywhere can make a reader loop or take all memory, so it runs where that can be ended. It imports nothing
of ours. Arguments: ``pdf`` or ``html``, the charset that the server named or ``-``, the most characters of text, the
most seconds of CPU time, the most bytes of memory.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import re
import sys
from typing import Any

MOST_PAGES = 200
# Less than this is a caption, a cookie notice or an error message, not an idea with its rules.
SHORTEST_TEXT = 200
_TEASER = 1500
_PAID = re.compile(r"[\"']isAccessibleForFree[\"']\s*:\s*[\"']?false", re.IGNORECASE)
_ASKS_TO_PAY = re.compile(
    r"subscribe to (?:continue|keep|read|unlock|access)|subscribers? only|already a (?:subscriber|member)\b"
    r"|(?:sign|log) in to (?:continue|keep|read)|(?:paid|premium) (?:subscribers|members|content)"
    r"|(?:members|member)-only|unlock (?:this|the full) (?:article|story|post)|to (?:continue|keep) reading",
    re.IGNORECASE,
)
_ASKS_FOR_SCRIPT = re.compile(
    r"(?:enable|activate|turn on|requires?|needs?|without) java\s?script|javascript (?:is|to be) (?:disabled|required"
    r"|enabled)|verify(?:ing)? (?:that )?you are (?:a )?human|checking your browser",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"<script\b", re.IGNORECASE)


class Failure(Exception):
    """Why there is no text: the name of a `rbi.intake.failures.Trouble`, and a sentence."""

    def __init__(self, trouble: str, what: str) -> None:
        super().__init__(what)
        self.trouble = trouble


def pdf_text(content: bytes, longest: int) -> dict[str, Any]:
    """Title, text and notes of a PDF. Raises `Failure`."""
    pypdf = importlib.import_module("pypdf")
    try:
        reader = pypdf.PdfReader(io.BytesIO(content), strict=False)
        is_open = not reader.is_encrypted or _opens_without_password(reader)
        pages = len(reader.pages) if is_open else 0
    except MemoryError:
        raise
    except Exception as error:
        raise Failure("BROKEN", f"this is no PDF that can be read: {error}") from error
    if not is_open:
        raise Failure("ENCRYPTED", "the PDF needs a password")
    texts: list[str] = []
    notes: list[str] = []
    unread = length = number = 0
    for number in range(1, min(pages, MOST_PAGES) + 1):
        try:
            text = reader.pages[number - 1].extract_text()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - one page that is broken leaves the others
            unread += 1
            continue
        texts.append(text)
        length += len(text)
        if length > longest:
            break
    if unread:
        notes.append(f"{unread} of {pages} pages could not be read")
    if number < pages:
        notes.append(f"only the first {number} of {pages} pages")
    whole = "\n\n".join(texts)
    if len("".join(whole.split())) < SHORTEST_TEXT:
        if unread:
            raise Failure("BROKEN", f"{unread} of {pages} pages cannot be read")
        raise Failure("NO_TEXT", f"hardly a word is on its {pages} pages: it seems to be scanned or drawn")
    return {"title": _pdf_title(reader), "text": whole, "notes": notes}


def _opens_without_password(reader: Any) -> bool:
    try:
        return bool(reader.decrypt(""))
    except Exception:  # noqa: BLE001 - such as a cipher that needs a further library
        return False


def _pdf_title(reader: Any) -> str:
    with contextlib.suppress(Exception):
        return str(reader.metadata.title or "")
    return ""


def html_text(content: bytes, charset: str) -> dict[str, Any]:
    """Title, main text and notes of a web page. Raises `Failure`."""
    trafilatura = importlib.import_module("trafilatura")
    markup = _markup(content, charset)
    tree = trafilatura.load_html(markup)
    if tree is None:
        raise Failure("BROKEN", "this is no web page that can be read")
    raw = markup if isinstance(markup, str) else markup.decode("utf-8", "replace")
    title = _html_title(tree)
    text = trafilatura.extract(tree, include_comments=False, include_tables=True, deduplicate=False) or ""
    length = len("".join(text.split()))
    _check_html(raw, text, length)
    notes = ["the page says that a part of it is for subscribers only"] if _PAID.search(raw) else []
    return {"title": title, "text": text, "notes": notes}


def _check_html(raw: str, text: str, length: int) -> None:
    if length < _TEASER and (_PAID.search(raw) or _ASKS_TO_PAY.search(text)):
        raise Failure("PAYWALL", "only the beginning can be read without paying or signing in")
    if length >= SHORTEST_TEXT:
        return
    if _ASKS_FOR_SCRIPT.search(raw):
        raise Failure("NEEDS_JAVASCRIPT", "the page shows its text only to a browser that runs JavaScript")
    if _ASKS_TO_PAY.search(raw):
        raise Failure("PAYWALL", "only the beginning can be read without paying or signing in")
    if _SCRIPT.search(raw) and not length:
        raise Failure("NEEDS_JAVASCRIPT", "the page has no text of its own, only scripts")
    raise Failure("NO_TEXT", f"the page has no main text, or one of only {length} characters")


def _markup(content: bytes, charset: str) -> str | bytes:
    """Decoded as the server says; else left to the library, which looks at the page itself."""
    if charset:
        with contextlib.suppress(LookupError, ValueError):
            # Not every codec leads to text, and an encoding declared inside must not be seen again.
            return content.decode(charset).removeprefix("\ufeff")
    return content


def _html_title(tree: Any) -> str:
    named = tree.xpath("//meta[@property='og:title']/@content") or tree.xpath("//head//title/text()")
    return str(named[0]) if named else ""


def main() -> None:
    """Read, extract, write."""
    kind, charset, longest, seconds, memory = sys.argv[1:]
    _limit(int(seconds), int(memory))
    logging.disable(logging.CRITICAL)
    content = sys.stdin.buffer.read()
    found: dict[str, Any]
    try:
        if kind == "pdf":
            found = pdf_text(content, int(longest))
        else:
            found = html_text(content, "" if charset == "-" else charset)
        found["cut"] = len(found["text"]) > int(longest)
        found["text"] = found["text"][: int(longest)]
    except Failure as failure:
        found = {"trouble": failure.trouble, "what": str(failure)}
    except ImportError as error:
        found = {"trouble": "NOT_INSTALLED", "what": f"reading it needs a library: {error}"}
    except (MemoryError, RecursionError):
        found = {"trouble": "TOO_HEAVY", "what": "reading it takes too much memory"}
    sys.stdout.write(json.dumps(found))


def _limit(seconds: int, memory: int) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        resource = importlib.import_module("resource")
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


if __name__ == "__main__":
    main()
