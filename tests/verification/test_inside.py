"""What is compared once for several identities is what each comparison finds by itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import cases, subjects_of
from small import config, load, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.verification.agreement import Verification, verify
from fsm_egress.verification.inside import ALIKE, Compared, Inside
from fsm_egress.verification.sides import own_config

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


@pytest.mark.parametrize("is_taken", [False, True])
def test_another_config_is_compared_anew(is_taken: bool) -> None:
    mesh = load(config(), service("web", "http-web 80"))
    own = own_config(mesh, fe.resolve(mesh, "curl.curl")).to_mapping()
    (match,) = own["Outbound"]["TrafficMatches"]["80"]
    own["Outbound"]["TrafficMatches"]["80"] = [{**match, "HttpHostPort2Service": {}}] if is_taken else []
    plain, other = verify(mesh, "curl.curl"), verify(mesh, "curl.curl", own)
    assert found_in(other) != found_in(plain)


def test_a_changed_mesh_is_compared_anew() -> None:
    mesh = load(config(), service("web", "http-web 80"))
    before = verify(mesh, "curl.curl")
    changed = mesh.with_(*fe.load(service("web", "tcp-web 80")))
    assert found_in(verify(changed, "curl.curl")) != found_in(before)


def test_only_the_latest_answers_are_kept() -> None:
    known: Inside[str] = Inside()
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
