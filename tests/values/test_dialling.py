"""Addresses that a client can dial."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.values.dialling import Appeal, Dialling, Span, can_be_dialled
from fsm_egress.values.net import GAP_END, GAP_START, IPV6_START, LAST_KEY, Address, Prefix

NOWHERE = ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "ff00::/8")


def span(text: str) -> Span:
    prefix = Prefix(text)
    return prefix.first, prefix.last


def best(*texts: str, named: tuple[str, ...] = (), own: tuple[str, ...] = ()) -> tuple[Appeal, str]:
    choice = Dialling.of([Address(text).key for text in named], map(span, own))
    appeal, key = choice.best(map(span, texts))
    return appeal, str(Address.from_key(key))


@pytest.mark.parametrize("text", NOWHERE)
def test_nobody_is_to_be_dialled_there(text: str) -> None:
    assert best(text) == (Appeal.NOWHERE, str(Prefix(text).network))
    assert best(text, named=(str(Prefix(text).network),))[0] is Appeal.NOWHERE
    assert not any(map(can_be_dialled, span(text)))


def test_what_is_named_comes_first_then_what_documents_may_name_then_anything() -> None:
    assert best("0.0.0.0/0", named=("54.0.0.0",)) == (Appeal.NAMED, "54.0.0.0")
    assert best("0.0.0.0/0", named=("0.0.0.0",)) == (Appeal.DOCUMENTATION, "192.0.2.1")
    assert best("::/0") == (Appeal.DOCUMENTATION, "2001:db8::1")
    assert best("198.0.0.0/8", "203.0.113.0/24") == (Appeal.DOCUMENTATION, "198.51.100.1")
    assert best("0.0.0.0/4") == (Appeal.ANY, "1.0.0.0")
    assert best("10.0.0.0/8", "54.0.0.0/8") == (Appeal.ANY, "10.0.0.0")


def test_the_client_itself_is_not_dialled() -> None:
    assert best("10.0.0.0/31", named=("10.0.0.0",), own=("10.0.0.0/32",)) == (Appeal.ANY, "10.0.0.1")
    assert best("10.0.0.0/32", own=("10.0.0.0/32",)) == (Appeal.NOWHERE, "10.0.0.0")
    assert not can_be_dialled(Address("10.0.0.0").key, [span("10.0.0.0/32")])


def test_a_choice_is_made_of_each_address_once() -> None:
    assert Dialling.of([3, 1, 3], [(5, 6), (5, 6)]) == Dialling((1, 3), ((5, 6),))


KEYS = st.one_of(
    st.integers(0, IPV6_START - 1),
    st.integers(IPV6_START, LAST_KEY),
    st.sampled_from([edge for text in NOWHERE for end in span(text) for edge in (end - 1, end, end + 1)]),
).filter(lambda key: 0 <= key <= LAST_KEY and not GAP_START <= key < GAP_END)


@given(st.lists(st.tuples(KEYS, KEYS), min_size=1, max_size=4), st.lists(KEYS, max_size=3))
def test_law_the_best_of_some_runs_is_in_them_and_can_be_dialled_if_any_can(
    ends: list[Span], named: list[int]
) -> None:
    families = [pair for pair in ends if (pair[0] < IPV6_START) is (pair[1] < IPV6_START)]
    runs = sorted((min(pair), max(pair)) for pair in families)
    if runs:
        appeal, key = Dialling.of(named).best(runs)
        assert any(first <= key <= last for first, last in runs)
        assert can_be_dialled(key) is (appeal is not Appeal.NOWHERE)
        if appeal is Appeal.NOWHERE:
            assert not any(map(can_be_dialled, [end for run in runs for end in run]))


@given(KEYS)
def test_law_what_can_be_dialled_is_what_the_registries_say(key: int) -> None:
    oracle = ip_address(str(Address.from_key(key)))
    nowhere = any(oracle in ip_network(text) for text in NOWHERE)
    assert can_be_dialled(key) is not nowhere
