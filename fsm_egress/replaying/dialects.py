"""Records of other programs in the fields of ours: FSM's remote log, Hubble's flows, Envoy's access log.

A record goes in, a JSON object of any content; what comes out are the fields of `records.FIELDS`, or why the
record is left out: it tells of no connection that a pod has made to somewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..connections.payloads import Sends
from ..values.enums import Word
from ..values.frozen import EMPTY
from .records import NOT_GIVEN

__all__ = ["DIALECTS", "Dialect", "Format", "Said"]

Said: TypeAlias = "Mapping[str, Any] | str"
"""The fields of a record, or why it is left out."""

Dialect: TypeAlias = Callable[[Mapping[str, Any]], Said]


class Format(Word):
    """How the records of a log are written.

    JSON is one object a line in the fields of this library, CSV has a header; the last three are JSON, too,
    in the words of the program that writes it.
    """

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    FSM = "fsm"
    HUBBLE = "hubble"
    ENVOY = "envoy"


INBOUND = "inbound"
NO_DIRECTION = "its direction is not said"
REPLY = "a reply"
NOT_TCP = "not TCP"
NO_FLOW = "no flow"
NOT_HTTP = "of layer 7, but not HTTP"
RESPONSE = "a response"
GOES_ON = "no first packet of a connection"
PROXIED = "redirected to Cilium's proxy, which tells of the requests"
NO_VERDICT = "its verdict is not said"
NO_REQUEST = "its request is not said"
NO_ROUTE = "anonymous"  # the service of an entry of FSM's for which no route was found

HTTPS = 443  # where a name that DNS has given is taken for the server name

# What the sidecar's own chain adds before the log sees the request (`logs.md`).
_ADDED = ("fsm-stats-", "x-b3-")
_ADDED_NAMES = {"serviceidentity", "x-request-id", "x-forwarded-proto", "host"}


def _of_fsm(entry: Mapping[str, Any]) -> Said:
    """An entry of FSM's remote log: a request that an HTTP match took, as the sidecar holds it."""
    direction = entry.get("type")
    if direction != "outbound":
        return INBOUND if direction == "inbound" else NO_DIRECTION
    request, headers = _mapping(entry.get("req")), _mapping(_mapping(entry.get("req")).get("headers"))
    if not headers or not _are_given(request, "method", "path"):
        return NO_REQUEST
    # Where no route was found nobody but the client can have said whose it is.
    is_told = _mapping(entry.get("service")).get("name") != NO_ROUTE
    return {
        "identity": headers.get("serviceidentity") if is_told else None,
        **_pod(_mapping(entry.get("pod"))),
        "destination": entry.get("remoteAddr"),
        "port": entry.get("remotePort"),
        "sends": Sends.HTTP.value,
        "host": headers.get("host"),
        "method": request.get("method"),
        "path": request.get("path"),
        "headers": {name: text for name, text in headers.items() if not _is_added(name)},
        "time": entry.get("reqTime"),
    }


def _pod(said: Mapping[str, Any]) -> dict[str, Any]:
    """Which pod it is: by its name in a namespace, where both are said, else by its address."""
    is_named = isinstance(said.get("name"), str) and isinstance(said.get("ns"), str)
    return {
        "pod": said.get("name") if is_named else None,
        "pod_namespace": said.get("ns") if is_named else None,
        "source": said.get("ip"),
    }


def _is_added(header: str) -> bool:
    return header in _ADDED_NAMES or header.startswith(_ADDED)


_PASSES = {"FORWARDED", "AUDIT"}
_STOPPED = {
    "DROPPED": "dropped by Cilium",
    "ERROR": "an error of Cilium's",
    "REDIRECTED": PROXIED,
    "TRACED": "a trace of a socket",
    "TRANSLATED": "a translation of an address",
}


def _of_hubble(record: Mapping[str, Any]) -> Said:
    """A flow that Hubble exports, in its own object or bare, with names in snake or camel case."""
    flow = _mapping(record.get("flow")) or record
    layers, layer7 = _mapping(flow.get("l4")), _mapping(flow.get("l7"))
    if "IP" not in flow or not layers:
        return NO_FLOW
    direction = _word(flow, "traffic_direction")
    if direction != "EGRESS":
        return INBOUND if direction == "INGRESS" else NO_DIRECTION
    if _word(flow, "is_reply") is True or flow.get("reply") is True:
        return REPLY
    segment = layers.get("TCP")
    if not isinstance(segment, Mapping):
        return NOT_TCP
    verdict = flow.get("verdict")
    is_read = bool(layer7) and verdict == "REDIRECTED"  # by the proxy that it has gone to
    if not isinstance(verdict, str):
        return NO_VERDICT
    if verdict not in _PASSES and not is_read:
        return _STOPPED.get(verdict, NO_VERDICT)
    source, ends = _mapping(flow.get("source")), _mapping(flow.get("IP"))
    named = {"name": _word(source, "pod_name"), "ns": source.get("namespace"), "ip": ends.get("source")}
    fields = {
        **_pod(named),
        "destination": ends.get("destination"),
        "port": _word(segment, "destination_port"),
        "time": flow.get("time"),
    }
    is_request = bool(layer7) or flow.get("Type") == "L7"
    return _of_layer7(layer7, fields) if is_request else _of_segment(flow, segment, fields)


