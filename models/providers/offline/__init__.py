"""The offline writer: a rule-based strategist that needs no key, no network and no language model."""

from models.providers.offline.writer import RULES_VERSION, OfflineWriter

__all__ = ["RULES_VERSION", "OfflineWriter"]
