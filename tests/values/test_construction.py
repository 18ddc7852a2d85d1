"""Frozen classes are as attrs makes them; objects that are filled while they are open are closed for good."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.manifests.wire_names import FIELDS
from fsm_egress.resources.egress import EgressPort
from fsm_egress.values.construction import frozen, opened
from fsm_egress.values.net import Prefix
from fsm_egress.values.references import Source

if TYPE_CHECKING:
    from fsm_egress.resources.resource import Part


def test_a_closed_object_is_one_of_its_class() -> None:
    made: Any = opened(EgressPort)()
    for name, value in {"number": 80, "protocol": "http", "extra": {}, "explicit": frozenset()}.items():
        setattr(made, name, value)
    made.number = 443
    made.__class__ = EgressPort
    port = EgressPort(443, "http")
    assert type(made) is EgressPort
    assert made == port
    assert hash(made.protocol) == hash(port.protocol)
    assert pickle.loads(pickle.dumps(made)) == port  # noqa: S301  # because the bytes are our own
    with pytest.raises(FrozenInstanceError):
        setattr(made, "number", 80)  # noqa: B010  # because it has no such setter
    with pytest.raises(FrozenInstanceError):
        delattr(made, "number")


@pytest.mark.parametrize("kind", [*FIELDS, Prefix, Source], ids=lambda kind: kind.__name__)
def test_every_class_that_is_read_can_be_closed(kind: type[Part]) -> None:
    made = opened(kind)()
    made.__class__ = kind
    assert type(made) is kind
    assert not hasattr(made, "__dict__")


def test_what_is_open_is_no_object_of_the_class_itself() -> None:
    assert type(opened(Prefix)()) is not Prefix
    assert vars(opened(Prefix))["__slots__"] == ()


# --- classes ---------------------------------------------------------------------------------------------


class Written:
    """A place, as it is written down."""

    line: int
    text: str = "a"
    note: str = attrs.field(default="", eq=False)
    secret: str = attrs.field(default="", repr=False)


class Nothing:
    """What has no fields."""


class Shouting:
    """What says for itself how it is compared and shown."""

    line: int

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "!"


OURS: Any = frozen(order=True)(Written)
THEIRS: Any = attrs.frozen(order=True)(Written)
LINES = st.integers(0, 1)
TEXTS = st.sampled_from("ab")
VALUES = st.tuples(LINES, TEXTS, TEXTS, TEXTS)


@given(VALUES, VALUES)
def test_law_objects_are_compared_hashed_and_shown_as_those_of_attrs(one: Any, other: Any) -> None:
    ours, theirs = ((kind(*one), kind(*other)) for kind in (OURS, THEIRS))
    for compare in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
        assert getattr(ours[0], compare)(ours[1]) is getattr(theirs[0], compare)(theirs[1])
    assert (hash(ours[0]) == hash(ours[1])) is (hash(theirs[0]) == hash(theirs[1]))
    assert repr(ours[0]) == repr(theirs[0])


@pytest.mark.parametrize("compare", ["__eq__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_only_objects_of_one_class_are_compared(compare: str) -> None:
    assert getattr(OURS(1), compare)(THEIRS(1)) is NotImplemented


def test_what_has_no_fields_is_all_alike() -> None:
    kind = frozen(Nothing)
    assert kind() == kind()
    assert hash(kind()) == hash(kind())
    assert repr(kind()) == "Nothing()"


def test_what_a_class_says_for_itself_stays() -> None:
    kind: Any = frozen(Shouting)
    shouting = kind(1)
    assert shouting == 8
    assert (hash(shouting), repr(shouting)) == (7, "!")


def test_what_is_not_wanted_is_not_made() -> None:
    plain = frozen(eq=False, repr=False)(Nothing)
    assert plain() != plain()
    assert repr(plain()).startswith("<")


def test_a_class_that_keeps_its_hash_is_the_one_of_attrs() -> None:
    kind: Any = frozen(cache_hash=True, order=True)(Written)
    assert kind(1) < kind(2)
    assert hash(kind(1)) == hash(kind(1))
    assert "_attrs_cached_hash" in repr(kind.__slots__)