def _of_segment(flow: Mapping[str, Any], segment: Mapping[str, Any], fields: dict[str, Any]) -> Said:
    """The first packet of a connection; what it will send is not known, unless by its port."""
    flags = segment.get("flags")
    if isinstance(flags, Mapping) and not (flags.get("SYN") is True and flags.get("ACK") is not True):
        return REPLY if flags.get("SYN") is True else GOES_ON
    names = _word(flow, "destination_names")
    is_named = isinstance(names, list) and len(names) == 1
    return fields | ({"server_name": names[0]} if is_named and fields["port"] == HTTPS else {})


def _of_layer7(layer7: Mapping[str, Any], fields: dict[str, Any]) -> Said:
    """A request that Cilium's proxy has read."""
    http = layer7.get("http")
    if not isinstance(http, Mapping):
        return NOT_HTTP
    if layer7.get("type") != "REQUEST":
        return RESPONSE if layer7.get("type") == "RESPONSE" else NO_REQUEST
    url, listed = http.get("url"), http.get("headers")
    pairs = (_mapping(pair) for pair in (listed if isinstance(listed, list) else ()))
    headers = {name: pair.get("value") for pair in pairs if isinstance(name := pair.get("key"), str)}
    if not isinstance(url, str) or not _are_given(http, "url", "method"):
        return NO_REQUEST
    host, path = _PARTS.findall(url)[0]
    asked: Any = host or headers.get("Host") or headers.get(":authority")
    if asked is None:
        return NO_REQUEST
    return fields | {
        "sends": Sends.HTTP.value,
        "host": asked,
        "method": http.get("method"),
        "path": path if path.startswith("/") else f"/{path}",
        "headers": {name: text for name, text in headers.items() if _is_plain(name)},
    }


_PARTS = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]*://)?([^/?#]*)([^#]*)")  # a query may hold other URLs


def _is_plain(name: str) -> bool:
    return not name.startswith(":") and name.lower() != "host"


def _of_envoy(record: Mapping[str, Any]) -> Said:
    """A line of Envoy's access log with the keys that Istio gives it.

    `downstream_local_address` is where the client meant to go, and `downstream_remote_address` the client.
    """
    cluster = record.get("upstream_cluster")
    if isinstance(cluster, str) and cluster.startswith("inbound|"):
        return INBOUND
    protocol = record.get("protocol")
    is_told = isinstance(protocol, str) and protocol.startswith("HTTP/")
    is_http = is_told or _are_given(record, "method")
    agent = record.get("user_agent")
    asked = {**record, "path": record.get("authority")} if record.get("method") == "CONNECT" else record
    if is_http and not _are_given(asked, "authority", "method", "path"):
        return NO_REQUEST
    request = {
        "sends": Sends.HTTP.value,
        "host": record.get("authority"),
        "method": record.get("method"),
        "path": asked.get("path"),
        "headers": {"user-agent": agent} if isinstance(agent, str) and agent != "-" else {},
    }
    return {
        "source": _without_port(record.get("downstream_remote_address")),
        "destination": record.get("downstream_local_address"),
        "server_name": record.get("requested_server_name"),
        "time": record.get("start_time"),
        **(request if is_http else {}),
    }


def _without_port(address: Any) -> Any:
    """The address of `192.0.2.1:4711` or `[2001:db8::1]:4711`."""
    if not isinstance(address, str):
        return address
    head, colon, _ = address.rpartition(":")
    return head.strip("[]") if colon else address


def _are_given(record: Mapping[str, Any], *names: str) -> bool:
    return all(record.get(name) is not None and record[name] not in NOT_GIVEN for name in names)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else EMPTY


def _word(record: Mapping[str, Any], name: str) -> Any:
    """The value of a name in snake case, as Hubble writes it now, or in camel case."""
    first, *others = name.split("_")
    return record.get(name, record.get(first + "".join(map(str.title, others))))


DIALECTS: Mapping[Format, Dialect] = {
    Format.FSM: _of_fsm,
    Format.HUBBLE: _of_hubble,
    Format.ENVOY: _of_envoy,
}
