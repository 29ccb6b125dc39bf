"""The environment that rbi makes itself, with the real uv."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv

from runners import venv
from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, RunnerError, RunRequest
from runners.environments import Environment, describe, remove, resolve

RESOLVE = """
import json, os, sys
from pathlib import Path
from runners.base import RunnerError
from runners.environments import resolve
lines = []
try:
    resolve("venv", cache=Path(sys.argv[1]), environ=os.environ, progress=lines.append)
except RunnerError as error:
    lines.append(f"failed: {error}")
print(json.dumps(lines))
"""
OFFLINE = {"UV_OFFLINE": "1", "UV_NO_CONFIG": "1"}
UNREACHABLE = re.compile(r"failed to fetch|error sending request|dns error|connect|timed out", re.IGNORECASE)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[str]]]:
    """A cache folder with a venv that two processes needed at once, and what each of them said."""
    cache = tmp_path_factory.mktemp("cache") / "a cache"
    both = [
        subprocess.Popen([sys.executable, "-c", RESOLVE, str(cache)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said: list[list[str]] = [json.loads(process.communicate()[0]) for process in both]
    failed = [line for lines in said for line in lines if line.startswith("failed")]
    if failed and UNREACHABLE.search(failed[0]):
        pytest.skip(f"no package index can be reached: {failed[0].splitlines()[-1]}")
    assert failed == []
    return cache, said


@pytest.fixture
def made_environment(made: tuple[Path, list[list[str]]]) -> Environment:
    return resolve("venv", cache=made[0], environ=OFFLINE)


@pytest.mark.network
def test_two_processes_that_need_it_at_once_make_it_once(made: tuple[Path, list[list[str]]]) -> None:
    makers = [lines for lines in made[1] if any("making the strategy environment in" in x for x in lines)]
    assert len(makers) == 1


@pytest.mark.network
def test_once_made_it_needs_no_network_and_nothing_is_said(made: tuple[Path, list[list[str]]]) -> None:
    lines: list[str] = []
    found = resolve("venv", cache=made[0], environ=OFFLINE, progress=lines.append)
    assert lines == []
    assert found.versions["backtesting"] == "0.6.6"
    assert set(found.versions) == {"python", "numpy", "pandas", "backtesting", "talib", "pandas_ta", "scipy"}
    assert describe("venv", cache=made[0], environ=OFFLINE)["fingerprint"] == found.fingerprint


@pytest.mark.network
def test_it_does_not_depend_on_the_environment_that_rbi_is_installed_in(
    made_environment: Environment,
) -> None:
    settings = (made_environment.prefix / "pyvenv.cfg").read_text()
    assert sys.prefix == sys.base_prefix or sys.prefix not in settings


@pytest.mark.network
def test_strategies_find_the_indicator_libraries_under_their_usual_names(
    made_environment: Environment, bars: BarsFile, tmp_path: Path, sma_cross: str
) -> None:
    source = (
        "import talib, scipy.stats\nimport pandas_ta as ta\nfrom pandas_ta.overlap import ema\n"
        "import pandas_ta_classic\nassert ta is pandas_ta_classic\n"
        "assert pandas_ta_classic.__spec__.name == 'pandas_ta_classic'\n"
        + sma_cross.replace(
            "pd.Series(values).rolling(n).mean()", "talib.SMA(values, n) + 0 * ta.sma(pd.Series(values), n)"
        )
    )
    with closing(BacktestRunner(made_environment, scratch_root=tmp_path)) as runner:
        result = runner.run(RunRequest(source, bars))
    assert result.failure is None
    assert result.trades


@pytest.mark.network
def test_its_bundled_datasets_end_where_the_hold_out_begins(made_environment: Environment) -> None:
    folder = next(made_environment.prefix.glob("lib/python*/site-packages/backtesting/test"))
    rows = {path.stem: len(path.read_text().splitlines()) - 1 for path in folder.glob("*.csv")}
    assert rows == {"GOOG": 1611, "EURUSD": 3750, "BTCUSD": 117}


@pytest.fixture
def site_packages(made: tuple[Path, list[list[str]]]) -> Path:
    return site_packages_in(made[0])


def site_packages_in(cache: Path) -> Path:
    return next(venv.folder_in(cache).glob("lib/python*/site-packages"))


@pytest.mark.network
def test_it_shares_no_file_with_uvs_cache(site_packages: Path) -> None:
    assert {path.stat().st_nlink for path in site_packages.rglob("*") if path.is_file()} == {1}


@pytest.mark.network
def test_bytecode_that_the_interpreter_writes_is_no_damage(
    made: tuple[Path, list[list[str]]], site_packages: Path
) -> None:
    (site_packages / "numpy" / "__pycache__" / "more.pyc").touch()
    lines: list[str] = []
    resolve("venv", cache=made[0], environ=OFFLINE, progress=lines.append)
    assert lines == []


@dataclass(frozen=True)
class MadeAgain:
    """What was said when a damaged venv was made again from a damaged cache of uv, and what became of it."""

    lines: list[str]
    found: Environment
    library: Path


@pytest.fixture(scope="session")
def made_again(made: tuple[Path, list[list[str]]], tmp_path_factory: pytest.TempPathFactory) -> MadeAgain:
    """Both in one go: a minute's work is spared."""
    cached = tmp_path_factory.mktemp("again") / "uv"
    copy_of_uvs_cache(made[0], cached)
    library = next((site_packages_in(made[0]) / "scipy" / "stats").glob("*.so"))
    os.truncate(library, 4096)
    os.truncate(next(cached.glob(f"archive-v*/*/scipy/stats/{library.name}")), 4096)
    lines: list[str] = []
    environ = {**os.environ, "UV_CACHE_DIR": str(cached)}
    found = resolve("venv", cache=made[0], environ=environ, progress=lines.append)
    return MadeAgain(lines, found, library)


