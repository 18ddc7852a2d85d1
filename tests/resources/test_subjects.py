"""Whom an answer is about: an account, or any other account, as texts say them."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_meshes import IDENTITIES, SERVICE_NAMESPACES

import fsm_egress as fe
from fsm_egress.resources.subjects import Pods, Subject, read_subject

SUBJECTS = st.sampled_from(
    [
        *map(fe.ServiceIdentity.parse, IDENTITIES),
        *map(fe.AnyOtherAccount, ("", *SERVICE_NAMESPACES)),
    ]
)


@given(SUBJECTS)
def test_law_a_subject_is_read_as_it_is_said(subject: Subject) -> None:
    assert read_subject(str(subject)) == read_subject(subject) == subject
    assert pickle.loads(pickle.dumps(subject)) == subject  # noqa: S301  # because it was pickled here


def test_any_other_account_has_no_name() -> None:
    assert str(fe.AnyOtherAccount()) == "any other account"
    assert str(fe.AnyOtherAccount("shop")) == "any other account of shop"
    assert {fe.AnyOtherAccount("shop").name, fe.AnyOtherAccount().name} == {""}


@pytest.mark.parametrize("text", ["curl", "any other account of ", "any other account of a.b", "any account"])
def test_what_names_nobody(text: str) -> None:
    with pytest.raises(fe.InvalidValue):
        read_subject(text)


def test_a_namespace_has_no_dot() -> None:
    with pytest.raises(fe.InvalidValue, match="namespace"):
        fe.AnyOtherAccount("a.b")


def test_many_pods_are_named_by_their_account_and_the_first_of_them() -> None:
    hosts = tuple(f"pod/cart-{number}" for number in range(5))
    assert str(Pods(hosts[:1], "shop")) == "pod/cart-0.shop"
    assert str(Pods(hosts[:3], "shop", "cart")) == "cart.shop (pod/cart-0, pod/cart-1, pod/cart-2)"
    assert str(Pods(hosts, "shop", "cart")).endswith("pod/cart-2 and 2 more)")
