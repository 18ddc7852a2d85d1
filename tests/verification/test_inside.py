"""What is compared once for several identities is what each comparison finds by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import cases, subjects_of
from small import WHO, config, egress, load, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.division.criteria import reading_of_sidecar, redirected
from fsm_egress.division.dividing import ports_of
from fsm_egress.values.net import IPV6_START
from fsm_egress.verification.agreement import Verification, verified, verify
from fsm_egress.verification.inside import ALIKE, Compared, Known, Walk
from fsm_egress.verification.sides import Sides, own_config, own_sidecar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsm_egress.division.dividing import OnPort
    from fsm_egress.division.layers import Placed
    from fsm_egress.verification.sides import Disagreement

Case = tuple[list[Any], str, list[dict[str, Any]]]
ASKED = 4  # subjects of a mesh
SERVICE = (fe.Address("10.0.0.1"), fe.Address("10.96.0.1"))


def found_in(verification: Verification) -> tuple[object, ...]:
    return verification.classes, verification.disagreements, verification.undecided


# --- laws ------------------------------------------------------------------------------------------------


@settings(max_examples=examples(25))
@given(cases(1), st.randoms(use_true_random=False))
def test_law_what_was_found_for_others_changes_nothing(case: Case, order: Any) -> None:
    documents, identity, _ = case
    mesh = fe.load(documents)
    accounts = [identity, *map(str, mesh.identities())]
    subjects = sorted({who for it in accounts for who in subjects_of(documents, it)})
    asked = [(who, enforce) for who in subjects for enforce in (False, True)]
    order.shuffle(asked)
    for who, enforce in asked[:ASKED]:
        alone = verify(fe.load(documents), who, enforce=enforce)
        assert found_in(verify(mesh, who, enforce=enforce)) == found_in(alone)


@settings(max_examples=examples(25))
@given(cases(1), cases(1))
def test_law_what_was_found_with_other_configs_changes_nothing(case: Case, other: Case) -> None:
    documents, identity, _ = case
    mesh, elsewhere = fe.load(documents), fe.load(other[0])
    of = ((mesh, fe.resolve(mesh, identity)), (elsewhere, fe.resolve(elsewhere, other[1])))
    configs = [own_config(*it, enforce=enforce) for it in of for enforce in (False, True)]
    for given_config in configs:
        alone = verify(fe.load(documents), identity, given_config)
        assert found_in(verify(mesh, identity, given_config)) == found_in(alone)


# --- named cases -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("enforce", [False, True])
def test_the_addresses_of_a_service_are_compared_once_for_all_who_reach_it(enforce: bool) -> None:
    mesh = load(config(), service("web", "http-web 80"))
    first = verify(mesh, "curl.curl", enforce=enforce)
    second = verify(mesh, "wget.curl", enforce=enforce)
    at_the_service = [it for it in first.disagreements if it.connection.destination in SERVICE]
    assert at_the_service
    assert {id(it) for it in at_the_service} <= {id(it) for it in second.disagreements}


def test_the_module_changes_nothing_at_a_service_that_has_endpoints() -> None:
    mesh = load(config(), service("web", "http-web 80"))
    plain, enforced = (verify(mesh, "curl.curl", enforce=enforce) for enforce in (False, True))
    assert {id(it) for it in plain.disagreements} & {id(it) for it in enforced.disagreements}


def looked_at(mesh: fe.Snapshot, given_config: Any = None) -> tuple[int, list[fe.Connection]]:
    """How many classes a walk counts, and the witnesses of those that it looks at."""
    sides = Sides.of(mesh, WHO, given_config)
    readings = sides.reading, redirected(reading_of_sidecar(sides.sidecar))
    unnamed = frozenset(place for reading in readings for place in reading.other.values)
    shown: list[fe.Connection] = []

    def compare(port: OnPort, placed: Sequence[Placed]) -> Compared[str]:
        parts = [part for _, part in port.classes(placed)]
        shown.extend(part.witness for part in parts)
        return Compared(len(parts), ())

    walk: Walk[str] = Walk(sides.policy, sides.sidecar, Known(), Known(), unnamed)
    return sum(walk.on(port, compare).classes for port in ports_of(*readings)), shown


def test_what_nobody_names_is_compared_on_the_first_port_and_counted_on_each() -> None:
    ports = [egress(name, f"tcp {port}", ipAddresses=["54.0.0.0/8"]) for name, port in (("a", 81), ("b", 82))]
    count, shown = looked_at(load(config(), *ports))
    at_the_range = [it for it in shown if str(it.destination) == "54.0.0.0"]
    elsewhere = [it for it in shown if it not in at_the_range]
    assert {it.port for it in at_the_range} == {81, 82}
    assert {it.port for it in elsewhere} == {81}
    assert count == 3 * len(elsewhere) + len(at_the_range)  # on every other port, too


def test_a_port_that_a_range_breaks_is_not_as_others_are() -> None:
    mesh = load(config({"enableEgress": True}), egress("a", "tcp 81"), egress("b", "tcp 82"))
    tree = own_config(mesh, fe.resolve(mesh, WHO)).to_mapping()
    matches = tree["Outbound"]["TrafficMatches"]
    (match,) = matches["82"]
    matches.update({"80": [], "82": [{**match, "DestinationIPRanges": {"x": None}}]})
    shown = [
        str(it.connection) for it in verify(load(config({"enableEgress": True})), WHO, tree).disagreements
    ]
    assert [text for text in shown if text.startswith("192.0.2.1:82 ")]
    assert not [text for text in shown if text.startswith("192.0.2.1:80 ")]


def test_what_passes_by_the_sidecar_is_compared_once_for_both() -> None:
    mesh = load(config(), egress("web", "http 80", hosts=["a.com"]))
    plain = Sides.of(mesh, WHO)
    enforced = plain.beside(own_sidecar(mesh, plain.policy, enforce=True))
    shown, shown_enforced = (
        [it for it in verified(mesh, sides).disagreements if it.connection.port == 80]
        for sides in (plain, enforced)
    )
    passing = [it for it in shown if it.connection.port == 80 and it.connection.key >= IPV6_START]
    assert passing
    assert {id(it) for it in passing} <= {id(it) for it in shown_enforced}
    assert found_in(verified(mesh, enforced)) == found_in(verify(mesh, WHO, enforce=True))


def claimed(*also: str) -> str:
    """Policies as text: one of two accounts, and ports of the second one alone."""
    policy = (
        "{{kind: Egress, apiVersion: policy.flomesh.io/v1alpha1, metadata: {{name: {}, namespace: shop}},\n"
        "spec: {{sources: [{}],\n"
        "hosts: [{}], ports: [{{number: {}, protocol: http}}]}}}}\n"
    )
    a, b = (f"{{kind: ServiceAccount, name: {name}, namespace: shop}}" for name in "ab")
    others = (policy.format(f"other-{port}", b, "b.com", port) for port in also)
    return "---\n".join([policy.format("out", f"{a}, {b}", "a.com", "80"), *others])


def on_port_80(verification: Verification) -> list[Disagreement]:
    return [it for it in verification.disagreements if it.connection.port == 80]


def test_what_is_claimed_on_a_port_is_compared_once_for_all_who_claim_the_same_there() -> None:
    mesh = fe.load(claimed("81"))
    first, second = (on_port_80(verify(mesh, who)) for who in ("a.shop", "b.shop"))
    assert any(it.decision.reason is fe.Reason.NO_HOST for it in first)
    shared = [it for it in first if it.decision.rule and it.decision.rule.resource.kind == "Egress"]
    assert {id(it) for it in shared} <= {id(it) for it in second}
    assert found_in(verify(mesh, "b.shop")) == found_in(verify(fe.load(claimed("81")), "b.shop"))


def test_what_is_claimed_besides_is_compared_anew() -> None:
    mesh = fe.load(claimed("80"))
    first, second = (on_port_80(verify(mesh, who)) for who in ("a.shop", "b.shop"))
    assert not {id(it) for it in first} & {id(it) for it in second}
    assert found_in(verify(mesh, "b.shop")) == found_in(verify(fe.load(claimed("80")), "b.shop"))


def test_a_policy_that_was_moved_in_its_file_is_told_with_its_new_line() -> None:
    def lines(mesh: fe.Snapshot) -> set[str | None]:
        rules = (it.decision.rule for it in on_port_80(verify(mesh, "a.shop")))
        return {rule.location for rule in rules if rule and rule.resource.kind == "Egress"}

    mesh = fe.load(claimed())
    assert lines(mesh) == {"<text>:3"}
    assert lines(mesh.with_(*fe.load(f"# moved\n\n{claimed()}"))) == {"<text>:5"}


@pytest.mark.parametrize("is_taken", [False, True])
def test_another_config_is_compared_anew(is_taken: bool) -> None:
    mesh = load(config(), service("web", "http-web 80"))
    own = own_config(mesh, fe.resolve(mesh, "curl.curl")).to_mapping()
    (match,) = own["Outbound"]["TrafficMatches"]["80"]
    own["Outbound"]["TrafficMatches"]["80"] = [{**match, "HttpHostPort2Service": {}}] if is_taken else []
    plain, other = verify(mesh, "curl.curl"), verify(mesh, "curl.curl", own)
    assert found_in(other) != found_in(plain)


def test_another_config_is_compared_anew_where_policies_claim() -> None:
    mesh, again = (load(config(), egress("web", "http 80", hosts=["a.com"])) for _ in range(2))
    own = own_config(mesh, fe.resolve(mesh, WHO)).to_mapping()
    (match,) = own["Outbound"]["TrafficMatches"]["80"]
    own["Outbound"]["TrafficMatches"]["80"] = [{**match, "HttpHostPort2Service": {}}]
    assert found_in(verify(mesh, WHO, own)) != found_in(verify(mesh, WHO))
    assert found_in(verify(mesh, WHO, own)) == found_in(verify(again, WHO, own))


def test_a_changed_mesh_is_compared_anew() -> None:
    mesh = load(config(), service("web", "http-web 80"))
    before = verify(mesh, "curl.curl")
    changed = mesh.with_(*fe.load(service("web", "tcp-web 80")))
    assert found_in(verify(changed, "curl.curl")) != found_in(before)


def test_only_the_latest_answers_are_kept() -> None:
    known: Known[str] = Known()
    asked: list[int] = []

    def once(number: int) -> str:
        def work() -> Compared[str]:
            asked.append(number)
            return Compared(1, (((0, 0, 0), str(number)),))

        return known.once(("here",), (number,), work).found[0][1]

    assert [once(number) for number in (1, 2, 1, 2)] == ["1", "2", "1", "2"]
    assert asked == [1, 2]
    assert [once(number) for number in range(3, 3 + ALIKE)] == [str(it) for it in range(3, 3 + ALIKE)]
    assert once(1) == "1"
    assert asked == [1, 2, *range(3, 3 + ALIKE), 1]
