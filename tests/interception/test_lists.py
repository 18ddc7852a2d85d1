"""Stage 0 as iptables was seen to do it, and a literal second reading of it."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from small import config, load

import fsm_egress as fe
from fsm_egress.engine import Engine
from fsm_egress.interception.hosts import hosts_of
from fsm_egress.interception.lists import annotated, mesh_lists, together
from fsm_egress.policy import Interception
from fsm_egress.values.net import Prefix
from fsm_egress.verification.sides import intercepted

Wire = dict[str, Any]
VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "interception.json").read_text(encoding="utf-8")
)
ANNOTATIONS = {
    "outboundIPRangeExclusionList": "outbound-ip-range-exclusion-list",
    "outboundIPRangeInclusionList": "outbound-ip-range-inclusion-list",
    "outboundPortExclusionList": "outbound-port-exclusion-list",
}
OWN = ("10.244.1.5", "172.30.0.5")  # the addresses of the pod in the observations
BY_INTERFACE = {"net1": "172.30.0.0/24"}  # what leaves by an interface there


def pod(lists: Wire, **spec: Any) -> Wire:
    annotations = {
        f"flomesh.io/{ANNOTATIONS[name]}": ",".join(map(str, entries)) for name, entries in lists.items()
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "curl-0", "namespace": "curl", "annotations": annotations},
        "spec": {"serviceAccountName": "curl", **spec},
        "status": {"podIPs": [{"ip": address} for address in OWN]},
    }


def lists_of(mesh: Wire, own: Wire) -> tuple[Interception, bool]:
    """The lists of a pod in a mesh, and whether all starts with them."""
    try:
        snapshot = load(config(mesh), pod(own))
    except fe.LoadError:
        return Interception(), False
    (host,) = hosts_of(snapshot)
    theirs, refused = annotated(host)
    both, more = together(mesh_lists(snapshot.mesh_config), theirs)
    return evolve(both, own=host.own), not (refused or more)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_every_observed_connection_is_redirected_or_not_as_it_was_seen(case: Wire) -> None:
    lists, starts = lists_of(case["mesh"], case["pod"])
    assert starts is case["loads"]
    policy = evolve(fe.resolve(load(config({"enableEgress": True})), "curl.curl"), interception=lists)
    engine = Engine.compile(policy)
    excluded = [
        BY_INTERFACE[it] for it in case["mesh"].get("networkInterfaceExclusionList", ()) if it in BY_INTERFACE
    ]
    for probe in case["probes"]:
        address = ip_address(probe["destination"])
        by_interface = any(address in ip_network(text) for text in excluded)
        if probe.get("uid") != 1500 and not by_interface:
            connection = fe.tcp(probe["destination"], probe["port"])
            assert intercepted(lists, connection) is probe["redirected"], probe
            seen = engine.classify(connection).reason is not fe.Reason.NOT_INTERCEPTED
            assert seen is probe["redirected"], probe


RANGES = st.sampled_from(
    (
        "10.0.0.0/8",
        "10.1.0.0/16",
        "54.9.9.9/32",
        "0.0.0.0/0",
        "127.0.0.0/8",
        "203.0.113.128/25",
        "10.244.1.5/32",
    )
)
LISTS = st.fixed_dictionaries(
    {},
    optional={
        "outboundIPRangeExclusionList": st.lists(RANGES, min_size=1, max_size=2),
        "outboundIPRangeInclusionList": st.lists(RANGES, min_size=1, max_size=2),
        "outboundPortExclusionList": st.lists(st.sampled_from((80, 443, 5432)), min_size=1, max_size=2),
    },
)
ADDRESSES = (
    "10.0.0.7",
    "10.1.2.3",
    "54.9.9.9",
    "127.0.0.2",
    "0.0.0.0",
    "10.244.1.5",
    "203.0.113.200",
    "198.51.100.1",
)


def redirected(mesh: Wire, own: Wire, address: str, port: int) -> bool:
    """The rules of `interception.json`, word by word."""
    at = ip_address(address)
    if at in ip_network("127.0.0.0/8") or address in {"0.0.0.0", *OWN}:  # because it is compared
        return False

    def entries(name: str) -> list[Any]:
        return [*mesh.get(name, ()), *own.get(name, ())]

    if any(at in ip_network(text) for text in entries("outboundIPRangeExclusionList")):
        return False
    if port in entries("outboundPortExclusionList"):
        return False
    included = entries("outboundIPRangeInclusionList")
    return not included or any(at in ip_network(text) for text in included)


@given(LISTS, LISTS)
def test_law_stage_0_is_the_rules_word_by_word(mesh: Wire, own: Wire) -> None:
    lists, starts = lists_of(mesh, own)
    assert starts
    for address in ADDRESSES:
        for port in (80, 25, 443):
            assert intercepted(lists, fe.tcp(address, port)) is redirected(mesh, own, address, port)


@pytest.mark.parametrize(
    ("name", "text", "kept", "by_iptables", "said"),
    [
        ("outboundPortExclusionList", "10000:10010", 0, False, "10000:10010"),
        ("outboundPortExclusionList", "", 0, False, "a port number from 1 to 65535"),
        ("outboundPortExclusionList", "80,0", 1, False, "found the string `0`"),
        ("outboundPortExclusionList", " +80 ,0443", 2, None, ""),
        ("outboundIPRangeExclusionList", "10.0.0.1", 0, False, "CIDR"),
        ("outboundIPRangeInclusionList", "10.0.0.1/8", 1, None, ""),
        ("outboundPortExclusionList", "70000,x", 0, True, "found `70000`: iptables refuses"),
        ("outboundIPRangeInclusionList", "::/0,x", 0, True, "found `::/0`: iptables refuses"),
    ],
)
def test_what_is_refused_of_an_annotation(
    name: str, text: str, kept: int, by_iptables: bool | None, said: str
) -> None:
    (host,) = hosts_of(load(pod({name: [text]})))
    lists, refused = annotated(host)
    assert len([*lists.excluded, *lists.included, *lists.excluded_ports]) == kept
    assert [it.by_iptables for it in refused][:1] == ([] if by_iptables is None else [by_iptables])
    assert not refused or said in refused[0].problem.message
    for it in refused:
        assert str(it.rule) == f"Pod curl/curl-0 metadata.annotations.flomesh.io/{ANNOTATIONS[name]}"


def test_ports_of_mesh_and_pod_count_together() -> None:
    lists, starts = lists_of(
        {"outboundPortExclusionList": list(range(1, 16))}, {"outboundPortExclusionList": [99]}
    )
    assert not starts
    _, (refusal,) = together(lists, Interception())
    assert refusal.problem.found == "16 of them of mesh and pod together"
    assert (Prefix("10.244.1.5/32") in lists.own) is True
