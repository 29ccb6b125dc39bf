"""An exception of a strategy as JSON values: what, where, and the lines of the strategy that led there."""

import collections
import linecache
import os
import traceback

FILE = "strategy.py"
TEXT_LENGTH = 4000  # characters of a message or traceback
FRAMES = 12  # of the strategy's own in a traceback
CAUSES = 8

# The interpreter's own answers: a class can put anything in the place of these attributes.
CAUSE = BaseException.__cause__.__get__
TRACE = BaseException.__traceback__.__get__
CLASS_NAME = vars(type)["__name__"].__get__
BASES = vars(type)["__mro__"].__get__
OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120


class NoStrategyClassError(Exception):
    """The module does not define exactly one strategy."""


class NotFiniteError(ArithmeticError):
    """The account's equity is infinite or undefined."""


def describe(error, stage):
    """``error`` as JSON values. A wrapped exception (an indicator's) is described by what caused it.

    Describing runs code of the strategy (its exception's class): if that fails, the result is less telling.
    """
    try:
        return described(error, stage)
    except BaseException:  # noqa: BLE001 - whatever it is, there is something to report
        return undescribed(stage, memory=issubclass(type(error), MemoryError))


def undescribed(stage, memory=False):
    """The description of an exception that cannot be described."""
    name = "MemoryError" if memory else "Exception"
    return described_by(stage, name, [name], "(it cannot be shown: describing it fails)")


def described(error, stage):
    """What `describe` gives if nothing gets in the way."""
    chain = causes(error)
    root = chain[-1]
    if isinstance(root, MemoryError):
        traceback.clear_frames(TRACE(root))
    last = last_frame(root)
    line = next((found for link in reversed(chain) if (found := strategy_line(link))), None)
    bases = [CLASS_NAME(base) for base in BASES(type(root))]
    return {
        **described_by(stage, CLASS_NAME(type(root)), bases, message(root)),
        "context": message(error) if error is not root else "",
        "module": str(last.f_globals.get("__name__", "")) if last else "",
        "function": last.f_code.co_name if last else "",
        "missing": str(getattr(root, "name", None) or "") if isinstance(root, ImportError) else "",
        "owner": owner(chain),
        "line": line,
        "source_line": source_line(line),
        "traceback": render(chain),
    }


def environment_read(line, key):
    """The failure of a strategy that read an environment variable, caught or not."""
    text = f"the strategy reads the environment ({key})"
    return {
        **described_by("environment", "EnvironmentReadError", [], text),
        "line": line,
        "source_line": source_line(line),
    }


def described_by(stage, name, bases, text):
    """A description with no more than that in it."""
    return {
        "stage": stage,
        "type": name,
        "bases": bases,
        "message": text,
        "context": "",
        "module": "",
        "function": "",
        "missing": "",
        "owner": [],
        "line": None,
        "source_line": "",
        "traceback": "",
    }


def causes(error):
    """The exception and what explicitly caused it, outermost first."""
    chain = [error]
    while (cause := CAUSE(chain[-1])) is not None and len(chain) < CAUSES:
        chain.append(cause)
    return chain


def owner(chain):
    """Of an attribute or key that does not exist, the names of its object's class and base classes."""
    if isinstance(chain[-1], AttributeError):
        holder = getattr(chain[-1], "obj", None)
    else:
        holder = next((found for link in chain if (found := asked_for_key(link)) is not None), None)
    return [] if holder is None else [CLASS_NAME(base) for base in BASES(type(holder))[:CAUSES]]


def asked_for_key(error):
    """The object in whose ``[...]`` a strategy's line raised `KeyError`; None if it is not known."""
    found = None
    if isinstance(error, KeyError):
        for frame, _ in frames(error):
            if is_strategy(frame):
                found = None
            elif found is None and frame.f_code.co_name == "__getitem__":
                found = frame.f_locals.get("self")
    return found


def message(error):
    """Its text, bounded; also of an exception whose text cannot be made."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - str() runs strategy code
        text = "(its message cannot be shown: str() of it fails)"
    if len(text) > TEXT_LENGTH:
        return f"{text[: TEXT_LENGTH // 2]} ... {text[-TEXT_LENGTH // 2 :]}"
    return text


def strategy_line(error):
    """The innermost line of the strategy that ``error`` passed through, or that does not compile."""
    if isinstance(error, SyntaxError) and error.filename == FILE:
        return error.lineno
    line = None
    for frame, number in traceback.walk_tb(TRACE(error)):
        if is_strategy(frame):
            line = number
    return line


def frames(error):
    """The frames and lines that ``error`` passed through, outermost first, without those of our own code."""
    for frame, line in traceback.walk_tb(TRACE(error)):  # there can be millions: no list of them
        if not frame.f_code.co_filename.startswith(OWN):
            yield frame, line


def last_frame(error):
    """Where ``error`` was raised, or where code of ours was called that raised it."""
    last = None
    for last, _ in frames(error):  # noqa: B007 - only the last one counts
        pass
    return last


def is_strategy(frame):
    """Whether a frame runs the strategy's own code."""
    return frame.f_code.co_filename == FILE


def source_line(line):
    """The strategy's line of that number, stripped; empty for None."""
    return linecache.getline(FILE, line).strip()[:200] if line else ""


def render(chain):
    """Python's own layout, with only the strategy's frames and the one that raised, innermost cause first."""
    blocks = []
    for error in reversed(chain):
        last = collections.deque(frames(error), maxlen=1)
        own = (found for found in frames(error) if is_strategy(found[0]))
        shown = list(collections.deque(own, maxlen=FRAMES))
        if last and not is_strategy(last[0][0]):
            shown.append(last[0])
        lines = [text for frame, line in shown for text in render_frame(frame, line)]
        blocks.append("\n".join([*lines, f"{CLASS_NAME(type(error))}: {message(error)}"]))
    text = "\n\nwhich caused:\n\n".join(blocks)
    return (
        text if len(text) <= TEXT_LENGTH else f"{text[: TEXT_LENGTH // 2]}\n...\n{text[-TEXT_LENGTH // 2 :]}"
    )


def render_frame(frame, line):
    """A frame as Python shows it."""
    path = frame.f_code.co_filename
    yield f'  File "{short(path)}", line {line}, in {frame.f_code.co_name}'
    if text := linecache.getline(path, line).strip():
        yield f"    {text[:200]}"


def short(path):
    """Inside its package folder: where the environment is on this machine is nobody's business."""
    _, found, inside = path.rpartition(f"site-packages{os.sep}")
    return inside if found else path.rpartition(os.sep)[2]