def copy_of_uvs_cache(cache: Path, copy: Path) -> None:
    """What the pins need of it: all of it may be large."""
    asked = [uv.find_uv_bin(), "cache", "dir"]
    said = subprocess.run(
        asked, env=venv.install_environ(os.environ, cache), capture_output=True, text=True, check=True
    )
    original = Path(said.stdout.strip())
    pinned = {line.partition("==")[0].replace("-", "_") for line in venv.PINS.read_text().splitlines()}

    def needless(folder: str, names: list[str]) -> list[str]:
        if Path(folder) == original:
            return [name for name in names if not name.startswith(("archive-", "simple-", "wheels-"))]
        if Path(folder).parent == original and Path(folder).name.startswith("archive-"):
            return [name for name in names if not pinned & distributions(Path(folder, name))]
        return []

    shutil.copytree(original, copy, symlinks=True, ignore=needless)


def distributions(archive: Path) -> set[str]:
    return {path.name.partition("-")[0] for path in archive.glob("*.dist-info")}


@pytest.mark.network
def test_one_damaged_deep_inside_is_made_again_and_the_reason_is_said(
    made_again: MadeAgain, made: tuple[Path, list[list[str]]]
) -> None:
    again = "making the strategy environment again: its files are not those that were installed"
    assert made_again.lines[0] == again
    assert made_again.found.versions["backtesting"] == "0.6.6"
    lines: list[str] = []
    resolve("venv", cache=made[0], environ=OFFLINE, progress=lines.append)
    assert lines == []


@pytest.mark.network
def test_a_damaged_uv_cache_is_noticed_and_not_used_again(made_again: MadeAgain) -> None:
    again = [line for line in made_again.lines if "with new downloads" in line]
    assert len(again) == 1
    assert again[0].startswith(
        "making the strategy environment again, with new downloads: uv's cache gave a damaged"
    )
    assert f"scipy/stats/{made_again.library.name}" in again[0]
    assert made_again.library.stat().st_size > 4096


