"""Every way a run can end, each with a real process that really does it."""

from __future__ import annotations

import math
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, FailureKind, RunRequest, RunResult
from runners.environments import Environment
from runners.limits import Limits

Run = Callable[..., RunResult]
Source = Callable[..., str]

SOON_S = 60.0  # whatever hangs here would do so for a thousand seconds

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")


def kind(result: RunResult) -> FailureKind:
    assert result.failure is not None, result.stats
    assert (result.stats is not None) == result.failure.kind.has_numbers
    assert result.failure.hint
    assert result.trades == ()
    return result.failure.kind


def sleepers(seconds: str) -> list[int]:
    """Processes whose command line says ``sleep <seconds>`` or that carry it as an argument."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and seconds.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def gone(seconds: str) -> bool:
    deadline = time.monotonic() + SOON_S
    while sleepers(seconds):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_strategy_that_trades_ends_with_numbers(run: Run, sma_cross: str) -> None:
    result = run(sma_cross)
    assert result.ok
    assert result.stats is not None
    assert result.stats.trades == len(result.trades) > 3
    assert result.level == "cold"
    assert result.road == "class"


@pytest.mark.parametrize(
    ("source", "expected", "line"),
    [
        ("class A(:\n    pass", FailureKind.SYNTAX, 1),
        ("x = 1\n  y = 2", FailureKind.SYNTAX, 2),
        ("x = 'a\0b'", FailureKind.SYNTAX, None),
        ("x = '\ud800'", FailureKind.SYNTAX, None),
        ("import no_such_package", FailureKind.IMPORT, 1),
        ("from backtesting.lib import no_such_name", FailureKind.IMPORT, 1),
        ("x = 1", FailureKind.NO_STRATEGY_CLASS, None),
        ("from backtesting import Strategy", FailureKind.NO_STRATEGY_CLASS, None),
        ("from backtesting import Strategy\nx = 1 / 0", FailureKind.ERROR, 2),
        ("import sys\nsys.exit(3)", FailureKind.EXITED, 2),
        ("exit()", FailureKind.EXITED, 1),
        ("import os\nos._exit(0)", FailureKind.EXITED, None),
        ("import os\nos._exit(3)", FailureKind.EXITED, None),
        ("import os\nos._exit(81)", FailureKind.EXITED, None),
        ("name = input('your name? ')", FailureKind.INPUT, 1),
        ("import sys\nsys.stdin.readline()", FailureKind.INPUT, 2),
        ("import sys\nsys.stdin.buffer.read(1)", FailureKind.INPUT, 2),
        ("import sys\nnext(iter(sys.stdin))", FailureKind.INPUT, 2),
        ("import getpass\ngetpass.getpass()", FailureKind.INPUT, 2),
        ("class Odd(BaseException): pass\nraise Odd('x')", FailureKind.ERROR, 2),
        ("raise KeyboardInterrupt", FailureKind.ERROR, 1),
        ("raise GeneratorExit", FailureKind.ERROR, 1),
        ("class Mute(Exception):\n    def __str__(self): raise self\nraise Mute", FailureKind.ERROR, 3),
        ("class Odd(Exception): __cause__ = 5\nraise Odd", FailureKind.ERROR, 2),
        (
            "class Odd(Exception):\n    @property\n    def __cause__(self): raise ValueError\nraise Odd",
            FailureKind.ERROR,
            4,
        ),
        (
            "class Meta(type):\n    @property\n    def __name__(cls): raise ValueError\n"
            "class Odd(Exception, metaclass=Meta): pass\nraise Odd",
            FailureKind.ERROR,
            5,
        ),
        (
            "class Meta(type):\n    @property\n    def __mro__(cls): raise ValueError\n"
            "class Odd(Exception, metaclass=Meta): pass\nraise Odd",
            FailureKind.ERROR,
            5,
        ),
        ("import json\njson.encoder.c_make_encoder = json.dumps = None\n1 / 0", FailureKind.ERROR, 3),
        ("import json\njson.JSONEncoder.iterencode = None\n1 / 0", FailureKind.ERROR, None),
        ("open('/no/such/prices.csv')", FailureKind.DATA_MISSING, 1),
        ("from backtesting.test import GOOG\nprint(len(GOOG))", FailureKind.DATA_MISSING, 2),
        (
            "import backtesting as b\nfrom backtesting.test import GOOG\nb.Backtest(GOOG, b.Strategy)",
            FailureKind.DATA_MISSING,
            3,
        ),
    ],
)
def test_a_module_that_cannot_be_used_is_named_with_its_line(
    quick_run: Run, source: str, expected: FailureKind, line: int | None
) -> None:
    result = quick_run(source)
    assert kind(result) is expected
    assert result.failure is not None
    assert result.failure.line == line


def test_two_strategies_are_named(quick_run: Run, strategy_doing: Source) -> None:
    result = quick_run(strategy_doing("pass", top="class Other(Strategy): pass"))
    assert kind(result) is FailureKind.NO_STRATEGY_CLASS
    assert result.failure is not None
    assert "Made, Other" in result.failure.message


def test_a_base_class_of_the_strategy_is_not_a_second_one(quick_run: Run, sma_cross: str) -> None:
    assert quick_run(f"{sma_cross}\nclass Tuned(SmaCross):\n    fast = 4\nAlias = Tuned\n").ok


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("self.data.vix", FailureKind.DATA_MISSING),
        ("self.data['Adj Close']", FailureKind.COLUMN),
        ("self.data.df['funding']", FailureKind.DATA_MISSING),
        ("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/')", FailureKind.FORBIDDEN),
        ("self.buy(size=1.5)", FailureKind.ORDER_SIZE),
        ("self.buy(size=float('nan'))", FailureKind.ORDER_SIZE),
        ("self.sell(size=0)", FailureKind.ORDER_SIZE),
        ("self.buy(sl=self.data.Close[-1] * 2)", FailureKind.ORDER_PRICE),
        ("self.sell(tp=self.data.Close[-1] * 2)", FailureKind.ORDER_PRICE),
        ("self.buy()\nself.position.close(2)", FailureKind.ORDER_SIZE),
        ("self.position.entry_price", FailureKind.INVENTED_ATTRIBUTE),
        ("self.data.Close.shift(1)", FailureKind.ARRAY_AS_SERIES),
        ("def deeper(): deeper()\ndeeper()", FailureKind.ERROR),
        ("raise MemoryError", FailureKind.MEMORY),
        ("x = bytearray(10**10)", FailureKind.MEMORY),
    ],
)
def test_an_error_in_next_is_named_with_a_hint(
    quick_run: Run, strategy_doing: Source, code: str, expected: FailureKind
) -> None:
    code = "if len(self.data) > 5 and not self.trades or self.position:\n" + "".join(
        f"    {line}\n" for line in code.splitlines()
    )
    result = quick_run(strategy_doing(code))
    assert kind(result) is expected
    assert result.failure is not None
    assert result.failure.source_line


def test_an_unknown_parameter_is_named(quick_run: Run, sma_cross: str) -> None:
    result = quick_run(sma_cross, fats=3)
    assert kind(result) is FailureKind.PARAMETER
    assert result.failure is not None
    assert "Did you mean: fast" in result.failure.message


def test_an_indicators_error_is_shown_by_its_cause_at_its_own_line(
    quick_run: Run, strategy_doing: Source
) -> None:
    top = "def broken(values):\n    return values.rolling(3)"
    result = quick_run(strategy_doing("pass", top=top, init_code="self.x = self.I(broken, self.data.Close)"))
    assert kind(result) is FailureKind.ARRAY_AS_SERIES
    assert result.failure is not None
    assert "has no attribute 'rolling'" in result.failure.message
    assert "broken(C)" in result.failure.message
    assert "pd.Series" in result.failure.hint
    assert result.failure.source_line == "return values.rolling(3)"


def test_the_traceback_shows_the_strategys_lines_and_no_path_of_this_machine(
    quick_run: Run, strategy_doing: Source
) -> None:
    result = quick_run(strategy_doing("self.buy(size=1.5)"))
    assert result.failure is not None
    assert 'File "strategy.py"' in result.failure.traceback
    assert "self.buy(size=1.5)" in result.failure.traceback
    assert sys.prefix not in result.failure.traceback
    assert "harness" not in result.failure.traceback


@pytest.mark.parametrize(
    "read",
    [
        "os.environ['HOME']",
        "os.environ.get('HOME')",
        "os.getenv('HOME')",
        "list(os.environ)",
        "dict(os.environ)",
        "'HOME' in os.environ",
        "repr(os.environ)",
        "os.environ.copy()",
        "[v for k, v in os.environ.items()]",
        "len(os.environ)",
        "os.environ._data",
        "os.environb[b'HOME']",
        "os.getenvb(b'HOME')",
        "list(os.environb)",
    ],
)
def test_reading_the_environment_is_named_even_if_the_exception_is_swallowed(
    quick_run: Run, sma_cross: str, read: str
) -> None:
    result = quick_run(f"import os\ntry:\n    {read}\nexcept BaseException:\n    pass\n{sma_cross}")
    assert kind(result) is FailureKind.ENVIRONMENT_READ
    assert result.failure is not None
    assert result.failure.line == 3
    assert result.failure.source_line == read


def test_libraries_may_read_and_strategies_may_set_environment_variables(
    quick_run: Run, sma_cross: str
) -> None:
    top = "import os, tempfile\nos.environ['SOME_THREADS'] = '1'\nos.path.expanduser('~/x')\ntempfile.gettempdir()\n"
    assert quick_run(top + sma_cross).failure is None


def test_the_plain_dictionary_that_python_made_the_environment_from_is_empty(
    quick_run: Run, sma_cross: str
) -> None:
    result = quick_run(f"import posix\nprint(posix.environ)\n{sma_cross}")
    assert result.ok
    assert result.stdout.head == "{}\n"


@linux_only
def test_an_endless_loop_is_stopped_in_time_and_its_line_is_found(run: Run, strategy_doing: Source) -> None:
    source = strategy_doing("print('begun', flush=True)\nwhile True:\n    pass")
    for timeout_s in (2, 8, 32):  # a cold start takes as long as the machine lets it
        result = run(source, timeout_s=timeout_s)
        if result.stdout.head:
            break
    assert kind(result) is FailureKind.TIMEOUT
    assert timeout_s <= result.elapsed_s < SOON_S
    assert result.failure is not None
    assert f"within {timeout_s} s" in result.failure.message
    assert result.failure.source_line in ("while True:", "pass")


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_ignoring_signals_does_not_help_a_strategy_that_hangs(
    run: Run, strategy_doing: Source, number: str
) -> None:
    code = f"signal.signal(signal.{number}, signal.SIG_IGN)\nwhile True: time.sleep(1000)"
    result = run(strategy_doing(code), timeout_s=1.5)
    assert kind(result) is FailureKind.TIMEOUT
    assert result.elapsed_s < SOON_S


_STRAYS = {
    "plain": "subprocess.Popen(['sleep', '{s}'])",
    "new session": "subprocess.Popen(['sleep', '{s}'], start_new_session=True)",
    "daemon": "subprocess.Popen(['sh', '-c', 'setsid sleep {s} & setsid sleep {s} &'])",
    "without our pipes": "subprocess.Popen(['sleep', '{s}'], stdout=-3, stderr=-3, start_new_session=True, env={{}})",
}


@linux_only
@pytest.mark.parametrize("way", _STRAYS)
def test_processes_left_behind_are_killed_and_end_the_run_as_a_failure(
    run: Run, sma_cross: str, way: str
) -> None:
    seconds = f"98765.{os.getpid()}{list(_STRAYS).index(way)}"
    result = run(f"import subprocess\n{_STRAYS[way].format(s=seconds)}\n{sma_cross}")
    assert kind(result) is FailureKind.STRAY_PROCESS
    assert gone(seconds)
    assert result.elapsed_s < SOON_S


@linux_only
@pytest.mark.parametrize("way", _STRAYS)
def test_a_time_out_takes_every_process_along(run: Run, strategy_doing: Source, way: str) -> None:
    seconds = f"87654.{os.getpid()}{list(_STRAYS).index(way)}"
    code = f"{_STRAYS[way].format(s=seconds)}\ntime.sleep(1000)"
    result = run(strategy_doing(code), timeout_s=2)
    assert kind(result) is FailureKind.TIMEOUT
    assert result.elapsed_s < SOON_S
    assert gone(seconds)


@linux_only
def test_a_chain_of_processes_that_each_start_the_next_is_caught(run: Run, sma_cross: str) -> None:
    top = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    end = time.monotonic() + 120\n"
        "    while time.monotonic() < end:\n"
        "        if os.fork(): os._exit(0)\n"
        "    os._exit(0)\n"
    )
    result = run(top + sma_cross, timeout_s=90)
    assert kind(result) is FailureKind.STRAY_PROCESS
    assert result.elapsed_s < SOON_S


@linux_only
@pytest.mark.parametrize("number", ["SIGKILL", "SIGSTOP"])
def test_attacking_the_supervisor_ends_the_run_and_leaves_nothing(
    run: Run, strategy_doing: Source, number: str
) -> None:
    seconds = f"76543.{os.getpid()}{number}"
    code = (
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)', '{seconds}'], "
        f"start_new_session=True)\nos.kill(os.getppid(), signal.{number})\ntime.sleep(1000)"
    )
    result = run(strategy_doing(code), timeout_s=3)
    assert kind(result) in (FailureKind.CRASHED, FailureKind.TIMEOUT)
    assert result.elapsed_s < SOON_S
    assert gone(seconds)


def test_a_forked_copy_of_the_strategy_does_not_answer_for_it(run: Run, sma_cross: str) -> None:
    result = run(f"import os\nos.fork()\n{sma_cross}")
    assert result.ok or kind(result) is FailureKind.STRAY_PROCESS


def test_a_worker_pool_that_is_shut_down_is_no_stray(run: Run, sma_cross: str) -> None:
    top = "from multiprocessing import get_context\nwith get_context('fork').Pool(2) as pool: pool.map(abs, [1, 2])\n"
    assert run(top + sma_cross).failure is None


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_flood_of_output_is_stopped_and_only_its_ends_are_kept(
    run: Run, strategy_doing: Source, stream: str
) -> None:
    code = f"sys.{stream}.write('first\\n')\nfor n in range(100): sys.{stream}.write('y' * 10**6)"
    result = run(strategy_doing(code))
    assert kind(result) is FailureKind.OUTPUT
    captured = result.stdout if stream == "stdout" else result.stderr
    assert captured.head.startswith("first")
    assert captured.dropped > 2**20
    assert len(captured.head) + len(captured.tail) < 2**18


def test_output_is_kept_and_cannot_control_a_terminal(quick_run: Run, strategy_doing: Source) -> None:
    result = quick_run(
        strategy_doing("self.buy()", top="print('\\x1b]0;owned\\x07 \\u202egnp.exe'); print('n\\xe4mlich')")
    )
    assert result.ok
    assert result.stdout.head == "\\x1b]0;owned\\x07 \\u202egnp.exe\nnämlich\n"


def test_an_exceptions_message_is_bounded_and_cannot_control_a_terminal(
    quick_run: Run, strategy_doing: Source
) -> None:
    result = quick_run(strategy_doing("raise ValueError('\\x1b[2J' + 'x' * 10**6)"))
    assert result.failure is not None
    assert "\x1b" not in result.failure.message + result.failure.traceback
    assert len(result.failure.message) < 5000
    assert len(result.failure.traceback) < 5000


def test_a_warning_for_every_bar_is_shown_a_few_times_and_counted(
    quick_run: Run, strategy_doing: Source
) -> None:
    result = quick_run(strategy_doing("import warnings; warnings.warn(f'cancelled {len(self.data)}')"))
    assert result.completed
    assert result.stderr.head.count("cancelled") == 20
    assert "more from the same place" in result.stderr.head


@linux_only
def test_a_segmentation_fault_is_named_with_its_line(run: Run, strategy_doing: Source) -> None:
    result = run(strategy_doing("ctypes.string_at(0)"))
    assert kind(result) is FailureKind.CRASHED
    assert result.failure is not None
    assert "SIGSEGV" in result.failure.message
    assert result.failure.source_line == "ctypes.string_at(0)"


def test_a_strategy_that_kills_itself_was_killed(run: Run, strategy_doing: Source) -> None:
    result = run(strategy_doing("os.kill(os.getpid(), signal.SIGKILL)"))
    assert kind(result) is FailureKind.KILLED
    assert result.failure is not None
    assert "SIGKILL" in result.failure.message


@linux_only
def test_memory_is_limited(run: Run, strategy_doing: Source) -> None:
    result = run(strategy_doing("self.hoard = [b'x' * 10**7 for _ in range(10**4)]"))
    assert kind(result) is FailureKind.MEMORY


def test_a_file_cannot_grow_without_end(run: Run, strategy_doing: Source) -> None:
    code = "with open('big', 'wb') as f:\n    for _ in range(100): f.write(b'x' * 10**6)"
    assert kind(run(strategy_doing(code))) is FailureKind.SCRATCH


def test_closing_every_descriptor_leaves_no_result(run: Run, strategy_doing: Source) -> None:
    assert kind(run(strategy_doing("os.closerange(3, 256)"))) is FailureKind.NO_RESULT


@pytest.mark.parametrize("junk", ["b'junk'", "b'{}'", "b'[' * 10**6", "b'{\"result\": NaN}'", "b'1' * 10**6"])
def test_writing_to_every_descriptor_leaves_no_result(run: Run, strategy_doing: Source, junk: str) -> None:
    code = (
        "for fd in range(3, 64):\n"
        "    try: os.write(fd, " + junk + " + b'\\n')\n"
        "    except OSError: pass\n"
        "os.closerange(0, 64)\nos._exit(0)"
    )
    assert kind(run(strategy_doing(code))) is FailureKind.NO_RESULT


@pytest.mark.parametrize(
    "damage",
    [
        "import json\njson.dumps = lambda *a, **k: 1 / 0",
        "import os\nos.write = lambda *a: 0",
        "import os\nos._exit = lambda *a: None",
        "import os\nos.getpid = lambda: 1",
        "import sys\ndel sys.stdout, sys.stderr",
        "import sys\nsys.stdout = 5",
        "import threading\nthreading._shutdown = None",
        "import sys\nsys.stdin.close()",
    ],
)
def test_a_good_run_stays_good_if_the_strategy_damages_what_reporting_it_uses(
    quick_run: Run, sma_cross: str, damage: str
) -> None:
    assert quick_run(f"{damage}\n{sma_cross}").failure is None


def test_an_exit_handler_that_ends_the_process_is_named(run: Run, sma_cross: str) -> None:
    assert kind(run(f"import atexit, os\natexit.register(os._exit, 3)\n{sma_cross}")) is FailureKind.EXITED


@linux_only
def test_recursion_without_a_limit_ends_as_an_error_or_out_of_memory(
    runner_of: Callable[..., BacktestRunner], environment: Environment, bars: BarsFile
) -> None:
    runner = runner_of(environment, limits=Limits(memory_bytes=250 * 2**20))
    source = "import sys\nsys.setrecursionlimit(10**9)\ndef deeper(): deeper()\ndeeper()"
    assert kind(runner.run(RunRequest(source, bars))) in (FailureKind.MEMORY, FailureKind.ERROR)


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_an_account_whose_worth_is_not_finite_is_a_named_error(
    quick_run: Run, strategy_doing: Source, value: str
) -> None:
    result = quick_run(strategy_doing(f"self._broker._equity[-1] = self._broker._cash = float('{value}')"))
    assert kind(result) is FailureKind.NOT_FINITE
    assert result.failure is not None
    assert "the account's figures are not finite" in result.failure.message
    assert "cash" in result.failure.hint


def test_a_drawdown_on_the_last_bar_alone_is_a_result(quick_run: Run, strategy_doing: Source) -> None:
    result = quick_run(strategy_doing("if len(self.data) == 299: self.buy()"))
    assert result.stats is not None
    assert result.stats.max_drawdown_pct is not None
    assert result.stats.max_drawdown_duration_s is not None
    assert result.stats.max_drawdown_pct < 0
    assert math.isnan(result.stats.max_drawdown_duration_s)


_TO_OUR_PIPES = """
import os, signal, time
def tell(junk, stop=signal.SIGCONT):
    supervisor = os.getppid()
    for fd in range(3, 64):
        path = f"/proc/{supervisor}/fd/{fd}"
        try:
            if os.readlink(path).startswith("pipe:"):
                os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), junk)
        except OSError:
            pass
    os.kill(supervisor, stop)
