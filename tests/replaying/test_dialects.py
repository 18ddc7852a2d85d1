"""Records of other programs: what of each is kept, and why others are left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traffic import ENTRY, EVENTS, ISTIO

from fsm_egress.replaying.dialects import DIALECTS, Format
from fsm_egress.replaying.records import FIELDS

of_fsm, of_hubble, of_envoy = (DIALECTS[it] for it in (Format.FSM, Format.HUBBLE, Format.ENVOY))


def test_an_entry_of_fsm_is_the_request_as_the_client_sent_it() -> None:
    assert of_fsm(ENTRY) == {
        "identity": "checkout.shop",
        "pod": "checkout-0",
        "pod_namespace": "shop",
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
        (http(url=None, headers=None), REQUEST | {"host": None, "path": "/", "headers": {}}),
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


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ASKED),
        ({"user_agent": "-"}, ASKED | {"headers": {}}),
        ({"user_agent": None}, ASKED | {"headers": {}}),
        ({"protocol": None, "requested_server_name": "b.example"}, SEEN | {"server_name": "b.example"}),
        ({"protocol": "-", "upstream_cluster": None}, SEEN),
        ({"downstream_remote_address": None, "protocol": 7}, SEEN | {"source": None}),
        ({"downstream_remote_address": "[2001:db8::1]:41234"}, ASKED | {"source": "2001:db8::1"}),
        ({"downstream_remote_address": "10.244.1.7"}, ASKED),
        ({"upstream_cluster": "inbound|8080||"}, "inbound"),
    ],
)
def test_a_line_of_envoy(fields: dict[str, Any], said: Any) -> None:
    assert of_envoy({**ISTIO, **fields}) == said


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
