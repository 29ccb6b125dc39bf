"""Runs strategies the way the harness does, without containment, in forks of one process of the strategy environment.

The tests use `ChildRuns`; its process runs this very file.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

CHILD = Path(__file__).parents[1] / "runners" / "child"
COLUMNS = ("Open", "High", "Low", "Close", "Volume")
TERMS = {"cash": 10_000.0, "commission": 0.001, "spread": 0.0, "margin": 1.0}


class ChildRuns:
    """``arrays`` are the bars (``time`` and prices) that strategies get, and read as CSV in script mode."""

    def __init__(self, folder: Path, arrays: dict[str, Any], python: str = sys.executable) -> None:
        self._raw, self._text = folder / "bars.raw", folder / "bars.csv"
        write_columns(self._raw, arrays)
        write_text(self._text, arrays)
        self._process = subprocess.Popen(
            [python, __file__, str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, source: str, mode: str = "class", **terms: float) -> dict[str, Any]:
        """The document of one scenario, with a number as the harness adds it. ``terms`` is for classes only."""
        job = {"source": source, "mode": mode, "terms": {**TERMS, **terms}, "params": {}}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**job, "bars": str(self._raw), "text": str(self._text)}) + "\n")
        self._process.stdin.flush()
        return {"scenario": 0, **json.loads(self._process.stdout.readline())}

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def walk(rows: int = 300) -> dict[str, Any]:
    """A random walk of daily bars with a fixed seed."""
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, rows)))
    opening = np.concatenate([[100.0], close[:-1]])
    return {
        "time": np.arange(rows, dtype=np.int64) * 86_400 * 10**9 + 10**18,
        "Open": opening,
        "High": np.maximum(opening, close) * 1.005,
        "Low": np.minimum(opening, close) * 0.995,
        "Close": close,
        "Volume": rng.integers(1000, 9000, rows).astype(float),
    }


def write_columns(path: Path, arrays: dict[str, Any]) -> None:
    columns = [arrays["time"].astype("<i8"), *(arrays[name].astype("<f8") for name in COLUMNS)]
    path.write_bytes(b"".join(column.tobytes() for column in columns))


def write_text(path: Path, arrays: dict[str, Any]) -> None:
    times = np.datetime_as_string(arrays["time"].view("datetime64[ns]"), unit="s")
    rows = zip(times, *(arrays[name] for name in COLUMNS), strict=True)
    lines = ["datetime,open,high,low,close,volume", *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def channel(*documents: dict[str, Any]) -> bytes:
    """What the harness writes."""
    return b"ready\n" + b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def serve(folder: str) -> None:
    """The process: a job a line in, a document a line out, a fork for each."""
    spec = importlib.util.spec_from_file_location(
        "rbi_child", Path(folder) / "__init__.py", submodule_search_locations=[folder]
    )
    assert spec is not None
    sys.modules["rbi_child"] = importlib.util.module_from_spec(spec)
    harness = importlib.import_module("rbi_child.harness")
    harness.preload()
    warnings.simplefilter("ignore")
    out = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        answer, end = os.pipe()
        if os.fork() == 0:
            os.close(answer)
            with os.fdopen(end, "w") as file:
                json.dump(attempted(json.loads(line)), file)
            os._exit(0)
        os.close(end)
        with os.fdopen(answer, "rb") as file:
            os.write(out, file.read() + b"\n")
        os.wait()


def attempted(job: dict[str, Any]) -> Any:
    """The document of one job."""
    attempt = importlib.import_module("rbi_child.attempt")
    observer = importlib.import_module("rbi_child.observation").Observer()
    guard = importlib.import_module("rbi_child.environment_guard")
    random.seed(0)
    np.random.seed(0)
    observer.install()
    stand_ins = importlib.import_module("rbi_child.stand_ins")
    sys.stdin = io.TextIOWrapper(io.BufferedReader(stand_ins.NoInput()))
    if job["mode"] == "script":
        script = importlib.import_module("rbi_child.script")
        with tempfile.TemporaryDirectory() as work, Path(job["text"]).open("rb") as text:
            os.chdir(work)
            return script.script_document(job["source"], text.fileno(), "WALK", observer, work)
    with Path(job["bars"]).open("rb") as bars:
        frame = attempt.load_bars(bars.fileno())
    return attempt.attempt(job, job, frame, observer, guard.guard_environment())


if __name__ == "__main__":
    del sys.path[0]
    serve(sys.argv[1])
