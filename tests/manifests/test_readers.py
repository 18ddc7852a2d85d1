"""Readers: what they make of good values, what they refuse, count and remember."""

from __future__ import annotations

import json
from ipaddress import ip_interface
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from attrs import NOTHING
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import meshes
from thoroughness import examples

from fsm_egress.documents import MAX_DEPTH, excess
from fsm_egress.manifests.manifest import structure
from fsm_egress.manifests.readers import FEW, ROOM, SHARED, UNREADABLE, Reading, default_of, reader
from fsm_egress.manifests.wire_names import FIELDS, carries
from fsm_egress.manifests.writing import to_mapping
from fsm_egress.resources import checks
from fsm_egress.resources.egress import EgressPolicy, EgressPort, EgressSource, EgressSpec
from fsm_egress.resources.kinds import KINDS
from fsm_egress.resources.resource import Part, Resource
from fsm_egress.values.errors import InvalidValue
from fsm_egress.values.frozen import FrozenMap
from fsm_egress.values.net import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attrs import Attribute

    from fsm_egress.manifests.readers import Reader

READERS: dict[type[Part], Reader] = {}
SOURCE = {"kind": "ServiceAccount", "name": "curl", "namespace": "curl"}


def reader_of(kind: type[Part]) -> Reader:
    """The reader of a class, made once."""
    if kind not in READERS:
        READERS[kind] = reader(kind, reader_of, carries)
    return READERS[kind]


def read(kind: type[Part], value: Any, reading: Reading | None = None) -> Any:
    return reader_of(kind)(value, Reading() if reading is None else reading)


def needed(kind: type[Part]) -> dict[str, Attribute[Any]]:
    """The fields that a value must have."""
    return {name: field for name, field in FIELDS[kind].items() if default_of(field) is NOTHING}


def policy(spec: Any = None, **metadata: Any) -> dict[str, Any]:
    """An Egress policy as a document."""
    names = {"name": "web", "namespace": "shop", **metadata}
    return {
        "apiVersion": "policy.flomesh.io/v1alpha1",
        "kind": "Egress",
        "metadata": names,
        "spec": {} if spec is None else spec,
    }


def strings_in(value: Any) -> int:
    """How many strings a tree holds, keys among them: counted one by one."""
    if isinstance(value, dict):
        return sum(1 + strings_in(item) for item in value.values())
    if isinstance(value, list):
        return sum(map(strings_in, value))
    return int(isinstance(value, str))


# --- parts -----------------------------------------------------------------------------------------------


def test_a_part_is_what_its_class_makes() -> None:
    made = read(
        EgressSpec, {"sources": [SOURCE], "hosts": ["a.com"], "ports": [{"number": 80, "protocol": "HTTP"}]}
    )
    assert made == EgressSpec(
        sources=(EgressSource("ServiceAccount", "curl", "curl"),),
        hosts=("a.com",),
        ports=(EgressPort(80, "http"),),
    )
    assert made.ip_addresses == made.matches == ()
    assert made.explicit == frozenset()


def test_a_default_that_is_written_out_is_explicit() -> None:
    made = read(EgressSpec, {"hosts": [], "ports": None, "sources": [SOURCE]})
    assert made.explicit == {"hosts"}
    assert made == read(EgressSpec, {"sources": [SOURCE]})


def test_fields_that_the_class_has_not_are_kept_if_they_may_be_there() -> None:
    made = read(EgressPolicy, {**policy(owner={"a": ["é", 1, 1.5, None, True]}), "status": {}})
    assert made.extra == {"status": {}}
    assert made.metadata.extra == FrozenMap({"owner": FrozenMap({"a": ("é", 1, 1.5, None, True)})})
    with pytest.raises(InvalidValue, match="found the string `hostz`"):
        read(EgressSpec, {"hostz": []})


