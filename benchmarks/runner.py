"""What a backtest costs: a fresh python, a cold run, a warm contained run, and the engine alone, interleaved.

Two at a time. An SMA cross on the GOOG bars that come with backtesting.py and on a random walk of 31,066 bars. Prints
rates, the ratios to the engine alone, a child's private memory, and how the warm server grows with the jobs it forked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rbi.cache import cache_folder
from rbi.data.catalog import load
from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, Level, RunRequest, Terms
from runners.clean_environment import clean_environment
from runners.environments import Environment, resolve
from runners.warmth import Containment

AT_A_TIME = 2
LONG_BARS = 31_066
QUARTER_NS = 900 * 10**9
STRATEGY = """
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover


def sma(values, n):
    return pd.Series(values).rolling(n).mean()


class SmaCross(Strategy):
    n1 = 10
    n2 = 20

    def init(self):
        self.fast = self.I(sma, self.data.Close, self.n1)
        self.slow = self.I(sma, self.data.Close, self.n2)

    def next(self):
        if crossover(self.fast, self.slow):
            self.position.close()
            self.buy()
        elif crossover(self.slow, self.fast):
            self.position.close()
            self.sell()
"""
PAUSE = """    def next(self):
        if len(self.data) == self.last:
            time.sleep(1.5)
"""
SLEEPING = (
    STRATEGY.replace("import pandas as pd", "import time\nimport pandas as pd")
    .replace("    def next(self):\n", PAUSE)
    .replace("    n1 = 10\n", "    n1 = 10\n    last = 0\n")
)
BARE = """
import sys, time, types
plain = types.ModuleType("backtesting._plotting")
plain.plot = plain.plot_heatmaps = plain.set_bokeh_output = None
sys.modules["backtesting._plotting"] = plain
import numpy as np, pandas as pd
from backtesting import Backtest
arrays = np.load(sys.argv[1])
index = pd.DatetimeIndex(arrays["time"].view("datetime64[ns]"))
bars = pd.DataFrame({n: arrays[n] for n in ("Open", "High", "Low", "Close", "Volume")}, index=index)
scope = {"__name__": "strategy"}
exec(open(sys.argv[2]).read(), scope)
backtest = Backtest(bars, scope["SmaCross"], cash=1_000_000, commission=0.001, finalize_trades=True)
backtest.run()
for line in sys.stdin:
    began = time.perf_counter()
    for _ in range(int(line)):
        Backtest(bars, scope["SmaCross"], cash=1_000_000, commission=0.001, finalize_trades=True).run()
    print(time.perf_counter() - began, flush=True)
