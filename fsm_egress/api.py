"""The two readings of a mesh for one identity, each in one call, and the sidecar's files."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any

from attrs import evolve

from .engine import Engine
from .resolution import resolve
from .resolution.everyone import unnamed
from .resources.resource import ServiceIdentity
from .resources.subjects import Pods
from .snapshot import Snapshot
from .values.typed import takes

if TYPE_CHECKING:
    from .pipy.config import PipyConfig
    from .policy import OutboundPolicy
    from .resources.subjects import Subject

__all__ = ["compile", "pipy_codebase", "pipy_config"]


@takes(mesh=Snapshot)
def compile(mesh: Snapshot, identity: Subject | str, *, incomplete: bool = False) -> Engine:  # noqa: A001  # because this is what it does, as in `re`
    """The engine that decides about the connections of `identity` (`name.namespace`, `any other account`).

    Args:
        mesh: the resources.
        identity: whose connections.
        incomplete: whether the mesh may be one of which documents could not be read; each decision then
            carries what it was made `without`.

    Raises:
        InvalidValue: the text is no identity.
        IncompleteMesh: a tolerant load left out what decisions may hang on.
    """
    engine = Engine.compile(resolve(mesh, identity), incomplete=incomplete)
    names = unnamed([engine.identity], mesh)
    return evolve(engine, unnamed=names[0]) if names else engine


@takes(mesh=Snapshot, carried=(Mapping, NoneType))
def pipy_config(
    mesh: Snapshot,
    identity: ServiceIdentity | str,
    carried: Mapping[str, Any] | None = None,
    *,
    fsm: str | None = None,
) -> PipyConfig:
    """The `config.json` that the sidecar of `identity` reads.

    Args:
        mesh: the resources.
        identity: `name.namespace`.
        carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.
        fsm: the version of FSM whose scripts read it, `1.4` or `1.3.7`; None for 1.5 to 1.7.

    Raises:
        InvalidValue: the text is no identity, `carried` has another key, or `fsm` is no version.
    """
    from .pipy.config import in_version, write_config  # noqa: PLC0415  # because who only decides needs none
    from .pipy.versions import fsm_version  # noqa: PLC0415  # because who only decides needs no config

    written = write_config(_resolved(mesh, identity), carried)
    return written if fsm is None else in_version(written, fsm_version(fsm))


@takes(mesh=Snapshot, carried=(Mapping, NoneType))
def pipy_codebase(
    mesh: Snapshot,
    identity: ServiceIdentity | str,
    carried: Mapping[str, Any] | None = None,
    *,
    enforce: bool = False,
) -> dict[str, bytes]:
    """The files that the sidecar of `identity` needs besides FSM's scripts, by their paths in its codebase.

    They are `config.json`, or `config.json.gz` where the mesh compresses configs; and, to `enforce` what the
    stock scripts cannot, the module `modules/fsm-egress.js`, with the config that makes them use it
    (`spec/module.md`).

    Args:
        mesh: the resources.
        identity: `name.namespace`.
        carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.
        enforce: whether the module is among the files.

    Raises:
        InvalidValue: the text is no identity, or `carried` has another key.
    """
    from .pipy.config import write_config  # noqa: PLC0415  # because who only decides needs no config
    from .pipy.enforcement import MODULE, module_source, write_enforced_config  # noqa: PLC0415  # ditto

    policy = _resolved(mesh, identity)
    config = write_enforced_config(policy, carried) if enforce else write_config(policy, carried)
    content = config.to_gzip() if config.compressed else config.to_json()
    return {config.file_name: content, **({MODULE: module_source()} if enforce else {})}


def _resolved(mesh: Snapshot, identity: ServiceIdentity | str) -> OutboundPolicy:
    """The policy of an account: a sidecar is that of one."""
    if isinstance(identity, (ServiceIdentity, Pods)):
        return resolve(mesh, identity)
    return resolve(mesh, ServiceIdentity.parse(identity))
