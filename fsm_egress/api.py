"""The two readings of a mesh for one identity, each in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .engine import Engine
from .pipy.config import PipyConfig, write_config
from .resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .resource import ServiceIdentity
    from .snapshot import Snapshot

__all__ = ["compile", "pipy_config"]


def compile(mesh: Snapshot, identity: ServiceIdentity | str) -> Engine:  # noqa: A001  # because this is what it does, as in `re`
    """The engine that decides about the connections of `identity` (`name.namespace`).

    Raises:
        InvalidValue: the text is no identity.
    """
    return Engine.compile(resolve(mesh, identity))


def pipy_config(
    mesh: Snapshot, identity: ServiceIdentity | str, carried: Mapping[str, Any] | None = None
) -> PipyConfig:
    """The `config.json` that the sidecar of `identity` reads.

    Args:
        mesh: the resources.
        identity: `name.namespace`.
        carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.

    Raises:
        InvalidValue: the text is no identity, or `carried` has another key.
    """
    return write_config(resolve(mesh, identity), carried)
