"""The README says what the program does now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from runners.base import FailureKind, Level
from runners.limits import Limits

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def refresh() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh_readme", ROOT / "docs" / "refresh_readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_output_shown_is_the_real_one(refresh: ModuleType, tmp_path: Path) -> None:
    assert len(refresh.commands(TEXT)) >= 3
    assert refresh.refreshed(TEXT, tmp_path) == TEXT, "run `make readme`"


def test_an_outdated_output_would_be_noticed(refresh: ModuleType, tmp_path: Path) -> None:
    text = "<!-- $ rbi --version -->\n```\nrbi 0.0.0\n```\n"
    assert refresh.refreshed(text, tmp_path) != text


def test_what_depends_on_the_machine_is_refreshed_only_when_asked_for(
    refresh: ModuleType, tmp_path: Path
) -> None:
    text = "<!-- here: $ rbi --version -->\n```\nrbi 0.0.0\n```\n"
    assert refresh.commands(text) == []
    assert refresh.refreshed(text, tmp_path) == text
    assert refresh.refreshed(text, tmp_path, here=True) != text


def test_a_file_that_is_shown_is_there_for_the_commands(refresh: ModuleType, tmp_path: Path) -> None:
    assert refresh.refreshed("<!-- file: a/b.py -->\n```python\nx = 1\n```\n", tmp_path).endswith(
        "x = 1\n```\n"
    )
    assert (tmp_path / "a/b.py").read_text(encoding="utf-8") == "x = 1\n"


def test_the_table_of_levels_has_a_column_for_each() -> None:
    header = next(line for line in TEXT.splitlines() if line.startswith("a strategy that tries:"))
    assert header.split(":")[1].split() == [level.value for level in reversed(Level)]


def test_every_command_and_flag_in_it_exists() -> None:
    from rbi.config import SETTINGS

    shown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT))
    known = {s.flag for s in SETTINGS} | {
        "--json",
        "--code",
        "--log",
        "--stats",
        "--help",
        "--batch",
        "--config",
        "--part",
        "--repair",
        "--watch",
    }
    assert shown - known == set()


def test_both_makefile_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z]+)", TEXT, re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_every_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_failure_and_every_level_is_explained() -> None:
    page = (ROOT / "docs" / "runner.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([a-z_]+)`(?: \*)? \|", page.split("## Failures")[1].split("## ")[0], re.MULTILINE
    )
    assert sorted(rows) == sorted(kind.value for kind in FailureKind)
    marked = re.findall(r"^\| `([a-z_]+)` \* \|", page, re.MULTILINE)
    assert sorted(marked) == sorted(kind.value for kind in FailureKind if kind.has_numbers)
    assert "| | " + " | ".join(f"`{level.value}`" for level in reversed(Level)) + " |" in page


def test_every_limit_in_the_documentation_is_the_default() -> None:
    limits, page = Limits(), (ROOT / "docs" / "runner.md").read_text(encoding="utf-8")
    for row in (
        f"{limits.memory_bytes >> 30} GB for each process",
        f"| One file | {limits.file_bytes >> 20} MB |",
        f"| Work folder | {limits.scratch_bytes >> 20} MB and {limits.scratch_files} files together |",
        f"| Open files | {limits.open_files} |",
        f"{limits.output_bytes >> 20} MB end the run; {limits.kept_bytes >> 10} KB of head and tail",
        f"| Result | {limits.result_bytes >> 20} MB |",
    ):
        assert row in page


def test_every_link_into_a_page_leads_to_a_heading_of_it() -> None:
    def places(page: Path) -> set[str]:
        headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}

    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target, place in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
            there = page.parent / target if target else page
            assert place in places(there), f"{page.name}: {target}#{place}"


def test_the_pins_agree_where_they_overlap() -> None:
    def pins(name: str) -> dict[str, str]:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        found = [re.match(r"([A-Za-z0-9_.-]+)==([^\s;]+)", line) for line in lines]
        return {m[1].lower().replace("_", "-"): m[2] for m in found if m}

    tool, strategies = pins("constraints.txt"), pins("runners/strategy-env.txt")
    shared = tool.keys() & strategies.keys()
    assert {"backtesting", "numpy", "pandas"} <= shared
    assert {n: tool[n] for n in shared} == {n: strategies[n] for n in shared}


def test_no_pin_names_an_address() -> None:
    for name in ("constraints.txt", "runners/strategy-env.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert "--" not in text


def test_the_ideas_that_init_writes_are_those_of_the_repository() -> None:
    shipped = (ROOT / "rbi" / "first_ideas.txt").read_text(encoding="utf-8")
    assert shipped == (ROOT / "ideas" / "ideas.txt").read_text(encoding="utf-8")


def test_the_version_is_said_once() -> None:
    from rbi import __version__

    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
