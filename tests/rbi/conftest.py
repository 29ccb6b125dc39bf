"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from rbi_commands import Commands


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """Runs commands, each in a process of its own."""
    with closing(Commands()) as commands:
        yield commands
