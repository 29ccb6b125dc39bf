"""How long a server lets its callers wait: a fixed time, or one drawn from a distribution with a seed."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable

Latency = Callable[[], float]

_FORMS = "SECONDS, uniform:LOW,HIGH or lognormal:MEDIAN,SIGMA"


class Uniform:
    """Seconds between ``low_s`` and ``high_s``, each as likely as the other."""

    def __init__(self, low_s: float, high_s: float, seed: int = 0) -> None:
        self._low_s, self._high_s = low_s, high_s
        self._random = random.Random(seed)  # noqa: S311 - a rehearsal wants the same numbers again
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """The next time in seconds."""
        with self._lock:
            return self._random.uniform(self._low_s, self._high_s)


class Lognormal:
    """Seconds around ``median_s`` with a long tail, as real answers have.

    About two thirds of the times lie between ``median_s / e**sigma`` and ``median_s * e**sigma``.
    """

    def __init__(self, median_s: float, sigma: float, seed: int = 0) -> None:
        self._mu, self._sigma = math.log(median_s), sigma
        self._random = random.Random(seed)  # noqa: S311 - a rehearsal wants the same numbers again
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """The next time in seconds."""
        with self._lock:
            return self._random.lognormvariate(self._mu, self._sigma)


def drawn(latency: float | Latency) -> float:
    """Seconds: the number itself, or the next one of a distribution."""
    return latency() if callable(latency) else latency


def parse_latency(text: str, seed: int = 0) -> float | Latency:
    """``0.5``, ``uniform:LOW,HIGH`` or ``lognormal:MEDIAN,SIGMA``, in seconds. Raises `ValueError` for others."""
    name, colon, numbers = text.partition(":")
    try:
        values = [float(part) for part in (numbers if colon else text).split(",")]
    except ValueError:
        raise ValueError(f"{text!r} is not {_FORMS}") from None
    if not all(math.isfinite(value) and value >= 0 for value in values):
        raise ValueError(f"{text!r} has a number that is not 0 or more")
    if not colon and len(values) == 1:
        return values[0]
    if name == "uniform" and len(values) == 2 and values[0] <= values[1]:
        return Uniform(values[0], values[1], seed)
    if name == "lognormal" and len(values) == 2 and values[0] > 0:
        return Lognormal(values[0], values[1], seed)
    raise ValueError(f"{text!r} is not {_FORMS}")
