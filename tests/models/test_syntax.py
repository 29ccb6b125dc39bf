from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.syntax import parse


def test_many_threads_can_parse_at_the_same_time() -> None:
    deep = "x = " + "(" * 60 + "1" + " + 1)" * 60
    flat = "\n".join(f"def f{n}(a, b):\n    return [a, {{b: a}}]" for n in range(40))
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(parse, [deep, flat] * 150))
    assert all(isinstance(tree, ast.Module) for tree in trees)


def test_what_is_no_python_is_a_syntax_error() -> None:
    with pytest.raises(SyntaxError):
        parse("def")
