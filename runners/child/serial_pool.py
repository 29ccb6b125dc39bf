"""Pools without processes, and the shared memory that `Backtest.optimize` and `MultiBacktest` need besides.

Where no process may be started, the tasks run one after another in this one. They still go through pickle, because
what cannot be pickled fails in a real pool too, and each task gets copies of its own.
"""

import concurrent.futures as futures
import concurrent.futures.process as process_futures
import itertools
import multiprocessing
import multiprocessing.context
import random
import sys
from multiprocessing.reduction import ForkingPickler

import numpy as np

FILLING = {list: list.extend, dict: dict.update, set: set.update}


class SerialPool:
    """`multiprocessing.Pool` of one worker.

    ``working`` says whether a task is going on: what it does, plain python does out of the script's sight.
    """

    working = False

    def __init__(self, processes=None, initializer=None, initargs=(), maxtasksperchild=None):  # noqa: ARG002
        if processes is not None and processes < 1:
            raise ValueError("Number of processes must be at least 1")
        self._open = True
        self._worker = Worker()
        if initializer is not None:
            self._worker.run(initializer, initargs)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.terminate()

    def apply(self, func, args=(), kwds=None):
        """The result of one call."""
        self._require_open()
        return self._worker.run_task(called, (func, args, kwds or {}))

    def apply_async(self, func, args=(), kwds=None, callback=None, error_callback=None):
        """The result of one call, which is already known."""
        return SerialResult(lambda: self.apply(func, args, kwds), callback, error_callback)

    def map(self, func, iterable, chunksize=None):  # noqa: ARG002 - a real pool's signature
        """The results, in the order of the tasks."""
        return list(self.imap(func, iterable))

    def map_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        """The results, already known."""
        return SerialResult(lambda: self.map(func, iterable, chunksize), callback, error_callback)

    def starmap(self, func, iterable, chunksize=None):  # noqa: ARG002 - a real pool's signature
        """The results of calls with several arguments each."""
        return [self.apply(func, tuple(args)) for args in iterable]

    def starmap_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        """The results of calls with several arguments each, already known."""
        return SerialResult(lambda: self.starmap(func, iterable, chunksize), callback, error_callback)

    def imap(self, func, iterable, chunksize=1):  # noqa: ARG002 - a real pool's signature
        """The results, in the order of the tasks, computed as they are asked for."""
        self._require_open()
        return (self._worker.run_task(func, task) for task in iterable)

    imap_unordered = imap

    def close(self):
        """Take no more tasks."""
        self._open = False

    terminate = close

    def join(self):
        """Nothing is left to be waited for."""
        if self._open:
            raise ValueError("Pool is still running")

    def _require_open(self):
        if not self._open:
            raise ValueError("Pool not running")


class SerialResult:
    """`multiprocessing.pool.AsyncResult` of what was computed at once."""

    def __init__(self, compute, callback, error_callback):
        self._error = self._value = None
        try:
            self._value = compute()
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            self._error = error
        told = callback if self._error is None else error_callback
        if told is not None:
            told(self._value if self._error is None else self._error)

    def get(self, timeout=None):  # noqa: ARG002 - a real result's signature
        """The value; raises what the task raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def wait(self, timeout=None):
        """It is there."""

    def ready(self):
        """It is there."""
        return True

    def successful(self):
        """Whether the task raised nothing."""
        return self._error is None


class SerialExecutor(futures.Executor):
    """`concurrent.futures.ProcessPoolExecutor`."""

    def __init__(self, max_workers=None, mp_context=None, initializer=None, initargs=(), **_options):  # noqa: ARG002
        self._pool = SerialPool(max_workers, initializer, initargs)

    def submit(self, fn, /, *args, **kwargs):
        """A future that is already done."""
        future = futures.Future()
        try:
            future.set_result(self._pool.apply(fn, args, kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        return future

    def map(self, fn, *iterables, timeout=None, chunksize=1):  # noqa: ARG002 - a real executor's signature
        """The results, in the order of the tasks; what one raises, its result raises."""
        done = [self.submit(fn, *args) for args in zip(*iterables, strict=False)]
        return (future.result() for future in done)

    def shutdown(self, wait=True, *, cancel_futures=False):  # noqa: ARG002 - a real executor's signature
        """Take no more tasks."""
        self._pool.close()


def called(task):
    """A call with all its arguments."""
    function, args, named = task
    return function(*args, **named)


class Worker:
    """Has a state of its own, as another process would: what it draws and assigns, the script does not see."""

    def __init__(self):
        self._state = program_state()

    def run_task(self, function, task):
        """``function(task)``, of copies of both; what comes back is a copy, too."""
        function, task = copied((function, task))
        return copied(self.run(function, (task,)))

    def run(self, function, args):
        """``function(*args)`` in this worker's state."""
        before, SerialPool.working = SerialPool.working, True
        outside = program_state()
        put_back(self._state)
        try:
            return function(*args)
        finally:
            self._state = program_state()
            put_back(outside)
            SerialPool.working = before


def copied(value):
    """What arrives of it in another process."""
    return ForkingPickler.loads(ForkingPickler.dumps(value))


def program_state():
    """The random generators' states, and of the main program and its classes what each of their names stands for.

    Of lists, dictionaries and sets that have a name, also what is in them.
    """
    main = sys.modules["__main__"]
    classes = [value for value in vars(main).values() if isinstance(value, type)]
    owners = [main, *(value for value in classes if value.__module__ == "__main__")]
    names = [(owner, dict(vars(owner))) for owner in owners]
    named = {id(value): value for _, values in names for value in values.values()}
    filled = [(value, value.copy()) for value in named.values() if type(value) in FILLING]
    return random.getstate(), np.random.get_state(), names, filled


def put_back(state):
    """Continue with that state."""
    drawn, drawn_by_numpy, names, filled = state
    random.setstate(drawn)
    np.random.set_state(drawn_by_numpy)
    for owner, values in names:
        now = dict(vars(owner))
        for name in now.keys() - values.keys():
            delattr(owner, name)
        for name, value in values.items():
            if name not in now or now[name] is not value:
                setattr(owner, name, value)
    for value, content in filled:
        value.clear()
        FILLING[type(value)](value, content)


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
    """Put all of them in place. backtesting must have been imported."""
    import backtesting
    from backtesting import _util

    # The class in multiprocessing.pool stays: pools of threads are made of it.
    backtesting.Pool = multiprocessing.Pool = SerialPool
    multiprocessing.context.BaseContext.Pool = staticmethod(SerialPool)
    futures.ProcessPoolExecutor = process_futures.ProcessPoolExecutor = SerialExecutor
    _util.SharedMemory = LocalMemory
