"""What a batch costs: ideas a minute, CPU seconds and memory, against the least that its calls and runs could take.

A loopback server answers as the offline writer would, each time after the latency. A batch of ideas is run on a
random walk of quarter-hour bars, as a user runs it, from a fresh results folder. The bound is what no scheduler can
beat: max(calls x latency / threads, engine seconds / cores).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from rbi.journal import Journal
from rbi.records import unpack

SAMPLE_S = 0.2
SENTENCES = (
    "Buy when the {a}-period RSI drops below {b} while price is above the 200-day SMA, exit when it rises above 60.",
    "Go long when the {a}-day EMA crosses above the {c}-day EMA and short when it crosses below, with a 3x ATR stop.",
    "Buy when the close breaks above the {c}-day high, exit at the {a}-day low, with a 2.5x ATR stop.",
    "Enter long when price touches the lower Bollinger Band ({a}, 2) while ADX < {b} and exit at the middle band.",
    "Buy when Williams %R({a}) rises above -80 and price is above the {c}-day SMA, exit above -20 or after 10 days.",
    "Buy after 3 consecutive lower closes above the {c}-day SMA and sell after {a} days.",
)
NUMBERS = tuple(product((10, 14, 20, 25, 30), (20, 25, 30), (50, 100)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--ideas", type=int, default=60, help="how many (default 60)")
    add("--latency", type=float, default=2.0, help="seconds of each model call (default 2)")
    add("--threads", type=int, default=18, help="ideas at once, and calls at once (default 18)")
    add("--bars", type=int, default=31_066, help="bars of the dataset (default 31066)")
    add("--json", action="store_true", help="figures as JSON")
    add("options", nargs="*", help="after --: more options for `rbi run`")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(
            Path(folder),
            ideas=ideas(arguments.ideas),
            latency_s=arguments.latency,
            threads=arguments.threads,
            bars=arguments.bars,
            options=arguments.options,
        )
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        show(figures)


def ideas(count: int) -> list[str]:
    """Different ideas that the offline writer understands. At most 70."""
    made = [sentence.format(a=a, b=b, c=c) for (a, b, c) in NUMBERS for sentence in SENTENCES]
    return list(dict.fromkeys(made))[:count]


def measure(
    folder: Path, *, ideas: Sequence[str], latency_s: float, threads: int, bars: int, options: Sequence[str]
) -> dict[str, Any]:
    """One batch, as JSON values: seconds, calls, CPU seconds, megabytes."""
    (folder / "ideas.txt").write_text("\n".join(ideas) + "\n", encoding="utf-8")
    write_walk(folder / "walk.csv", bars)
    with server(latency_s) as environ:
        command = [
            sys.executable,
            "-m",
            "rbi",
            "run",
            "ideas.txt",
            "--model",
            "openai:loopback",
            "--data",
            "walk.csv",
        ]
        command += [
            "--delay",
            "0",
            "--workers",
            str(threads),
            "--max-calls",
            str(threads),
            "--json",
            *options,
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environ}, stdout=subprocess.DEVNULL
        )
        peak = watched(process)
        seconds = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"the batch ended with {process.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": seconds,
        "ideas": len(ideas),
        "threads": threads,
        "latency_s": latency_s,
        "cpu_seconds": cpu,
        "peak_mb": peak,
        **from_journal(folder / "results/rbi.db", latency_s, threads),
    }


def from_journal(path: Path, latency_s: float, threads: int) -> dict[str, Any]:
    """Calls, backtests, how long the engine ran, and how ideas ended."""
    journal = Journal(path, read_only=True)
    (batch,) = journal.batches()
    by_stage: Counter[str] = Counter()
    for (_, stage), part in journal.spending(batch.name).items():
        by_stage[stage] += part.calls + part.failed
    endings = Counter(journal.endings(batch.name).values())
    journal.close()
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT result FROM effect WHERE kind IN ('backtest', 'score') AND state = 'done'")
        runs = [unpack(result)["result"]["elapsed_s"] for (result,) in rows]
    calls = by_stage.total()
    return {
        "calls": calls,
        "calls_by_stage": dict(by_stage),
        "backtests": len(runs),
        "engine_seconds": sum(runs),
        "bound_seconds": max(calls * latency_s / threads, sum(runs) / (os.cpu_count() or 1)),
        "endings": dict(endings),
    }


def watched(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process to end; returns the most memory that it and all below it held at once, in MB (10^6 bytes)."""
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(proportional_mb(pid) for pid in family(process.pid)))
        time.sleep(SAMPLE_S)
    return peak


def family(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    try:
        children = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has just ended
        return
    for child in (int(text) for texts in children for text in texts):
        yield from family(child)


def proportional_mb(pid: int) -> float:
    """The memory of a process, what it shares divided among those who share it; 0 for one that has just ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024 / 1e6


@contextmanager
def server(latency_s: float) -> Iterator[dict[str, str]]:
    """A loopback server in its own process; gives the variables that lead to it."""
    command = [sys.executable, "-m", "models.loopback", "--latency", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout  # noqa: S101 - a pipe was asked for
        yield dict(word.split("=", 1) for word in process.stdout.readline().split())
        process.terminate()


def write_walk(path: Path, bars: int) -> None:
    """A random walk of quarter-hour bars, the same every time, as a CSV file."""
    random = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.002, bars)))
    opened = np.concatenate(([100.0], close[:-1]))
    high = np.maximum(opened, close) * (1 + random.uniform(0, 0.001, bars))
    low = np.minimum(opened, close) * (1 - random.uniform(0, 0.001, bars))
    volume = random.integers(1, 1000, bars)
    start = datetime(2023, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        file.write("datetime,open,high,low,close,volume\n")
        for n in range(bars):
            at = (start + timedelta(minutes=15 * n)).strftime("%Y-%m-%d %H:%M:%S")
            file.write(f"{at},{opened[n]:.4f},{high[n]:.4f},{low[n]:.4f},{close[n]:.4f},{volume[n]}\n")


def show(figures: Mapping[str, Any]) -> None:
    """The figures as a table."""
    seconds, bound = figures["seconds"], figures["bound_seconds"]
    stages = ", ".join(f"{stage} {calls}" for stage, calls in figures["calls_by_stage"].items())
    endings = ", ".join(f"{count} {kind}" for kind, count in figures["endings"].items())
    rows = {
        "ideas": f"{figures['ideas']} ({endings})",
        "wall": f"{seconds:.1f} s, {60 * figures['ideas'] / seconds:.1f} ideas a minute",
        "bound": f"{bound:.1f} s, of which wall is {seconds / bound:.2f} times",
        "calls": f"{figures['calls']} of {figures['latency_s']:g} s, {figures['threads']} at once ({stages})",
        "backtests": f"{figures['backtests']}, {figures['engine_seconds']:.1f} s",
        "CPU": f"{figures['cpu_seconds']:.1f} s",
        "memory": f"{figures['peak_mb']:.0f} MB at most, all processes",
    }
    for name, text in rows.items():
        print(f"{name:<10} {text}")


if __name__ == "__main__":
    main()
