"""What holds for every test, before any is read."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

# Of whoever runs the tests: what would choose a model, a service or a folder, or how output is written.
_OF_THE_CALLER = ("RBI_", "OPENAI_", "ANTHROPIC_", "OLLAMA_")
_OF_ANY_PROVIDER = ("_API_KEY", "_BASE_URL")
_OF_OUTPUT = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"}
_OURS = "localhost,127.0.0.1,::1,.test"  # a proxy is for what is elsewhere


def pytest_configure(config: pytest.Config) -> None:
    for name in list(os.environ):
        if name.startswith(_OF_THE_CALLER) or name.endswith(_OF_ANY_PROVIDER) or name in _OF_OUTPUT:
            del os.environ[name]
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), _OURS)))
    if not os.access(
        os.environ.get("HOME", ""), os.W_OK
    ):  # else what is kept there, uv's cache too, saves time
        home = TemporaryDirectory(prefix="rbi-tests-")
        config.add_cleanup(home.cleanup)
        os.environ["HOME"] = home.name
    # The machine may be busy, and may stand still for seconds: no example and no drawing of one has a time limit.
    # The examples are the same on every machine and in every run, whatever was found before or is in CI.
    settings.register_profile(
        "unhurried", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("unhurried")
