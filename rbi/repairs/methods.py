"""What a strategy class has to define, and how it calls what it inherits."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.module import Module

RULE = "abstract"


def defined(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """``__init__(self)`` instead of init, or no init at all."""
    for strategy in module.strategies:
        methods = {n.name: n for n in strategy.body if isinstance(n, ast.FunctionDef)}
        if not module.plain(strategy) or module.is_guarded(strategy) or "next" not in methods:
            continue
        if "init" not in methods:
            yield from _without_init(module, methods)
        elif "__init__" in methods:
            yield from _beside_init(module, methods["__init__"])


def _without_init(module: Module, methods: dict[str, ast.FunctionDef]) -> Iterator[Proposal]:
    python_init = methods.get("__init__")
    if python_init is None:
        following = methods["next"]
        line = min([following.lineno, *(d.lineno for d in following.decorator_list)])
        place, end = module.text.offset(line, 0), module.text.line_end()
        blanks = module.text.line(following.lineno)[: following.col_offset]
        text = f"{blanks}def init(self):{end}{blanks}    pass{end}{end}"
        if not blanks.strip():
            yield Proposal(RULE, "a strategy has to define init", (Edit(place, place, text),))
    elif ast.unparse(python_init.args) == "self":
        start = module.text.source.index("__init__", module.text.start(python_init))
        edits = [Edit(start, start + len("__init__"), "init")]
        edits += [edit for node in _calls_up(python_init) for edit in _renamed(module, node)]
        yield Proposal(RULE, "the engine makes the strategy: it calls init, not __init__(self)", tuple(edits))


def _beside_init(module: Module, method: ast.FunctionDef) -> Iterator[Proposal]:
    """``__init__(self)`` beside init: the engine passes it what the strategy's own class needs."""
    if (
        ast.unparse(method.args) != "self"
        or method.decorator_list
        or not module.text.starts_line(method.body[0])
    ):
        return
    calls = list(_calls_up(method))
    others = [n for n in ast.walk(method) if isinstance(n, ast.Attribute) and n.attr == "__init__"]
    if len(calls) > 1 or len(others) != len(calls):
        return
    name = module.text.source.index("__init__", module.text.start(method))
    place = module.text.source.index("self", name) + len("self")
    passed = "*args, **kwargs"
    edits = [Edit(place, place, f", {passed}")]
    if calls:
        end = module.text.end(calls[0]) - 1
        edits.append(Edit(end, end, passed))
    else:
        first = method.body[0]
        start, blanks = module.text.start(first), " " * first.col_offset
        edits.append(Edit(start, start, f"super().__init__({passed}){module.text.line_end()}{blanks}"))
    yield Proposal(
        RULE, "the engine makes the strategy: what it passes goes on to the engine's class", tuple(edits)
    )


def inherited(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """``super().__init__()`` in init lacks what the engine passes."""
    for strategy in module.strategies:
        for method in strategy.body:
            if isinstance(method, ast.FunctionDef) and method.name == "init" and module.plain(strategy):
                for node in _calls_up(method):
                    if not module.is_guarded(node):
                        edits = tuple(_renamed(module, node))
                        yield Proposal(RULE, "init calls super().init()", edits)


def _calls_up(function: ast.FunctionDef) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node) == "super().__init__()":
            yield node


def _renamed(module: Module, node: ast.Call) -> Iterator[Edit]:
    function = node.func
    if isinstance(function, ast.Attribute):
        end = module.text.end(function)
        yield Edit(end - len("__init__"), end, "init")