"""
_JUNK = [
    "[1]",
    "7",
    "[" * 60000,
    '{"exit": "x"}',
    '{"exit": 0, "strays": "y", "max_rss": null}',
    '{"exit": 1e400}',
    '{"started": "x"}',
    f'{{"exit": {"9" * 3000}, "max_rss": {"9" * 900}}}',
    "\\xff{",
]


@linux_only
@pytest.mark.parametrize("junk", _JUNK, ids=range(len(_JUNK)))
@pytest.mark.parametrize("then", ["SIGCONT", "SIGKILL"])
def test_junk_in_the_supervisors_report_is_a_result_or_a_named_failure(
    run: Run, sma_cross: str, junk: str, then: str
) -> None:
    top = f"{_TO_OUR_PIPES}tell(b'\\n{junk}\\n', signal.{then})\n"
    result = run(top + sma_cross, timeout_s=60)
    assert result.ok or kind(result) is FailureKind.CRASHED


@linux_only
@pytest.mark.parametrize("number", ["SIGKILL", "SIGSTOP"])
def test_a_forged_report_does_not_save_processes_from_being_killed(
    run: Run, sma_cross: str, number: str
) -> None:
    seconds = f"65431.{os.getpid()}{number}"
    top = (
        f"{_TO_OUR_PIPES}import subprocess\nsubprocess.Popen(['sleep', '{seconds}'], start_new_session=True)\n"
        f'tell(b\'{{"exit": 0, "strays": 0}}\\n\', signal.{number})\ntime.sleep(1000)\n'
    )
    result = run(top + sma_cross, timeout_s=3)
    assert kind(result) in (FailureKind.CRASHED, FailureKind.TIMEOUT)
    assert gone(seconds)
    assert result.elapsed_s < SOON_S


@linux_only
def test_a_flood_of_reports_is_not_kept(run: Run, sma_cross: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flood = f"{_TO_OUR_PIPES}end = time.monotonic() + 2\nwhile time.monotonic() < end: tell(b'x' * 60000)\n"
    result = run(flood + sma_cross)
    assert result.ok or kind(result) is FailureKind.CRASHED
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


_LEAVINGS = {
    "a deep tree": "for _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')",
    "a renamed folder": "os.rename(os.getcwd(), os.getcwd() + 'x')",
    "a file in its place": "shutil.rmtree(os.getcwd())\nopen(here, 'w').close()",
    "a link in its place": "shutil.rmtree(os.getcwd())\nos.symlink('/usr', here)",
    "folders without rights": "os.makedirs('a/b/c')\nos.chmod('a/b', 0)\nos.chmod('a', 0)",
    "links": "os.symlink('/usr', 'away')\nos.symlink('nowhere', 'broken')",
    "a socket and a pipe": "import socket\nsocket.socket(socket.AF_UNIX).bind('s')\nos.mkfifo('p')",
}


_HIDDEN = ("a deep tree", "folders without rights")


@pytest.mark.parametrize("way", _LEAVINGS)
@pytest.mark.parametrize("ended", ["by itself", "by us"])
def test_whatever_a_strategy_does_to_its_work_folder_nothing_of_it_stays(
    run: Run, sma_cross: str, scratch: Path, way: str, ended: str
) -> None:
    top = f"import os, shutil, time\nhere = os.getcwd()\n{_LEAVINGS[way]}\n"
    itself = ended == "by itself"
    result = run(top + (sma_cross if itself else "time.sleep(1000)"), timeout_s=60 if itself else 1.5)
    if result.failure and result.failure.kind is FailureKind.SCRATCH:
        assert way in _HIDDEN  # how much is in them cannot be told
    elif itself:
        assert result.failure is None
    else:
        assert kind(result) is FailureKind.TIMEOUT
    assert list(scratch.iterdir()) == []


def test_an_endless_result_is_stopped(run: Run, strategy_doing: Source) -> None:
    code = (
        "while True:\n"
        "    for fd in range(3, 64):\n"
        "        try: os.write(fd, b'x' * 60000)\n"
        "        except OSError: pass"
    )
    assert kind(run(strategy_doing(code))) is FailureKind.NO_RESULT


def test_a_thread_that_never_ends_is_a_time_out_as_in_any_python(run: Run, sma_cross: str) -> None:
    top = "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n"
    assert kind(run(top + sma_cross, timeout_s=3)) is FailureKind.TIMEOUT


def test_hundreds_of_threads_are_stopped(run: Run, sma_cross: str) -> None:
    top = (
        "import threading, time\nthreading.stack_size(65536)\nheld = threading.Event()\n"
        "for _ in range(400): threading.Thread(target=held.wait, daemon=True).start()\ntime.sleep(30)\n"
    )
    assert kind(run(top + sma_cross)) is FailureKind.FORBIDDEN


def test_no_descriptor_of_the_bars_is_left_to_the_strategy(run: Run, strategy_doing: Source) -> None:
    code = (
        "import stat\n"
        "for fd in range(3, 256):\n"
        "    try: status = os.fstat(fd)\n"
        "    except OSError: continue\n"
        "    assert not stat.S_ISREG(status.st_mode), fd"
    )
    result = run(strategy_doing("pass", init_code=code))
    assert result.failure is not None
    assert result.failure.kind is FailureKind.NEVER_ORDERED


def test_plotting_is_a_harmless_nothing(quick_run: Run, strategy_doing: Source) -> None:
    top = (
        "from backtesting import Backtest, set_bokeh_output\n"
        "from backtesting.test import SMA, GOOG\n"
        "def study(frame):\n"
        "    class Inner(Strategy):\n"
        "        def init(self): self.sma = self.I(SMA, self.data.Close, 3)\n"
        "        def next(self): pass\n"
        "    set_bokeh_output(notebook=False)\n"
        "    test = Backtest(frame, Inner)\n"
        "    test.run()\n"
        "    test.plot(filename='chart', open_browser=True)\n"
    )
    result = quick_run(
        strategy_doing(
            "self.buy()",
            top=top,
            init_code="study(self.data.df)\nprint(os.listdir(), open('chart.html').read())",
        )
    )
    assert result.failure is None
    # A page is there, for scripts that go on to move it; nothing is drawn in it.
    assert result.stdout.head.startswith("['chart.html'] <!DOCTYPE html>")
    assert "Charts are not drawn here" in result.stdout.head


def test_the_child_has_no_variable_of_ours_and_a_folder_of_its_own(
    run: Run, strategy_doing: Source, scratch: Path
) -> None:
    os.environ["RBI_TEST_API_KEY"] = "sk-very-secret"
    try:
        result = run(
            strategy_doing(
                "self.buy()", top="print(open('/proc/self/environ').read(), os.getcwd(), os.listdir())"
            )
        )
    finally:
        del os.environ["RBI_TEST_API_KEY"]
    assert result.ok
    assert "sk-very-secret" not in result.stdout.head
    assert str(Path.home()) + "\\x00" not in result.stdout.head
    assert str(scratch) in result.stdout.head
    assert list(scratch.iterdir()) == []


def test_the_bars_path_is_not_known_to_the_child(run: Run, strategy_doing: Source, bars: object) -> None:
    result = run(
        strategy_doing(
            "self.buy()", top="print(open('/proc/self/cmdline').read(), os.listdir('/proc/self/fd'))"
        )
    )
    assert result.ok
    assert "walk.npz" not in result.stdout.head


def test_random_numbers_and_set_order_are_the_same_in_every_run(run: Run, strategy_doing: Source) -> None:
    top = "import random, numpy\nprint(random.random(), numpy.random.rand(), list({'a', 'b', 'c', 'd', 'e'}))"
    first, second = run(strategy_doing("pass", top=top)), run(strategy_doing("pass", top=top))
    assert first.stdout == second.stdout
    assert first.stdout.head
