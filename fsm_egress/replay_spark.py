"""Logs replayed on Spark: the public door to `replaying.on_spark`."""

from __future__ import annotations

from .replaying.on_spark import *  # noqa: F403  # because what is public there is public here
from .replaying.on_spark import __all__  # noqa: F401  # ditto
