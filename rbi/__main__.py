"""``python -m rbi`` is the ``rbi`` command."""

import sys

from rbi.cli import main

sys.exit(main())
