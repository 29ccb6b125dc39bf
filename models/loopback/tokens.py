"""How many tokens a question and its answer count, and which of them a prompt cache would have spared."""

from __future__ import annotations

import threading

from models.base import Usage
from models.loopback.answers import Asked, Reply

CHARACTERS_PER_TOKEN = 4

_SHORTEST_CACHED = 1024
_OPENAI_CACHES_IN_BLOCKS_OF = 128


def count_tokens(text: str) -> int:
    """A quarter of the characters, rounded down."""
    return len(text) // CHARACTERS_PER_TOKEN


class PromptCache:
    """Remembers the prefixes it was shown, for ever: a prefix of 1,024 tokens or more is read the second time.

    Anthropic's protocol reports (and charges) the writing as well; OpenAI's reads in blocks of 128 tokens.
    """

    def __init__(self) -> None:
        self._kept: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()

    def look_up(self, asked: Asked) -> tuple[int, int]:
        """Tokens read from the cache and tokens written to it; the prefix is kept from now on."""
        tokens = count_tokens(asked.prefix)
        if tokens < _SHORTEST_CACHED:
            return 0, 0
        key = (asked.protocol, asked.model, asked.prefix)
        with self._lock:
            known = key in self._kept
            self._kept.add(key)
        if asked.protocol == "openai":
            return (tokens - tokens % _OPENAI_CACHES_IN_BLOCKS_OF if known else 0), 0
        return (tokens, 0) if known else (0, tokens)


def usage_of(asked: Asked, reply: Reply, cache: PromptCache | None = None) -> Usage:
    """What the answer uses: as the reply says, else counted; ``cache`` has no say where the reply has one."""
    read, written = reply.cached_tokens, reply.cache_write_tokens
    sent = reply.input_tokens
    if sent is None:
        sent = asked.input_tokens + read + written
        if cache is not None and not read and not written:
            read, written = cache.look_up(asked)
    answered = reply.output_tokens
    if answered is None:
        answered = count_tokens(reply.text) + reply.reasoning_tokens
    return Usage(sent, answered, read, written, reply.reasoning_tokens)
