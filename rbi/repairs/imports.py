"""Imports that fail, and imports that are missing."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from difflib import get_close_matches

from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.libraries import BACKTESTING, ENGINE_HOMES, INSTALLED, PANDAS_TA, TALIB, USUAL_IMPORTS
from rbi.repairs.module import Module

RULE = "import"
_GIVEN = frozenset(dir(builtins)) | {
    "__file__",
    "__name__",
    "__doc__",
    "__class__",
    "__builtins__",
    "__annotations__",
}


def available(name: str) -> bool:
    """Whether a module of that name is in the strategy environment."""
    top = name.split(".")[0]
    return top in INSTALLED or top in sys.stdlib_module_names


def used(module: Module, name: str) -> bool:
    """Whether a name is read anywhere, or may be exported."""
    return any(
        (isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load))
        or (isinstance(n, ast.Constant) and n.value == name)
        for n in module.nodes
    )


def missing(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Names that are used, bound nowhere, and usually imported."""
    if any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in module.nodes):
        return
    for name in unbound(module):
        line = _by_use(module, name) or USUAL_IMPORTS.get(name)
        if line:
            place, end = _first_place(module), module.text.line_end()
            reason = f"{name} is used but never imported"
            before = "" if place == 0 or module.text.source[place - 1] in "\r\n" else end
            yield Proposal(RULE, reason, (Edit(place, place, f"{before}{line}{end}"),))


def unbound(module: Module) -> list[str]:
    """Names that are read outside of any guard and bound nowhere in the module."""
    names = {
        n.id: None
        for n in module.nodes
        if isinstance(n, ast.Name)
        and isinstance(n.ctx, ast.Load)
        and not module.bound.get(n.id)
        and n.id not in _GIVEN
        and not module.is_guarded(n)
    }
    return list(names)


def _by_use(module: Module, name: str) -> str:
    """Names that mean one of two things: what is asked of them tells which."""
    asked = {
        n.attr for n in module.nodes if isinstance(n, ast.Attribute) and getattr(n.value, "id", "") == name
    }
    if name == "datetime" and not asked & {"datetime", "timedelta", "date", "time"}:
        return "from datetime import datetime"
    if name != "ta" or not asked:
        return ""
    if asked <= TALIB:
        return "import talib as ta"
    return "import pandas_ta as ta" if asked <= PANDAS_TA else ""


def _first_place(module: Module) -> int:
    """Behind the docstring, future imports and the imports at the top."""
    last: ast.stmt | None = None
    for node in module.tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and last is None
        if not (docstring or isinstance(node, ast.Import | ast.ImportFrom)):
            break
        last = node
    if last is None:
        first = module.tree.body[0]
        return module.text.offset(min([first.lineno, *_decorators(first)]), 0)
    after = (last.end_lineno or last.lineno) + 1
    source = module.text.source
    line = module.text.line(after - 1)
    return len(source) if not line.endswith(("\n", "\r")) else module.text.offset(after, 0)


def _decorators(node: ast.stmt) -> list[int]:
    return [d.lineno for d in getattr(node, "decorator_list", [])]


