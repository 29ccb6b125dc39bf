"""A hosted service as a row of a table: its name, where it is, which variables configure it, and its habits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Service:
    """One provider of models.

    Without a ``key_variable`` it needs no key. ``default_model`` is used when only the provider is named; left
    empty, it is the first model that the server says it has.
    """

    name: str
    key_variable: str | None
    base_url_variable: str | None
    default_base_url: str
    default_model: str
    aliases: tuple[str, ...] = ()
    other_key_variables: tuple[str, ...] = ()
    """Further variables that may hold the key, when ``key_variable`` is not set."""
    bare_path: str = ""
    """What an address without any path is completed with."""
    request_period_s: float = 60.0
    """The period, in seconds, that the service's header about *requests* speaks of."""
    takes_cache_key: bool = False
    """Whether ``prompt_cache_key`` keeps equal system prompts on one machine's cache."""
    extra_body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Sent with every request, as long as the service takes it."""

    @property
    def needs_key(self) -> bool:
        """Whether it can be called only with a key."""
        return bool(self.key_variable)

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Every variable that may hold the key, the first one that is set wins."""
        return (self.key_variable, *self.other_key_variables) if self.key_variable else ()