@pytest.mark.parametrize("value", [None, "ab", 7, [], ["sources"], [("sources", [])]])
def test_no_other_value_than_a_mapping_is_a_part(value: Any) -> None:
    with pytest.raises(UNREADABLE):
        read(EgressSpec, value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_resource_is_of_a_known_version(kind: type[Resource]) -> None:
    value = {"apiVersion": "v0", "kind": kind.kind, "metadata": {"name": "x"}, "spec": {}}
    with pytest.raises(KeyError, match="v0"):
        read(kind, value)


def test_any_mapping_and_any_sequence_will_do() -> None:
    value = policy(
        {
            "hosts": ("a.com", "B.com"),
            "ipAddresses": ("10.0.0.0/8",),
            "ports": ({"number": 80, "protocol": "tcp"},),
        }
    )
    proxies = {
        **value,
        "metadata": MappingProxyType(value["metadata"]),
        "spec": MappingProxyType(value["spec"]),
    }
    assert read(EgressPolicy, MappingProxyType(proxies)) == read(EgressPolicy, value)
    assert read(EgressPolicy, value).spec.hosts == ("a.com", "b.com")
    spec = {"hosts": (host for host in ["a.com"]), "ipAddresses": iter(["10.0.0.0/8"])}
    made = read(EgressSpec, spec)
    assert (made.hosts, made.ip_addresses) == (("a.com",), (parse_prefix("10.0.0.0/8"),))


@settings(max_examples=examples(40))
@given(meshes())
def test_law_a_reader_makes_what_the_classes_make(mesh: list[dict[str, Any]]) -> None:
    for document in mesh:
        made = structure(document)
        assert made == rebuilt(made)
        assert to_mapping(made) == to_mapping(rebuilt(made))


def rebuilt(part: Any) -> Any:
    """The same part, made by its class, which checks every field."""
    if isinstance(part, tuple):
        return tuple(map(rebuilt, part))
    if not isinstance(part, Part):
        return part
    fields = {
        attribute.name: rebuilt(getattr(part, attribute.name)) for attribute in FIELDS[type(part)].values()
    }
    return type(part)(**fields, extra=part.extra, explicit=part.explicit)


# --- what is shared --------------------------------------------------------------------------------------


def test_equal_sources_and_ports_of_one_load_are_one() -> None:
    reading = Reading()
    spec: dict[str, list[Any]] = {"sources": [SOURCE], "ports": [{"number": 80, "protocol": "tcp"}]}
    first, second = (read(EgressSpec, dict(spec), reading) for _ in range(2))
    assert first.sources is second.sources
    assert first.ports is second.ports
    both = read(EgressSpec, {"ports": [{"number": 81, "protocol": "tcp"}, *spec["ports"]]}, reading)
    assert both.ports == (EgressPort(81, "tcp"), EgressPort(80, "tcp"))
    assert both.ports[1] is first.ports[0]
    assert read(EgressSpec, spec).ports[0] is not first.ports[0], "another load remembers nothing"


def test_equal_words_of_one_load_are_one() -> None:
    reading = Reading()
    first, second = (
        read(EgressPolicy, json.loads(json.dumps(policy({"hosts": ["a.com"]}))), reading) for _ in range(2)
    )
    assert first.metadata.namespace is second.metadata.namespace
    assert first.spec.hosts is second.spec.hosts
    assert first.api_version is second.api_version


@pytest.mark.parametrize("number", [True, 1.0])
def test_what_equals_a_number_is_not_taken_for_it(number: Any) -> None:
    reading = Reading()
    assert read(EgressSpec, {"ports": [{"number": 1, "protocol": "tcp"}]}, reading).ports == (
        EgressPort(1, "tcp"),
    )
    with pytest.raises(InvalidValue):
        read(EgressSpec, {"ports": [{"number": number, "protocol": "tcp"}]}, reading)


def test_what_says_more_is_not_taken_for_what_says_less() -> None:
    reading = Reading()
    plain = read(EgressSpec, {"sources": [SOURCE]}, reading).sources[0]
    (named,) = read(EgressSpec, {"sources": [{**SOURCE, "mtls": {"issuer": "fsm"}}]}, reading).sources
    assert named.mtls is not None
    (again,) = read(EgressSpec, {"sources": [SOURCE]}, reading).sources
    assert again is plain
    with pytest.raises(InvalidValue):
        read(EgressSpec, {"sources": [{**SOURCE, "nmae": "x"}]}, reading)


def test_classes_with_equal_fields_do_not_share() -> None:
    reading = Reading()
    retry = structure(
        {
            "apiVersion": "policy.flomesh.io/v1alpha1",
            "kind": "Retry",
            "metadata": {"name": "x", "namespace": "shop"},
            "spec": {"source": SOURCE, "destinations": [SOURCE]},
        }
    )
    read(EgressSpec, {"sources": [SOURCE]}, reading)
    made = read(type(retry), to_mapping(retry), reading)
    assert made == retry
    assert type(made.spec.destinations[0]) is type(retry.spec.destinations[0])  # type: ignore[attr-defined]  # because it is a Retry


def test_what_is_shared_is_made_of_words_and_whole_numbers() -> None:
    words = {checks.string, checks.resource_name, checks.egress_protocol, checks.port_number}
    for kind in SHARED:
        assert {field.metadata["check"] for field in needed(kind).values()} <= words
        assert not hasattr(kind, "__attrs_post_init__")


@pytest.mark.parametrize("count", [FEW, FEW + 1, 3 * FEW])
def test_long_lists_are_read_as_short_ones(count: int) -> None:
    reading = Reading()
    spec: dict[str, list[Any]] = {
        "sources": [{**SOURCE, "name": f"a{index}"} for index in range(count)],
        "hosts": [f"h{index}.com" for index in range(count)],
        "ports": [{"number": 1 + index, "protocol": "tcp"} for index in range(count)],
    }
    made = read(EgressSpec, spec, reading)
    assert [source.name for source in made.sources] == [source["name"] for source in spec["sources"]]
    assert list(made.hosts) == spec["hosts"]
    assert [port.number for port in made.ports] == [*range(1, count + 1)]
    assert reading.strings == strings_in(spec)
    assert not reading.is_odd
    read(EgressSpec, {"hosts": [*spec["hosts"], "A.com"]}, reading)
    assert reading.is_odd


# --- what is odd -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "is_odd"),
    [
        ({"hosts": ["a.com"], "ipAddresses": ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"]}, False),
        ({"hosts": ["A.com"]}, True),
        ({"ipAddresses": ["10.0.0.1/8"]}, True),
        ({"ipAddresses": ["2001:db8::1/32"]}, True),
        ({"ipAddresses": ["::ffff:54.0.0.0/104"]}, False),
        ({"ipAddresses": ["::ffff:54.0.0.1/104"]}, True),
        ({"ipAddresses": ["::ffff:54.0.0.0/32"]}, True),
    ],
)
def test_what_is_read_otherwise_than_it_is_written_is_noticed(spec: Any, is_odd: bool) -> None:
    reading = Reading()
    made = read(EgressSpec, spec, reading)
    assert reading.is_odd is is_odd
    assert made == EgressSpec(hosts=spec.get("hosts", ()), ip_addresses=spec.get("ipAddresses", ()))
    again = Reading(hosts=reading.hosts)
    read(EgressSpec, spec, again)
    assert again.is_odd is is_odd, "it is noticed each time"


addresses = st.ip_addresses().map(str) | st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}")


@given(addresses, st.integers(0, 128))
def test_law_a_prefix_is_read_as_everywhere(address: str, length: int) -> None:
    text = f"{address}/{length}"
    reading = Reading()
    try:
        expected = parse_prefix(text)
    except InvalidValue:
        with pytest.raises(UNREADABLE):
            read(EgressSpec, {"ipAddresses": [text]}, reading)
        return
    assert read(EgressSpec, {"ipAddresses": [text]}, reading).ip_addresses == (expected,)
    if "ffff" not in address:
        interface = ip_interface(text)
        assert reading.is_odd == (interface.ip != interface.network.network_address)


# --- what is counted -------------------------------------------------------------------------------------


@settings(max_examples=examples(60))
@given(meshes())
def test_law_every_string_of_a_resource_is_counted(mesh: list[dict[str, Any]]) -> None:
    reading = Reading()
    for document in mesh:
        kind = next(kind for kind in KINDS if kind.kind == document["kind"])
        if "stringData" not in document:
            read(kind, document, reading)
            assert reading.strings == strings_in(document)
        reading.strings = 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "spec" not in needed(kind)])
