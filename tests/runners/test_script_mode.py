"""A script runs as `python strategy.py` would run it, except that the CSV file it names is not there."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, Mode, Road, RunRequest
from runners.child import served_data
from runners.child.written_names import written_names

CHILD = Path(served_data.__file__).parent
NOT_THERE = "/Users/somebody/project/data/BTC-USD-15m.csv"
ROWS = 400
SETTINGS = {"PYTHONHASHSEED": "0", "TQDM_DISABLE": "1"}

# Loads the child as the server does. Each script runs in a fork of it, without what the strong levels take away.
DRIVER = f"""
import gc, importlib.util, json, os, socket, sys

spec = importlib.util.spec_from_file_location(
    "rbi_child", {str(CHILD / "__init__.py")!r}, submodule_search_locations=[{str(CHILD)!r}]
)
sys.modules["rbi_child"] = importlib.util.module_from_spec(spec)
del sys.path[0]
from rbi_child import harness
harness.preload()
from rbi_child.observation import Observer
from rbi_child.script import script_document

def refused(*_):
    raise PermissionError(1, "Operation not permitted")

def take_streams(order):
    names = {{0: os.devnull, 1: order["stdout"], 2: order["stderr"]}}
    for number, name in names.items():
        file = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, closefd=False)

def run(order):
    take_streams(order)
    os.fork = socket.socketpair = refused
    os.environ["HOME"] = os.environ["TMPDIR"] = order["work"]
    answer = os.open(order["answer"], os.O_WRONLY | os.O_CREAT, 0o600)
    text = os.open(order["text"], os.O_RDONLY)
    os.chdir(order["work"])
    observer = Observer()
    observer.install()
    document = script_document(order["source"], text, order["name"], observer, order["work"])
    os.write(answer, json.dumps(document).encode())
    harness.leave()

gc.collect()
gc.freeze()
while line := sys.stdin.readline():
    child = os.fork()
    if child == 0:
        run(json.loads(line))
    os.waitpid(child, 0)
    os.write(1, b"done\\n")
"""

LOAD = f"""
import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover

path = {NOT_THERE!r}
data = pd.read_csv(path)
data.columns = data.columns.str.strip().str.lower()
data = data.drop(columns=[c for c in data.columns if 'unnamed' in c])
data = data.rename(columns={{c: c.capitalize() for c in ('open', 'high', 'low', 'close', 'volume')}})
data['datetime'] = pd.to_datetime(data['datetime'])
data = data.set_index('datetime')

class Cross(Strategy):
    fast = 5
    slow = 15

    def init(self):
        mean = lambda values, n: pd.Series(values).rolling(n).mean()
        self.a = self.I(mean, self.data.Close, self.fast)
        self.b = self.I(mean, self.data.Close, self.slow)

    def next(self):
        if crossover(self.a, self.b):
            self.buy(size=5, sl=self.data.Close[-1] * 0.97)
        elif crossover(self.b, self.a):
            self.position.close()

