"""The two readings of a mesh for one identity, each in one call, and the sidecar's files."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any

from attrs import evolve

from .engine import Engine
from .resolution import resolve
from .resolution.everyone import unnamed
from .resolution.outline import Outline
from .resources.subjects import AnyOtherAccount, Pods, read_pods, read_subject
from .snapshot import Snapshot
from .values.errors import InvalidValue, Problem
from .values.typed import takes

if TYPE_CHECKING:
    from .pipy.config import PipyConfig
    from .policy import OutboundPolicy
    from .resources.subjects import Subject

__all__ = ["compile", "pipy_codebase", "pipy_config"]


@takes(mesh=Snapshot)
def compile(  # noqa: A001  # because this is what it does, as in `re`
    mesh: Snapshot,
    identity: Subject | str | None = None,
    *,
    pod: Pods | str | None = None,
    incomplete: bool = False,
) -> Engine:
    """The engine that decides about the connections of an account, or of a pod.

    Args:
        mesh: the resources.
        identity: whose connections: `name.namespace`, `any other account`, or as `pod` has it.
        pod: the pod `curl-0.shop`, or the template of pods `deployment/curl.shop`; or one of the kinds that
            `kinds_of_pods` tells of. It stands instead of `identity`.
        incomplete: whether the mesh may be one of which documents could not be read; each decision then
            carries what it was made `without`.

    Raises:
        InvalidValue: the text is no identity, there is no such pod, both or none is given; or the pods of the
            account are not intercepted alike, so that there is no one answer (`kinds_of_pods`).
        IncompleteMesh: a tolerant load left out what decisions may hang on, or the pod itself.
    """
    who = identity if pod is None else read_pods(pod)
    if who is None or (identity is not None and pod is not None):
        raise InvalidValue(Problem("either an identity or a pod", "none of them" if who is None else "both"))
    engine = Engine.compile(Outline.of(mesh, read_subject(who)), incomplete=incomplete)
    names = unnamed([engine.identity], mesh)
    return evolve(engine, unnamed=names[0]) if names else engine


@takes(mesh=Snapshot, carried=(Mapping, NoneType))
def pipy_config(
    mesh: Snapshot,
    identity: Subject | str,
    carried: Mapping[str, Any] | None = None,
    *,
    fsm: str | None = None,
) -> PipyConfig:
    """The `config.json` that the sidecar of `identity` reads.

    Args:
        mesh: the resources.
        identity: `name.namespace`, or a pod; all pods of an account read the same config.
        carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.
        fsm: the version of FSM whose scripts read it, `1.4` or `1.3.7`; None for 1.5 to 1.7.

    Raises:
        InvalidValue: the text is no identity, `carried` has another key, or `fsm` is no version.
    """
    from .pipy.config import in_version, write_config  # noqa: PLC0415  # because who only decides needs none
    from .pipy.versions import fsm_version  # noqa: PLC0415  # because who only decides needs no config

    written = write_config(_resolved(mesh, identity), carried)
    return written if fsm is None else in_version(written, fsm_version(fsm))


@takes(mesh=Snapshot, carried=(Mapping, NoneType), shadow=(Snapshot, NoneType), observe=bool)
def pipy_codebase(
    mesh: Snapshot,
    identity: Subject | str,
    carried: Mapping[str, Any] | None = None,
    *,
    enforce: bool = False,
    shadow: Snapshot | None = None,
    observe: bool = False,
    log_to: str | None = None,
    log_sample: float = 1,
) -> dict[str, bytes]:
    """The files that the sidecar of `identity` needs besides FSM's scripts, by their paths in its codebase.

    They are `config.json`, or `config.json.gz` where the mesh compresses configs; and, to `enforce` what the
    stock scripts cannot, or to log what a sidecar sees, the module `modules/fsm-egress.js`, with the config
    that makes them use it; to log, `modules/fsm-egress-observing.js` beside it. What is logged are JSON lines
    that `replay` and `learn` read.

    Args:
        mesh: the resources that the sidecar obeys.
        identity: `name.namespace`, or a pod; all pods of an account read the same config.
        carried: `Inbound`, `Certificate`, `AllowedEndpoints` and `Probes`, written as they are given.
        enforce: whether the sidecar enforces what the stock scripts cannot.
        shadow: a mesh whose policies are asked and not obeyed: what they would refuse, and the sidecar lets
            through, is logged.
        observe: whether every connection is logged, and each request of those that are HTTP.
        log_to: the URL of an HTTP endpoint that batches are posted to; by default standard output.
        log_sample: the share of connections that is looked at, chosen by chance; by default all.

    Raises:
        InvalidValue: the text is no identity, `carried` has another key, `log_to` is no URL of HTTP,
            `log_sample` is no share, or the mesh puts other modules in the place of FSM's.
        IncompleteMesh: a tolerant load left out what the shadow may refuse.
    """
    from .pipy.config import write_config  # noqa: PLC0415  # because who only decides needs no config
    from .pipy.enforcement import MODULE, OBSERVER, module_source, write_enforced_config  # noqa: PLC0415  # ditto

    policy = _resolved(mesh, identity)
    config = write_enforced_config(policy, carried) if enforce else write_config(policy, carried)
    scripts = {MODULE: module_source()} if enforce else {}
    if observe or shadow is not None:
        from .pipy import observing  # noqa: PLC0415  # because few look on

        asked = None if shadow is None else _resolved(shadow, identity)
        seen = observing.Observation(observe, asked, log_to, log_sample)
        config = observing.observed_config(config, policy, seen)
        scripts = {MODULE: module_source(), OBSERVER: observing.observer_source()}
    content = config.to_gzip() if config.compressed else config.to_json()
    return {config.file_name: content, **scripts}


def _resolved(mesh: Snapshot, identity: Subject | str) -> OutboundPolicy:
    """The policy of an account or a pod: a sidecar is that of one."""
    who = read_subject(identity)
    if isinstance(who, AnyOtherAccount):
        raise InvalidValue.of("a service identity `name.namespace`, or a pod", str(who))
    return resolve(mesh, who)
