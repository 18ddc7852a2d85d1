"""Logs replayed on Dask: the public door to `replaying.on_dask`."""

from __future__ import annotations

from .replaying.on_dask import *  # noqa: F403  # because what is public there is public here
from .replaying.on_dask import __all__  # noqa: F401  # ditto
