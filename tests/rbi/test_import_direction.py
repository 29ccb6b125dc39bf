"""The arrows of the architecture: who may import whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "runners", "rbi")

# Inside rbi: these see contracts and values only, never what implements them.
ABSTRACT = ("rbi/stages", "rbi/pipeline.py", "rbi/domain.py", "rbi/events.py", "rbi/leaderboard.py")
CONCRETE = (
    "models.providers",
    "models.factory",
    "models.limiter",
    "runners.backtest_runner",
    "runners.environments",
    "runners.process",
    "rbi.journal",
    "rbi.effects",
    "rbi.app",
    "rbi.assembly",
    "rbi.parts",
    "rbi.cli",
    "rbi.progress",
)
SINKS = ("rbi.progress", "rbi.views", "rbi.show", "rbi.doctor", "rbi.cli", "rbi.app", "rbi.assembly")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(*places: str) -> list[Path]:
    found: list[Path] = []
    for place in places:
        path = ROOT / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    assert found, places
    return found


def offenders(places: tuple[str, ...], banned: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(*places)
        for name in imports(path)
        if any(name == b or name.startswith(b + ".") for b in banned)
    ]


@pytest.mark.parametrize(
    ("package", "banned"), [("models", ("runners", "rbi")), ("runners", ("models", "rbi"))]
)
def test_models_and_runners_know_neither_each_other_nor_rbi(package: str, banned: tuple[str, ...]) -> None:
    assert offenders((package,), banned) == []


def test_stages_and_values_see_contracts_only() -> None:
    assert offenders(ABSTRACT, CONCRETE) == []


def test_the_batch_does_not_know_who_watches_it() -> None:
    assert offenders(("rbi/batch.py", "rbi/effects.py", "rbi/pipeline.py"), SINKS) == []


def test_the_child_needs_nothing_of_ours() -> None:
    ours = offenders(("runners/child",), ("rbi", "models"))
    parent_side = [o for o in offenders(("runners/child",), ("runners",)) if "imports runners.child" not in o]
    assert ours + parent_side == []


def test_the_child_is_never_imported_by_the_parent() -> None:
    parent = tuple(str(p.relative_to(ROOT)) for p in sources("runners") if p.parent.name != "child")
    assert offenders(parent, ("runners.child",)) == []


def test_a_banned_import_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    source.write_text("from rbi import journal\n", encoding="utf-8")
    assert "rbi.journal" in set(imports(source))
