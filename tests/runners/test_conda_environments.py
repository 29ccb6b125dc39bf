"""Conda environments, through an executable that answers as conda does."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, RunnerError, RunRequest
from runners.environments import Kind, describe, remove, resolve


class Conda:
    """A folder with a conda executable and environments in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefixes = [folder / "base"]
        (folder / "base" / "condabin").mkdir(parents=True)
        (folder / "bin").mkdir()
        self.says(json.dumps({"envs": [str(p) for p in self.prefixes]}))

    def says(self, answer: str, *, status: int = 0) -> None:
        executable = self.folder / "bin" / "conda"
        wanted = '[ "$*" = "env list --json" ] || { echo "unexpected: $*" >&2; exit 9; }'
        executable.write_text(f"#!/bin/sh\n{wanted}\nprintf %s {shlex.quote(answer)}\nexit {status}\n")
        executable.chmod(0o755)

    def add(self, name: str, python: Path) -> Path:
        prefix = self.folder / "envs" / name
        (prefix / "bin").mkdir(parents=True)
        (prefix / "conda-meta").mkdir()
        start = prefix / "bin" / "python"
        start.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} "$@"\n')
        start.chmod(0o755)
        self.prefixes.append(prefix)
        self.says(json.dumps({"envs": [str(p) for p in self.prefixes]}))
        return prefix

    @property
    def environ(self) -> Mapping[str, str]:
        return {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"}


@pytest.fixture
def conda(tmp_path: Path) -> Conda:
    return Conda(tmp_path / "conda root")


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


def test_a_named_environment_is_found_and_runs_strategies(
    conda: Conda, tmp_path: Path, bars: BarsFile, sma_cross: str
) -> None:
    conda.add("quant", Path(sys.executable))
    found = resolve("conda:quant", cache=tmp_path, environ=conda.environ)
    assert found.kind is Kind.CONDA
    assert found.name == "quant"
    assert found.python == conda.folder / "envs" / "quant" / "bin" / "python"
    assert found.versions["backtesting"].startswith("0.6.")
    assert BacktestRunner(found, scratch_root=tmp_path).run(RunRequest(sma_cross, bars)).ok


def test_auto_takes_the_environment_called_rbi(conda: Conda, tmp_path: Path) -> None:
    conda.add("other", Path(sys.executable))
    conda.add("rbi", Path(sys.executable))
    assert resolve("auto", cache=tmp_path, environ=conda.environ).name == "rbi"


def test_auto_without_such_an_environment_is_the_venv(conda: Conda, tmp_path: Path) -> None:
    about = describe("auto", cache=tmp_path, environ=conda.environ)
    assert about["environment"].startswith("venv")
    assert "not made yet" in about["state"]
    assert list((tmp_path).glob("envs")) == []


@pytest.mark.parametrize("answer", ["", "not json", "[]", '{"envs": 3}', "{}"])
def test_a_conda_that_talks_nonsense_is_left_out_of_auto_and_named_otherwise(
    conda: Conda, tmp_path: Path, answer: str
) -> None:
    conda.says(answer, status=1)
    assert describe("auto", cache=tmp_path, environ=conda.environ)["environment"].startswith("venv")
    with pytest.raises(RunnerError, match="does not list its environments"):
        resolve("conda:quant", cache=tmp_path, environ=conda.environ)


def test_a_missing_environment_is_answered_with_those_there_are_and_a_command(
    conda: Conda, tmp_path: Path
) -> None:
    conda.add("quant", Path(sys.executable))
    with pytest.raises(
        RunnerError, match="no conda environment called qaunt; there are: base, quant"
    ) as caught:
        resolve("conda:qaunt", cache=tmp_path, environ=conda.environ)
    assert "conda create -n qaunt" in caught.value.hint


def test_conda_exe_is_used_before_the_path(conda: Conda, tmp_path: Path) -> None:
    conda.add("quant", Path(sys.executable))
    environ = {"PATH": "/usr/bin:/bin", "CONDA_EXE": str(conda.folder / "bin" / "conda")}
    assert resolve("conda:quant", cache=tmp_path, environ=environ).name == "quant"


def test_without_conda_a_named_environment_is_refused_and_a_path_works(conda: Conda, tmp_path: Path) -> None:
    prefix = conda.add("quant", Path(sys.executable))
    with pytest.raises(RunnerError, match="no conda, mamba, micromamba on the PATH"):
        resolve("conda:quant", cache=tmp_path, environ={"PATH": "/nowhere"})
    assert resolve(f"conda:{prefix}", cache=tmp_path, environ={}).prefix == Path(sys.prefix)


def test_a_path_that_is_no_conda_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="is no conda environment"):
        resolve(f"conda:{tmp_path}", cache=tmp_path, environ={})


def test_missing_packages_are_named_with_the_command_that_installs_them(
    conda: Conda, tmp_path: Path, bare_python: Path
) -> None:
    conda.add("bare", bare_python)
    with pytest.raises(RunnerError, match="lacks numpy, pandas, backtesting") as caught:
        resolve("conda:bare", cache=tmp_path, environ=conda.environ)
    assert '-m pip install numpy pandas "backtesting>=0.6.6,<0.7"' in caught.value.hint


def test_an_old_backtesting_is_refused(conda: Conda, tmp_path: Path, bare_python: Path) -> None:
    site = next((bare_python.parent.parent / "lib").glob("python*/site-packages"))
    for name, version in (("numpy", "2"), ("pandas", "3"), ("backtesting", "0.3.3")):
        (site / f"{name}.py").write_text("")
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    conda.add("old", bare_python)
    with pytest.raises(RunnerError, match=r"has backtesting 0\.3\.3"):
        resolve("conda:old", cache=tmp_path, environ=conda.environ)


def test_an_environment_whose_python_does_not_run_is_named(conda: Conda, tmp_path: Path) -> None:
    conda.add("gone", tmp_path / "no-python")
    with pytest.raises(RunnerError, match="conda environment gone does not work"):
        resolve("conda:gone", cache=tmp_path, environ=conda.environ)


@pytest.mark.parametrize("spec", ["conda", "conda:", "docker", "", "venv:x"])
def test_an_unknown_choice_is_answered_with_the_choices(spec: str, tmp_path: Path) -> None:
    with pytest.raises(RunnerError) as caught:
        resolve(spec, cache=tmp_path, environ={})
    assert "conda:NAME" in caught.value.hint


def test_environments_that_rbi_did_not_make_are_not_removed(conda: Conda, tmp_path: Path) -> None:
    prefix = conda.add("rbi", Path(sys.executable))
    for spec in ("auto", "conda:rbi", "current"):
        with pytest.raises(RunnerError, match="was not made by rbi"):
            remove(spec, cache=tmp_path, environ=conda.environ)
    assert prefix.is_dir()


def test_the_probe_gets_no_variable_of_ours(conda: Conda, tmp_path: Path) -> None:
    prefix = conda.add("nosy", Path(sys.executable))
    start = prefix / "bin" / "python"
    seen = tmp_path / "seen"
    start.write_text(f'#!/bin/sh\nenv > "{seen}"\nexec "{sys.executable}" "$@"\n')
    os.environ["RBI_TEST_TOKEN"] = "very-secret"
    try:
        resolve("conda:nosy", cache=tmp_path, environ=conda.environ)
    finally:
        del os.environ["RBI_TEST_TOKEN"]
    assert "very-secret" not in seen.read_text()
    assert f"HOME={Path.home()}\n" not in seen.read_text()
