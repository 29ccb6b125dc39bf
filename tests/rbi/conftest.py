"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from rbi_commands import Commands


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    """Runs commands, each in a process of its own. Not for longer: other tests look at all children of theirs."""
    with closing(Commands()) as commands:
        yield commands
