"""Conda environments, through an executable that answers as conda does."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, RunnerError, RunRequest
from runners.conda import NAMES, find_prefix
from runners.environments import Kind, create, describe, remove, resolve


class Conda:
    """A folder with an executable that answers as conda, mamba and micromamba do, and environments in it."""

    def __init__(self, folder: Path, name: str = "conda") -> None:
        self.folder = folder
        self.executable = folder / "bin" / name
        self.asked = folder / "asked"
        self.prefixes = [folder / "base"]
        (folder / "base" / "condabin").mkdir(parents=True)
        (folder / "bin").mkdir()
        self._lists_its_environments()

    def says(self, answer: str, *, status: int = 0, python: Path = Path(sys.executable)) -> None:
        """``env list --json`` is answered so; ``create -n`` and ``create -p`` make an environment with ``python``."""
        made = shlex.quote(json.dumps({"envs": [*map(str, self.prefixes), f"{self.folder}/envs/@"]}))
        self.executable.write_text(
            f"""#!/bin/sh
echo "$*" >> {shlex.quote(str(self.asked))}
case "$*" in
  "env list --json")
    if [ -e {shlex.quote(str(self.folder / "made"))} ]
    then printf %s {made} | sed "s:@:$(cat {shlex.quote(str(self.folder / "made"))}):"
    else printf %s {shlex.quote(answer)}; fi ;;
  "create -y "*)
    if [ "$3" = -n ]; then prefix={shlex.quote(str(self.folder / "envs"))}/$4; else prefix=$4; fi
    mkdir -p "$prefix/bin" "$prefix/conda-meta" && touch "$prefix/conda-meta/history"
    printf '#!/bin/sh\\nexec %s "$@"\\n' {shlex.quote(shlex.quote(str(python)))} > "$prefix/bin/python"
    chmod 755 "$prefix/bin/python"
    printf %s "$4" > {shlex.quote(str(self.folder / "made"))} ;;
  "run "*) ;;
  *) echo "unexpected: $*" >&2; exit 9 ;;
