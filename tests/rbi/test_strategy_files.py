"""Strategies of the user's own: which files are read, what each is, and what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.errors import UsageError
from rbi.intake.strategy_files import LARGEST_FILE, read_strategy_files
from runners.base import FailureKind, Mode

CLASS = "from backtesting import Strategy\nclass S(Strategy):\n    pass\n"
SCRIPT = "from backtesting import Backtest\nBacktest(data, S).run()\n"


def write(path: Path, content: str | bytes = CLASS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def shown(folder: Path, *paths: str) -> list[str]:
    return [file.shown for file in read_strategy_files(paths, base=folder).files]


def test_a_folder_gives_every_py_file_below_it_in_order_and_nothing_hidden(tmp_path: Path) -> None:
    places = ("b.py", "a.py", "deep/er/c.py", ".hidden.py", ".git/x.py", "__pycache__/y.py", "notes.txt")
    for number, name in enumerate(places):
        write(tmp_path / "s" / name, f"{CLASS}# {number}\n")
    assert shown(tmp_path, "s") == ["s/a.py", "s/b.py", "s/deep/er/c.py"]


def test_a_file_that_is_named_twice_is_one_and_equal_content_is_said_to_repeat(tmp_path: Path) -> None:
    write(tmp_path / "s/a.py")
    write(tmp_path / "s/b.py")
    found = read_strategy_files(["s/a.py", "s", "s/../s/b.py"], base=tmp_path)
    assert [file.shown for file in found.files] == ["s/a.py"]
    assert [(same.shown, same.first.shown) for same in found.repeated] == [("s/b.py", "s/a.py")]


def test_links_that_lead_nowhere_and_in_a_circle_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "s/a.py")
    (tmp_path / "s/gone.py").symlink_to("nothing")
    (tmp_path / "s/again").symlink_to(tmp_path / "s")
    assert shown(tmp_path, "s") == ["s/a.py"]


def test_the_same_file_under_another_name_is_said_to_repeat(tmp_path: Path) -> None:
    write(tmp_path / "s/real.py")
    (tmp_path / "s/link.py").symlink_to("real.py")
    found = read_strategy_files(["s", "s/real.py", "./s/link.py"], base=tmp_path)
    assert [file.shown for file in found.files] == ["s/link.py"]
    assert {(same.shown, same.first.shown) for same in found.repeated} == {("s/real.py", "s/link.py")}


def test_an_empty_path_is_not_this_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.py")
    with pytest.raises(UsageError, match="empty"):
        read_strategy_files([""], base=tmp_path)


def test_a_named_link_that_leads_nowhere_says_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to("gone.py")
    with pytest.raises(UsageError, match="leads nowhere") as caught:
        read_strategy_files(["link.py"], base=tmp_path)
    assert "gone.py" in caught.value.fix


def test_own_results_and_virtual_environments_below_a_folder_hold_no_strategies(tmp_path: Path) -> None:
    for name in ("a.py", "results/run/0001-a/strategy.py", "env/lib/module.py"):
        write(tmp_path / name)
    (tmp_path / "results/rbi.db").touch()
    (tmp_path / "env/pyvenv.cfg").touch()
    assert shown(tmp_path, ".") == ["a.py"]
    assert shown(tmp_path, "results/run") == ["results/run/0001-a/strategy.py"]


@pytest.mark.parametrize(
    ("path", "what", "fix"),
    [
        ("sma_crss.py", "no such file", "sma_cross.py"),
        ("empty", "no .py file", "another"),
        ("notes.txt", "a .py file", ".py"),
        ("/nowhere/at/all", "no such file", "check"),
        ("bad\udcff.py", "not valid UTF-8", "rename"),
    ],
)
def test_a_path_that_cannot_be_meant_is_wrong_usage_with_a_fix(
    tmp_path: Path, path: str, what: str, fix: str
) -> None:
    write(tmp_path / "sma_cross.py")
    write(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        read_strategy_files([path], base=tmp_path)
    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("source", "mode"),
    [
        (CLASS, Mode.CLASS),
        (SCRIPT, Mode.SCRIPT),
        (f"{CLASS}def main():\n    bt = backtesting.Backtest(data, S)\n", Mode.SCRIPT),
        (f"{CLASS}if __name__ == '__main__':\n    lib.FractionalBacktest(data, S).run()\n", Mode.SCRIPT),
        ("from backtesting import Backtest as BT\nBT(data, S)\n", Mode.SCRIPT),
        (f"{CLASS}class Logged(Backtest): pass\nLogged(data, S).run()\n", Mode.SCRIPT),
        (
            f"{CLASS}engine = lib.FractionalBacktest if coins else Backtest\nengine(data, S).run()\n",
            Mode.SCRIPT,
        ),
        (f"{CLASS}def look(bt: Backtest) -> backtesting.Backtest: ...\n", Mode.CLASS),
        (f"{CLASS}from backtesting import Backtest\nname = 'Backtest()'\n", Mode.CLASS),
        (f"{CLASS}class Backtest: pass\n", Mode.CLASS),
    ],
)
def test_a_module_that_uses_backtest_anywhere_is_a_script(tmp_path: Path, source: str, mode: Mode) -> None:
    (file,) = read_strategy_files([str(write(tmp_path / "s.py", source))]).files
    assert (file.mode, file.problem) == (mode, None)


@pytest.mark.parametrize("mode", ["class", "script"])
def test_the_mode_can_be_forced(tmp_path: Path, mode: str) -> None:
    for source in (CLASS, f"{CLASS}{SCRIPT}"):
        (file,) = read_strategy_files([str(write(tmp_path / "s.py", source))], mode).files
        assert file.mode is Mode(mode)


@pytest.mark.parametrize(
    ("content", "kind", "line"),
    [
        (b"x = 1\nclass S(\n", FailureKind.SYNTAX, 2),
        (b"\xff\xfe\xfa", FailureKind.SYNTAX, None),
        (b"# -*- coding: nonsense -*-\nx = 1\n", FailureKind.SYNTAX, None),
        (b"# coding: unicode_escape\nx = '\\ud800'\n", FailureKind.SYNTAX, None),
        (b"x = '\0'", FailureKind.SYNTAX, None),
        (b"(" * 5000, FailureKind.SYNTAX, None),
        (b"#" * (LARGEST_FILE + 1), FailureKind.SYNTAX, None),
        (b"", FailureKind.NO_STRATEGY_CLASS, None),
    ],
)
def test_what_cannot_run_is_read_with_its_problem(
    tmp_path: Path, content: bytes, kind: FailureKind, line: int | None
) -> None:
    (file,) = read_strategy_files([str(write(tmp_path / "s.py", content))]).files
    assert file.problem is not None
    assert file.problem.kind is kind
    assert file.problem.hint
    if line is not None:
        assert file.problem.line == line


def test_a_script_needs_no_class_of_its_own(tmp_path: Path) -> None:
    (file,) = read_strategy_files([str(write(tmp_path / "s.py", "import mine\n"))], "script").files
    assert file.problem is None


def test_a_declared_encoding_and_a_mark_at_the_start_are_read_as_python_reads_them(tmp_path: Path) -> None:
    write(tmp_path / "a.py", f"# coding: cp1252\n{CLASS}# Größe\n".encode("cp1252"))
    write(tmp_path / "b.py", f"\ufeff{CLASS}# Größe\n".encode())
    for file in read_strategy_files(["a.py", "b.py"], base=tmp_path).files:
        assert "Größe" in file.source
        assert not file.source.startswith("\ufeff")


def test_an_invalid_escape_in_a_program_is_no_warning_of_ours(tmp_path: Path) -> None:
    (file,) = read_strategy_files([str(write(tmp_path / "s.py", f"{CLASS}x = '\\d'\n"))]).files
    assert file.problem is None


def test_a_name_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    try:
        write(tmp_path / "s" / os.fsdecode(b"odd\xff\x1b.py"))
    except OSError:
        pytest.skip("this file system takes valid names only")
    (name,) = shown(tmp_path, "s")
    assert name == "s/odd\\xff·.py"


@given(st.lists(st.sampled_from([CLASS, SCRIPT, "x = (", f"{CLASS}#", "é"]), min_size=1, max_size=5))
def test_the_digest_tells_other_content_and_other_names(sources: list[str]) -> None:
    with TemporaryDirectory() as folder:
        for number, source in enumerate(sources):
            write(Path(folder) / "s" / f"{number}.py", source)
        first = read_strategy_files(["s"], base=Path(folder))
        assert read_strategy_files(["s"], base=Path(folder)).digest == first.digest
        assert len({file.text for file in first.files}) == len(set(sources))
        write(Path(folder) / "s" / "0.py", sources[0] + "\n#changed\n")
        assert read_strategy_files(["s"], base=Path(folder)).digest != first.digest
