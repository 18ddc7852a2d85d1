"""The parts that configs share are written and read once, as each config would have them by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import cases
from small import config, egress, load, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.pipy.config import config_tree
from fsm_egress.pipy.enforcement import enforced_tree
from fsm_egress.pipy.parts import Ordered, Parts, canonical
from fsm_egress.pipy.scripts import read_outbound
from fsm_egress.values.frozen import thaw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_egress.pipy.scripts import OutboundConfig
    from fsm_egress.policy import OutboundPolicy

Wire = dict[str, Any]
Case = tuple[list[Any], str, list[Wire]]

WRITERS = (config_tree, enforced_tree)


def written(policy: OutboundPolicy, *, enforce: bool, parts: Parts | None = None) -> Mapping[str, Any]:
    return canonical(WRITERS[enforce](policy, {}, parts))


def told(read: OutboundConfig) -> list[str]:
    """All that was read, in its order."""
    matches = [
        repr(evolve(match, hosts=plain(match.hosts), rules=plain(match.rules)))
        for listed in read.matches.values()
        for match in listed
    ]
    return [*matches, repr(evolve(read, matches={}))]


def plain(mapping: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if mapping is None else dict(mapping)


@settings(max_examples=examples(25))
@given(cases(1), st.randoms(use_true_random=False))
def test_law_what_is_written_and_read_for_others_changes_nothing(case: Case, order: Any) -> None:
    mesh, parts = fe.load(case[0]), Parts()
    whom = [(who, enforce) for who in (case[1], *map(str, mesh.identities())) for enforce in (False, True)]
    order.shuffle(whom)
    for who, enforce in whom[:4]:
        policy = fe.resolve(mesh, who)
        shared, alone = (written(policy, enforce=enforce, parts=it) for it in (parts, None))
        assert json.dumps(thaw(shared)) == json.dumps(thaw(alone))
        assert told(read_outbound(shared, parts.read)) == told(read_outbound(alone))


def test_what_is_reached_in_the_mesh_is_written_once_and_read_once_for_all() -> None:
    mesh = load(config(), service("web", "http-web 80"), egress("own", "tcp 80", ipAddresses=["54.0.0.0/8"]))
    parts = Parts()
    trees = [
        written(fe.resolve(mesh, who), enforce=enforce, parts=parts)
        for who in ("curl.curl", "wget.curl")
        for enforce in (False, True)
    ]
    first = trees[0]["Outbound"]
    for tree in trees:
        outbound = tree["Outbound"]
        assert isinstance(outbound["TrafficMatches"]["80"][0], Ordered)
        assert outbound["TrafficMatches"]["80"][0] is first["TrafficMatches"]["80"][0]
        assert outbound["ClustersConfigs"]["shop/web|80"] is first["ClustersConfigs"]["shop/web|80"]
    read = [read_outbound(tree, parts.read) for tree in trees]
    assert len({id(it.matches["80"][0]) for it in read}) == 1
    assert len({id(it.clusters["shop/web|80"]) for it in read}) == 1
    assert [len(it.matches["80"]) for it in read] == [2, 2, 1, 1]


def test_what_a_module_changes_is_written_apart() -> None:
    gone = service("gone", "tcp-x 3306", pods=[])
    policy, parts = fe.resolve(load(config(), gone), "curl.curl"), Parts()
    plain, enforced = (written(policy, enforce=it, parts=parts) for it in (False, True))
    (match,), (other,) = (it["Outbound"]["TrafficMatches"]["3306"] for it in (plain, enforced))
    assert (match.get("Enforce"), other.get("Enforce")) == (None, {"Accept": []})