@pytest.mark.network
def test_a_probe_that_is_killed_with_rbi_leaves_nothing_in_the_temporary_folder(
    made: tuple[Path, list[list[str]]], tmp_path: Path
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", RESOLVE, str(made[0])],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not probes_of(owner.pid):
        assert time.monotonic() < deadline
        assert owner.poll() is None
        time.sleep(0.005)
    os.killpg(owner.pid, signal.SIGKILL)
    owner.communicate()
    assert list(tmp_path.iterdir()) == []


def probes_of(pid: int) -> list[str]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [child for child in listed if b"probe.py" in Path(f"/proc/{child}/cmdline").read_bytes()]
    except OSError:
        return []


def test_an_unfinished_one_is_not_used_and_a_failing_uv_is_quoted(tmp_path: Path) -> None:
    folder = venv.folder_in(tmp_path)
    (folder / "bin").mkdir(parents=True)
    lines: list[str] = []
    environ = {"PATH": os.environ["PATH"], "UV_CACHE_DIR": str(tmp_path / "empty"), **OFFLINE}
    with pytest.raises(RunnerError, match="uv could not make the strategy environment") as caught:
        resolve("venv", cache=tmp_path, environ=environ, progress=lines.append)
    assert lines[0] == "making the strategy environment again: it was not finished"
    assert "backtesting" in caught.value.message
    assert "network" in caught.value.hint


def test_one_that_cannot_be_looked_at_for_want_of_something_is_kept(tmp_path: Path) -> None:
    folder = venv.folder_in(tmp_path)
    (folder / "bin").mkdir(parents=True)
    (folder / "made-by-rbi").touch()
    python = folder / "bin" / "python"
    python.write_text("#!/bin/sh\necho 'OSError: [Errno 24] Too many open files' >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(RunnerError, match="cannot be looked at") as caught:
        resolve("venv", cache=tmp_path, environ=dict(OFFLINE))
    assert "ulimit -n" in caught.value.hint
    assert python.exists()


def test_removing_takes_only_what_was_made(tmp_path: Path) -> None:
    folder = venv.folder_in(tmp_path)
    folder.mkdir(parents=True)
    other = tmp_path / "bars.npz"
    other.touch()
    remove("venv", cache=tmp_path, environ={})
    assert not folder.exists()
    assert other.exists()
    remove("venv", cache=tmp_path, environ={})


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunnerError, match="cannot be made in"):
        resolve("venv", cache=tmp_path / "cache", environ={})


def test_a_cache_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(RunnerError, match="cannot be made in"):
        resolve("venv", cache=tmp_path / "cache", environ={})


def test_uv_sees_the_network_settings_and_no_secret(tmp_path: Path) -> None:
    kept = {
        "PATH": "/bin",
        "HOME": str(tmp_path),
        "https_proxy": "http://proxy:1",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "/certs",
        "UV_INDEX_URL": "http://index",
        "UV_SYSTEM_CERTS": "false",
    }
    dropped = {
        "OPENAI_API_KEY": "sk-1",
        "UV_PUBLISH_TOKEN": "t",
        "AWS_SECRET_ACCESS_KEY": "s",
        "PYTHONPATH": "/x",
        "VIRTUAL_ENV": "/y",
    }
    assert venv.install_environ({**kept, **dropped}, tmp_path) == kept


@pytest.mark.parametrize("environ", [{}, {"HOME": "/proc/no-home"}])
def test_without_a_home_uv_keeps_its_files_in_our_cache(tmp_path: Path, environ: Mapping[str, str]) -> None:
    assert venv.install_environ(environ, tmp_path)["UV_CACHE_DIR"] == str(tmp_path / "uv")


def test_cutting_the_bundled_data_leaves_files_that_share_its_content_alone(tmp_path: Path) -> None:
    ours, shared = tmp_path / "test", tmp_path / "cache.csv"
    ours.mkdir()
    shared.write_text("Date,Close\n" + "".join(f"{n},1\n" for n in range(100)))
    (ours / "X.csv").hardlink_to(shared)
    venv.cut_bundled_data(ours)
    assert (ours / "X.csv").read_text().splitlines()[-1] == "74,1"
    assert len(shared.read_text().splitlines()) == 101


def test_every_pin_is_one_exact_version_without_an_address() -> None:
    lines = [line for line in venv.PINS.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 10
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line) for line in lines)
