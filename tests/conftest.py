"""What holds for every test, before any is read."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def pytest_configure() -> None:
    # The machine may be busy, and may stand still for seconds: no example and no drawing of one has a time limit.
    # The examples are the same on every machine and in every run, whatever was found before or is in CI.
    settings.register_profile(
        "unhurried", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("unhurried")
