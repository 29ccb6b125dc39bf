"""``rbi show``: finding one idea of a batch and printing a part of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rbi.console import console
from rbi.errors import RbiError
from rbi.records import BatchRecord, IdeaRecord
from rbi.terminal import printable
from rbi.views import show_code, show_log, show_summary
from rbi.workplace import Workplace

_LIST = "`rbi results` lists them"


def show(workplace: Workplace, batch: BatchRecord, wanted: str, part: str, *, as_json: bool) -> None:
    """Print ``part`` (summary, code, log or stats) of the idea that ``wanted`` means.

    Raises `RbiError` when it means none or several, or when the idea has not got that far.
    """
    record = find_idea(workplace.journal.ideas(batch.name), wanted, batch.name)
    if record.outcome is None or record.place is None:
        raise RbiError(
            f"idea {record.idea.number} is not finished",
            where=batch.name,
            fix=workplace.resume_command(batch.name),
        )
    folder = workplace.results / record.place
    if not (folder / "summary.md").is_file():
        raise RbiError(
            "the idea's folder is gone",
            where=str(folder),
            fix=f"{workplace.resume_command(batch.name)} writes it again at no cost",
        )
    calls = workplace.journal.calls(record.found_in or batch.name, record.idea.idea_id)
    try:
        _print(record, folder, part, calls, as_json=as_json)
    except (UnicodeDecodeError, json.JSONDecodeError, FileNotFoundError) as error:
        raise RbiError(
            f"the idea's folder is damaged: {error}",
            where=str(folder),
            fix=f"delete the folder; {workplace.resume_command(batch.name)} writes it again at no cost",
        ) from error


def _print(
    record: IdeaRecord, folder: Path, part: str, calls: list[dict[str, Any]], *, as_json: bool
) -> None:
    if as_json:
        print(json.dumps(_as_json(record, folder, part, calls), indent=2, ensure_ascii=False))
        return
    out = console()
    if part == "code":
        _need(folder / "strategy.py", "no strategy was written for this idea")
        out.print(show_code(folder, out))
    elif part == "log":
        out.print(show_log(folder, calls))
    elif part == "stats":
        out.print(json.dumps(_stats(folder), indent=2))
    else:
        out.print(show_summary(folder, calls))


def find_idea(records: Sequence[IdeaRecord], wanted: str, batch: str) -> IdeaRecord:
    """The idea with that number or id, or the only one with that text in its name or words."""
    word = wanted.strip().lower()
    if not word:
        raise RbiError(
            "an idea's number, id or a part of its name is needed",
            where=batch,
            fix="`rbi results` lists them",
        )
    exact = [r for r in records if word in (str(r.idea.number), r.idea.idea_id)]
    if not exact and re.fullmatch(r"-?\d{1,6}", word):
        last = max(r.idea.number for r in records)
        raise RbiError(f"there is no idea {word}", where=batch, fix=f"they are numbered 1 to {last}; {_LIST}")
    found = exact or [r for r in records if word in _searchable(r) or _is_prefix(word, r)]
    if not found:
        raise RbiError(f"no idea matches {wanted!r}", where=batch, fix=_LIST)
    if len(found) > 1:
        some = "; ".join(f"{r.idea.number} {printable(r.idea.text, longest=40)}" for r in found[:6])
        more = f" and {len(found) - 6} more" if len(found) > 6 else ""
        raise RbiError(
            f"{len(found)} ideas match {wanted!r}", where=batch, fix=f"say which number: {some}{more}"
        )
    return found[0]


def _is_prefix(word: str, record: IdeaRecord) -> bool:
    return len(word) >= 4 and record.idea.idea_id.startswith(word)


def _searchable(record: IdeaRecord) -> str:
    name = str(record.outcome["name"]) if record.outcome else ""
    return f"{name} ({record.idea.number})\n{record.idea.text}\n{record.idea.folder_name}".lower()


def _need(path: Path, message: str) -> None:
    if not path.is_file():
        raise RbiError(message, where=str(path.parent), fix="`rbi show IDEA` says why")


def _stats(folder: Path) -> dict[str, Any]:
    files = sorted((folder / "backtests").glob("*/stats.json"))
    if not files:
        raise RbiError(
            "no backtest of this idea gave statistics", where=str(folder), fix="`rbi show IDEA` says why"
        )
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in files}


def _as_json(record: IdeaRecord, folder: Path, part: str, calls: list[dict[str, Any]]) -> Any:
    if part == "code":
        _need(folder / "strategy.py", "no strategy was written for this idea")
        return {"code": (folder / "strategy.py").read_text(encoding="utf-8")}
    if part == "log":
        return calls
    if part == "stats":
        return _stats(folder)
    return {**(record.outcome or {}), "idea": record.idea.text, "folder": str(folder)}
