"""From a path to the text of a data file: find it, unpack it, decode it, or say what is in the way."""

from __future__ import annotations

import difflib
import gzip
import io
import zipfile
import zlib
from pathlib import Path

from rbi.errors import RbiError

_NOT_CSV = {
    b"PAR1": "a Parquet file",
    b"ARROW1": "a Feather file",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"SQLite format 3": "a SQLite database",
    b"%PDF": "a PDF",
    b"<!doctype": "a web page",
    b"<html": "a web page",
}
_SAVE_AS_CSV = "save the bars as CSV: a header line, then time, open, high, low, close and volume"


def read_text(path: Path) -> str:
    """The text of a CSV file, plain, gzipped or alone in a zip; lines end in ``\\n`` and no BOM is left.

    Encodings: UTF-8, UTF-16, and Windows-1252 for what is neither. Raises `RbiError` when the file is
    missing, unreadable, empty or not text.
    """
    content = _unpacked(_content(path), path)
    if not content.strip():
        raise RbiError("the data file is empty", where=str(path), fix="download or export it again")
    text = _decoded(content, path)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def similar(name: str, known: list[str]) -> str:
    """``did you mean ...?`` for the names most like ``name``, or an empty string."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(by_lower[match] for match in close)}?" if close else ""


def missing(path: Path) -> RbiError:
    """The error for a data file that does not exist, naming similar ones beside it."""
    folder = path.parent
    if not folder.is_dir():
        return RbiError(
            "no such data file: its folder does not exist either", where=str(path), fix=f"check {folder}"
        )
    return RbiError(
        "no such data file",
        where=str(path),
        fix=similar(path.name, names_in(folder)) or f"check the name; {folder} holds {_listing(folder)}",
    )


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise RbiError(
                "a data file is needed, this is a folder",
                where=str(path),
                fix=f"name one file in it; it holds {_listing(path)}",
            )
        if path.exists() and not path.is_file():
            raise RbiError("this is not a regular file", where=str(path), fix="name a CSV file")
        return path.read_bytes()
    except FileNotFoundError:
        raise missing(path) from None
    except PermissionError:
        raise RbiError(
            "the data file may not be read",
            where=str(path),
            fix=f"allow reading it (chmod u+r '{path}') and entering its folders",
        ) from None
    except (OSError, ValueError) as error:
        raise RbiError(
            f"the data file cannot be read: {error}", where=str(path), fix="check the path"
        ) from None


def _unpacked(content: bytes, path: Path) -> bytes:
    try:
        if content.startswith(b"\x1f\x8b"):
            return gzip.decompress(content)
        if content.startswith(b"PK\x03\x04"):
            return _only_member(content, path)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise RbiError(
            f"the compressed file is damaged: {error}", where=str(path), fix="download it again"
        ) from None
    return content


def _only_member(content: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if "[Content_Types].xml" in names:
            raise RbiError("this is an Excel workbook, not CSV", where=str(path), fix=_SAVE_AS_CSV)
        if len(names) != 1:
            raise RbiError(
                f"the zip holds {len(names)} files; it must hold one",
                where=str(path),
                fix="unzip it and name the file you want",
            )
        return archive.read(names[0])


def _decoded(content: bytes, path: Path) -> str:
    start = content[:64].lstrip().lower()
    for magic, what in _NOT_CSV.items():
        if start.startswith(magic.lower()):
            raise RbiError(f"this is {what}, not CSV", where=str(path), fix=_SAVE_AS_CSV)
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        # Windows programs write names such as "Größe" so; the numbers are ASCII in any case.
        text = content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise RbiError("this is a binary file, not CSV", where=str(path), fix=_SAVE_AS_CSV)
    return text


def _encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    head = content[:200]
    # ASCII text in UTF-16 has a zero in every second byte.
    if len(head) >= 4 and not any(head[1::2]) and all(head[::2]):
        return "utf-16-le"
    if len(head) >= 4 and not any(head[::2]) and all(head[1::2]):
        return "utf-16-be"
    return "utf-8-sig"


def names_in(folder: Path) -> list[str]:
    """The names in a folder that are not hidden, in order; none if it cannot be looked into."""
    try:
        return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return []


def _listing(folder: Path) -> str:
    names = names_in(folder)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "nothing"