bt = Backtest(data, Cross, cash=100_000, commission=0.002)
"""

RUN = """
stats = bt.run()
print(stats)
print(stats._trades)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a script ended: its document and what it printed."""

    document: dict[str, Any]
    stdout: str
    stderr: str

    @property
    def failure(self) -> str:
        failure = self.document.get("failure")
        return f"{failure['type']}: {failure['message']}" if failure else ""


class Driver:
    """The process that scripts are forked from. Close it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            env={"PATH": os.environ["PATH"], **SETTINGS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def carry_out(self, **order: str) -> None:
        """Run one script to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


class Scripts:
    """Runs scripts in script mode and with plain python."""

    def __init__(self, folder: Path, driver: Driver) -> None:
        self.folder = folder
        self.text = folder / "bars.csv"
        self.text.write_text(bars_text())
        self._driver = driver

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def run(self, source: str, *, name: str = "BTC-USD-15m", text: Path | None = None) -> Outcome:
        work, answer = self._folder("work"), self.folder / "answer.json"
        out, err = self.folder / "stdout", self.folder / "stderr"
        self._driver.carry_out(
            source=textwrap.dedent(source),
            text=str(text or self.text),
            name=name,
            work=str(work),
            answer=str(answer),
            stdout=str(out),
            stderr=str(err),
        )
        assert answer.exists(), err.read_text()
        return Outcome(json.loads(answer.read_text()), out.read_text(), err.read_text())

    def forget(self) -> None:
        """Make place for another script."""
        shutil.rmtree(self.folder / "work")
        for name in ("answer.json", "stdout", "stderr"):
            (self.folder / name).unlink()

    def plain(self, source: str) -> subprocess.CompletedProcess[str]:
        """As ``python strategy.py``, with the path in the script pointing to a real file."""
        folder = self._folder("plain")
        (folder / "BTC-USD-15m.csv").write_bytes(self.text.read_bytes())
        own = textwrap.dedent(source).replace(NOT_THERE, str(folder / "BTC-USD-15m.csv"))
        (folder / "strategy.py").write_bytes(own.encode())
        return subprocess.run(
            [sys.executable, "strategy.py"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **SETTINGS},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )


def bars_text() -> str:
    """Bars as users' files have them: spaces in the header, a comma too many."""
    rng = np.random.default_rng(11)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, ROWS)))
    opening = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opening, close) * 1.003, np.minimum(opening, close) * 0.997
    times = np.datetime64("2023-01-01T00:00:00") + np.arange(ROWS) * np.timedelta64(900, "s")
    lines = ["datetime, open, high, low, close, volume,"]
    for at, *prices in zip(times.tolist(), opening, high, low, close, strict=True):
        lines.append(f"{at}, " + ", ".join(f"{price:.2f}" for price in prices) + ", 17.5,")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with closing(Driver()) as driver:
        yield driver


@pytest.fixture
def scripts(tmp_path: Path, driver: Driver) -> Scripts:
    return Scripts(tmp_path, driver)


