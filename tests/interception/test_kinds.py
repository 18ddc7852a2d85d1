"""The pods of an account by what they are intercepted for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pods import RULES, pod
from small import WHO, config, load
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.interception.kinds import alike, bound, interception_of, kinds_of
from fsm_egress.resources.subjects import Pods

Wire = dict[str, Any]
ACCOUNT = ("curl", "curl")
PORTS = "outbound-port-exclusion-list"
SAYS = "sidecar-injection"


def without_port(name: str, ports: str) -> Wire:
    return pod(name, outbound_port_exclusion_list=ports)


def named(*entries: Wire) -> list[tuple[str, ...]]:
    kinds = kinds_of(load(*entries)).get(ACCOUNT, ())
    return [tuple(host.name for host in kind.hosts) for kind in kinds]


def test_the_order_of_a_list_makes_no_kind() -> None:
    entries = without_port("a", "25,26"), without_port("b", "26,25"), without_port("c", "25")
    assert named(*entries) == [("pod/a", "pod/b"), ("pod/c",)]


def test_a_pod_without_sidecar_is_a_kind_and_one_that_is_never_created_is_none() -> None:
    entries = pod("a"), pod("b", sidecar_injection="no"), pod("c", sidecar_injection="odd")
    assert named(*entries) == [("pod/a",), ("pod/b",)]
    mesh = load(*entries)
    assert interception_of(mesh, Pods(("pod/b",), *reversed(ACCOUNT))).without is not None
    assert interception_of(mesh, Pods(("pod/c",), *reversed(ACCOUNT))) == fe.resolve(mesh, "x.y").interception


def test_what_cannot_start_is_of_no_kind_but_what_runs_is() -> None:
    running = pod("b", "10.244.0.9", None, "sidecar", outbound_port_exclusion_list="70000")
    full = config({"outboundPortExclusionList": list(range(1, 16))})
    assert named(full, without_port("a", "25"), running) == [("pod/b",)]


def test_a_running_pod_has_the_lists_that_it_was_started_with() -> None:
    entries = [pod("a", "10.244.0.9", RULES, "sidecar", outbound_port_exclusion_list="25"), pod("b")]
    assert named(*entries) == [("pod/a", "pod/b")]
    unclear = pod("a", "10.244.0.9", ["-A FSM_PROXY_OUTBOUND -m odd -j RETURN", *RULES], "sidecar")
    unclear["metadata"]["annotations"] = {f"flomesh.io/{PORTS}": "25"}
    assert named(unclear, pod("b")) == [("pod/a",), ("pod/b",)]


def test_a_single_pod_has_its_own_addresses_and_several_have_none() -> None:
    mesh = load(pod("a", "10.244.0.9", None, "sidecar"), pod("b", "10.244.0.8", None, "sidecar"))
    one = interception_of(mesh, Pods(("pod/b",), "curl", "curl"))
    assert [str(prefix) for prefix in one.own] == ["10.244.0.8/32"]
    assert not interception_of(mesh, Pods(("pod/a", "pod/b"), "curl", "curl")).own


def test_only_an_account_whose_pods_differ_is_taken_apart() -> None:
    who = fe.ServiceIdentity("curl", "curl")
    other = fe.ServiceIdentity("wget", "curl")
    mesh = load(pod("a"), without_port("b", "25"))
    single = load(pod("a"))
    expected = ["pod/a.curl", "pod/b.curl", "wget.curl"]
    assert [str(it) for it in alike([who, other], mesh, single)] == expected
    assert alike([who], single) == (who,)
    assert alike([Pods(("pod/a",), "curl")], mesh) == (Pods(("pod/a",), "curl"),)


def apart(*meshes: fe.Snapshot) -> list[list[str]]:
    return [list(kind.hosts) for kind in fe.kinds_of_pods("curl.curl", *meshes) if isinstance(kind, fe.Pods)]


def test_the_kinds_of_two_meshes_are_alike_in_both() -> None:
    before = load(pod("a"), pod("b"), without_port("c", "25"))
    after = load(pod("a"), without_port("b", "80"), without_port("c", "25"), pod("d"))
    assert apart(before) == [["pod/a", "pod/b"], ["pod/c"]]
    assert apart(after) == [["pod/a", "pod/d"], ["pod/b"], ["pod/c"]]
    # `d`, which is new, is intercepted as `a` is; `b` no longer is.
    assert apart(before, after) == [["pod/a", "pod/d"], ["pod/b"], ["pod/c"]]
    assert apart(load(pod("x"))) == []


def test_pods_that_were_started_anew_under_other_names_are_the_same_kinds() -> None:
    before = load(pod("a-1"), without_port("b-1", "25"))
    after = load(pod("a-2"), without_port("b-2", "25"))
    assert apart(before, after) == [["pod/a-1", "pod/a-2"], ["pod/b-1", "pod/b-2"]]
    assert not fe.diff(before, after).changes


def test_a_change_of_one_pod_is_a_change_for_it_alone() -> None:
    entries = config({"enableEgress": False}), pod("a"), without_port("c", "25")
    changes = fe.diff(load(*entries, pod("b")), load(*entries, without_port("b", "80"))).changes
    assert [str(who) for it in changes for who in it.identities] == ["pod/b.curl"]
    assert {it.effect for it in changes} == {fe.Effect.ALLOWED}


def test_there_is_no_one_engine_for_pods_that_differ() -> None:
    mesh = load(pod("a"), without_port("b", "25"), without_port("c", "25"))
    with pytest.raises(fe.InvalidValue, match=r"not intercepted alike, such as `pod/a\.curl`, `pod/b\.curl`"):
        fe.compile(mesh, "curl.curl")
    for ask in (fe.partition, fe.verify, fe.enforceability, fe.stock_findings):
        with pytest.raises(fe.InvalidValue, match="not intercepted alike"):
            ask(mesh, "curl.curl")
    with pytest.raises(fe.InvalidValue, match="not intercepted alike"):
        fe.explain(mesh, "curl.curl", CONNECTIONS[0])
    kinds = fe.kinds_of_pods("curl.curl", mesh)
    assert [str(kind) for kind in kinds] == ["pod/a.curl", "curl.curl (pod/b, pod/c)"]
    reasons = [
        fe.compile(mesh, pod=kind).classify(CONNECTIONS[0]).reason
        for kind in kinds
        if isinstance(kind, fe.Pods)
    ]
    assert reasons == [fe.Reason.EGRESS_DISABLED, fe.Reason.NOT_INTERCEPTED]


def test_a_pod_is_bound_to_its_account() -> None:
    mesh = load(pod("a"))
    found = bound(mesh, Pods(("pod/a",), "curl"))
    assert (found.name, bound(mesh, found)) == ("curl", found)
    with pytest.raises(fe.InvalidValue, match=r"such as `pod/a\.curl`"):
        bound(mesh, Pods(("pod/z",), "curl"))
    with pytest.raises(fe.InvalidValue, match="a pod or a template of the mesh"):
        bound(mesh, Pods(("pod/z",), "shop"))


def test_a_pod_that_could_not_be_read_is_not_one_that_is_not_there() -> None:
    bad = without_port("a", "70000")
    mesh = fe.load(bad, pod("b"), strict=False)
    with pytest.raises(fe.IncompleteMesh, match="found `70000`: iptables refuses"):
        fe.resolve(mesh, "pod/a.curl")
    with pytest.raises(fe.InvalidValue, match=r"such as `pod/b\.curl`"):
        fe.resolve(mesh, "pod/c.curl")
    torn = fe.load(b"{", pod("b"), strict=False)
    with pytest.raises(fe.IncompleteMesh):
        fe.resolve(torn, "pod/c.curl")


LISTS = st.sampled_from(("25", "25,443", "443,25", "80"))
CONNECTIONS = [fe.Connection(fe.Address("54.9.9.9"), port, fe.Sends.BYTES) for port in (25, 80, 443)]


@settings(max_examples=examples(15))
@given(LISTS, st.booleans())
def test_law_a_pod_s_decision_is_its_account_s_where_all_pods_are_alike(ports: str, permissive: bool) -> None:
    mesh = load(
        config({"enablePermissiveTrafficPolicyMode": permissive}),
        without_port("a", ports),
        without_port("b", ports),
    )
    engines = [fe.Engine.compile(fe.resolve(mesh, who)) for who in (WHO, "pod/a.curl", "pod/b.curl")]
    for connection in CONNECTIONS:
        found = [engine.classify(connection) for engine in engines]  # each by the rule of its own pod
        assert len({(it.verdict, it.reason, it.targets) for it in found}) == 1


@settings(max_examples=examples(15))
@given(st.permutations("abcd"), st.lists(LISTS, min_size=4, max_size=4))
def test_law_the_order_of_pods_changes_nothing(order: list[str], lists: list[str]) -> None:
    of = dict(zip("abcd", lists, strict=True))
    assert named(*(without_port(name, of[name]) for name in order)) == named(
        *(without_port(name, of[name]) for name in "abcd")
    )
