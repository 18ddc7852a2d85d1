"""Frozen objects that are filled while they are open: once closed, they are as any of their class."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from attrs.exceptions import FrozenInstanceError

from fsm_egress.manifests.wire_names import FIELDS
from fsm_egress.resources.egress import EgressPort
from fsm_egress.values.construction import opened
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
