"""All resources of one kind: their order, and what is found by the sources that policies name."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from small import egress, load

import fsm_egress as fe
from fsm_egress.snapshot.kind import Kind, name_of

SPACES, NAMES, ACCOUNTS = ("curl", "shop"), ("a", "b", "c"), ("curl", "wget", "job")


def policy(name: str, space: str = "curl", *accounts: str) -> fe.EgressPolicy:
    sources = [{"kind": "ServiceAccount", "name": it, "namespace": "curl"} for it in accounts or ("curl",)]
    (found,) = load(egress(name, "tcp 25", space=space, sources=sources)).kind(fe.EgressPolicy)
    return found


POLICIES = st.builds(
    policy,
    st.sampled_from(NAMES),
    st.sampled_from(SPACES),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(ACCOUNTS),
)


def table_of(policies: list[fe.EgressPolicy]) -> Kind[fe.EgressPolicy]:
    return Kind.of({name_of(it): it for it in policies})


def test_a_kind_is_in_the_order_of_namespace_and_name() -> None:
    table = table_of([policy("b"), policy("a", "shop"), policy("a")])
    assert [(item.namespace, item.name) for item in table] == [("curl", "a"), ("curl", "b"), ("shop", "a")]
    assert len(table) == 3
    assert {space: [item.name for item in group] for space, group in table.by_namespace.items()} == {
        "curl": ["a", "b"],
        "shop": ["a"],
    }
    assert table.get("shop", "a") == policy("a", "shop")
    assert table.get("shop", "b") is None


@given(st.lists(POLICIES, max_size=6), st.lists(POLICIES, max_size=3), st.data())
def test_law_a_changed_kind_is_the_one_made_anew(
    before: list[fe.EgressPolicy], put: list[fe.EgressPolicy], data: Any
) -> None:
    table = table_of(before)
    assert table.sources is table.sources  # so that it is followed up
    putting = {name_of(it): it for it in put}
    may_go = sorted({name_of(it) for it in before} - set(putting))
    gone = data.draw(st.lists(st.sampled_from(may_go), unique=True)) if may_go else []
    changed = table.changed(putting, gone)
    left = {name_of(it): it for it in before if name_of(it) not in gone}
    anew = Kind.of({**left, **putting})
    assert list(changed) == list(anew)
    assert changed == anew
    assert hash(changed) == hash(anew)
    assert {**changed.sources} == {**anew.sources}
    assert {**changed.by_source} == {**anew.by_source}
    assert {**table.sources} == {**table_of(before).sources}


def test_a_kind_is_pickled_without_its_indexes() -> None:
    table = table_of([policy("a")])
    size = len(pickle.dumps(table))
    assert table.sources
    copy: Kind[fe.EgressPolicy] = pickle.loads(pickle.dumps(table))  # noqa: S301  # because it was pickled a moment ago
    assert (copy == table, len(pickle.dumps(table))) == (True, size)
    assert table != [*table]