def test_nulls_and_carried_fields_are_counted(kind: type[Resource]) -> None:
    value = {
        **dict.fromkeys(FIELDS[kind]),
        "apiVersion": kind.api_versions[0],
        "kind": kind.kind,
        "metadata": {
            "name": "x",
            "namespace": None,
            "labels": {"a": "b"},
            "uid": "é",
            "owner": [{"c": ["d", {}]}, 1, None],
        },
    }
    reading = Reading()
    read(kind, value, reading)
    assert reading.strings == strings_in(value)
    assert reading.levels == 4


def test_levels_are_those_of_the_deepest_value_that_is_carried() -> None:
    reading = Reading()
    read(EgressPolicy, policy(owner="x"), reading)
    assert reading.levels == 0
    read(EgressPolicy, policy(owner={"a": [{}]}), reading)
    read(EgressPolicy, policy(owner=[[]]), reading)
    assert reading.levels == 3


def test_what_is_carried_is_bounded() -> None:
    deepest: Any = []
    for _ in range(MAX_DEPTH - 1):
        deepest = [deepest]
    assert excess(deepest) is None
    reading = Reading()
    read(EgressPolicy, policy(owner=deepest), reading)
    assert reading.levels == MAX_DEPTH
    with pytest.raises(InvalidValue, match=f"at most {MAX_DEPTH} levels"):
        read(EgressPolicy, policy(owner=[deepest]))


def test_no_part_of_a_list_is_deeper_than_there_is_room() -> None:
    def depths(kind: type[Part], depth: int) -> Iterator[int]:
        yield depth
        for attribute in FIELDS[kind].values():
            metadata = attribute.metadata
            if "part" in metadata:
                yield from depths(metadata["part"], depth + 1)
            elif "parts" in metadata:
                yield from depths(metadata["parts"], depth + 2)

    of_values = 2  # the headers of a match are maps in a list
    assert max(depth for kind in KINDS for depth in depths(kind, 3)) + of_values <= ROOM
