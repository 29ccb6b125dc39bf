"""Optimization without processes: what `Backtest.optimize` and `MultiBacktest` need of a pool and of shared memory.

Where no process may be started, the tasks run one after another in this one. They still go through pickle, because
what cannot be pickled fails in a real pool too, and each task gets copies of its own.
"""

import itertools
import random
from multiprocessing.reduction import ForkingPickler

import numpy as np


class SerialPool:
    """`backtesting.Pool`. What the tasks draw from the random generators, a real pool draws in other processes.

    ``working`` says whether a task is going on: what it does, plain python does out of the script's sight.
    """

    working = False

    def __init__(self, processes=None, initializer=None, initargs=()):  # noqa: ARG002 - a real pool's signature
        if initializer is not None:
            initializer(*initargs)

    def __enter__(self):
        self._random = random.getstate(), np.random.get_state()
        return self

    def __exit__(self, *_exception):
        random.setstate(self._random[0])
        np.random.set_state(self._random[1])

    def imap(self, function, tasks, chunksize=1):  # noqa: ARG002 - a real pool's signature
        """The results, in the order of the tasks, computed as they are asked for."""
        return (run_task(function, task) for task in tasks)


def run_task(function, task):
    """``function(task)``, of copies of both."""
    function, task = ForkingPickler.loads(ForkingPickler.dumps((function, task)))
    before, SerialPool.working = SerialPool.working, True
    try:
        return function(task)
    finally:
        SerialPool.working = before


class LocalMemory:
    """`multiprocessing.shared_memory.SharedMemory` within one process: blocks of memory that have names."""

    _blocks = {}  # noqa: RUF012 - all of them share it
    _numbers = itertools.count()

    def __init__(self, name=None, create=False, size=0, *, track=True):  # noqa: ARG002 - the original's signature
        if create:
            if size <= 0:
                raise ValueError("'size' must be a positive number different from zero")
            name = name or f"local_{next(self._numbers)}"
            self._blocks[name] = bytearray(size)
        elif name not in self._blocks:
            raise FileNotFoundError(2, "No such file or directory", name)
        self.name = name
        self.buf = memoryview(self._blocks[name])
        self.size = len(self.buf)

    def close(self):
        """Nothing: arrays may still look into it, and it goes when they do."""

    def unlink(self):
        """Forget the block's name."""
        self._blocks.pop(self.name, None)


def install():
    """Put both in place. backtesting must have been imported."""
    import backtesting
    from backtesting import _util

    backtesting.Pool = SerialPool
    _util.SharedMemory = LocalMemory