def misplaced(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Names of the engine that are looked for in the wrong place, or under a misspelt name."""
    for node in module.nodes:
        if not isinstance(node, ast.ImportFrom) or node.level or module.is_guarded(node):
            continue
        if (node.module or "").split(".")[0] != "backtesting":
            continue
        there = BACKTESTING.get(node.module or "", frozenset())
        wrong = [alias for alias in node.names if alias.name != "*" and alias.name not in there]
        if not wrong:
            continue
        lines = _corrected(module, node, wrong)
        if lines is not None and module.text.starts_line(node) and module.text.ends_line(node):
            text = f"{module.text.line_end()}{' ' * node.col_offset}".join(lines) or "pass"
            names = ", ".join(alias.name for alias in wrong)
            reason = f"{node.module} has no {names}"
            yield Proposal(RULE, reason, (module.text.replace(node, text),))


def _corrected(module: Module, node: ast.ImportFrom, wrong: list[ast.alias]) -> list[str] | None:
    right = [alias for alias in node.names if alias not in wrong]
    lines = [f"from {node.module} import {', '.join(map(_written, right))}"] if right else []
    for alias in wrong:
        if not used(module, alias.asname or alias.name):
            continue
        name = _meant(alias.name)
        if not name:
            return None
        kept = alias.asname or (alias.name if name != alias.name else "")
        lines.append(f"from {ENGINE_HOMES[name]} import {name}" + (f" as {kept}" if kept else ""))
    return lines


def _written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _meant(name: str) -> str:
    """The engine's name that one was meant to be; a name that is merely similar in its letters is not enough."""
    if name in ENGINE_HOMES:
        return name
    plain = {known.replace("_", "").lower(): known for known in ENGINE_HOMES}
    found = plain.get(name.replace("_", "").lower()) or plain.get(
        name.replace("_", "").lower().removesuffix("s")
    )
    if found:
        return found
    close = get_close_matches(name, ENGINE_HOMES, n=2, cutoff=0.9)
    return close[0] if len(close) == 1 and name not in ("crossunder", "crossdown") else ""


def unused(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Imports of what is not installed and not used."""
    for node in module.nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom) or module.is_guarded(node):
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            continue
        names = [getattr(node, "module", "") or alias.name for alias in node.names]
        if all(available(name) for name in names):
            continue
        bound = [alias.asname or alias.name.split(".")[0] for alias in node.names]
        if len(node.names) == 1 or isinstance(node, ast.ImportFrom):
            if any(used(module, name) for name in bound) or "*" in bound:
                continue
            edit = module.text.without(node) if isinstance(module.parents[node], ast.Module) else None
            edit = edit or module.text.replace(node, "pass")
            yield Proposal(RULE, f"{names[0]} is not installed, and not used", (edit,))


def crossunder(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """The engine has crossover only: one line crosses under another when the other crosses over it."""
    for name in ("crossunder", "crossdown"):
        imports = [
            n
            for n in module.nodes
            if isinstance(n, ast.ImportFrom)
            and n.module == "backtesting.lib"
            and any(a.name == name and not a.asname for a in n.names)
        ]
        uses = [n for n in module.nodes if isinstance(n, ast.Name) and n.id == name]
        if len(imports) != module.bound.get(name, 0) or len(imports) > 1 or any(map(module.is_guarded, uses)):
            continue
        edits = [edit for use in uses for edit in _swapped(module, use)]
        line = _without(module, imports[0], name) if imports else []
        if line is not None and edits and len(edits) == 3 * len(uses):
            reason = f"backtesting.lib has no {name}: a is under b when b is over a"
            yield Proposal(RULE, reason, (*line, *edits))


def _without(module: Module, node: ast.ImportFrom, name: str) -> list[Edit] | None:
    """The edit that imports crossover instead; ``None`` where the line is shared or guarded."""
    if module.is_guarded(node) or not (module.text.starts_line(node) and module.text.ends_line(node)):
        return None
    names = [_written(a) for a in node.names if a.name != name]
    names += [] if any(a.name == "crossover" for a in node.names) else ["crossover"]
    return [module.text.replace(node, f"from {node.module} import {', '.join(names)}")]


def _swapped(module: Module, use: ast.Name) -> list[Edit]:
    call = module.parents[use]
    if not (isinstance(call, ast.Call) and call.func is use and len(call.args) == 2) or call.keywords:
        return []
    if any(
        isinstance(n, ast.Starred) or (isinstance(n, ast.Name) and n.id == use.id)
        for a in call.args
        for n in ast.walk(a)
    ):
        return []
    first, second = call.args
    return [
        module.text.replace(use, "crossover"),
        module.text.replace(first, module.text.of(second)),
        module.text.replace(second, module.text.of(first)),
    ]


_CROSSINGS = {
    "crossover": False,
    "crossabove": False,
    "crossunder": True,
    "crossbelow": True,
    "crossdown": True,
}


def crossings(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """TA-Lib and pandas_ta have no crossover: the engine has it."""
    for node in module.nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)) or module.is_guarded(
            node
        ):
            continue
        under = _CROSSINGS.get(node.func.attr.lower().replace("_", ""))
        library = module.full_name(node.func.value)
        if under is None or library not in ("talib", "pandas_ta", "pandas_ta_classic"):
            continue
        if len(node.args) != 2 or node.keywords or module.method(node) is None:
            continue
        if module.bound.get("crossover") and module.imported.get("crossover") != "backtesting.lib.crossover":
            continue
        method = module.method(node)
        if method is None or method.name == "init":
            continue
        edits = [module.text.replace(node.func, "crossover")]
        if under:
            first, second = node.args
            edits += [
                module.text.replace(first, module.text.of(second)),
                module.text.replace(second, module.text.of(first)),
            ]
        reason = f"{library} has no {node.func.attr}: backtesting.lib has crossover"
        yield Proposal(RULE, reason, tuple(edits))
