"""A hosted service as a row of a table: its name, where it is, and which variables configure it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """One provider of models. ``default_model`` is used when only the provider is named."""

    name: str
    key_variable: str
    base_url_variable: str
    default_base_url: str
    default_model: str
    aliases: tuple[str, ...] = ()