"""
SCRIPT = """
import sys
import numpy as np, pandas as pd
from backtesting import Backtest
{strategy}
arrays = np.load(sys.argv[1])
index = pd.DatetimeIndex(arrays["time"].view("datetime64[ns]"))
bars = pd.DataFrame({{n: arrays[n] for n in ("Open", "High", "Low", "Close", "Volume")}}, index=index)
print(Backtest(bars, SmaCross, cash=1_000_000, commission=0.001, finalize_trades=True).run())
"""


@dataclass(frozen=True, slots=True)
class Way:
    """A way of running the same backtest: ``run(n)`` runs it n times, two at a time, and gives the seconds."""

    name: str
    run: Callable[[int], float]
    batch: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument(
        "--jobs", type=int, default=1000, help="jobs to see the server grow over (default 1000)"
    )
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    arguments = parser.parse_args()
    environment = resolve(
        "venv",
        cache=cache_folder(os.environ),
        environ=os.environ,
        progress=lambda line: print(line, file=sys.stderr),
    )
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(environment, Path(folder), arguments.rounds, arguments.jobs)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        show(figures)


def measure(environment: Environment, folder: Path, rounds: int, jobs: int) -> dict[str, Any]:
    """Everything, as JSON values."""
    datasets = {"GOOG": goog(folder), "walk": walk(folder)}
    runner = BacktestRunner(environment, scratch_root=folder, slots=AT_A_TIME)
    cold = BacktestRunner(
        environment, scratch_root=folder, slots=AT_A_TIME, containment=Containment(exactly=Level.COLD)
    )
    figures: dict[str, Any] = {
        "level": runner.level().value,
        "cores": os.cpu_count(),
        "at_a_time": AT_A_TIME,
    }
    for name, bars in datasets.items():
        with ways(environment, folder, bars, runner, cold) as these:
            figures[name] = {"bars": bars.rows, "seconds_each": interleaved(these, rounds)}
    figures["private_mb"] = {name: private_memory(runner, bars) for name, bars in datasets.items()}
    figures["growth"] = growth(runner, datasets["GOOG"], jobs)
    runner.close()
    return figures


def interleaved(these: Sequence[Way], rounds: int) -> dict[str, float]:
    """Seconds for each run by way, the median over the rounds; each round goes through all ways."""
    taken: dict[str, list[float]] = {way.name: [] for way in these}
    for way in these:
        way.run(AT_A_TIME)  # servers started, files read
    for _ in range(rounds):
        for way in these:
            taken[way.name].append(way.run(way.batch) / way.batch)
    return {name: statistics.median(values) for name, values in taken.items()}


@contextmanager
def ways(
    environment: Environment, folder: Path, bars: BarsFile, runner: BacktestRunner, cold: BacktestRunner
) -> Iterator[tuple[Way, ...]]:
    """The four ways for one dataset."""
    strategy, script = folder / "strategy.py", folder / "script.py"
    strategy.write_text(STRATEGY)
    script.write_text(SCRIPT.format(strategy=STRATEGY))
    request = RunRequest(STRATEGY, bars, Terms(commission=0.001))
    short = bars.rows < 10_000
    with ExitStack() as stack:
        workers = [stack.enter_context(bare_worker(environment, bars, strategy)) for _ in range(AT_A_TIME)]
        yield (
            Way("python", lambda n: plain_python(environment, script, bars, n), 4),
            Way("cold", lambda n: through(cold, request, n), 6),
            Way("warm", lambda n: through(runner, request, n), 40 if short else 16),
            Way("engine", lambda n: bare(workers, n), 40 if short else 16),
        )


def through(runner: BacktestRunner, request: RunRequest, times: int) -> float:
    """Seconds for ``times`` runs, `AT_A_TIME` at once."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        began = time.perf_counter()
        failures = list(pool.map(lambda _: runner.run(request).failure, range(times)))
        seconds = time.perf_counter() - began
    if any(failures):
        raise SystemExit(f"a run failed: {next(filter(None, failures))}")
    return seconds


def plain_python(environment: Environment, script: Path, bars: BarsFile, times: int) -> float:
    """The same as a program in a fresh interpreter."""

    def once(_: int) -> None:
        subprocess.run(
            [str(environment.python), str(script), str(bars.path)],
            env=clean_environment(environment.python, script.parent),
            stdout=subprocess.DEVNULL,
            check=True,
        )

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        began = time.perf_counter()
        list(pool.map(once, range(times)))
        return time.perf_counter() - began


