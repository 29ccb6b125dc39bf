"""A folder in which batches run as a user runs them, against a loopback server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from rbi_commands import Commands

from models.loopback import LoopbackServer

KEY = "sk-a-very-secret-key-0123456789"
IDEAS = [
    "Buy when the 10-day SMA crosses above the 30-day SMA, sell when it crosses back below.",
    "Buy when RSI(14) falls below 30 and exit when RSI rises above 60.",
    "Buy when price closes above the 20-day high, exit at the 10-day low.",
]


class Place:
    def __init__(self, folder: Path, server: LoopbackServer, model: str, commands: Commands) -> None:
        self.folder = folder
        self.commands = commands
        self.model = model
        self.server = server
        (folder / "ideas.txt").write_text("\n".join(IDEAS), encoding="utf-8")
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("RBI_", "OPENAI_", "ANTHROPIC_", "PYTHON"))
        }
        self.environ = {
            **kept,
            "OPENAI_API_KEY": KEY,
            "ANTHROPIC_API_KEY": KEY,
            "OPENAI_BASE_URL": server.openai_url,
            "ANTHROPIC_BASE_URL": server.anthropic_url,
            "RBI_OPTIMIZE_ROUNDS": "0",  # so that each idea is two calls; a test may take it out
        }
        self.said = ""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "rbi", *arguments]

    def rbi(self, *arguments: str) -> int:
        done = self.commands.run(*arguments, folder=self.folder, environ=self.environ)
        self.said += done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode

    def run(self, *more: str) -> int:
        return self.rbi(
            "run",
            "ideas.txt",
            "--model",
            self.model,
            "--data",
            "GOOG",
            "--env",
            "current",
            "--delay",
            "0",
            *more,
        )

    def status(self) -> dict[str, object]:
        done = self.commands.run("status", "--json", folder=self.folder, environ=self.environ)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def outcomes(self) -> list[str]:
        paths = sorted((self.folder / "results").glob("*/*/outcome.json"))
        return [json.loads(path.read_text(encoding="utf-8"))["outcome"] for path in paths]

    def leaks(self) -> list[str]:
        """Files and output that hold the key, compressed records of the journal included."""
        found = ["output"] if KEY in self.said else []
        for path in (self.folder / "results").rglob("*"):
            if path.is_file() and KEY.encode() in path.read_bytes():
                found.append(str(path))
        program = (
            "import sqlite3, sys, zlib\n"
            "for r in sqlite3.connect(sys.argv[1]).execute('SELECT request, result FROM effect'):\n"
            "    for blob in r:\n"
            "        if blob: sys.stdout.buffer.write(zlib.decompress(blob))"
        )
        journal = subprocess.run(
            [sys.executable, "-c", program, str(self.folder / "results/rbi.db")],
            capture_output=True,
            check=True,
        )
        return [*found, "journal"] if KEY.encode() in journal.stdout else found
