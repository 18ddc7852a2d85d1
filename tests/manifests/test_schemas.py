"""JSON Schemas against the loader: what it accepts validates, wrong structures neither takes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from small import config, egress, routes, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress import strategies as fst
from fsm_egress.manifests.schemas import _BY_CHECK as BY_CHECK
from fsm_egress.manifests.wire_names import FIELDS
from fsm_egress.resources.kinds import KINDS, READ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_egress.resources.resource import Resource

EVERY = Draft202012Validator(fe.json_schema())
NAMES = [kind.kind for kind in KINDS]


def loads(tree: Any) -> bool:
    try:
        fe.load(tree)
    except fe.LoadError:
        return False
    return True


@pytest.mark.parametrize("kind", [None, *NAMES])
def test_a_schema_is_one(kind: str | None) -> None:
    schema = fe.json_schema(kind)
    Draft202012Validator.check_schema(schema)
    references = set(found(schema, "$ref"))
    assert references - {"#"} == {f"#/$defs/{name}" for name in schema["$defs"]}
    assert all(definition["description"] for definition in schema["$defs"].values())


def found(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from ([value[key]] if key in value else [])
        for item in value.values():
            yield from found(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from found(item, key)


def test_every_class_of_the_models_is_defined() -> None:
    assert len(fe.json_schema()["$defs"]) == len(FIELDS) + 1


def test_a_kind_that_is_not_there_is_refused() -> None:
    with pytest.raises(fe.InvalidValue, match="expected one of"):
        fe.json_schema("Egres")


@given(random_meshes.meshes())
@settings(max_examples=examples(40))
def test_law_what_the_loader_accepts_validates(mesh: list[dict[str, Any]]) -> None:
    for tree in mesh:
        assert list(EVERY.iter_errors(tree)) == []
        assert list(Draft202012Validator(fe.json_schema(tree["kind"])).iter_errors(tree)) == []


@given(fst.documents())
@settings(max_examples=examples(60))
def test_law_every_kind_validates(tree: dict[str, Any]) -> None:
    assert EVERY.is_valid(tree)
    assert EVERY.is_valid({"apiVersion": "v1", "kind": "List", "items": [tree]})


@given(fst.invalid_documents())
@settings(max_examples=examples(80))
def test_law_no_schema_is_stricter_than_the_loader(tree: dict[str, Any]) -> None:
    """What is invalid may pass a schema; what a schema refuses, the loader refuses, too."""
    assert not loads(tree)


def test_what_a_schema_offers_the_loader_takes() -> None:
    """An editor completes the values of `enum` and `examples`, wherever in a document they stand."""
    offered = [
        (attribute.metadata["check"], value)
        for fields in FIELDS.values()
        for attribute in fields.values()
        if "check" in attribute.metadata
        for schema in [BY_CHECK.get(attribute.metadata["check"], {})]
        for value in (*schema.get("enum", ()), *schema.get("examples", ()))
    ]
    assert {value for _, value in offered if isinstance(value, str)} >= {"http", "tcp", "mixed", "Locality"}
    for check, value in offered:
        check(value)
    protocols = fe.json_schema("Egress")["$defs"]["EgressPort"]["properties"]["protocol"]
    for protocol in protocols["examples"]:
        assert loads(egress("web", f"{protocol} 80"))


@pytest.mark.parametrize("kind", READ, ids=lambda kind: kind.kind)
def test_every_version_that_a_schema_offers_is_read(kind: type[Resource]) -> None:
    properties = fe.json_schema(kind.kind)["$defs"][kind.kind]["properties"]
    for version in properties["apiVersion"]["enum"]:
        document = {"apiVersion": version, "kind": kind.kind, "metadata": {"name": "a"}}
        problems = fe.load(document, strict=False).problems
        errors = [it for it in problems if it.severity is fe.Severity.ERROR]
        assert not [it for it in errors if it.path in {"apiVersion", "kind"}]


POLICY = egress("web", "http 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"])
SPOILED: list[tuple[dict[str, Any], tuple[Any, ...], Any]] = [
    (POLICY, ("spec", "ports", 0, "number"), "80"),
    (POLICY, ("spec", "ports", 0, "number"), 0),
    (POLICY, ("spec", "ports", 0, "number"), 65_536),
    (POLICY, ("spec", "ports", 0, "nubmer"), 80),
    (POLICY, ("spec", "hosts"), "a.com"),
    (POLICY, ("spec", "hosts"), [1]),
    (POLICY, ("spec", "sources", 0, "kind"), 1),
    (POLICY, ("spec", "unknown"), {}),
    (POLICY, ("spec",), []),
    (POLICY, ("metadata", "name"), 7),
    (POLICY, ("apiVersion",), "policy.flomesh.io/v9"),
    (config(), ("spec", "traffic", "enableEgress"), "true"),
    (config(), ("spec", "traffic", "outboundPortExclusionList"), [65536]),
    (config(), ("spec", "traffic", "serviceAccessMode"), "nowhere"),
    (config(), ("spec", "trafic"), {}),
    (routes("r", {"methods": ["GET"]}), ("spec", "matches", 0, "methods"), "GET"),
    (service("web", "http-web 80")[0], ("spec", "ports", 0, "port"), None),
]


@pytest.mark.parametrize(("tree", "path", "value"), SPOILED)
def test_mistakes_in_the_structure_are_refused_by_both(
    tree: dict[str, Any], path: tuple[Any, ...], value: Any
) -> None:
    assert EVERY.is_valid(tree)
    spoiled = copy.deepcopy(tree)
    holder: Any = spoiled
    for step in path[:-1]:
        holder = holder.setdefault(step, {}) if isinstance(holder, dict) else holder[step]
    holder[path[-1]] = value
    assert not EVERY.is_valid(spoiled)
    assert not loads(spoiled)


@pytest.mark.parametrize("path", [("apiVersion",), ("kind",), ("metadata",), ("metadata", "name")])
def test_what_is_needed_is_needed_by_both(path: tuple[str, ...]) -> None:
    spoiled = copy.deepcopy(POLICY)
    holder = spoiled if len(path) == 1 else spoiled[path[0]]
    del holder[path[-1]]
    assert not EVERY.is_valid(spoiled)
    assert not loads(spoiled)


VALUES = st.sampled_from(
    [None, 0, 1, 70_000, -1, 0.5, True, "a", "10.0.0.0/8", [], ["a"], [1], {}, {"a": "b"}]
)


@given(fst.documents(), st.data())
@settings(max_examples=examples(300))
def test_law_what_a_schema_refuses_the_loader_refuses(tree: dict[str, Any], data: st.DataObject) -> None:
    spoiled = copy.deepcopy(tree)
    places = [
        place for place in holders(spoiled) if place[0] is not spoiled or place[1] in {"spec", "subsets"}
    ]
    assume(places)
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(VALUES)
    if not EVERY.is_valid(spoiled):
        assert not loads(spoiled)


def holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a tree where a value stands."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(pairs):
        yield value, key
        if isinstance(item, (dict, list)):
            yield from holders(item)
