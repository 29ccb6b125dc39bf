"""A batch with its optimizing, as a user runs it: on real bars, by the offline writer."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

IDEA = "Buy when the 10-day SMA crosses above the 40-day SMA, sell when it crosses back below."


def test_tries_are_trials_attempts_have_reasons_and_the_hold_out_is_never_seen(tmp_path: Path) -> None:
    (tmp_path / "ideas.txt").write_text(IDEA + "\n", encoding="utf-8")
    run = [
        "run",
        "ideas.txt",
        "--model",
        "offline",
        "--data",
        "GOOG",
        "--env",
        "current",
        "--target-sharpe",
        "9",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "rbi", *run], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results").glob("*/*/outcome.json")
    outcome = json.loads(path.read_text(encoding="utf-8"))
    reasons = [attempt["reason"] for attempt in outcome["attempts"]]
    assert reasons[0] == "written"
    assert set(reasons[1:]) <= {"searched", "optimized"}
    assert "optimized" in reasons
    kept = [n for n, attempt in enumerate(outcome["attempts"], start=1) if not attempt["rejected"]]
    assert outcome["chosen_attempt"] == max(kept)
    assert outcome["remarks"][-1].startswith("optimizing ended after")
    assert "mean Sharpe ratio" in outcome["remarks"][-1]

    db = sqlite3.connect(tmp_path / "results/rbi.db")
    trials = db.execute("SELECT stage, part, params FROM trial").fetchall()
    assert len(trials) == outcome["trials"]
    assert {part for _, part, _ in trials} == {"dev"}
    searched = [params for stage, _, params in trials if stage == "optimize" and params != "{}"]
    assert len(searched) == len(set(searched)) >= 4
    sent = [
        zlib.decompress(row[0]).decode()
        for row in db.execute("SELECT request FROM effect WHERE stage = 'optimize'")
    ]
    db.close()
    assert any("# Trades" in text for text in sent)
    assert not [year for year in ("2011", "2012", "2013") for text in sent if f"{year}-" in text]
