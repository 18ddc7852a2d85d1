"""Records of other programs: what of each is kept, and why others are left out."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import config, load
from traffic import ENTRY, EVENTS, ISTIO

import fsm_egress as fe
from fsm_egress.replaying.dialects import DIALECTS, Format
from fsm_egress.replaying.records import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

of_fsm, of_hubble, of_envoy = (DIALECTS[it] for it in (Format.FSM, Format.HUBBLE, Format.ENVOY))


def test_an_entry_of_fsm_is_the_request_as_the_client_sent_it() -> None:
    assert of_fsm(ENTRY) == {
        "identity": "checkout.shop",
        "pod": "checkout-0",
        "pod_namespace": "shop",
        "source": "10.244.1.7",
        "destination": "203.0.113.10",
        "port": 80,
        "sends": "http",
        "host": "api.payments.example",
        "method": "POST",
        "path": "/v1/charges?limit=3",
        "headers": {"x-env": "prod"},
        "time": 1790000061123,
    }


@pytest.mark.parametrize(
    ("direction", "reason"),
    [("inbound", "inbound"), (None, "its direction is not said"), (7, "its direction is not said")],
)
def test_an_entry_of_the_other_side_is_left_out(direction: Any, reason: str) -> None:
    assert of_fsm({**ENTRY, "type": direction}) == reason


FLOW = {
    "pod": "checkout-0",
    "pod_namespace": "shop",
    "source": "10.244.1.7",
    "destination": "203.0.113.10",
    "port": 443,
    "time": "2026-09-21T14:14:21.123456789Z",
}
NAMED = FLOW | {"server_name": "api.payments.example"}
REQUEST = FLOW | {
    "port": 80,
    "sends": "http",
    "host": "api.payments.example",
    "method": "GET",
    "path": "/v1/charges?limit=3",
    "headers": {"X-Env": "prod"},
}
SAID: dict[str, Any] = {
    "syn": NAMED,
    "noflags": NAMED,
    "verdict-AUDIT": NAMED,
    "names": FLOW,
    "noname": FLOW,
    "other-port": FLOW | {"port": 5432},
    "nopod": NAMED | {"pod": None, "pod_namespace": None},
    "l7": REQUEST,
    "l7-redirected": REQUEST,
    "l7-response": "a response",
    "kafka": "of layer 7, but not HTTP",
    "synack": "a reply",
    "reply": "a reply",
    "ack": "no first packet of a connection",
    "ingress": "inbound",
    "nodirection": "its direction is not said",
    "udp": "not TCP",
    "noflow": "no flow",
    "lost": "no flow",
    "verdict-DROPPED": "dropped by Cilium",
    "verdict-ERROR": "an error of Cilium's",
    "verdict-REDIRECTED": "redirected to Cilium's proxy, which tells of the requests",
    "verdict-TRACED": "a trace of a socket",
    "verdict-TRANSLATED": "a translation of an address",
    "verdict-VERDICT_UNKNOWN": "its verdict is not said",
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_of_hubble(name: str) -> None:
    for event in EVENTS[name]:
        assert of_hubble(event) == SAID[name]
        assert of_hubble(event.get("flow") or event) == SAID[name]  # as `hubble observe` once printed it


def changed(name: str, **fields: Any) -> dict[str, Any]:
    (event, _) = EVENTS[name]
    return {"flow": event["flow"] | fields}


def http(**fields: Any) -> dict[str, Any]:
    layer7 = EVENTS["l7"][0]["flow"]["l7"]
    return changed("l7", l7=layer7 | {"http": layer7["http"] | fields})


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (changed("syn", reply=True, is_reply=None), "a reply"),  # as it was spelt before Cilium 1.10
        (changed("syn", l4={"TCP": None}), "not TCP"),
        (changed("syn", verdict=2), "its verdict is not said"),
        (changed("syn", verdict=None), "its verdict is not said"),
        (changed("syn", verdict="NEW"), "its verdict is not said"),
        (changed("syn", destination_names="a"), FLOW),
        (changed("syn", source=None), NAMED | {"pod": None, "pod_namespace": None}),
        (changed("syn", IP=None), NAMED | {"source": None, "destination": None}),
        (http(url="/only/a/path"), REQUEST | {"path": "/only/a/path"}),
        (http(url="http://b.example"), REQUEST | {"host": "b.example", "path": "/"}),
        (http(url="http://b.example?q#top"), REQUEST | {"host": "b.example", "path": "/?q"}),
        (http(url="http://b.example/x?to=http://c.example/y"), REQUEST | {
            "host": "b.example", "path": "/x?to=http://c.example/y"
        }),
        (http(url="/x?to=http://c.example/y"), REQUEST | {"path": "/x?to=http://c.example/y"}),
        (http(url="b.example/x"), REQUEST | {"host": "b.example", "path": "/x"}),
        (http(url=None, headers=None), "its request is not said"),
        (http(url="/only/a/path", headers=None), "its request is not said"),
        (http(headers=[{"key": ":authority", "value": "c.example"}], url="/"), REQUEST | {
            "host": "c.example", "path": "/", "headers": {}
        }),
        (http(headers=[7, {"value": "x"}]), REQUEST | {"headers": {}}),
    ],
)  # fmt: skip
def test_a_flow_with_a_field_that_is_missing_or_spelt_otherwise(event: Any, said: Any) -> None:
    assert of_hubble(event) == said


SEEN = {
    "source": "10.244.1.7",
    "destination": "203.0.113.10:80",
    "server_name": None,
    "time": "2026-09-21T14:14:21.123Z",
}
ASKED = SEEN | {
    "sends": "http",
    "host": "api.payments.example",
    "method": "GET",
    "path": "/v1/charges",
    "headers": {"user-agent": "curl/8.5.0"},
}


TCP = {"protocol": None, "method": None}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ASKED),
        ({"user_agent": "-"}, ASKED | {"headers": {}}),
        ({"user_agent": None}, ASKED | {"headers": {}}),
        (TCP | {"requested_server_name": "b.example"}, SEEN | {"server_name": "b.example"}),
        (TCP | {"method": "-", "protocol": "-", "upstream_cluster": None}, SEEN),
        (TCP | {"downstream_remote_address": None, "protocol": 7}, SEEN | {"source": None}),
        ({"protocol": None}, ASKED),
        ({"path": "-"}, "its request is not said"),
        ({"method": "CONNECT", "path": None, "authority": "b.example:443"}, ASKED | {
            "method": "CONNECT", "host": "b.example:443", "path": "b.example:443"
        }),
        ({"method": "CONNECT", "authority": None}, "its request is not said"),
        ({"downstream_remote_address": "[2001:db8::1]:41234"}, ASKED | {"source": "2001:db8::1"}),
        ({"downstream_remote_address": "10.244.1.7"}, ASKED),
        ({"upstream_cluster": "inbound|8080||"}, "inbound"),
    ],
)  # fmt: skip
def test_a_line_of_envoy(fields: dict[str, Any], said: Any) -> None:
    assert of_envoy({**ISTIO, **fields}) == said


# --- each field missing, null, or of another type ---------------------------------------------------------

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "checkout-0", "namespace": "shop"},
    "spec": {"serviceAccountName": "checkout"},
    "status": {"podIP": "10.244.1.7", "podIPs": [{"ip": "10.244.1.7"}]},
}
WRONG = (None, ["x"], {"a": 1}, True, -7, "")
WHOLE = {
    "fsm": (ENTRY, Format.FSM),
    "syn": (EVENTS["syn"][0], Format.HUBBLE),
    "camel": (EVENTS["syn"][1], Format.HUBBLE),
    "l7": (EVENTS["l7"][0], Format.HUBBLE),
    "envoy": (ISTIO, Format.ENVOY),
}
BY_ADDRESS = "checkout.shop to 203.0.113.10:443"
# What a record says without the field or with another value in it, where that is not what it said before.
OTHERWISE = {
    ("fsm", "req.headers.host"): {"checkout.shop to 203.0.113.10:80 POST ^/v1/charges\\?limit=[^&]*$"},
    ("syn", "flow.destination_names"): {BY_ADDRESS, "checkout.shop to x:443"},
    ("camel", "flow.destinationNames"): {BY_ADDRESS, "checkout.shop to x:443"},
}


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of everything in nested objects."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield (*path, key)
        yield from paths(inner, (*path, key))


def with_values(record: Any, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The record without the field of a path, then with everything wrong in it."""
    for what in ("missing", *WRONG):
        copy = json.loads(json.dumps(record))
        place: Any = copy
        for key in path[:-1]:
            place = place[key]
        if what == "missing":
            del place[path[-1]]
        else:
            place[path[-1]] = what
        yield copy


