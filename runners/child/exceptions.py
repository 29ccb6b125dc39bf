"""An exception of a strategy as JSON values: what, where, and the lines of the strategy that led there."""

import linecache
import os
import traceback

FILE = "strategy.py"
TEXT_LENGTH = 4000  # characters of a message or traceback
FRAMES = 12  # of the strategy's own in a traceback
CAUSES = 8


class NoStrategyClassError(Exception):
    """The module does not define exactly one strategy."""


def describe(error, stage):
    """``error`` as JSON values. A wrapped exception (an indicator's) is described by what caused it."""
    chain = causes(error)
    root = chain[-1]
    if isinstance(root, MemoryError):
        traceback.clear_frames(root.__traceback__)
    frames = list(traceback.walk_tb(root.__traceback__))
    last = frames[-1][0] if frames else None
    line = next((found for link in reversed(chain) if (found := strategy_line(link))), None)
    return {
        "stage": stage,
        "type": type(root).__name__,
        "bases": [base.__name__ for base in type(root).__mro__],
        "message": message(root),
        "context": message(error) if error is not root else "",
        "module": str(last.f_globals.get("__name__", "")) if last else "",
        "function": last.f_code.co_name if last else "",
        "missing": str(getattr(root, "name", None) or "") if isinstance(root, ImportError) else "",
        "line": line,
        "source_line": source_line(line),
        "traceback": render(chain),
    }


def environment_read(line, key):
    """The failure of a strategy that read an environment variable, caught or not."""
    return {
        "stage": "environment",
        "type": "EnvironmentReadError",
        "bases": [],
        "message": f"the strategy reads the environment ({key})",
        "context": "",
        "module": "",
        "function": "",
        "missing": "",
        "line": line,
        "source_line": source_line(line),
        "traceback": "",
    }


def causes(error):
    """The exception and what explicitly caused it, outermost first."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and len(chain) < CAUSES:
        chain.append(cause)
    return chain


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
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if is_strategy(frame)]
    return lines[-1] if lines else None


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
        frames = list(traceback.walk_tb(error.__traceback__))
        shown = [frame for frame in frames if is_strategy(frame[0])][-FRAMES:]
        if frames and not is_strategy(frames[-1][0]):
            shown.append(frames[-1])
        lines = [text for frame, line in shown for text in render_frame(frame, line)]
        blocks.append("\n".join([*lines, f"{type(error).__name__}: {message(error)}"]))
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
