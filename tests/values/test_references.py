"""References: the names of resources, and the places where fields were written."""

from __future__ import annotations

import pickle
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.values.references import FieldRef, Mark, ResourceRef, Source, joined, parent_path

if TYPE_CHECKING:
    from collections.abc import Mapping

EGRESS = ResourceRef("Egress", "curl", "httpbin-80")
MARKS = {"": Mark(1, 1), "spec": Mark(6, 3), "spec.ports[0]": Mark(14, 5)}
SOURCE = Source("a.yaml", MARKS)

STEPS = st.from_regex(r"\.[a-zA-Z]{1,5}|\[[0-9]\]", fullmatch=True)
PATHS = st.lists(STEPS, max_size=6).map("".join).map(lambda path: path.removeprefix("."))


def test_a_resource_is_named_by_kind_namespace_and_name() -> None:
    assert str(EGRESS) == "Egress curl/httpbin-80"
    assert str(ResourceRef("Namespace", "", "curl")) == "Namespace curl"


def test_references_and_marks_are_ordered_as_they_are_read() -> None:
    assert (
        ResourceRef("Egress", "a", "z") < ResourceRef("Egress", "b", "a") < ResourceRef("Service", "a", "a")
    )
    assert Mark(2, 9) < Mark(10, 1) < Mark(10, 2)


@pytest.mark.parametrize(
    ("path", "parent"),
    [
        ("spec.ports[0].number", "spec.ports[0]"),
        ("spec.ports[0]", "spec.ports"),
        ("spec.ports", "spec"),
        ("spec", ""),
        ("[3]", ""),
        ("", ""),
    ],
)
def test_the_parent_of_a_path_holds_it(path: str, parent: str) -> None:
    assert parent_path(path) == parent


@given(PATHS)
def test_every_path_has_an_end(path: str) -> None:
    while path:
        parent = parent_path(path)
        assert len(parent) < len(path)
        assert path.startswith(parent)
        path = parent


@given(PATHS, STEPS)
def test_a_value_stands_right_below_its_parent(path: str, step: str) -> None:
    inner = step.removeprefix(".")
    below = joined(path, inner)
    assert parent_path(below) == path
    assert below.endswith(inner)


@given(PATHS, PATHS, PATHS)
def test_joining_paths_is_associative(a: str, b: str, c: str) -> None:
    assert joined(joined(a, b), c) == joined(a, joined(b, c))


@given(PATHS)
def test_the_empty_path_joins_to_nothing_new(path: str) -> None:
    assert joined("", path) == joined(path, "") == path


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        ("spec.ports[0]", Mark(14, 5)),
        ("spec.ports[0].number", Mark(14, 5)),
        ("spec.ports", Mark(6, 3)),
        ("spec.ports[1]", Mark(6, 3)),
        ("metadata.name", Mark(1, 1)),
        ("", Mark(1, 1)),
    ],
)
def test_a_field_without_a_place_is_where_the_innermost_value_around_it_is(path: str, mark: Mark) -> None:
    assert SOURCE.mark(path) == mark


def test_a_source_may_have_no_places() -> None:
    assert Source("mapping").marks() == {}
    assert Source("mapping").mark("spec.ports[0]") is None


def test_places_are_made_at_first_use_and_once() -> None:
    calls = []

    def read() -> Mapping[str, Mark]:
        calls.append("read")
        return MARKS

    source = Source("a.yaml", read)
    assert repr(source) == "Source(document='a.yaml')"
    assert calls == []
    assert source.mark("spec") == Mark(6, 3)
    assert source.mark("") == Mark(1, 1)
    assert calls == ["read"]


def test_a_source_is_pickled_with_its_places() -> None:
    lazy = Source("a.yaml", lambda: MARKS)
    copied = pickle.loads(pickle.dumps(lazy))  # noqa: S301  # because the bytes are our own
    assert copied.document == "a.yaml"
    assert copied.marks() == MARKS


def test_a_source_never_changes() -> None:
    with pytest.raises(FrozenInstanceError):
        SOURCE.document = "b.yaml"  # type: ignore[misc]  # because that is what must fail
    assert not hasattr(SOURCE, "__dict__")


