"""How the columns and times of the bars are called."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.kind import Kind
from rbi.repairs.module import Module
from rbi.repairs.series_names import FRAME_ONLY
from runners.base import Mode

RULE = "column"
TIMES = frozenset(
    {"Date", "Datetime", "datetime", "date", "time", "timestamp", "Timestamp", "Time", "DateTime", "dates"}
)

_AS_FRAME = frozenset({"to_df", "to_frame", "to_pandas", "to_dataframe", "as_df", "get_df", "df"})
_ADDING = frozenset({"assign", "insert"})


def added(module: Module, flow: Flow, *, everywhere: bool = True) -> frozenset[str]:
    """Columns that a strategy adds to the bars; with ``everywhere`` those a script may add before it, too."""
    names = set()
    for node in module.nodes:
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            inside = flow.of(node.value) in (Kind.FRAME, Kind.DATA)
            if inside or (everywhere and module.strategy(node) is None):
                names |= {str(part.value) for part in ast.walk(node.slice) if isinstance(part, ast.Constant)}
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load | ast.Del):
            names |= {node.attr} if flow.of(node.value) is Kind.DATA else set()
        elif everywhere and isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _ADDING:
            names |= {str(part.value) for part in node.args if isinstance(part, ast.Constant)}
            names |= {str(keyword.arg) for keyword in node.keywords}
    return frozenset(names - _made_index(module))


def _made_index(module: Module) -> set[str]:
    """Columns that a script takes out of its frame to be its index."""
    return {
        str(node.args[0].value)
        for node in module.nodes
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "set_index"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and not any(keyword.arg in ("drop", "append", None) for keyword in node.keywords)
        and module.strategy(node) is None
    }


def spelling(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``close`` is ``Close``; the bars' times are the index."""
    own = added(module, flow)
    if module.dynamic:
        return
    for node in module.nodes:
        name = _asked(module, flow, node)
        if name is None or name in module.columns or name in own or module.is_guarded(node):
            continue
        meant = next((c for c in module.columns if c.lower() == name.strip().lower()), None)
        if meant and meant not in own and not _counts_from_newest(module, node):
            # A column that a script adds may stand beside the one of the file that it was made from.
            yield Proposal(RULE, f"the column is called {meant}", (_named(module, node, meant),))
        elif (
            name in TIMES
            and not may_stay(module, name)
            and isinstance(node, ast.Attribute | ast.Subscript)
            and _readable(module, node)
        ):
            yield Proposal(RULE, "the times of the bars are the index", (_index(module, node),))


def may_stay(module: Module, name: str) -> bool:
    """Whether a script may leave a column of times in its frame: not if it is made the index, or others are chosen."""
    if module.mode is not Mode.SCRIPT:
        return False
    outside = [n for n in module.nodes if module.strategy(n) is None]
    if any(
        isinstance(n, ast.Attribute) and n.attr == "index" and isinstance(n.ctx, ast.Store) for n in outside
    ):
        return True
    chosen = [_texts(chooser) for chooser in map(_chooser, outside) if chooser is not None]
    if any(texts >= set(module.columns) - {"Volume"} and name not in texts for texts in chosen):
        return False
    indexes = {
        str(value.value).lower()
        for n in outside
        if isinstance(n, ast.Call) and getattr(n.func, "attr", "") in ("set_index", "read_csv")
        for value in [*n.args[:1], *(k.value for k in n.keywords if k.arg in ("keys", "index_col"))]
        if isinstance(value, ast.Constant) and not any(k.arg in ("drop", "append") for k in n.keywords)
    }
    return name.lower() not in indexes


def _chooser(node: ast.AST) -> ast.List | None:
    """The list in ``frame[[...]]`` or ``frame.columns = [...]``."""
    if isinstance(node, ast.Assign):
        named = any(getattr(target, "attr", "") == "columns" for target in node.targets)
        return node.value if named and isinstance(node.value, ast.List) else None
    return node.slice if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.List) else None


def _texts(node: ast.AST) -> set[str]:
    return {str(n.value) for n in ast.walk(node) if isinstance(n, ast.Constant)}