def need(record: dict[str, Any], written: Format) -> str:
    """What a record is learned to need; or, in brackets, why it is left out."""
    content = BytesIO(f"{json.dumps(record)}\n".encode())
    mesh = load(config({"enableEgress": True}), POD)
    evidence = fe.learn(mesh, [fe.Log(content, "log", written)], routes=True, hold_out=0).evidence
    assert evidence.read == 1
    return " ".join(map(str, evidence.seen)) or str([*evidence.left_out])


@pytest.mark.parametrize("name", WHOLE)
def test_a_field_that_is_missing_or_wrong_never_makes_another_request_of_a_record(name: str) -> None:
    record, written = WHOLE[name]
    whole = need(record, written)
    assert whole.startswith("checkout.shop to api.payments.example")
    for path in paths(record):
        found = {need(each, written) for each in with_values(record, path)}
        told = {each for each in found if not each.startswith("[")}
        assert told <= {whole} | OTHERWISE.get((name, ".".join(path)), set()), path


@pytest.mark.parametrize(
    ("pod", "who"),
    [
        ({"name": "checkout-0", "ns": "shop"}, "checkout.shop"),
        ({"ip": "10.244.1.7"}, "checkout.shop"),
        ({"ip": "10.244.1.7", "name": "checkout-0", "ns": 7}, "checkout.shop"),
        ({"ip": "10.244.1.8"}, "['cannot be read: source: expected the address of one pod of the mesh']"),
        ({}, "['cannot be read: identity: expected a service identity `name.namespace`']"),
    ],
)
def test_whose_a_refused_request_is_follows_from_the_pod_and_not_from_the_client(
    pod: dict[str, Any], who: str
) -> None:
    headers = ENTRY["req"]["headers"] | {"serviceidentity": "admin.shop"}
    refused = ENTRY | {"pod": pod, "req": ENTRY["req"] | {"headers": headers}}
    refused["service"] = {"name": "anonymous", "target": None}
    assert need(refused, Format.FSM).partition(" to ")[0] == who