ALIKE = {
    "reads_it_in_every_way_pandas_has": LOAD
    + RUN
    + """
for options in ({'index_col': 0, 'parse_dates': True}, {'engine': 'python'}, {'memory_map': True},
                {'encoding': 'latin-1'}, {'nrows': 9}, {'dtype': str}, {'sep': None, 'engine': 'python'}):
    frame = pd.read_csv(path, **options)
    print(frame.shape, list(frame.dtypes), pd.util.hash_pandas_object(frame).sum())
print(pd.concat(pd.read_csv(path, chunksize=70)).shape, pd.read_table(path, sep=',').shape)
""",
    "reads_it_without_pandas": f"""
import csv, mmap, os, shutil
from pathlib import Path
import numpy as np
path = {NOT_THERE!r}
assert os.path.exists(path) and os.path.isfile(path) and os.access(path, os.R_OK) and Path(path).is_file()
print(os.path.getsize(path), os.path.isdir(path), Path(path).stat().st_size, len(Path(path).read_text()))
print(len(list(csv.reader(open(path)))), next(csv.DictReader(open(path, newline=''))))
print(np.genfromtxt(path, delimiter=',', skip_header=1, usecols=(1, 4)).sum())
print(np.loadtxt(path, delimiter=',', skiprows=1, usecols=(1, 4)).sum(), np.fromfile(path, 'u1').sum())
with open(path, 'rb') as a, open(os.fsencode(path)) as b:
    print(a.readline(), b.readline(), a.readline(), b.readline(), a.mode, b.mode, b.newlines, type(a), type(b))
    print(a.seek(-5, 2), a.read(), mmap.mmap(a.fileno(), 0, access=mmap.ACCESS_READ)[:20])
for mode in ('rt', 'rb', 'q', '', 'rbt', 'rr'):
    try:
        print(len(open(path, mode, buffering=0).read()))
    except ValueError as error:
        print(error)
shutil.copy(path, 'copy.csv')
print(Path('copy.csv').read_bytes() == Path(path).read_bytes())
"""
    + LOAD
    + RUN,
    "reads_back_what_it_wrote": LOAD
    + RUN
    + """
import os, tempfile
data.head(7).to_csv('mine.csv')
stats._trades.to_csv(os.path.join(tempfile.gettempdir(), 'trades.csv'))
print(pd.read_csv('mine.csv').shape, len(pd.read_csv(os.path.join(tempfile.gettempdir(), 'trades.csv'))))
""",
    "is_a_main_program": LOAD
    + """
import __main__, inspect, os, pickle, sys
def main():
    global stats
    stats = bt.run()
    print(stats)
if __name__ == '__main__':
    main()
print(__main__.Cross is Cross, pickle.loads(pickle.dumps(main)) is main, inspect.getsource(Cross))
print(os.path.basename(__file__), os.path.exists(__file__), sys.argv, __doc__, __package__)
print(sys.path[0] == os.path.dirname(__file__), len(open(__file__).read()) > 0, sorted(globals())[:12])
import strategy
print(strategy.__name__)
""",
    "optimizes": LOAD
    + """
from backtesting.lib import plot_heatmaps
np.random.seed(4)
print(bt.run())
best, heat = bt.optimize(fast=[4, 6, 8], slow=range(10, 25, 5), maximize='Return [%]', return_heatmap=True,
                         constraint=lambda p: p.fast < p.slow, max_tries=7, random_state=1)
print(best, heat, np.random.rand())
plot_heatmaps(heat, agg='mean', open_browser=False)
print(bt.optimize(fast=[4, 6], maximize=lambda stats: stats['# Trades']))
""",
    "backtests_many_and_fractions": LOAD
    + """
from backtesting.lib import FractionalBacktest, MultiBacktest, random_ohlc_data
many = MultiBacktest([data, data.iloc[:200]], Cross, cash=100_000)
print(many.run(fast=7))
print(many.optimize(fast=[5, 7], slow=[12, 20]))
print(FractionalBacktest(data, Cross, cash=300).optimize(fast=[5, 7]))
print(Backtest(next(random_ohlc_data(data, random_state=3)), Cross, cash=100_000).run())
""",
    "draws": LOAD
    + RUN
    + """
import os
from backtesting.lib import plot_heatmaps
bt.plot(filename='chart.html', open_browser=False, resample=False, plot_volume=False)
_, heat = bt.optimize(fast=[5, 7], slow=[12, 20], return_heatmap=True)
plot_heatmaps(heat, filename='heat', open_browser=False)
print(sorted(name for name in os.listdir() if name.endswith('.html')), os.path.getsize('chart.html') > 0)
""",
    "looks_and_writes_above_its_own_folder": LOAD
    + RUN
    + """
from pathlib import Path
above = Path(__file__).resolve().parents[1] / 'results'
above.mkdir(exist_ok=True)
stats._trades.to_csv(above / 'trades.csv')
print(len(pd.read_csv('../results/trades.csv')), len(Path(__file__).resolve().parents) > 3)
""",
    "works_in_pools_of_its_own": LOAD
    + """
import backtesting, multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.pool import ThreadPool
given, seen = None, []
def prepare(value):
    global given
    given = value
    seen.append(value)
def evaluate(fast, slow=15):
    global bt
    Cross.fast, bt = fast, Backtest(data, Cross, cash=given or 100_000)
    return fast, bt.run(slow=slow)['Equity Final [$]'], np.random.rand()
def fails(_):
    raise KeyError('task')
if __name__ == '__main__':
    np.random.seed(1)
    with multiprocessing.Pool(1, prepare, (200_000,)) as pool:
        print(pool.map(evaluate, [4, 6]), pool.starmap(evaluate, [(4, 20)]), list(pool.imap(abs, [-1])))
        print(pool.apply_async(evaluate, (7,), {'slow': 30}).get(60), sorted(pool.imap_unordered(abs, [-1, 2])))
        try:
            pool.map_async(fails, [1]).get()
        except KeyError as error:
            print(error)
    with ProcessPoolExecutor(1) as executor:
        print([one.result()[:2] for one in as_completed([executor.submit(evaluate, 5)])])
        print([one[:2] for one in executor.map(evaluate, [6, 8], [20, 30])])
    backtesting.Pool = multiprocessing.get_context('fork').Pool
    print(Backtest(data, Cross, cash=100_000).optimize(fast=[4, 6]))
    backtesting.Pool = ThreadPool
    print(Backtest(data, Cross, cash=100_000).optimize(fast=[4, 6]))
    print(bt.run(), given, seen)
""",
    "asks_for_input": LOAD
    + RUN
    + """
import sys
try:
    input('go on? ')
except EOFError as error:
    print(error)
print(repr(sys.stdin.read()))
""",
    "works_in_threads": LOAD
    + """
import atexit, threading, time
from concurrent.futures import ThreadPoolExecutor
atexit.register(print, 'the end')
print(ThreadPoolExecutor(2).submit(bt.run).result())
def later():
    time.sleep(0.2)
    print(bt.run(fast=7))
threading.Thread(target=later).start()
""",
    "works_in_an_event_loop": LOAD
    + """
import asyncio
async def backtest(fast):
    await asyncio.sleep(0.01)
    return await asyncio.get_running_loop().run_in_executor(None, lambda: bt.run(fast=fast))
print(asyncio.run(backtest(7)))
print(asyncio.run(asyncio.wait_for(backtest(8), 60)))
""",
    "has_another_standard_output_at_its_end": LOAD
    + RUN
    + """
import sys
sys.stdout = None
""",
    "takes_an_average_from_the_bundled_tests": LOAD
    + """
from backtesting.test import SMA
class Average(Cross):
    def init(self):
        self.a, self.b = self.I(SMA, self.data.Close, 5), self.I(SMA, self.data.Close, 15)
print(Backtest(data, Average, cash=100_000).run()._trades.columns.tolist(), SMA.__name__)
""",
    "ends_with_a_status_that_is_none_in_one_byte": LOAD + RUN + "raise SystemExit(256)\n",
    "ends_itself_well": LOAD + RUN + "exit()\n",
    "starts_with_a_mark_and_windows_lines": "\ufeff# -*- coding: utf-8 -*-\n"
    + (LOAD + RUN + "print('Zürich')\n").replace("\n", "\r\n"),
}


