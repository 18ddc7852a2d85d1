"""Small literal meshes for the tests of single rules: a few words for each document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from random_meshes import FLOMESH, account, mesh_config, resource

import fsm_egress as fe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_egress.connections.decision import Decision, TrafficMatch
    from fsm_egress.policy import OutboundPolicy
    from fsm_egress.values.references import FieldRef

Document = dict[str, Any]
Entry = Document | list[Document]

WHO = "curl.curl"
ROUTES = "specs.smi-spec.io/v1alpha4"


def whole(decision: Decision) -> tuple[Decision, TrafficMatch | None, tuple[FieldRef, ...]]:
    """A decision, with how the connection came there, which is not compared by itself."""
    return decision, decision.match, decision.considered


def config(traffic: Document | None = None, **spec: Document) -> Document:
    """The MeshConfig: permissive, with the egress policies switched on, unless said otherwise."""
    switches = {"enablePermissiveTrafficPolicyMode": True, **(traffic or {})}
    flags = {"enableEgressPolicy": True, **spec.pop("featureFlags", {})}
    return mesh_config("v1alpha3", {"traffic": switches, "featureFlags": flags, **spec})


def egress(
    name: str, *ports: str, space: str = "curl", mtls: Document | None = None, **spec: Any
) -> Document:
    """An Egress policy of `curl.curl`; a port is `http 80`."""
    entries = [port.split() for port in ports]
    source = {**account(WHO), **({"mtls": mtls} if mtls else {})}
    listed = [{"number": int(number), "protocol": protocol} for protocol, number in entries]
    return resource(FLOMESH, "Egress", space, name, spec={"sources": [source], "ports": listed, **spec})


def ports(*entries: str) -> list[Document]:
    """Ports as they stand in a Service: `http-web 80`, `http-web 80 8080` with the port of the pods."""
    split = [entry.split() for entry in entries]
    return [{"name": name, "port": int(number)} for name, number, *_ in split]


def service(
    name: str,
    *entries: str,
    space: str = "shop",
    ip: str = "10.96.0.1",
    pods: Iterable[str | Document] = ("10.0.0.1",),
    **spec: Any,
) -> list[Document]:
    """A Service with a selector, and its Endpoints; `ip` may be `None`, a pod an address with a hostname."""
    targets = [{"name": entry.split()[0], "port": int(entry.split()[-1])} for entry in entries]
    addresses = [pod if isinstance(pod, dict) else {"ip": pod} for pod in pods]
    return [
        resource(
            "v1",
            "Service",
            space,
            name,
            spec={"clusterIP": ip, "selector": {"app": name}, "ports": ports(*entries), **spec},
        ),
        resource("v1", "Endpoints", space, name, subsets=[{"addresses": addresses, "ports": targets}]),
    ]


def routes(name: str, *matches: Document, space: str = "curl") -> Document:
    named = [{"name": f"m{index}", **match} for index, match in enumerate(matches)]
    return resource(ROUTES, "HTTPRouteGroup", space, name, spec={"matches": named})


def flat(entries: Iterable[Entry]) -> list[Document]:
    return [item for entry in entries for item in (entry if isinstance(entry, list) else [entry])]


def load(*entries: Entry) -> fe.Snapshot:
    """The mesh of these documents; a permissive MeshConfig is added where there is none."""
    listed = flat(entries)
    given = any(document["kind"] == "MeshConfig" for document in listed)
    return fe.load(listed if given else [config(), *listed])


def resolved(*entries: Entry) -> OutboundPolicy:
    """What governs `curl.curl`."""
    return fe.resolve(load(*entries), WHO)


def found(policy: OutboundPolicy) -> list[tuple[str, str]]:
    """The findings: code, and where."""
    return [(finding.code.code, str(finding.rule)) for finding in policy.findings]
