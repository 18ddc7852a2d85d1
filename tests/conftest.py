"""Profiles of the property tests: the usual one, and a long one: a million connections for the engine."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

HAS_PIPY = {"PIPY_BIN", "PIPY_CODEBASE"} <= set(os.environ)

# The real sidecar is asked where there is one; elsewhere what it was seen to do stands for it.
collect_ignore = [] if HAS_PIPY else ["dataplane"]


def pytest_report_header() -> str:
    """Say which of both it is."""
    kept = "PIPY_BIN and PIPY_CODEBASE are not set: its kept observations stand for it"
    return f"a real sidecar: {'asked, in dataplane' if HAS_PIPY else kept}"


settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "long", settings.get_profile("usual"), max_examples=42_000, suppress_health_check=list(HealthCheck)
)
settings.load_profile("usual")