@pytest.mark.parametrize("source", ALIKE.values(), ids=ALIKE.keys())
def test_a_script_prints_what_plain_python_prints(scripts: Scripts, source: str) -> None:
    plain = scripts.plain(source)
    assert plain.returncode == 0, plain.stderr
    outcome = scripts.run(source)
    assert outcome.failure == ""
    assert outcome.stdout == plain.stdout
    assert outcome.document["result"]["account"]["cash"] > 0


FAILING = {
    "a_class_that_cannot_be_found_by_name": (
        "def f():\n    class Mine(Cross): pass\n    Backtest(data, Mine).optimize(fast=[5, 6])\nf()"
    ),
    "a_column_that_cannot_be_shared": "data['name'] = 'BTC'\nBacktest(data, Cross).optimize(fast=[5, 6])",
    "a_missing_parameter": "bt.optimize(nope=[1, 2])",
    "an_exit_status": "import sys; sys.exit(3)",
    "an_exit_message": "raise SystemExit('no good')",
    "an_unknown_plot_option": "bt.plot(colour='red')",
    "a_heatmap_of_one_parameter": (
        "from backtesting.lib import plot_heatmaps\n"
        "plot_heatmaps(bt.optimize(fast=[5, 6], return_heatmap=True)[1], open_browser=False)"
    ),
    "another_kind_of_file": "pd.read_parquet('bars.parquet')",
    "a_text_file": "open('notes.txt')",
}


@pytest.mark.parametrize("last", FAILING.values(), ids=FAILING.keys())
def test_a_script_that_fails_in_plain_python_fails_after_the_same_backtest(
    scripts: Scripts, last: str
) -> None:
    source = LOAD + "print(bt.run())\n" + last
    plain = scripts.plain(source)
    assert plain.returncode != 0
    outcome = scripts.run(source)
    assert outcome.document["failure"]["stage"] == "run"
    assert outcome.stdout == plain.stdout
    if "Error" in plain.stderr:
        assert f"{outcome.document['failure']['type']}:" in plain.stderr
    assert "result" in outcome.document


def test_a_script_without_a_backtest_has_neither_a_result_nor_a_failure(scripts: Scripts) -> None:
    assert scripts.run("import sys\nprint('nothing to do')\nsys.exit(0)").document == {}


def test_a_script_that_does_not_compile_says_where(scripts: Scripts) -> None:
    failure = scripts.run("x = 1\ndef f(:\n").document["failure"]
    assert (failure["stage"], failure["line"]) == ("compile", 2)


def test_the_last_finished_backtest_counts_and_all_are_counted(scripts: Scripts) -> None:
    outcome = scripts.run(LOAD + "bt.run()\nBacktest(data, Cross, cash=55_555).run()\nraise KeyError('late')")
    account = outcome.document["result"]["account"]
    assert (account["cash"], account["backtests"]) == (55_555, 2)
    assert outcome.failure == "KeyError: 'late'"


