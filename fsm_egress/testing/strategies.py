"""Hypothesis strategies for meshes, policies and connections: to test policies, and whatever reads them.

Ten lines test somebody's own policies (the extra `hypothesis` brings what they need):

    >>> from hypothesis import given, settings
    >>> import fsm_egress as fe
    >>> from fsm_egress import strategies as fst
    >>> mesh = fe.load("examples/egress-demo/mesh-config.yaml", "examples/egress-demo/http.yaml")
    >>> engine = fe.compile(mesh, "curl.curl")
    >>> @given(fst.connections_near(mesh, "curl.curl"))
    ... @settings(max_examples=50, database=None)
    ... def test_only_httpbin_is_reached(connection):
    ...     decision = engine.classify(connection)
    ...     if decision.verdict is fe.Verdict.EGRESS_POLICY:
    ...         assert connection.sends.authority in {"httpbin.org", "httpbin.org:80"}
    >>> test_only_httpbin_is_reached()

What is drawn is made to collide: few ports, hosts, names and prefixes, so that rules meet. Examples shrink to
few and plain resources. Where this package is installed, Hypothesis knows its types: it draws
`st.from_type(fe.Connection)` without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..connections.connection import Connection
from ..connections.decision import Reason, Verdict
from ..connections.payloads import HTTPRequest, TLSClientHello
from ..resources.core import Endpoints, Service
from ..resources.egress import EgressPolicy
from ..resources.kinds import KINDS
from ..resources.meshconfig import MeshConfig
from ..resources.resource import ServiceIdentity
from ..resources.smi import HTTPRouteGroup
from ..snapshot import Snapshot
from ..values.net import Address, Prefix
from .connections_near import connections_near
from .hypothesis_extra import st
from .parts import addresses, connections, hosts, identities, ports, prefixes, requests
from .resources import (
    PLAIN,
    documents,
    egress_policies,
    http_route_groups,
    invalid_documents,
    mesh_configs,
    meshes,
    renamed,
    resource_of,
    service_documents,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy


__all__ = [
    "addresses",
    "connections",
    "connections_near",
    "documents",
    "egress_policies",
    "hosts",
    "http_route_groups",
    "identities",
    "invalid_documents",
    "mesh_configs",
    "meshes",
    "ports",
    "prefixes",
    "requests",
]


def _lazily(strategy: Callable[[], SearchStrategy[Any]]) -> Callable[[type[Any]], SearchStrategy[Any]]:
    return lambda _: strategy()


def _among_services(kind: type[Any]) -> Callable[[], SearchStrategy[Any]]:
    index = (Service, Endpoints).index(kind)
    return lambda: resource_of(kind, service_documents().map(lambda pair: pair[index]))


def _of_plain(kind: type[Any]) -> Callable[[], SearchStrategy[Any]]:
    return lambda: resource_of(kind, renamed(PLAIN[kind.__name__]))


def _register() -> None:
    """Tell Hypothesis of the types of this package."""
    simple: dict[type[Any], Callable[[], SearchStrategy[Any]]] = {
        Address: addresses,
        Prefix: prefixes,
        ServiceIdentity: identities,
        HTTPRequest: requests,
        TLSClientHello: lambda: st.builds(TLSClientHello, st.none() | hosts()),
        Connection: connections,
        EgressPolicy: egress_policies,
        HTTPRouteGroup: http_route_groups,
        MeshConfig: mesh_configs,
        Snapshot: meshes,
        Verdict: lambda: st.sampled_from(Verdict),
        Reason: lambda: st.sampled_from(Reason),
    }
    for kind, strategy in simple.items():
        st.register_type_strategy(kind, _lazily(strategy))
    for kind in (Service, Endpoints):
        st.register_type_strategy(kind, _lazily(_among_services(kind)))
    for kind in KINDS:
        if kind.__name__ in PLAIN:
            st.register_type_strategy(kind, _lazily(_of_plain(kind)))


_register()
