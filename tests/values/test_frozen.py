"""Frozen JSON: equal by content, hashable, unchangeable, and thawed into a copy of one's own."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.values.frozen import EMPTY, FrozenMap, freeze, is_unicode, thaw

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=5)


@pytest.mark.parametrize(
    ("text", "expected"), [("a", True), ("é😀", True), ("a\ud800", False), ("\udfff", False)]
)
def test_half_a_character_is_no_unicode(text: str, expected: bool) -> None:
    assert is_unicode(text) is expected


@given(JSON)
def test_thaw_undoes_freeze(value: Any) -> None:
    assert thaw(freeze(value)) == value


@given(JSON)
def test_what_is_frozen_can_be_hashed_and_stays_as_it_is(value: Any) -> None:
    frozen = freeze(value)
    assert freeze(frozen) == frozen
    assert hash(freeze(frozen)) == hash(frozen)


@given(OBJECTS)
def test_a_frozen_map_is_the_mapping_it_was_made_from(items: dict[str, Any]) -> None:
    frozen = FrozenMap(items)
    assert frozen == items
    assert items == frozen
    assert list(frozen) == list(items)
    assert len(frozen) == len(items)
    assert all(key in frozen and frozen[key] == value for key, value in items.items())


@given(OBJECTS.map(freeze), st.randoms())
def test_order_is_kept_but_does_not_count(frozen: FrozenMap[Any], random: Any) -> None:
    keys = list(frozen)
    random.shuffle(keys)
    shuffled = FrozenMap({key: frozen[key] for key in keys})
    assert list(shuffled) == keys
    assert shuffled == frozen
    assert hash(shuffled) == hash(frozen)


@given(OBJECTS.map(freeze))
def test_copies_and_pickles_are_equal(frozen: FrozenMap[Any]) -> None:
    assert copy.deepcopy(frozen) == frozen
    assert pickle.loads(pickle.dumps(frozen)) == frozen  # noqa: S301  # because the bytes are our own


@given(OBJECTS)
def test_repr_round_trips(items: dict[str, Any]) -> None:
    frozen = freeze(items)
    assert eval(repr(frozen), {"FrozenMap": FrozenMap, "inf": float("inf")}) == frozen  # noqa: S307  # because the text is our own


def test_the_given_mapping_is_copied() -> None:
    items = {"a": 1}
    frozen = FrozenMap(items)
    items["a"] = 2
    assert frozen["a"] == 1


def test_thawing_makes_a_copy_of_ones_own() -> None:
    frozen = freeze({"a": [{"b": 1}]})
    thawed = thaw(frozen)
    thawed["a"][0]["b"] = 2
    assert frozen == {"a": ({"b": 1},)}


def test_a_frozen_map_never_changes() -> None:
    frozen = FrozenMap({"a": 1})
    with pytest.raises(AttributeError, match="a FrozenMap never changes"):
        frozen.a = 2
    with pytest.raises(TypeError):
        frozen["a"] = 2  # type: ignore[index]  # because that is what must fail
    assert frozen == {"a": 1}


def test_other_content_or_another_type_is_unequal() -> None:
    frozen = FrozenMap({"a": 1})
    assert frozen != FrozenMap({"a": 2})
    assert frozen != {"a": 2}
    assert frozen != [("a", 1)]
    assert frozen != "a"


def test_empty() -> None:
    assert EMPTY == {}
    assert FrozenMap() == FrozenMap({}) == EMPTY
    assert not EMPTY
    assert repr(EMPTY) == "FrozenMap({})"


def test_an_absent_key_is_missed() -> None:
    assert "b" not in FrozenMap({"a": 1})
    with pytest.raises(KeyError):
        FrozenMap({"a": 1})["b"]


def test_what_cannot_be_hashed_inside_cannot_be_hashed_outside() -> None:
    with pytest.raises(TypeError):
        hash(FrozenMap({"a": []}))