def test_a_run_inside_an_optimization_that_fails_is_not_the_last_one(scripts: Scripts) -> None:
    source = """
class Fails(Cross):
    def init(self):
        super().init()
        if self.fast == 9:
            raise ValueError('nine')
bt = Backtest(data, Fails, cash=55_555)
bt.run(fast=7)
bt.optimize(fast=[5, 6, 9])
"""
    outcome = scripts.run(LOAD + source)
    scripts.forget()
    alone = scripts.run(LOAD + source.replace("bt.optimize", "0 and bt.optimize"))
    assert outcome.failure == "ValueError: nine"
    assert outcome.document["result"]["account"]["backtests"] == 3
    assert outcome.document["result"]["stats"] == alone.document["result"]["stats"]


def test_output_can_be_encoded_anew_although_the_server_was_started_with_a_file(tmp_path: Path) -> None:
    program = (
        DRIVER.split("harness.preload()")[0]
        + """
import io
read, write = os.pipe()
os.dup2(write, 1)
os.close(write)
harness.renew_streams()
sys.stdout.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
print("one")
sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8", line_buffering=True)
print("two", sys.stdout.name)
os.write(2, os.read(read, 100))
"""
    )
    with (tmp_path / "log").open("w") as log:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=log, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.stderr == "one\ntwo <stdout>\n"


def test_a_folder_is_searched_for_the_served_file_by_its_datasets_name(scripts: Scripts) -> None:
    source = f"""
        import glob
        from pathlib import Path
        folder = {str(Path(NOT_THERE).parent)!r}
        print(glob.glob(folder + '/*.csv'), list(Path(folder).glob('BTC*.csv')), glob.glob(folder + '/ETH*.csv'))
        open('mine.csv', 'w').close()
        print(glob.glob('m*.csv'))
    """
    found = f"['{NOT_THERE}'] [PosixPath('{NOT_THERE}')] []\n['mine.csv']\n"
    assert scripts.run(source).stdout == found


def test_folders_list_the_served_file_where_a_script_may_look_for_it(scripts: Scripts) -> None:
    source = """
        import os
        from pathlib import Path
        os.makedirs('results')
        print(os.listdir('/data'), [*os.walk('/data')], [*Path('bars').iterdir()], sorted(os.listdir()))
        print(os.listdir('results'), [entry.is_file() for entry in os.scandir('/data')])
        open('mine.csv', 'w').close()
        print(sorted(os.listdir('.')))
    """
    name = "BTC-USD-15m.csv"
    assert scripts.run(source).stdout == (
        f"['{name}'] [('/data', [], ['{name}'])] [PosixPath('bars/{name}')] ['{name}', 'results', 'strategy.py']\n"
        "[] [True]\n['mine.csv', 'results', 'strategy.py']\n"
    )


WRITING = {
    "a_log": ("log = 'out/log.csv'\nframe.to_csv(log)", "log.csv", True),
    "a_log_of_a_class": (
        "self.file = folder / f'{name}_log.csv'\nopen(self.file, mode='a')",
        "x_log.csv",
        True,
    ),
    "a_path": ("(Path('out') / 'log.csv').open('w')", "log.csv", True),
    "what_it_reads": ("log = pd.read_csv('log.csv')", "log.csv", False),
    "a_name_that_can_be_any": ("frame.to_csv(name + '.csv')", "bars.csv", False),
}


@pytest.mark.parametrize(("source", "name", "own"), WRITING.values(), ids=WRITING.keys())
def test_a_file_that_the_script_writes_is_not_seen_before_if_it_reads_another(
    tmp_path: Path, source: str, name: str, own: bool
) -> None:
    alone, reading = (
        written_names(ast.parse(text)) for text in (source, f"{source}\npd.read_csv('bars.csv')")
    )
    assert not alone
    with served_text(tmp_path, b"a,b\n", reading) as served:
        assert served.is_seen_at(tmp_path / name) is not own
        assert served.stands_at(tmp_path / name)


def test_a_runner_gets_the_numbers_that_the_script_got(
    scripts: Scripts, runner: BacktestRunner, bars: BarsFile
) -> None:
    request = RunRequest(LOAD + RUN, replace(bars, text=scripts.text), mode=Mode.SCRIPT, timeout_s=60)
    result = runner.run(request)
    plain = scripts.plain(LOAD + RUN)
    assert result.failure is None
    assert result.trades
    assert result.road is Road.OBSERVED
    assert re.findall(r"# Trades +(\d+)", plain.stdout) == [str(len(result.trades))]
    assert result.stdout.head == plain.stdout


