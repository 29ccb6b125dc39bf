"""Real bars, a real environment (the python that runs the tests) and a runner with a scratch folder of its own."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, Level, RunRequest, RunResult
from runners.environments import Environment, resolve
from runners.limits import Limits
from runners.warmth import Containment

DAY_NS = 86_400 * 10**9
MB = 2**20
LIMITS = Limits(memory_bytes=700 * MB, output_bytes=4 * MB, result_bytes=8 * MB)

SMA_CROSS = """
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover


def sma(values, n):
    return pd.Series(values).rolling(n).mean()


class SmaCross(Strategy):
    fast = 5
    slow = 15

    def init(self):
        self.short = self.I(sma, self.data.Close, self.fast)
        self.long = self.I(sma, self.data.Close, self.slow)

    def next(self):
        if crossover(self.short, self.long):
            self.position.close()
            self.buy(tag="up")
        elif crossover(self.long, self.short):
            self.position.close()
            self.sell(size=0.5)
"""


def write_bars(path: Path, rows: int = 300) -> BarsFile:
    """A random walk with a fixed seed, on disk as runners get it."""
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, rows)))
    opening = np.concatenate([[100.0], close[:-1]])
    columns = {
        "Open": opening,
        "High": np.maximum(opening, close) * 1.005,
        "Low": np.minimum(opening, close) * 0.995,
        "Close": close,
        "Volume": rng.integers(1000, 9000, rows).astype(float),
    }
    np.savez(path, time=np.arange(rows, dtype=np.int64) * DAY_NS + 1_000_000_000 * 10**9, **columns)
    return BarsFile("WALK", "dev", rows, hashlib.sha256(path.read_bytes()).hexdigest(), path)


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> BarsFile:
    return write_bars(tmp_path_factory.mktemp("bars") / "walk.npz")


@pytest.fixture(scope="session")
def bars_of() -> Callable[[Path, int], BarsFile]:
    """Write as many bars as a test wants."""
    return write_bars


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return resolve("current", cache=tmp_path_factory.mktemp("cache"), environ=os.environ)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch root"
    folder.mkdir()
    return folder


@pytest.fixture
def runner(environment: Environment, scratch: Path) -> Iterator[BacktestRunner]:
    """Without containment: what the other levels add to it is tested level by level."""
    cold = Containment(exactly=Level.COLD)
    with closing(
        BacktestRunner(environment, scratch_root=scratch, slots=2, limits=LIMITS, containment=cold)
    ) as runner:
        yield runner


@pytest.fixture
def runner_of(scratch: Path) -> Iterator[Callable[..., BacktestRunner]]:
    """Make cold runners, with settings of the test's own; they are closed after it."""
    with ExitStack() as stack:

        def make(environment: Environment, **settings: Any) -> BacktestRunner:
            cold = Containment(exactly=Level.COLD)
            runner = BacktestRunner(environment, scratch_root=scratch, **{"containment": cold, **settings})
            return stack.enter_context(closing(runner))

        yield make


Run = Callable[..., RunResult]


@pytest.fixture
def run(runner: BacktestRunner, bars: BarsFile) -> Run:
    """Run a strategy's source with generous time."""

    def run(source: str, *, timeout_s: float = 60.0, **params: float) -> RunResult:
        return runner.run(RunRequest(source, bars, params=params, timeout_s=timeout_s))

    return run


@pytest.fixture(scope="module")
def quick_run(
    environment: Environment, bars: BarsFile, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    """`run` in forks of one process, where there can be one: for what does not depend on how a process is started."""
    level = Level.LIMITS if sys.platform == "linux" else Level.COLD
    runner = BacktestRunner(
        environment,
        scratch_root=tmp_path_factory.mktemp("quick"),
        limits=LIMITS,
        containment=Containment(exactly=level),
    )

    def run(source: str, **params: float) -> RunResult:
        return runner.run(RunRequest(source, bars, params=params, timeout_s=60.0))

    with closing(runner):
        yield run


@pytest.fixture(scope="session")
def processes_of() -> Callable[[Path], list[int]]:
    """Find the running processes that were started for, or work in, a runner's scratch folder."""

    def found(scratch: Path) -> list[int]:
        mark = os.fsencode(scratch.resolve())
        pids = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                ours = b"/child/" in command and mark in command
                if ours or os.fsencode((folder / "cwd").readlink()).startswith(mark):
                    pids.append(int(folder.name))
            except OSError:
                continue
        return pids

    return found


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a condition; it fails the test if it does not come true."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def sma_cross() -> str:
    return SMA_CROSS


@pytest.fixture(scope="session")
def strategy_doing() -> Callable[..., str]:
    """Source of a strategy with the given statements in ``next`` (and at the top of the module)."""

    def source(next_code: str, *, top: str = "", init_code: str = "pass") -> str:
        def body(code: str) -> str:
            return "".join(f"        {line}\n" for line in code.splitlines())

        return (
            f"import os, sys, time, signal, subprocess, ctypes\nfrom backtesting import Strategy\n{top}\n"
            f"class Made(Strategy):\n    def init(self):\n{body(init_code)}    def next(self):\n{body(next_code)}"
        )

    return source


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "network: needs a package index (or uv's cache of it), and a minute")
