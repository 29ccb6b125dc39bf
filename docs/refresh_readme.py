"""Put the real output of the README's commands into it: every block after a ``<!-- $ command -->`` line.

Run as ``make readme``. The commands run in order in one fresh folder, with no key set, so each can show what the
one before it left. Where an output is long, ``<!-- $ command | head -N -->`` keeps its first lines. A block after
``<!-- file: name -->`` is written there first. After ``<!-- here: $ command -->`` comes what depends on the machine:
`main` refreshes it too, a test does not compare it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(
    r"(?P<head><!-- (?P<here>here: )?\$ (?P<command>[^\n]*?) -->\n```[a-z]*\n)(?P<output>.*?)(?P<end>```\n)",
    re.DOTALL,
)
_FILE = re.compile(r"<!-- file: (?P<name>[^\n]*?) -->\n```[a-z]*\n(?P<content>.*?)```\n", re.DOTALL)
_HEAD = re.compile(r"^(?P<command>.*?) \| head -(?P<lines>\d+)$")


def refreshed(text: str, folder: Path, *, here: bool = False) -> str:
    """The text with every block's output as it is now, those that depend on the machine only with ``here``.

    Raises `subprocess.CalledProcessError` when a command fails.
    """
    for match in _FILE.finditer(text):
        path = folder / match["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(match["content"], encoding="utf-8")

    def shown(match: re.Match[str]) -> str:
        if match["here"] and not here:
            return match[0]
        return match["head"] + output(match["command"], folder) + match["end"]

    return _BLOCK.sub(shown, text)


def commands(text: str) -> list[str]:
    """The commands whose output the text shows, wherever it is made."""
    return [match["command"] for match in _BLOCK.finditer(text) if not match["here"]]


def output(command: str, folder: Path) -> str:
    """Standard output of one ``rbi`` command."""
    cut = _HEAD.match(command)
    words = shlex.split(cut["command"] if cut else command)
    if words[0] != "rbi":
        raise ValueError(f"only rbi commands can be shown: {command}")
    keyless = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and not k.startswith("RBI_")}
    done = subprocess.run(
        [sys.executable, "-m", "rbi", *words[1:]],
        cwd=folder,
        env=keyless,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    if cut and len(lines) > int(cut["lines"]):
        lines = [*lines[: int(cut["lines"])], "..."]
    return "\n".join(lines).strip("\n") + "\n"


def main() -> None:
    """Rewrite the README."""
    with tempfile.TemporaryDirectory() as folder:
        text = README.read_text(encoding="utf-8")
        README.write_text(refreshed(text, Path(folder), here=True), encoding="utf-8")


if __name__ == "__main__":
    main()