@contextmanager
def bare_worker(environment: Environment, bars: BarsFile, strategy: Path) -> Iterator[subprocess.Popen[str]]:
    """A warm process that runs nothing but the engine."""
    with subprocess.Popen(
        [str(environment.python), "-c", BARE, str(bars.path), str(strategy)],
        env=clean_environment(environment.python, strategy.parent),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.communicate()


def bare(workers: Sequence[subprocess.Popen[str]], times: int) -> float:
    """All workers at once, each with its share."""
    began = time.perf_counter()
    for worker in workers:
        print(times // len(workers), file=worker.stdin, flush=True)
    for worker in workers:
        if not (worker.stdout and worker.stdout.readline()):
            raise SystemExit("the engine alone does not run")
    return time.perf_counter() - began


def private_memory(runner: BacktestRunner, bars: BarsFile) -> float:
    """MB that only the strategy's process holds, at the end of its run."""
    before = set(descendants(os.getpid()))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            runner.run, RunRequest(SLEEPING, bars, Terms(commission=0.001), {"last": bars.rows})
        )
        most = 0
        while not running.done():
            family = descendants(os.getpid())
            leaves = family.keys() - before - set(family.values())
            most = max([most, *(private_bytes(pid) for pid in leaves)])
            time.sleep(0.05)
        if failure := running.result().failure:
            raise SystemExit(f"a run failed: {failure}")
    return most / 2**20


def growth(runner: BacktestRunner, bars: BarsFile, jobs: int) -> dict[str, float]:
    """MB that the server, and this process, hold more after ``jobs`` jobs."""
    request = RunRequest(STRATEGY, bars, Terms(commission=0.001))
    through(runner, request, 50)
    server = max(descendants(os.getpid()), key=resident_bytes)
    before, own = resident_bytes(server), resident_bytes(os.getpid())
    seconds = through(runner, request, jobs)
    return {
        "jobs": jobs,
        "jobs_per_s": jobs / seconds,
        "server_mb": before / 2**20,
        "server_growth_mb": (resident_bytes(server) - before) / 2**20,
        "rbi_growth_mb": (resident_bytes(os.getpid()) - own) / 2**20,
    }


def descendants(root: int) -> dict[int, int]:
    """Every process below ``root`` with its parent."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {root: 0}
    while added := {pid: parent for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= added
    return {pid: parent for pid, parent in found.items() if pid != root}


def resident_bytes(pid: int) -> int:
    """RSS of a process; 0 if it has gone."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS:")


def private_bytes(pid: int) -> int:
    """Memory of a process that no other one shares."""
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    return _field(rollup, "Private_Clean:") + _field(rollup, "Private_Dirty:")


def _field(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def goog(folder: Path) -> BarsFile:
    """The daily bars that come with backtesting.py, all of them."""
    bars = load("GOOG").bars
    columns = {
        "Open": bars.open,
        "High": bars.high,
        "Low": bars.low,
        "Close": bars.close,
        "Volume": bars.volume,
    }
    return write(folder / "goog.npz", "GOOG", bars.time, columns)


def walk(folder: Path) -> BarsFile:
    """A random walk of 15-minute bars."""
    rng = np.random.default_rng(1)
    close = 30_000 * np.exp(np.cumsum(rng.normal(0, 0.002, LONG_BARS)))
    opening = np.concatenate([[30_000.0], close[:-1]])
    columns = {
        "Open": opening,
        "High": np.maximum(opening, close) * 1.001,
        "Low": np.minimum(opening, close) * 0.999,
        "Close": close,
        "Volume": rng.integers(1, 1000, LONG_BARS).astype(float),
    }
    times = np.arange(LONG_BARS, dtype=np.int64) * QUARTER_NS + 1_672_531_200 * 10**9
    return write(folder / "walk.npz", "WALK", times, columns)


def write(path: Path, name: str, times: np.ndarray, columns: dict[str, np.ndarray]) -> BarsFile:
    """The file that runners read."""
    np.savez(path, time=times, **columns)
    return BarsFile(name, "full", len(times), hashlib.sha256(path.read_bytes()).hexdigest(), path)


def show(figures: dict[str, Any]) -> None:
    """The figures as a table."""
    print(f"level {figures['level']}, {figures['at_a_time']} at a time on {figures['cores']} cores")
    print(f"{'SMA cross':<22}{'ms each':>9}{'a second':>10}{'x engine':>10}{'x python':>10}")
    for name in ("GOOG", "walk"):
        part = figures[name]
        seconds = part["seconds_each"]
        for way, each in seconds.items():
            label = f"{name} {part['bars']}: {way}"
            print(
                f"{label:<22}{each * 1e3:>9.1f}{1 / each:>10.2f}{each / seconds['engine']:>10.2f}"
                f"{seconds['python'] / each:>10.1f}"
            )
    print(
        "private memory of a child:", ", ".join(f"{k} {v:.1f} MB" for k, v in figures["private_mb"].items())
    )
    grown = figures["growth"]
    print(
        f"after {grown['jobs']} jobs ({grown['jobs_per_s']:.1f} a second): server {grown['server_mb']:.0f} MB"
        f" {grown['server_growth_mb']:+.1f} MB, rbi {grown['rbi_growth_mb']:+.1f} MB"
    )


if __name__ == "__main__":
    main()
