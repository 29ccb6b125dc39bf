"""Places of syntax in the text, and edits of the text that leave everything else as it is."""

from __future__ import annotations

import ast
import difflib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from rbi.repairs.findings import Edit, Proposal

_LINE_END = re.compile(r"\r\n|\r|\n")


class Text:
    """A source with the places of its syntax nodes; nodes give columns in bytes, edits count in characters."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(source))]

    def offset(self, line: int, column: int) -> int:
        """Where a node's line (from 1) and column (in UTF-8 bytes) is."""
        start = self._starts[line - 1]
        text = self.source[start : start + column]
        if text.isascii():
            return start + column
        return start + len(self.line(line).encode()[:column].decode())

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Where a node begins."""
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Where a node ends."""
        return self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def of(self, node: ast.expr | ast.stmt) -> str:
        """A node's own text, without parentheses around it."""
        return self.source[self.start(node) : self.end(node)]

    def line(self, number: int) -> str:
        """A line with its line end."""
        after = self._starts[number] if number < len(self._starts) else len(self.source)
        return self.source[self._starts[number - 1] : after]

    def line_at(self, offset: int) -> int:
        """The number of the line that an offset is in."""
        return bisect_right(self._starts, offset)

    def replace(self, node: ast.expr | ast.stmt, text: str) -> Edit:
        """The edit that puts ``text`` in place of a node."""
        return Edit(self.start(node), self.end(node), text)

    def cut(self, start: ast.expr, end: ast.expr, text: str = "") -> Edit:
        """The edit that replaces what lies between the end of one node and the end of another around it."""
        return Edit(self.end(start), self.end(end), text)

    def line_end(self) -> str:
        """How lines end here."""
        match = _LINE_END.search(self.source)
        return match[0] if match else "\n"

    def starts_line(self, node: ast.stmt) -> bool:
        """Whether nothing but blanks stands before a statement on its line."""
        return not self.source[self._starts[node.lineno - 1] : self.start(node)].strip()

    def ends_line(self, node: ast.stmt) -> bool:
        """Whether nothing but a comment stands behind a statement on its line."""
        rest = self.line(node.end_lineno or node.lineno)
        behind = rest.encode()[node.end_col_offset :].decode().strip()
        return not behind or behind.startswith("#")

    def without(self, node: ast.stmt) -> Edit | None:
        """The edit that takes out a statement's lines; ``None`` if it shares one with another statement."""
        if not (self.starts_line(node) and self.ends_line(node)):
            return None
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        last = node.end_lineno or node.lineno
        after = self._starts[last] if last < len(self._starts) else len(self.source)
        return Edit(self._starts[first - 1], after, "")

    def apply(self, edits: Iterable[Edit]) -> str:
        """The source with edits made that do not overlap."""
        pieces, position = [], 0
        for edit in sorted(edits, key=lambda e: (e.start, e.end)):
            pieces += [self.source[position : edit.start], edit.text]
            position = edit.end
        return "".join([*pieces, self.source[position:]])

    def origins(self, edits: Iterable[Edit]) -> list[int]:
        """For each line after the edits, the number of the line it was before."""
        origins, position = [1], 0
        for edit in sorted(edits, key=lambda e: (e.start, e.end)):
            origins += self._line_starts(position, edit.start)
            origins += [self.line_at(edit.start)] * len(_LINE_END.findall(edit.text))
            if not edit.text:
                origins[-1] = self.line_at(edit.end)
            position = edit.end
        return origins + list(self._line_starts(position, len(self.source)))

    def _line_starts(self, start: int, end: int) -> Iterator[int]:
        for number in range(bisect_right(self._starts, start), bisect_right(self._starts, end)):
            yield number + 1


def compatible(proposals: Iterable[Proposal]) -> list[Proposal]:
    """Those of the proposals, in their order, that overlap with none before them."""
    taken: list[Edit] = []
    chosen = []
    for proposal in proposals:
        if not any(_overlap(a, b) for a in proposal.edits for b in taken):
            taken += proposal.edits
            chosen.append(proposal)
    return chosen


def _overlap(a: Edit, b: Edit) -> bool:
    if a.start == b.start:
        return True
    return a.start < b.end and b.start < a.end


def difference(before: str, after: str) -> str:
    """A unified diff with a line of context and without file names."""
    lines = difflib.unified_diff(_lines(before), _lines(after), n=1, lineterm="")
    return "\n".join(list(lines)[2:])


def _lines(source: str) -> Sequence[str]:
    return _LINE_END.split(source)
