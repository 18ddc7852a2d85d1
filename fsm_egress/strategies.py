"""Hypothesis strategies for meshes, policies and connections: the public door to `testing.strategies`."""

from __future__ import annotations

from .testing.strategies import *  # noqa: F403  # because what is public there is public here
from .testing.strategies import __all__  # noqa: F401  # ditto