def test_a_script_cannot_change_mode_or_times_of_the_file_it_reads(
    runner: BacktestRunner, bars: BarsFile, scripts: Scripts
) -> None:
    before = scripts.text.stat()
    top = (
        "import os, stat\n"
        "for fd in range(3, 256):\n"
        "    try:\n"
        "        if stat.S_ISREG(os.fstat(fd).st_mode): os.fchmod(fd, 0o777), os.utime(fd, (1, 1))\n"
        "    except OSError: pass\n"
    )
    request = RunRequest(top + LOAD + RUN, replace(bars, text=scripts.text), mode=Mode.SCRIPT, timeout_s=60)
    assert runner.run(request).stats is not None
    after = scripts.text.stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_a_url_is_not_served(scripts: Scripts) -> None:
    outcome = scripts.run("import pandas as pd\npd.read_csv('http://127.0.0.1:9/bars.csv')")
    assert outcome.failure.startswith("URLError")


def test_starting_processes_fails_with_an_error_and_does_not_hang(scripts: Scripts) -> None:
    outcome = scripts.run("from multiprocessing import Process\nProcess(target=abs, args=(1,)).start()")
    assert outcome.failure == "PermissionError: [Errno 1] Operation not permitted"


def test_a_bundled_dataset_is_served_under_its_own_name_only(scripts: Scripts) -> None:
    source = (
        "from backtesting.test import GOOG, SMA\nprint(GOOG.dtypes, GOOG.index.dtype, GOOG.index.name, GOOG)"
    )
    bundled = Path(__import__("backtesting").__file__).parent / "test" / "GOOG.csv"
    lines = bundled.read_text().splitlines()
    served = scripts.folder / "served.csv"
    served.write_text("\n".join(["datetime,open,high,low,close,volume", *lines[1:]]) + "\n")
    plain = scripts.plain(source)
    assert plain.returncode == 0, plain.stderr
    assert scripts.run(source, name="GOOG", text=served).stdout == plain.stdout
    scripts.forget()
    assert scripts.run(source).failure.startswith("BundledDataError: GOOG")


def test_the_packages_own_files_are_not_replaced(tmp_path: Path) -> None:
    with served_text(tmp_path, b"a,b\n") as served:
        for folder in served_data.library_folders():
            assert not served.stands_at(Path(folder) / "package" / "table.csv")


def test_an_own_file_outside_the_work_folder_wins_until_it_is_gone(tmp_path: Path) -> None:
    with served_text(tmp_path, b"a,b\n") as served:
        path = tmp_path / "elsewhere.CSV"
        assert served.stands_at(path)
        served.note_written(path)
        path.write_text("mine")
        assert not served.stands_at(path)
        path.unlink()
        assert served.stands_at(path)


class served_text:  # noqa: N801 - used like a function
    """A text in a descriptor, for a with block."""

    def __init__(self, folder: Path, content: bytes, written: Collection[str] = ()) -> None:
        self._written = written
        self._file = folder / "content"
        self._file.write_bytes(content)
        (folder / "inside").mkdir(exist_ok=True)
        self._work = str(folder / "inside")

    def __enter__(self) -> Any:
        self._descriptor = os.open(self._file, os.O_RDONLY)
        return served_data.ServedText(self._descriptor, "DATA", self._work, self._written)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 40)),
        st.tuples(st.just("readline"), st.integers(-1, 40)),
        st.tuples(st.just("seek"), st.integers(0, 60)),
        st.tuples(st.just("tell"), st.none()),
    ),
    max_size=12,
)


def done(file: io.IOBase, steps: list[tuple[str, int | None]]) -> Iterator[object]:
    for name, argument in steps:
        yield getattr(file, name)(*([] if argument is None else [argument]))


@given(content=st.binary(max_size=50), steps=STEPS, buffering=st.sampled_from([0, 7, -1]))
def test_a_served_file_behaves_as_a_file_while_another_one_reads_it(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, steps: Any, buffering: int
) -> None:
    with (
        served_text(tmp_path_factory.mktemp("served"), content) as served,
        served.open("/x.csv", "rb", buffering) as file,
        served.open("/x.csv", "rb") as other,
    ):
        for ours, real in zip(done(file, steps), done(io.BytesIO(content), steps), strict=True):
            assert ours == real
        assert other.read() == content
