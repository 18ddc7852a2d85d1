"""Profiles of the property tests: the usual one, and a long one: a million connections for the engine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "long", settings.get_profile("usual"), max_examples=42_000, suppress_health_check=list(HealthCheck)
)
settings.load_profile("usual")
