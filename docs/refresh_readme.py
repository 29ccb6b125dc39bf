"""Put the real output of the README's commands into it: every block after a ``<!-- $ command -->`` line.

Run as ``make readme``. The commands run in order in one fresh folder, with no key set, so each can show what the
one before it left. Where an output is long, ``<!-- $ command | head -N -->`` keeps its first lines.
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
_BLOCK = re.compile(r"(<!-- \$ (?P<command>[^\n]*?) -->\n```[a-z]*\n)(?P<output>.*?)(```\n)", re.DOTALL)
_HEAD = re.compile(r"^(?P<command>.*?) \| head -(?P<lines>\d+)$")


def refreshed(text: str, folder: Path) -> str:
    """The text with every block's output as it is now. Raises `subprocess.CalledProcessError` when a command fails."""
    return _BLOCK.sub(lambda match: match[1] + output(match["command"], folder) + match[4], text)


def commands(text: str) -> list[str]:
    """The commands whose output the text shows."""
    return [match["command"] for match in _BLOCK.finditer(text)]


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
        README.write_text(refreshed(README.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
