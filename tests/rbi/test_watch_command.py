"""`rbi run --watch`, as a user has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CROSS = "Buy when the 10-day SMA crosses above the 30-day SMA, sell when it crosses back below."
RSI = "Buy when RSI(14) falls below 30 and exit when RSI rises above 60."
LONGEST_S = 240
HIGH = "Buy when price closes above the 20-day high, exit at the 10-day low."


class Run:
    """A watching batch: its events, as they come."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.endswith(("_API_KEY", "_BASE_URL")) and not name.startswith("RBI_")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rbi", *arguments],
            cwd=folder,
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.passed_over: list[dict[str, Any]] = []
        self.last_resort = threading.Timer(
            LONGEST_S, self.process.kill
        )  # an event that never comes fails, not hangs
        self.last_resort.start()

    def until(self, name: str, **values: Any) -> dict[str, Any]:
        """The next event of this name with these values, whatever other events came before it."""
        assert self.process.stdout

        def is_meant(event: dict[str, Any]) -> bool:
            return event["event"] == name and all(event[key] == value for key, value in values.items())

        for number, event in enumerate(self.passed_over):
            if is_meant(event):
                return self.passed_over.pop(number)
        for line in self.process.stdout:
            event = json.loads(line)
            if is_meant(event):
                return event
            self.passed_over.append(event)
        raise AssertionError(f"no {name} {values} came: {self.process.communicate()[1]}")

    def end(self) -> tuple[int, str]:
        said = self.process.communicate()[1]
        return self.process.returncode, said


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    (tmp_path / "ideas.txt").write_text(f"{CROSS}\n", encoding="utf-8")
    common = ["--watch", "--json", "--data", "GOOG", "--env", "current"]
    made = Run(tmp_path, "run", *request.param, *common)
    yield made
    made.last_resort.cancel()
    made.process.kill()
    made.process.communicate()


@pytest.mark.parametrize("run", [["ideas.txt", "--dedupe", "--only", "buy*"]], indirect=True)
def test_what_is_added_is_worked_on_until_ctrl_c(run: Run, tmp_path: Path) -> None:
    run.until("notice", text="watching ideas.txt; Ctrl-C ends it")
    run.until("idea_finished", number=1, outcome="traded")
    with (tmp_path / "ideas.txt").open("a", encoding="utf-8") as file:
        file.write(f"Sell everything when it falls.\n{CROSS}\n{RSI}\n{RSI.replace('Buy', 'Buy it')}\n{HIGH}")
    # The first idea was found by a look, too, if its line was written just before the batch began.
    assert run.until("ideas_found", total=3) == {
        "event": "ideas_found",
        "added": 2,
        "finished": 0,
        "total": 3,
    }
    ended = {run.until("idea_finished")["outcome"] for _ in range(2)}
    assert ended == {"traded", "duplicate"}
    notices = [run.until("notice")["text"]]
    while not any("waits for the end of its line" in text for text in notices):
        notices.append(run.until("notice")["text"])
    run.process.send_signal(signal.SIGINT)
    assert run.end() == (130, "no longer watching: 3 of 3 ideas are finished and safe\n")


@pytest.mark.parametrize("run", [["-", "--limit", "2"]], indirect=True)
def test_standard_input_is_watched_until_its_end_or_the_limit(run: Run) -> None:
    assert run.process.stdin
    run.until("notice")
    run.process.stdin.write(f"{CROSS}\n")
    run.process.stdin.flush()
    run.until("idea_finished", number=1, outcome="traded")
    run.process.stdin.write(f"{RSI}\n{HIGH}\n")
    run.process.stdin.flush()
    run.until("idea_finished", number=2, outcome="traded")
    assert run.until("batch_finished")["total"] == 2
    assert run.end()[0] == 0