KEYS = sorted(
    {
        "flow",
        "IP",
        "l4",
        "l7",
        "TCP",
        "flags",
        "http",
        "url",
        "headers",
        "verdict",
        "traffic_direction",
        "type",
    }
    | ENTRY.keys()
    | ISTIO.keys()
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["EGRESS", "outbound"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
)


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING), st.sampled_from(list(DIALECTS)))
def test_law_any_object_has_the_fields_of_records_or_a_reason(
    record: dict[str, Any], dialect: Format
) -> None:
    said = DIALECTS[dialect](record)
    assert isinstance(said, str) or said.keys() <= FIELDS.keys() | {"pod", "pod_namespace"}


@given(
    st.sampled_from([event for events in EVENTS.values() for event in events]),
    st.lists(
        st.sampled_from(["flow", "l4", "TCP", "flags", "l7", "http", "source", "IP", "headers"]), min_size=1
    ),
    ANYTHING,
)
def test_law_a_flow_with_anything_in_a_place_is_read(
    event: dict[str, Any], path: list[str], what: Any
) -> None:
    copy = json.loads(json.dumps(event))
    place: Any = copy
    for key in path[:-1]:
        place = place[key] if isinstance(place, dict) and isinstance(place.get(key), dict) else place
    place[path[-1]] = what
    assert isinstance(of_hubble(copy), (str, dict))
