"""The egress decision model of FSM (Flomesh Service Mesh).

Documents become frozen resources, a set of which is a `Snapshot`; for one identity it is resolved into one
`OutboundPolicy`, and that is read twice: as the tables of an `Engine`, which decides about connections, and
as the `config.json` that the identity's sidecar reads.

    >>> import fsm_egress as fe
    >>> mesh = fe.load({"apiVersion": "config.flomesh.io/v1alpha3", "kind": "MeshConfig",
    ...                 "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
    ...                 "spec": {"traffic": {"enableEgress": True}}})
    >>> decision = fe.compile(mesh, "curl.curl").classify(fe.tls("54.9.9.9", 443, "httpbin.org"))
    >>> print(decision.verdict, decision.reason)
    PASSTHROUGH egress_enabled
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import compile, pipy_config  # noqa: A004  # because this is what it does, as in `re`
    from .checks import Protocol, ServiceAccessMode
    from .core import Endpoints, Namespace, Pod, Secret, Service, ServiceAccount
    from .decision import (
        Connection,
        Decision,
        HTTPRequest,
        Reason,
        Sends,
        Target,
        TLSClientHello,
        Verdict,
        http,
        server_first,
        tcp,
        tls,
        udp,
    )
    from .egress import EgressGateway, EgressPolicy, Retry, UpstreamTrafficSetting
    from .engine import Engine
    from .errors import (
        FSMEgressError,
        InvalidValue,
        LoadError,
        MissingExtra,
        PatchError,
        Problem,
        Severity,
    )
    from .findings import Code, Finding
    from .manifest import dump_json, dump_yaml, to_mapping
    from .meshconfig import MeshConfig
    from .net import Address, Prefix
    from .patch import apply_set, helm_set, merge_patch
    from .patterns import Pattern
    from .pipy.config import PipyConfig
    from .policy import OutboundPolicy
    from .references import FieldRef, Mark, ResourceRef, Source
    from .resolve import resolve
    from .resource import ObjectMeta, ServiceIdentity
    from .smi import HTTPRouteGroup, TrafficSplit, TrafficTarget
    from .snapshot import Snapshot, load, loads

__version__ = "0.1.0"

_HOME = {
    "api": ("compile", "pipy_config"),
    "checks": ("Protocol", "ServiceAccessMode"),
    "core": ("Endpoints", "Namespace", "Pod", "Secret", "Service", "ServiceAccount"),
    "decision": (
        "Connection",
        "Decision",
        "HTTPRequest",
        "Reason",
        "Sends",
        "TLSClientHello",
        "Target",
        "Verdict",
        "http",
        "server_first",
        "tcp",
        "tls",
        "udp",
    ),
    "egress": ("EgressGateway", "EgressPolicy", "Retry", "UpstreamTrafficSetting"),
    "engine": ("Engine",),
    "errors": (
        "FSMEgressError",
        "InvalidValue",
        "LoadError",
        "MissingExtra",
        "PatchError",
        "Problem",
        "Severity",
    ),
    "findings": ("Code", "Finding"),
    "manifest": ("dump_json", "dump_yaml", "to_mapping"),
    "meshconfig": ("MeshConfig",),
    "net": ("Address", "Prefix"),
    "patch": ("apply_set", "helm_set", "merge_patch"),
    "patterns": ("Pattern",),
    "pipy.config": ("PipyConfig",),
    "policy": ("OutboundPolicy",),
    "references": ("FieldRef", "Mark", "ResourceRef", "Source"),
    "resolve": ("resolve",),
    "resource": ("ObjectMeta", "ServiceIdentity"),
    "smi": ("HTTPRouteGroup", "TrafficSplit", "TrafficTarget"),
    "snapshot": ("Snapshot", "load", "loads"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [  # noqa: PLE0604  # because the table above is where each name stands once
    "__version__",
    *sorted(_MODULE_OF),
]


def __getattr__(name: str) -> Any:
    """Each public name is imported when it is first used."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
