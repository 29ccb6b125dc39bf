"""What a rule is that names an exception of a strategy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runners.base import FailureKind, Mode

ENGINE = "backtesting.backtesting"
BARS = (
    "Bars come from the runner as self.data with Open, High, Low, Close and Volume; there is no other data."
)
FILE = "The dataset is the only data: read it with pd.read_csv, from any path that ends in .csv."


@dataclass(frozen=True, slots=True)
class Rule:
    """Names an exception. A field left empty matches everything; the first rule that matches wins.

    ``bases`` are classes of the exception, ``owner`` classes of the object that lacks an attribute. ``module`` (its
    beginning) and ``functions`` say where it was raised. ``message``, ``context`` (the message of the exception
    that it caused) and ``source`` (the strategy's line) are patterns to be found. ``script_hint`` is for scripts, if
    it is another one.
    """

    kind: FailureKind
    hint: str
    script_hint: str = ""
    stage: str = ""
    bases: frozenset[str] = frozenset()
    owner: frozenset[str] = frozenset()
    module: str = ""
    functions: frozenset[str] = frozenset()
    message: str = ""
    context: str = ""
    source: str = ""

    def matches(self, error: Mapping[str, Any]) -> bool:
        """Whether this is ``error``'s rule; it has the texts and lists of names of an exception's description."""
        return (
            (not self.stage or self.stage == error["stage"])
            and (not self.bases or not self.bases.isdisjoint(error["bases"]))
            and (not self.owner or not self.owner.isdisjoint(error["owner"]))
            and error["module"].startswith(self.module)
            and (not self.functions or error["function"] in self.functions)
            and all(
                re.search(getattr(self, name), error[found]) is not None
                for name, found in (("message", "message"), ("context", "context"), ("source", "source_line"))
            )
        )

    def advice(self, mode: Mode) -> str:
        """The hint for a strategy class or a script."""
        return self.script_hint if self.script_hint and mode is Mode.SCRIPT else self.hint


def names(text: str) -> frozenset[str]:
    """Of names between blanks."""
    return frozenset(text.split())
