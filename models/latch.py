"""An account whose key is refused or whose money is spent is not asked again."""

from __future__ import annotations

import threading

from models.base import Account, BaseModel
from models.errors import ModelError, UnknownModel


class AccountLatch:
    """Remembers the error that ended an account, or one model of it, and raises it for every later call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: dict[tuple[Account, str], ModelError] = {}

    def note(self, model: BaseModel, error: ModelError) -> None:
        """Take note of an error if it is a fatal one."""
        if error.fatal:
            only = model.model if isinstance(error, UnknownModel) else ""
            with self._lock:
                self._ended.setdefault((model.account, only), error)

    def check(self, model: BaseModel) -> None:
        """Raise the error that ended this model or its account, if there was one."""
        with self._lock:
            first = self._ended.get((model.account, "")) or self._ended.get((model.account, model.model))
        if first is not None:
            # A new one: raising one object in many threads would mix up their tracebacks.
            raise type(first)(first.message, hint=first.hint, status=first.status, model=first.model)
