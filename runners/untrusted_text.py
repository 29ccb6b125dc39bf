"""Text that a strategy wrote, made safe to show: no terminal control, no bidi tricks, a bounded length."""

from __future__ import annotations

import re

# C0 and C1 controls but not newline and tab; marks that reorder, hide or break text; surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def neutralise(text: str, limit: int | None = None) -> str:
    """``text`` with every unsafe character written out (``\\x1b``) and, past ``limit`` characters, its middle cut.

    Carriage returns become newlines.
    """
    if limit is not None and len(text) > limit:
        half = limit // 2
        text = f"{text[:half]} ... {len(text) - 2 * half} characters cut ... {text[-half:]}"
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSAFE.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