esac
exit {status}
""",
            encoding="utf-8",
        )
        self.executable.chmod(0o755)

    def add(self, name: str, python: Path) -> Path:
        prefix = self.folder / "envs" / name
        add_environment(prefix, python)
        self.prefixes.append(prefix)
        self._lists_its_environments()
        return prefix

    def _lists_its_environments(self) -> None:
        self.says(json.dumps({"envs": [str(p) for p in self.prefixes]}))

    @property
    def commands(self) -> list[str]:
        """What it was told to do, without what it was asked."""
        lines = self.asked.read_text(encoding="utf-8").splitlines() if self.asked.exists() else []
        return [line for line in lines if not line.startswith("env list")]

    @property
    def environ(self) -> Mapping[str, str]:
        return {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"}


def add_environment(prefix: Path, python: Path) -> Path:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta" / "history").touch()
    start = prefix / "bin" / "python"
    start.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} "$@"\n')
    start.chmod(0o755)
    return prefix


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
    with closing(BacktestRunner(found, scratch_root=tmp_path)) as runner:
        assert runner.run(RunRequest(sma_cross, bars)).ok


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
    assert "create -y -n qaunt python=3.11" in caught.value.hint


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


# Other layouts


HERE = Path(sys.executable)


@pytest.mark.parametrize("name", ["mamba", "micromamba"])
def test_mamba_and_micromamba_are_asked_as_conda_is(tmp_path: Path, name: str) -> None:
    other = Conda(tmp_path / "root", name)
    other.add("quant", HERE)
    assert resolve("conda:quant", cache=tmp_path, environ=other.environ).name == "quant"


@pytest.mark.parametrize("variable", ["CONDA_EXE", "MAMBA_EXE"])
def test_an_executable_that_a_variable_names_needs_no_path(tmp_path: Path, variable: str) -> None:
    other = Conda(tmp_path / "root", "micromamba")
    other.add("quant", HERE)
    environ = {"PATH": "/usr/bin:/bin", variable: str(other.executable)}
    assert resolve("conda:quant", cache=tmp_path, environ=environ).name == "quant"


def test_what_conda_does_not_list_micromamba_may(conda: Conda, tmp_path: Path) -> None:
    conda.add("one", HERE)
    other = Conda(tmp_path / "other", "micromamba")
    prefix = other.add("two", HERE)
    environ = {"PATH": f"{conda.folder / 'bin'}:{other.folder / 'bin'}:/usr/bin:/bin"}
    assert find_prefix("two", environ) == prefix
    with pytest.raises(RunnerError, match="there are: base, one, two"):
        find_prefix("three", environ)


def test_the_root_prefix_of_micromamba_is_base(tmp_path: Path) -> None:
    other = Conda(tmp_path / "bin-only", "micromamba")
    root = add_environment(tmp_path / "micromamba", HERE)
    other.prefixes = [root, add_environment(root / "envs" / "quant", HERE)]
    other.says(json.dumps({"envs": [str(prefix) for prefix in other.prefixes]}))
    assert find_prefix("base", other.environ) == root
    other.says(json.dumps({"envs": [str(root)]}))
    assert find_prefix("base", {**other.environ, "MAMBA_ROOT_PREFIX": str(root)}) == root


@pytest.mark.parametrize("kept", ["environments.txt", "root prefix", "variable", "settings file"])
def test_without_an_executable_environments_are_found_where_they_are_kept(tmp_path: Path, kept: str) -> None:
    home, envs = tmp_path / "home", tmp_path / "somewhere" / "envs"
    prefix = add_environment(envs / "quant", HERE)
    environ = {"PATH": "/nowhere", "HOME": str(home)}
    (home / ".conda").mkdir(parents=True)
    if kept == "environments.txt":
        (home / ".conda" / "environments.txt").write_text(f"/gone/envs/old\n{prefix}\n", encoding="utf-8")
    elif kept == "root prefix":
        environ["MAMBA_ROOT_PREFIX"] = str(envs.parent)
    elif kept == "variable":
        environ["CONDA_ENVS_DIRS"] = f"/gone:{envs}"
    else:
        text = f"channels:\n  - conda-forge\nenvs_dirs:\n  # mine\n  - '{envs}'\nauto_activate: false\n"
        (home / ".condarc").write_text(text, encoding="utf-8")
    assert find_prefix("quant", environ) == prefix
    with pytest.raises(RunnerError, match=r"there are: .*quant"):
        find_prefix("qaunt", environ)


@pytest.mark.parametrize("spec", ["conda:~/quant", "conda:./quant", "conda:sub/../quant"])
def test_a_prefix_may_begin_at_home_or_here(
    tmp_path: Path, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_environment(tmp_path / "quant", HERE)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    python = resolve(spec, cache=tmp_path, environ={}).python
    assert python.is_absolute()
    assert python.samefile(tmp_path / "quant" / "bin" / "python")


def test_an_environment_without_python_is_answered_with_what_adds_it(conda: Conda, tmp_path: Path) -> None:
    prefix = conda.add("empty", HERE)
    (prefix / "bin" / "python").unlink()
    with pytest.raises(RunnerError, match="has no python") as caught:
        resolve("conda:empty", cache=tmp_path, environ=conda.environ)
    assert f"install -p '{prefix}' python=3.11 pip" in caught.value.hint


# Making


@pytest.mark.parametrize("name", NAMES)
def test_the_command_that_makes_a_missing_one_names_the_executable_there_is(
    tmp_path: Path, name: str
) -> None:
    other = Conda(tmp_path / "root", name)
    with pytest.raises(RunnerError) as caught:
        resolve("conda:quant", cache=tmp_path, environ=other.environ)
    hint = caught.value.hint
    assert f"{other.executable} create -y -n quant" in hint
    assert "python=3.11 pip && " in hint
    assert f"{other.executable} run -n quant python -m pip install 'backtesting>=0.6.6,<0.7'" in hint
    assert "rbi env create --env conda:quant" in hint
    assert ("conda-forge" in hint) == (name != "conda")


def test_create_makes_what_is_missing_and_says_each_command_before_it_runs(
    conda: Conda, tmp_path: Path
) -> None:
    said: list[str] = []
    made = create("conda:quant", cache=tmp_path, environ=conda.environ, progress=said.append)
    assert made.python == conda.folder / "envs" / "quant" / "bin" / "python"
    assert [command.split()[0] for command in conda.commands] == ["create", "run"]
    assert len(said) == 2
    assert all(text.startswith(f"running '{conda.executable}'") for text in said)


def test_create_at_a_path_makes_it_there(conda: Conda, tmp_path: Path) -> None:
    made = create(f"conda:{tmp_path}/mine", cache=tmp_path, environ=conda.environ)
    assert made.python == tmp_path / "mine" / "bin" / "python"
    assert conda.commands[0].startswith(f"create -y -p {tmp_path}/mine python=3.11")


def test_create_leaves_an_environment_that_is_there_as_it_is(conda: Conda, tmp_path: Path) -> None:
    conda.add("quant", HERE)
    assert create("conda:quant", cache=tmp_path, environ=conda.environ).name == "quant"
    assert conda.commands == []


def test_a_create_that_fails_says_what_conda_said(conda: Conda, tmp_path: Path) -> None:
    conda.executable.write_text(
        "#!/bin/sh\n"
        '[ "$1" = env ] && { echo \'{"envs": []}\'; exit 0; }\n'
        "echo 'PackagesNotFoundError: python'; exit 1\n"
    )
    with pytest.raises(RunnerError, match="PackagesNotFoundError"):
        create("conda:quant", cache=tmp_path, environ=conda.environ)


def test_create_without_an_executable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="cannot be made"):
        create("conda:quant", cache=tmp_path, environ={"PATH": "/nowhere"})


def test_what_installs_packages_gets_condas_settings_and_no_key(conda: Conda, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = conda.executable.read_text()
    conda.executable.write_text(
        script.replace('  "run "*) ;;', f'  "run "*) env > {shlex.quote(str(seen))} ;;')
    )
    environ = {**conda.environ, "OPENAI_API_KEY": "very-secret", "CONDA_PKGS_DIRS": "/packages"}
    create("conda:quant", cache=tmp_path, environ=environ)
    assert "CONDA_PKGS_DIRS=/packages" in seen.read_text()
    assert "very-secret" not in seen.read_text()


def test_environments_that_are_not_rbis_own_are_not_removed(conda: Conda, tmp_path: Path) -> None:
    prefix = conda.add("rbi", Path(sys.executable))
    for spec in ("auto", "conda:rbi", "current"):
        with pytest.raises(RunnerError, match="is not rbi's own"):
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
