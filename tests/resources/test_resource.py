"""What all resources have in common: fields checked as they are set, identity, metadata, origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.resources import checks
from fsm_egress.resources.core import Service
from fsm_egress.resources.egress import EgressPolicy, EgressSpec
from fsm_egress.resources.resource import ObjectMeta, Part, Resource, ServiceIdentity, checked, part, parts
from fsm_egress.values.errors import InvalidValue
from fsm_egress.values.frozen import FrozenMap
from fsm_egress.values.references import FieldRef, Mark, ResourceRef, Source

if TYPE_CHECKING:
    from collections.abc import Callable


@frozen(field_transformer=checked)
class Wheel(Part):
    inches: int = field(converter=checks.unsigned)


@frozen(field_transformer=checked)
class Cart(Part):
    owner: str = field(default="", converter=checks.string)
    front: Wheel = field(factory=lambda: Wheel(12), metadata=part(Wheel))
    spare: Wheel | None = field(default=None, metadata=part(Wheel))
    rear: tuple[Wheel, ...] = field(default=(), metadata=parts(Wheel))
    trailer: tuple[Wheel, ...] | None = field(default=None, metadata=parts(Wheel))
    note: object = None


@frozen(field_transformer=checked)
class Parcel(Resource):
    kind: ClassVar[str] = "Parcel"
    api_versions: ClassVar[tuple[str, ...]] = ("post.example/v2", "post.example/v1")


META = ObjectMeta("letter", "post")


def refused(make: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(InvalidValue) as caught:
        make(*args, **kwargs)
    return str(caught.value)


def test_fields_are_checked_as_they_are_set() -> None:
    assert refused(Cart, owner=5) == 'owner: expected a string, found the number `5`; write `"5"`'
    assert refused(evolve, Cart(), owner=None) == "owner: expected a string, found `null`"


def test_a_part_is_of_its_class_and_absent_only_where_that_is_its_default() -> None:
    assert Cart().front == Wheel(12)
    assert Cart(front=Wheel(14)).front == Wheel(14)
    assert Cart().spare is None
    assert Cart(spare=Wheel(14)).spare == Wheel(14)
    assert refused(Cart, front=None) == "front: expected a value of type `Wheel`, found `null`"
    assert refused(Cart, front={"inches": 12}) == "front: expected a value of type `Wheel`, found a mapping"
    assert refused(Cart, spare=12) == "spare: expected a value of type `Wheel`, found the number `12`"


def test_a_list_of_parts_becomes_a_tuple_and_is_absent_only_where_that_is_its_default() -> None:
    assert Cart(rear=[Wheel(1), Wheel(2)]).rear == (Wheel(1), Wheel(2))  # type: ignore[arg-type]  # because lists are taken, too
    assert Cart(trailer=(Wheel(1),)).trailer == (Wheel(1),)
    assert Cart().trailer is None
    assert refused(Cart, rear=None) == "rear: expected a list of `Wheel` values, found `null`"
    assert refused(Cart, trailer="ab") == "trailer: expected a list of `Wheel` values, found the string `ab`"
    assert refused(Cart, rear=[Wheel(1), 2, Wheel(3), None]) == (
        "rear[1]: expected a value of type `Wheel`, found the number `2`\n"
        "rear[3]: expected a value of type `Wheel`, found `null`"
    )


def test_a_field_without_a_check_holds_anything() -> None:
    marker = object()
    assert Cart(note=marker).note is marker


def test_an_inherited_check_names_its_field_once() -> None:
    assert refused(Parcel, 5) == "metadata: expected a value of type `ObjectMeta`, found the number `5`"
    assert refused(Parcel, META, extra=5) == "extra: expected a mapping, found the number `5`"


def test_what_a_part_carries_along_counts_but_is_not_shown() -> None:
    carrying = Wheel(12, extra={"colour": ["red"]})
    assert carrying.extra == FrozenMap({"colour": ("red",)})
    assert carrying != Wheel(12)
    assert repr(carrying) == "Wheel(inches=12)"
    assert hash(carrying) == hash(evolve(carrying))


def test_that_a_default_was_written_out_makes_no_difference() -> None:
    written = Cart(explicit=frozenset({"owner"}))
    assert written.explicit == {"owner"}
    assert written == Cart()
    assert hash(written) == hash(Cart())


def test_metadata() -> None:
    meta = ObjectMeta("letter", "post", labels={"app": "a"}, annotations={"b": "c"})
    assert meta.labels == {"app": "a"}
    assert meta.annotations == FrozenMap({"b": "c"})
    assert ObjectMeta("letter") == ObjectMeta("letter", "")
    assert refused(ObjectMeta, "letter", None) == "namespace: expected a string, found `null`"
    assert refused(ObjectMeta, "letter", labels={"app": 1}) == (
        'labels.app: expected a string, found the number `1`; write `"1"`'
    )
    assert refused(ObjectMeta, "").startswith("name: expected a resource name")


def test_a_resource_has_the_newest_version_unless_it_says_another() -> None:
    assert Parcel(META).api_version == "post.example/v2"
    assert Parcel(META, api_version="post.example/v1").api_version == "post.example/v1"
    assert Parcel(META) != Parcel(META, api_version="post.example/v1")


@pytest.mark.parametrize(
    ("version", "found"),
    [("v1", "the string `v1`"), (None, "`null`"), ([], "an empty list"), ({}, "an empty mapping")],
)
def test_an_unknown_version_is_refused(version: Any, found: str) -> None:
    assert refused(Parcel, META, api_version=version) == (
        f"api_version: expected `post.example/v2` or `post.example/v1`, found {found}"
    )


def test_a_resource_knows_its_name_and_where_it_was_written() -> None:
    source = Source("post.yaml", {"": Mark(1, 1), "spec": Mark(5, 3)})
    parcel = Parcel(META, source=source)
    assert (parcel.name, parcel.namespace) == ("letter", "post")
    assert parcel.ref == ResourceRef("Parcel", "post", "letter")
    assert parcel.at() == FieldRef(parcel.ref)
    assert parcel.at("spec.weight").location == "post.yaml:5"
    assert Parcel(META).at("spec").location is None


def test_the_document_of_a_resource_makes_it_no_other_resource() -> None:
    assert Parcel(META, source=Source("a.yaml")) == Parcel(META)
    assert hash(Parcel(META, source=Source("a.yaml"))) == hash(Parcel(META))
    assert repr(Parcel(META, source=Source("a.yaml"))) == repr(Parcel(META))


LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True)
A_NAME = "a resource name of lower-case letters, digits, `-` and `.`"
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)


@given(NAMES, LABELS)
def test_an_identity_reads_what_it_prints(name: str, namespace: str) -> None:
    identity = ServiceIdentity(name, namespace)
    assert str(identity) == f"{name}.{namespace}"
    assert ServiceIdentity.parse(str(identity)) == identity


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("curl", "expected a service identity `name.namespace`, found the string `curl`"),
        ("", "expected a service identity `name.namespace`, found the string ``"),
        (5, "expected a string, found the number `5`"),  # "5" would be none either
        (
            "curl.",
            f"namespace: expected {A_NAME}, found the string ``",
        ),
        (
            "Curl.shop",
            f"name: expected {A_NAME}, found the string `Curl`; write `curl`",
        ),
    ],
)
def test_what_is_no_identity_is_refused(text: Any, message: str) -> None:
    assert refused(ServiceIdentity.parse, text) == message


def test_identities_are_ordered_by_name_and_namespace() -> None:
    identities = [ServiceIdentity("b", "a"), ServiceIdentity("a", "b"), ServiceIdentity("a", "a")]
    assert [str(identity) for identity in sorted(identities)] == ["a.a", "a.b", "b.a"]


def test_the_annotations_are_in_no_repr() -> None:
    meta = ObjectMeta("keys", annotations={"kubectl.kubernetes.io/last-applied-configuration": "aHVudGVy"})
    assert repr(meta) == "ObjectMeta(name='keys', namespace='', labels=FrozenMap({}))"


@pytest.mark.parametrize("kind", [EgressPolicy, EgressSpec, ObjectMeta, Service], ids=lambda it: it.__name__)
def test_what_a_mesh_has_very_many_of_has_no_room_for_weak_references(kind: type[object]) -> None:
    assert not hasattr(kind, "__weakref__")
