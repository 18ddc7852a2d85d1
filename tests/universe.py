"""A small universe of connections that meshes of `random_meshes.py` tell apart: brute force is the judge.

A mesh is drawn with a change of it: one resource less, one more, or another switch.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import random_meshes
from hypothesis import strategies as st

import fsm_egress as fe
from fsm_egress.connections.payloads import HTTPRequest, Payload, Sends, TLSClientHello
from fsm_egress.values.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

Wire: TypeAlias = list[dict[str, Any]]

ADDRESSES = tuple(
    map(
        fe.Address,
        (
            "9.9.9.9",
            "10.0.0.1",
            "10.96.0.1",
            "54.1.1.1",
            "54.9.1.1",
            "54.9.9.9",
            "127.0.0.1",
            "2001:db8::5",
            "2001:db9::1",
        ),
    )
)
PORTS = (1, 80, 443, 8080, 14001)
NAMES = ("a.com", "httpbin.org", "web.shop", "other.net")
HOSTS = (*NAMES, "A.com", "a.com:80", "b.com:81", "")
REQUESTS = tuple(
    HTTPRequest(method, host, path, headers)
    for method, host, path, headers in product(
        ("GET", "DELETE", "TRACE", "PURGE"),
        HOSTS,
        ("/", "/get?x=1", "/v1/a"),
        ({}, {"x-env": "prod-1"}, {"x-env": "dev", "x-key": "7"}),
    )
)
PAYLOADS: tuple[Payload, ...] = (
    Sends.BYTES,
    Sends.NOTHING,
    Sends.DATAGRAM,
    *map(TLSClientHello, (None, *NAMES)),
    *REQUESTS,
)
UNIVERSE = tuple(fe.Connection(*parts) for parts in product(ADDRESSES, PORTS, PAYLOADS))


def drawn(count: int) -> SearchStrategy[list[fe.Connection]]:
    """Some of the universe; requests to a port and address that count are as likely as all else."""
    near = [it for it in UNIVERSE if it.port == 80 and str(it.destination) in {"54.9.9.9", "10.96.0.1"}]
    plain = [it for it in UNIVERSE if it.kind is not Sends.HTTP]
    picked = st.one_of(st.sampled_from(UNIVERSE), st.sampled_from(near), st.sampled_from(plain))
    return st.lists(picked, min_size=count, max_size=count)


def aimed(wires: Wire) -> Iterator[fe.Connection]:
    """The connections of a case of `random_meshes.py`."""
    for wire in wires:
        try:
            yield fe.Connection.from_mapping(wire)
        except InvalidValue:
            continue


@st.composite
def changes(draw: st.DrawFn) -> tuple[fe.Snapshot, fe.Snapshot]:
    """A mesh before and after: most of it is the same."""
    mesh = draw(random_meshes.meshes())
    before = fe.load(mesh)
    traffic = before.mesh_config.spec.traffic
    switches = (
        {"enableEgress": not traffic.enable_egress},
        {"enablePermissiveTrafficPolicyMode": not traffic.enable_permissive_traffic_policy_mode},
        {"outboundPortExclusionList": [80]},
    )
    policies = [document for document in mesh if document["kind"] in {"Egress", "HTTPRouteGroup"}]
    match draw(st.sampled_from(("less", "less", "switch", "other", "same"))):
        case "switch":
            return before, before.patched({"spec": {"traffic": draw(st.sampled_from(switches))}})
        case "less" if policies:
            gone = draw(st.sampled_from(policies))
            return before, fe.load([document for document in mesh if document is not gone])
        case "other":
            return before, fe.load(draw(random_meshes.meshes()))
        case _:
            return before, fe.load(mesh)
