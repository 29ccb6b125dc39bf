"""How much a run may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use, in bytes unless named otherwise. Memory and file size are counted for each process.

    ``output_bytes`` is standard output and standard error together, ``kept_bytes`` what is kept of the head,
    and of the tail, of each. ``scratch_bytes`` and ``scratch_files`` are all that is in the work folder together.
    """

    memory_bytes: int = 4 << 30
    file_bytes: int = 64 << 20
    scratch_bytes: int = 256 << 20
    scratch_files: int = 4096
    open_files: int = 256
    output_bytes: int = 32 << 20
    result_bytes: int = 256 << 20
    kept_bytes: int = 32 << 10

    def rlimits(self, cpu_s: int) -> dict[str, int]:
        """By the names of the `resource` module."""
        return {
            "RLIMIT_CORE": 0,
            "RLIMIT_CPU": cpu_s,
            "RLIMIT_DATA": self.memory_bytes,
            "RLIMIT_FSIZE": self.file_bytes,
            "RLIMIT_NOFILE": self.open_files,
        }
