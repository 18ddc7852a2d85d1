"""Mappings over others: a law compares them with plain dictionaries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.values.layered import Layered, parts_of

HELD = st.dictionaries(st.sampled_from("abcd"), st.integers())


@given(HELD, HELD, HELD)
def test_law_what_is_laid_over_comes_before_what_lies_around(
    base: dict[str, int], middle: dict[str, int], top: dict[str, int]
) -> None:
    found = Layered(top, Layered(middle, base))
    plain = {**base, **middle, **top}
    assert found == plain
    assert found.whole() == plain
    assert list(found.whole()) == list(found) == sorted(plain)
    assert (len(found), bool(found)) == (len(plain), bool(plain))
    assert [it in found for it in "abcde"] == [it in plain for it in "abcde"]


@given(HELD, HELD, HELD)
def test_law_the_parts_make_the_whole(
    base: dict[str, int], middle: dict[str, int], top: dict[str, int]
) -> None:
    found = Layered(top, Layered(middle, base))
    parts = list(parts_of(found))
    assert [part for part, _ in parts] == [top, middle, base]
    shown = [(key, value) for part, hidden in parts for key, value in part.items() if key not in hidden]
    assert sorted(shown) == sorted(found.items())
    assert list(parts_of(top)) == [(top, frozenset())]


def test_what_no_layer_holds_is_missing() -> None:
    with pytest.raises(KeyError):
        Layered({"a": 1}, Layered({}, {}))["b"]
    assert Layered({"a": 1}, {}).get("b", 2) == 2
