"""Which CSV files a program writes: a log of results or a cache, and not the bars, although it looks for them first."""

import ast
import collections

SUFFIX = ".csv"
CREATING = frozenset("wax")
MODULES = ("io", "codecs")  # whose open is the plain one, not that of a path


def written_names(tree):
    """Patterns of the names (`fnmatch`, lower case) that ``tree`` writes; none if it names no other file of bars."""
    written = literals(list(targets(tree)), assigned(tree))
    names = {pattern(node) for node in written}
    inside = {id(part) for node in written for part in ast.walk(node)}
    named = (node for node in ast.walk(tree) if id(node) not in inside and is_name(node))
    if all(pattern(node) in names for node in named):
        return frozenset()
    return frozenset(name for name in names if name.removesuffix(SUFFIX).strip("*"))


def assigned(tree):
    """By the name of a variable or an attribute, all expressions that it is given."""
    meanings = collections.defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                meanings[spelled(target)].append(node.value)
    return meanings


def targets(tree):
    """The expressions that say where a call writes to."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = spelled(node.func)
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in ("to_csv", "savetxt"):
            yield from [*node.args[:1], *(value for key, value in named.items() if key == "path_or_buf")]
        elif name in ("write_text", "write_bytes"):
            yield node.func
        elif name == "open":
            of_path = isinstance(node.func, ast.Attribute) and spelled(node.func.value) not in MODULES
            mode = named.get("mode") or next(iter(node.args[0 if of_path else 1 :]), None)
            if isinstance(mode, ast.Constant) and not CREATING.isdisjoint(str(mode.value)):
                yield from [node.func.value] if of_path else node.args[:1]


def literals(expressions, meanings):
    """The names of CSV files in ``expressions`` and in what their variables may stand for."""
    found, followed = [], set()
    while expressions:
        for node in ast.walk(expressions.pop()):
            if is_name(node):
                found.append(node)
            elif isinstance(node, ast.Name | ast.Attribute) and (name := spelled(node)) not in followed:
                followed.add(name)
                expressions.extend(meanings.get(name, ()))
    return found


def is_name(node):
    """Whether a text ends as the name of a CSV file does."""
    return isinstance(node, ast.Constant | ast.JoinedStr) and pattern(node).endswith(SUFFIX)


def pattern(node):
    """The last part of a path, as a pattern; any text where something is put into it."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    texts = [part.value if isinstance(part, ast.Constant) else "*" for part in parts]
    if not all(isinstance(text, str) for text in texts):
        return ""
    return "".join(texts).lower().replace("\\", "/").rpartition("/")[2]


def spelled(node):
    """A variable's or an attribute's name; empty for anything else."""
    return getattr(node, "id", None) or getattr(node, "attr", None) or ""