def test_a_field_prints_with_its_place() -> None:
    field = FieldRef(EGRESS, "spec", SOURCE)
    assert str(field) == "Egress curl/httpbin-80 spec (a.yaml:6)"
    assert field.location == "a.yaml:6"
    assert field.mark == Mark(6, 3)


def test_a_field_of_a_document_without_lines_prints_with_the_document() -> None:
    field = FieldRef(EGRESS, "spec", Source("mapping 1"))
    assert str(field) == "Egress curl/httpbin-80 spec (mapping 1)"
    assert field.location == "mapping 1"
    assert field.mark is None


def test_a_field_built_in_python_has_no_place() -> None:
    field = FieldRef(EGRESS)
    assert str(field) == "Egress curl/httpbin-80"
    assert field.location is None
    assert field.mark is None


def test_an_item_of_a_list_knows_the_places_of_its_own_fields() -> None:
    calls = []

    def read() -> Mapping[str, Mark]:
        calls.append("read")
        return {"": Mark(1, 1), "items": Mark(2, 1), "items[1]": Mark(9, 3), "items[1].spec": Mark(12, 5)}

    document = Source("list.yaml", read)
    first, second = document.below("items[0]"), document.below("items").below("[1]")
    assert calls == []
    assert FieldRef(EGRESS, "spec.ports[0]", second).location == "list.yaml:12"
    assert FieldRef(EGRESS, "metadata", second).location == "list.yaml:9"
    assert FieldRef(EGRESS, "spec", first).location == "list.yaml:2"
    assert second.mark() == Mark(9, 3)
    assert pickle.loads(pickle.dumps(second)).mark("spec") == Mark(12, 5)  # noqa: S301  # because the bytes are our own
    assert calls == ["read"]


def test_a_source_of_one_field_has_the_place_of_that_field_alone() -> None:
    assert SOURCE.only("spec.ports[0].number").marks() == {"spec.ports[0].number": Mark(14, 5)}
    assert Source("mapping").only("spec").marks() == {}


def test_where_a_field_was_written_makes_it_no_other_field() -> None:
    assert FieldRef(EGRESS, "spec", SOURCE) == FieldRef(EGRESS, "spec")
    assert len({FieldRef(EGRESS, "spec", SOURCE), FieldRef(EGRESS, "spec")}) == 1
    assert FieldRef(EGRESS, "spec") != FieldRef(EGRESS, "spec.ports")


def test_a_field_is_pickled_with_its_own_place_alone() -> None:
    field = FieldRef(EGRESS, "spec.ports[0].number", Source("a.yaml", lambda: MARKS))
    copied = pickle.loads(pickle.dumps(field))  # noqa: S301  # because the bytes are our own
    assert copied == field
    assert copied.location == "a.yaml:14"
    assert copied.source.marks() == {"spec.ports[0].number": Mark(14, 5)}


def test_a_field_built_in_python_is_pickled() -> None:
    copied = pickle.loads(pickle.dumps(FieldRef(EGRESS, "spec")))  # noqa: S301  # because the bytes are our own
    assert copied == FieldRef(EGRESS, "spec")
    assert copied.source is None


def test_a_field_shows_as_it_prints() -> None:
    assert repr(FieldRef(EGRESS, "spec", SOURCE)) == "<Egress curl/httpbin-80 spec (a.yaml:6)>"


def test_the_items_of_a_list_have_sources_in_their_order() -> None:
    calls = []

    def read() -> Mapping[str, Mark]:
        calls.append("read")
        return {"": Mark(1, 1), "items[0]": Mark(2, 1), "items[1]": Mark(9, 3), "items[1].spec": Mark(12, 5)}

    document = Source("list.json", read)
    first, second, third = islice(document.items(), 3)
    assert calls == []
    assert [source.mark("spec.ports[0]") for source in (first, second, third)] == [
        Mark(2, 1),
        Mark(12, 5),
        Mark(1, 1),
    ]
    assert calls == ["read"]
    assert second.below("spec").mark() == Mark(12, 5)
    assert second.document == "list.json"
    assert repr(second) == "Source(document='list.json')"
    assert pickle.loads(pickle.dumps(second)).mark() == Mark(9, 3)  # noqa: S301  # because the bytes are our own
    with pytest.raises(FrozenInstanceError):
        second.document = "b.yaml"  # type: ignore[misc]  # because that is what must fail
