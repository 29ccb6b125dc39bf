"""The environment variables of every process that we start for strategies."""

from __future__ import annotations

from pathlib import Path

_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "VECLIB_MAXIMUM")


def clean_environment(python: Path, home: Path) -> dict[str, str]:
    """The whole environment of a child: nothing of ours is passed on."""
    threads = {f"{name}_NUM_THREADS": "1" for name in _THREADS}
    return {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "MPLBACKEND": "Agg",
        "TQDM_DISABLE": "1",
        "NUMBA_CACHE_DIR": str(home),
        **threads,
    }