def _asked(module: Module, flow: Flow, node: ast.AST) -> str | None:
    """The column that is read here, if one is."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        kind = flow.of(node.value)
        if kind is Kind.DATA or (kind is Kind.FRAME and node.attr.title() in module.columns):
            return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        named = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
        if named and flow.of(node.value) in (Kind.DATA, Kind.FRAME):
            return str(node.slice.value)  # type: ignore[attr-defined]
    return None


def _counts_from_newest(module: Module, node: ast.AST) -> bool:
    """``close[0]`` in next is the newest bar in another engine, and would become the first one here."""
    parent, method = module.parents[node], module.method(node)
    place = parent.slice if isinstance(parent, ast.Subscript) and parent.value is node else None
    return (
        isinstance(place, ast.Constant) and place.value == 0 and method is not None and method.name != "init"
    )


def _named(module: Module, node: ast.AST, name: str) -> Edit:
    if isinstance(node, ast.Subscript):
        return module.text.replace(
            node.slice, repr(name) if "'" in module.text.of(node.slice) else f'"{name}"'
        )
    if not isinstance(node, ast.Attribute):
        raise TypeError(node)
    return Edit(module.text.end(node) - len(node.attr), module.text.end(node), name)


def _readable(module: Module, node: ast.AST) -> bool:
    parent = module.parents[node]
    return not (isinstance(parent, ast.Call) and parent.func is node) and not (
        isinstance(parent, ast.Attribute) and parent.attr in ("date", "time", "datetime", "iloc")
    )


def _index(module: Module, node: ast.Attribute | ast.Subscript) -> Edit:
    parent = module.parents[node]
    end = parent if isinstance(parent, ast.Attribute) and parent.attr == "dt" else node
    return module.text.cut(node.value, end, ".index")


def names(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """``frame.columns = [...]`` right after a script read its bars: a comma at a line's end is one more column."""
    if module.mode is not Mode.SCRIPT:
        return
    for node in module.nodes:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.List)):
            continue
        target = node.targets[0]
        if not (
            isinstance(target, ast.Attribute)
            and target.attr == "columns"
            and isinstance(target.value, ast.Name)
        ):
            continue
        body = getattr(module.parents[node], "body", [])
        before = body[body.index(node) - 1] if node in body and body.index(node) else None
        read = before.value if isinstance(before, ast.Assign) else None
        same = isinstance(before, ast.Assign) and [ast.unparse(t) for t in before.targets] == [
            target.value.id
        ]
        if not (same and isinstance(read, ast.Call) and module.full_name(read.func) == "pandas.read_csv"):
            continue
        if not module.is_guarded(node) and not {k.arg for k in read.keywords} & {
            "index_col",
            "usecols",
            "names",
            None,
        }:
            place = module.text.end(read)
            edit = Edit(place, place, f".iloc[:, :{len(node.value.elts)}]")
            reason = f"the file may have more than {len(node.value.elts)} columns: the first ones are meant"
            yield Proposal(RULE, reason, (edit,))


def clocks(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``data.datetime.date(0)`` is how another engine asks for the newest bar's time."""
    for node in module.nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)) or module.is_guarded(
            node
        ):
            continue
        source, method = node.func.value, module.method(node)
        newest = [getattr(a, "value", None) for a in node.args] in ([], [0]) and not node.keywords
        if not (newest and isinstance(source, ast.Attribute) and source.attr == "datetime"):
            continue
        asked = node.func.attr in ("date", "time", "datetime") and flow.of(source.value) is Kind.DATA
        if asked and method is not None and method.name != "init":
            call = "" if node.func.attr == "datetime" else f".{node.func.attr}()"
            edit = module.text.cut(source.value, node, f".index[-1]{call}")
            yield Proposal(RULE, "the times of the bars are the index", (edit,))


def frame(module: Module, flow: Flow) -> Iterator[Proposal]:
    """The bars are no data frame: ``self.data.df`` is one, of the bars that are known."""
    own = added(module, flow, everywhere=False)
    for node in module.nodes:
        if not isinstance(node, ast.Attribute | ast.Subscript) or module.is_guarded(node):
            continue
        if flow.of(node.value) is not Kind.DATA:
            continue
        call = module.parents[node]
        if isinstance(node, ast.Attribute) and node.attr in _AS_FRAME and isinstance(call, ast.Call):
            if call.func is node and not (call.args or call.keywords):
                reason = f"self.data has no .{node.attr}(): its data frame is .df"
                yield Proposal(RULE, reason, (module.text.cut(node.value, call, ".df"),))
            continue
        place = module.text.end(node.value)
        edit = Edit(place, place, ".df")
        if isinstance(node, ast.Attribute):
            if isinstance(node.ctx, ast.Load) and node.attr in FRAME_ONLY and node.attr not in own:
                yield Proposal(RULE, f"self.data has no .{node.attr}: its data frame has", (edit,))
        elif isinstance(node.slice, ast.List) and isinstance(node.ctx, ast.Load):
            yield Proposal(RULE, "several columns at once are in the data frame", (edit,))
        elif isinstance(node.slice, ast.Constant) and node.slice.value in own and _in_init(module, node):
            if isinstance(node.ctx, ast.Load):
                yield Proposal(RULE, "in init a new column is in the data frame only", (edit,))
            elif isinstance(node.ctx, ast.Store):
                yield Proposal(
                    RULE, "columns are added to the data frame", (edit, *_by_place(module, flow, node))
                )


def _in_init(module: Module, node: ast.AST) -> bool:
    method = module.method(node)
    return method is not None and method.name == "init"


def _by_place(module: Module, flow: Flow, node: ast.Subscript) -> tuple[Edit, ...]:
    """A Series with another index would be fitted by it, which leaves nothing but NaN."""
    statement = module.parents[node]
    if not isinstance(statement, ast.Assign) or flow.of(statement.value) in (
        Kind.ARRAY,
        Kind.INDICATOR,
        Kind.DATED,
    ):
        return ()
    start, end = module.text.start(statement.value), module.text.end(statement.value)
    return (Edit(start, start, "np.asarray("), Edit(end, end, ")"))
