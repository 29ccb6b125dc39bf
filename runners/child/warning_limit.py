"""Keeps a warning that repeats thousands of times (one for each cancelled order) from becoming the output."""

import atexit
import collections
import sys
import warnings

SHOWN = 20  # for each place in the code that warns


def limit_warnings():
    """From now on a place that warns is shown `SHOWN` times; how many more there were is said at the end."""
    seen = collections.Counter()

    def show(message, category, filename, lineno, file=None, line=None):  # noqa: ARG001 - as in warnings
        place = (category.__name__, filename, lineno)
        seen[place] += 1
        if seen[place] <= SHOWN:
            print(f"{category.__name__}: {message}", file=file or sys.stderr)

    def count():
        for (name, _, _), n in seen.items():
            if n > SHOWN:
                print(f"{name}: {n - SHOWN} more from the same place", file=sys.stderr)

    warnings.showwarning = show
    atexit.register(count)
