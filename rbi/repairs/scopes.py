"""The functions of a module by name, and which of its names strategies and methods need."""

from __future__ import annotations

import ast
import symtable
from collections import defaultdict

from rbi.repairs.module import Module

Defined = ast.FunctionDef | ast.AsyncFunctionDef


def needed_by_strategies(module: Module) -> frozenset[str]:
    """Names of the module that strategies read, and the functions and statements that these names stand for read."""
    tables = {
        table.get_name(): table
        for table in symtable.symtable(module.text.source, "strategy.py", "exec").get_children()
    }
    found: set[str] = set()
    waiting = {node.name for node in module.tree.body if isinstance(node, ast.ClassDef)}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= _read(tables[name]) if name in tables else set()
    classes = [node for node in module.tree.body if isinstance(node, ast.ClassDef)]
    outside = {
        n.id
        for node in classes
        for part in [*node.bases, *node.decorator_list]
        for n in ast.walk(part)
        if isinstance(n, ast.Name)
    }
    return frozenset(found | outside)


def _read(table: symtable.SymbolTable) -> set[str]:
    names = {
        symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()
    }
    for child in table.get_children():
        names |= _read(child)
    return names


def definitions(module: Module) -> tuple[dict[str, Defined], dict[str, Defined]]:
    """Functions and methods by name; without those of which there are several, or that are replaced."""
    functions: dict[str, Defined] = {}
    methods: dict[str, list[Defined]] = defaultdict(list)
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if isinstance(module.parents[node], ast.ClassDef):
                methods[node.name].append(node)
            elif module.bound[node.name] == 1:
                functions[node.name] = node
    stored = {
        n.attr for n in module.nodes if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load)
    }
    single = {name: found[0] for name, found in methods.items() if len(found) == 1 and name not in stored}
    return functions, single


def reached(module: Module, name: str) -> frozenset[str]:
    """The methods of strategies that one of that name may call, itself included."""
    methods: dict[str, set[str]] = defaultdict(set)
    for strategy in module.strategies:
        for item in strategy.body:
            if isinstance(item, ast.FunctionDef):
                methods[item.name] |= {n.attr for n in ast.walk(item) if isinstance(n, ast.Attribute)}
    found, waiting = set(), {name}
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting |= methods[one] & methods.keys() if one in methods else set()
    return frozenset(found)
