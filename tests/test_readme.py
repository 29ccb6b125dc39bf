"""The README says what the program does now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

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
