"""The checks of single fields: what each lets through unchanged, and what it says about everything else."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fsm_egress.patterns import Pattern
from fsm_egress.resources import checks
from fsm_egress.resources.words import LoadBalancing, Protocol, ServiceAccessMode
from fsm_egress.values.errors import InvalidValue
from fsm_egress.values.frozen import FrozenMap
from fsm_egress.values.net import Address, Prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check = Callable[[Any], Any]

LABEL = "a" * 63
LONGEST_NAME = ".".join([LABEL, LABEL, LABEL, "a" * 61])
TOO_LONG_NAME = ".".join([LABEL, LABEL, LABEL, "a" * 62])

ACCEPTED: list[tuple[Check, Any, Any]] = [
    (checks.string, "", ""),
    (checks.string, "Ünï\n", "Ünï\n"),
    (checks.boolean, True, True),
    (checks.boolean, False, False),
    (checks.port_number, 1, 1),
    (checks.port_number, 65535, 65535),
    (checks.excluded_ports, [443, 80, 443, 0, 65535], (443, 80, 443, 0, 65535)),
    (checks.excluded_ports, [*range(1, 16), 1, 2], (*range(1, 16), 1, 2)),
    (checks.listed_range, "10.0.0.1/8", Prefix("10.0.0.0/8")),
    (checks.listed_range, "54.9.9.9", Prefix("54.9.9.9/32")),
    (checks.listed_ranges, ["54.9.9.9", Prefix("10.0.0.0/8")], (Prefix("54.9.9.9/32"), Prefix("10.0.0.0/8"))),
    (checks.unsigned, 0, 0),
    (checks.unsigned, 2**32 - 1, 2**32 - 1),
    (checks.whole_number, -(2**63), -(2**63)),
    (checks.whole_number, 2**63 - 1, 2**63 - 1),
    (checks.optional_ratio, 0, 0),
    (checks.optional_ratio, 0.25, 0.25),
    (checks.optional_ratio, 1, 1),
    (checks.optional_fraction, "0.5", "0.5"),
    (checks.optional_fraction, ".5", ".5"),
    (checks.optional_fraction, "0", "0"),
    (checks.optional_fraction, "0.", "0."),
    (checks.optional_fraction, "1", "1"),
    (checks.optional_fraction, "1.00", "1.00"),
    (checks.target_port, None, None),
    (checks.target_port, "web", "web"),
    (checks.target_port, 8080, 8080),
    (checks.target_port, 0, None),
    (checks.resource_name, "curl", "curl"),
    (checks.resource_name, "a-1.b-2", "a-1.b-2"),
    (checks.resource_name, LONGEST_NAME, LONGEST_NAME),
    (checks.optional_name, "", ""),
    (checks.optional_name, "curl", "curl"),
    (checks.duration, "1m0.5s", "1m0.5s"),
    (checks.duration, "-1h", "-1h"),
    (checks.duration, "+.5us", "+.5us"),
    (checks.duration, "0", "0"),
    (checks.egress_protocol, "http", Protocol.HTTP),
    (checks.egress_protocol, "HTTPS", Protocol.HTTPS),
    (checks.egress_protocol, "Tcp-Server-First", Protocol.TCP_SERVER_FIRST),
    (checks.egress_protocol, Protocol.TCP, Protocol.TCP),
    (checks.service_access_mode, "ip", ServiceAccessMode.IP),
    (checks.service_access_mode, ServiceAccessMode.MIXED, ServiceAccessMode.MIXED),
    (checks.address, "2001:DB8:0::1", Address("2001:db8::1")),
    (checks.address, Address("10.0.0.1"), Address("10.0.0.1")),
    (checks.load_balancing, "FailOver", LoadBalancing.FAIL_OVER),
    (checks.optional_ipv4, "", ""),
    (checks.optional_ipv4, "127.0.0.2", "127.0.0.2"),
    (checks.cluster_ip, "", ""),
    (checks.cluster_ip, "None", "None"),
    (checks.cluster_ip, "10.96.0.1", "10.96.0.1"),
    (checks.cluster_ip, "FD00:0::1", "fd00::1"),
    (checks.prefix, "54.1.2.3/16", Prefix("54.1.0.0/16")),
    (checks.prefix, Prefix("::/0"), Prefix("::/0")),
    (checks.prefixes, ["10.0.0.0/8", Prefix("::/0")], (Prefix("10.0.0.0/8"), Prefix("::/0"))),
    (checks.host, "HTTPbin.org", "httpbin.org"),
    (checks.host, "*.example.com", "*.example.com"),
    (checks.host, "_dmarc.example_1.com", "_dmarc.example_1.com"),
    (checks.host, "2001:DB8::1", "2001:db8::1"),
    (checks.host, "54.1.2.3", "54.1.2.3"),
    (checks.host, LONGEST_NAME, LONGEST_NAME),
    (checks.hosts, ("A", "b"), ("a", "b")),
    (checks.strings, iter(["", "b"]), ("", "b")),
    (checks.http_method, "*", "*"),
    (checks.http_methods, ["GET", "PATCH"], ("GET", "PATCH")),
    (checks.pattern, "^/get$", Pattern("^/get$")),
    (checks.pattern, Pattern("a|b"), Pattern("a|b")),
    (checks.header_patterns, [], {}),
    (checks.header_patterns, [{"x-env": "^prod"}], {"x-env": Pattern("^prod")}),
    (checks.header_patterns, [{"a": "1"}, {"b": "2"}, {"a": "3"}], {"a": Pattern("3"), "b": Pattern("2")}),
    (checks.header_patterns, FrozenMap({"a": Pattern("1")}), {"a": Pattern("1")}),
    (checks.string_map, {"app": "curl"}, {"app": "curl"}),
    (checks.secret_data, {"tls.crt": "Y2VydA==", "tls.key": b"key"}, {"tls.crt": b"cert", "tls.key": b"key"}),
    (checks.json_map, {"a": [{"b": None}]}, {"a": ({"b": None},)}),
]


@pytest.mark.parametrize(("check", "value", "expected"), ACCEPTED)
def test_a_good_value_is_let_through(check: Check, value: Any, expected: Any) -> None:
    found = check(value)
    assert found == expected
    assert type(found) is type(expected) or isinstance(found, FrozenMap)


OPTIONAL: list[Check] = [
    checks.optional_string,
    checks.optional_boolean,
    checks.optional_unsigned,
    checks.optional_whole_number,
    checks.optional_ratio,
    checks.optional_fraction,
    checks.optional_duration,
    checks.optional_pattern,
    checks.target_port,
]


@pytest.mark.parametrize("check", OPTIONAL)
def test_what_is_optional_may_be_absent_but_is_checked_otherwise(check: Check) -> None:
    assert check(None) is None
    with pytest.raises(InvalidValue):
        check([])


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.optional_string, "a"),
        (checks.optional_boolean, False),
        (checks.optional_unsigned, 7),
        (checks.optional_whole_number, -7),
        (checks.optional_duration, "5s"),
        (checks.optional_pattern, Pattern("a")),
    ],
)
def test_what_is_optional_and_there_is_kept(check: Check, value: Any) -> None:
    assert check(value) == value


METHODS = "`*`, `GET`, `HEAD`, `PUT`, `POST`, `DELETE`, `CONNECT`, `OPTIONS`, `TRACE`, `PATCH`"
A_PORT = "expected a port number from 1 to 65535, found "
A_NAME = "expected a resource name of lower-case letters, digits, `-` and `.`, found "
A_DURATION = "expected a duration such as `1m30s`, found "
A_HOST = "expected a DNS name or an IP address, without scheme, port or path, found "
A_FRACTION = 'expected a number from 0 to 1 as a string, such as `"0.5"`, found '
TO_THE_LETTER = "hosts are compared to the letter, without wildcards"
AN_EGRESS_PROTOCOL = "expected one of `http`, `https`, `tcp`, `tcp-server-first`, found "
NO_GRPC = "; write `http`: it carries HTTP/2 and gRPC, and FSM ignores `grpc` in an Egress silently"
AN_ENTRY = "expected a map with one entry, a header's name and the pattern of its value, found "

REFUSED: list[tuple[Check, Any, str]] = [
    (checks.string, 443, 'expected a string, found the number `443`; write `"443"`'),
    (checks.boolean, 1, "expected a boolean, found the number `1`"),
    (checks.boolean, "True", "expected a boolean, found the string `True`; write `true`: without quotes"),
    (checks.boolean, "yes", "expected a boolean, found the string `yes`"),
    (checks.port_number, "443", A_PORT + "the string `443`; write `443`: without quotes"),
    (checks.port_number, "0", A_PORT + "the string `0`"),
    (checks.port_number, "http", A_PORT + "the string `http`; write `80`: ports have no names here"),
    (checks.port_number, "https", A_PORT + "the string `https`; write `443`: ports have no names here"),
    (checks.port_number, "smtp", A_PORT + "the string `smtp`"),
    (checks.port_number, "٤٤٣", A_PORT + "the string `٤٤٣`"),
    (checks.port_number, "00000000443", A_PORT + "the string `00000000443`"),
    (checks.port_number, True, A_PORT + "the boolean `true`"),
    (checks.port_number, 443.0, A_PORT + "the number `443.0`"),
    (checks.port_number, 0, A_PORT + "the number `0`"),
    (checks.port_number, 65536, A_PORT + "the number `65536`"),
    (checks.excluded_ports, 443, "expected a list of port numbers, found the number `443`"),
    (
        checks.excluded_port,
        65536,
        "expected a port number from 0 to 65535, found the number `65536`",
    ),
    (
        checks.excluded_ports,
        list(range(1, 17)),
        (
            "expected at most 15 different ports, found 16 of them: "
            "iptables refuses the rules, and no pod starts that is to have them"
        ),
    ),
    *(
        (
            checks.listed_range,
            text,
            (
                f"expected a range of IPv4 addresses, found the string `{text}`: "
                "iptables refuses the rules, and no pod starts that is to have them"
            ),
        )
        for text in ("2001:db8::/32", "::1", "::ffff:10.0.0.0/104")
    ),
    (
        checks.listed_range,
        "10.0.0.0/33",
        (
            "expected an address range in CIDR notation, found the string `10.0.0.0/33`: "
            "a length is 0 to 32 for IPv4 and 0 to 128 for IPv6"
        ),
    ),
    (checks.unsigned, -1, "expected a whole number from 0 to 4294967295, found the number `-1`"),
    (
        checks.whole_number,
        2**63,
        "expected a whole number of at most 64 bits, found the number `9223372036854775808`",
    ),
    (checks.optional_ratio, 1.5, "expected a number from 0 to 1, found the number `1.5`"),
    (checks.optional_ratio, math.nan, "expected a number from 0 to 1, found the number `nan`"),
    (checks.optional_ratio, True, "expected a number from 0 to 1, found the boolean `true`"),
    (checks.optional_ratio, "0.5", "expected a number from 0 to 1, found the string `0.5`"),
    (checks.optional_fraction, "1.5", A_FRACTION + "the string `1.5`"),
    (checks.optional_fraction, ".", A_FRACTION + "the string `.`"),
    (checks.target_port, 65536, A_PORT + "the number `65536`"),
    (checks.resource_name, "", A_NAME + "the string ``"),
    (checks.resource_name, "Curl", A_NAME + "the string `Curl`; write `curl`"),
    (
        checks.resource_name,
        "*",
        A_NAME + "the string `*`: names are compared to the letter, without wildcards",
    ),
    (checks.resource_name, "-curl", A_NAME + "the string `-curl`"),
    (checks.resource_name, "curl\n", A_NAME + r"the string `'curl\n'`"),
    (checks.resource_name, TOO_LONG_NAME, A_NAME + f"the string `{TOO_LONG_NAME[:79]}…`"),
    (checks.resource_name, TOO_LONG_NAME.upper(), A_NAME + f"the string `{TOO_LONG_NAME.upper()[:79]}…`"),
    (checks.optional_name, None, "expected a string, found `null`"),
    (checks.duration, "30", A_DURATION + "the string `30`; write `30s`"),
    (checks.duration, "1d", A_DURATION + "the string `1d`"),
    (checks.duration, "1s" * 33, A_DURATION + f"the string `{'1s' * 33}`"),
    (
        checks.egress_protocol,
        "udp",
        AN_EGRESS_PROTOCOL + "the string `udp`: UDP passes by the sidecar, and no policy governs it",
    ),
    (
        checks.egress_protocol,
        "H2C",
        AN_EGRESS_PROTOCOL + "the string `H2C`; write `http`: it carries HTTP/2 and WebSocket, too",
    ),
    (
        checks.egress_protocol,
        "TLS",
        AN_EGRESS_PROTOCOL + "the string `TLS`; write `https`: it stands for TLS",
    ),
    (checks.egress_protocol, "https ", AN_EGRESS_PROTOCOL + "the string `https `; write `https`"),
    (checks.egress_protocol, "redis", AN_EGRESS_PROTOCOL + "the string `redis`"),
    (checks.egress_protocol, 80, AN_EGRESS_PROTOCOL + "the number `80`"),
    (checks.egress_protocol, "gRPC", AN_EGRESS_PROTOCOL + "the string `gRPC`" + NO_GRPC),
    (checks.egress_protocol, Protocol.GRPC, AN_EGRESS_PROTOCOL + "the string `grpc`" + NO_GRPC),
    (checks.service_access_mode, "IP", "expected one of `mixed`, `ip`, `domain`, found the string `IP`"),
    (checks.cluster_ip, "none", "expected an IP address or `None`, found the string `none`; write `None`"),
    (checks.optional_ipv4, "fd00::1", "expected an IPv4 address, found the string `fd00::1`"),
    (checks.cluster_ip, "svc", "expected an IP address or `None`, found the string `svc`"),
    (checks.cluster_ip, [], "expected an IP address or `None`, found an empty list"),
    (checks.cluster_ip, None, "expected an IP address or `None`, found `null`"),
    (
        checks.prefixes,
        {"10.0.0.0/8": 1},
        "expected a list of address ranges in CIDR notation, found a mapping",
    ),
    (checks.host, "", A_HOST + "the string ``"),
    (checks.host, "http://a.b", A_HOST + "the string `http://a.b`; write `a.b`"),
    (
        checks.host,
        "https://me:pw@A.b:443/get?x#y",
        A_HOST + "the string `…@A.b:443/get?x#y`; write `a.b`",
    ),
    (checks.host, "a.b.", A_HOST + "the string `a.b.`; write `a.b`"),
    (checks.host, "a.b/get", A_HOST + "the string `a.b/get`; write `a.b`"),
    (checks.host, "[2001:db8::1]:443", A_HOST + "the string `[2001:db8::1]:443`; write `2001:db8::1`"),
    (checks.host, "a b", A_HOST + "the string `a b`: each host is an entry of its own"),
    (checks.host, "münchen.de", A_HOST + "the string `münchen.de`; write `xn--mnchen-3ya.de`"),
    (checks.host, "*", A_HOST + f"the string `*`: {TO_THE_LETTER}"),
    (checks.host, ".a.b", A_HOST + f"the string `.a.b`: {TO_THE_LETTER}"),
    (checks.host, "a.b, c.d", A_HOST + "the string `a.b, c.d`: each host is an entry of its own"),
    (
        checks.host,
        "10.0.0.0/8,10.1.0.0/16",
        A_HOST + "the string `10.0.0.0/8,10.1.0.0/16`: each host is an entry of its own",
    ),
    (checks.host, TOO_LONG_NAME, A_HOST + f"the string `{TOO_LONG_NAME[:79]}…`"),
    (checks.host, f"http://{TOO_LONG_NAME}", A_HOST + f"the string `http://{TOO_LONG_NAME[:72]}…`"),
    (checks.host, "http://a/" + "b" * 2048, A_HOST + f"the string `http://a/{'b' * 70}…`"),
    (checks.hosts, "a.b", "expected a list of hosts, found the string `a.b`"),
    (checks.strings, b"ab", "expected a list of strings, found a value of type `bytes`"),
    (checks.http_method, "get", f"expected one of {METHODS}, found the string `get`; write `GET`"),
    (checks.http_method, "LINK", f"expected one of {METHODS}, found the string `LINK`"),
    (checks.http_method, "g" * 11, f"expected one of {METHODS}, found the string `{'g' * 11}`"),
    (checks.http_method, ["GET"], f"expected one of {METHODS}, found a list"),
    (
        checks.header_patterns,
        {"x-env": "^prod", "b": "c"},
        "expected a list of maps with one entry each, found a mapping; write `[{x-env: …}, {b: …}]`",
    ),
    (
        checks.header_patterns,
        {},
        "expected a list of maps with one entry each, found an empty mapping",
    ),
    (checks.header_patterns, [{"a": "1", "b": "2"}], "[0]: " + AN_ENTRY + "a mapping"),
    (checks.header_patterns, [{"a": "1"}, "b"], "[1]: " + AN_ENTRY + "the string `b`"),
    (checks.header_patterns, [{1: "a"}], "[0]: expected a header name, found the number `1`"),
    (checks.header_patterns, [{"a b": "a"}], "[0]: expected a header name, found the string `a b`"),
    (checks.string_map, ["a"], "expected a mapping of strings, found a list"),
    (
        checks.string_map,
        {"a": 10**10, "d": 5.5},
        "a: expected a string, found the number `10000000000`\nd: expected a string, found the number `5.5`",
    ),
    (checks.string_map, {"d": True}, "d: expected a string, found the boolean `true`"),
    (checks.string_map, FrozenMap({"a": 1}), 'a: expected a string, found the number `1`; write `"1"`'),
    (checks.string_map, {1: "a"}, '1: expected a string, found the number `1`; write `"1"`'),
    (checks.resource_name, 7, 'expected a string, found the number `7`; write `"7"`'),
    (checks.resource_name, -1, "expected a string, found the number `-1`"),
    (checks.host, 80, 'expected a string, found the number `80`; write `"80"`'),
    (checks.duration, 60, "expected a string, found the number `60`"),
    (checks.secret_data, ["hunter2"], "expected a mapping of base64 texts"),
    (checks.json_map, [1], "expected a mapping, found a list"),
]


@pytest.mark.parametrize(("check", "value", "message"), REFUSED)
def test_a_wrong_value_is_refused_by_name(check: Check, value: Any, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        check(value)
    assert str(caught.value) == message


def test_the_mistakes_of_a_list_come_together() -> None:
    ports: list[Any] = [80, "443", 8080, -1]
    with pytest.raises(InvalidValue) as caught:
        checks.excluded_ports(ports)
    assert [problem.path for problem in caught.value.problems] == ["[1]", "[3]"]


def test_a_wrong_pattern_of_a_header_is_found_under_its_name() -> None:
    with pytest.raises(InvalidValue) as caught:
        checks.header_patterns([{"x-env": "^prod"}, {"x-tier": "("}])
    assert [problem.path for problem in caught.value.problems] == ["[1].x-tier"]


@pytest.mark.parametrize("value", ["hunter2!", "hunter2", 5, "hun ter2", "ключ", ["hunter2"]])
def test_the_error_of_secret_data_names_the_key_alone(value: Any) -> None:
    with pytest.raises(InvalidValue) as caught:
        checks.secret_data({"tls.crt": "Y2VydA==", "tls.key": value})
    assert str(caught.value) == "tls.key: expected a base64 text"
    assert caught.value.__context__ is None


def test_a_key_of_secret_data_is_a_string() -> None:
    with pytest.raises(InvalidValue, match=r"^5: expected a base64 text$"):
        checks.secret_data({5: "Y2VydA=="})


@pytest.mark.parametrize("value", [FrozenMap({"a": "b"})])
@pytest.mark.parametrize("check", [checks.string_map, checks.json_map])
def test_what_is_frozen_already_is_not_copied(check: Check, value: FrozenMap[str]) -> None:
    assert check(value) is value


@pytest.mark.parametrize("kind", [Protocol, ServiceAccessMode])
def test_the_enumerations_print_as_they_are_written(kind: type[Protocol | ServiceAccessMode]) -> None:
    assert [str(member) for member in kind] == [member.value for member in kind]
    assert [f"{member}" for member in kind] == [member.value for member in kind]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5s", 5),
        ("1m0.5s", 60.5),
        ("-1h30m", -5400),
        ("+250ms", 0.25),
        ("1us1µs1μs", 3e-6),
        ("1ns", 1e-9),
        (".5m", 30),
        ("1.h", 3600),
        ("0", 0),
    ],
)
def test_seconds_of_a_duration(text: str, expected: float) -> None:
    found = checks.seconds(text)
    assert found == expected
    assert type(found) is type(expected)


SINGLE: list[Check] = [
    checks.address,
    checks.boolean,
    checks.cluster_ip,
    checks.optional_ipv4,
    checks.duration,
    checks.egress_protocol,
    checks.header_patterns,
    checks.host,
    checks.hosts,
    checks.http_method,
    checks.http_methods,
    checks.json_map,
    checks.optional_boolean,
    checks.optional_duration,
    checks.optional_fraction,
    checks.optional_name,
    checks.optional_pattern,
    checks.optional_ratio,
    checks.optional_string,
    checks.optional_unsigned,
    checks.optional_whole_number,
    checks.pattern,
    checks.port_number,
    checks.excluded_port,
    checks.excluded_ports,
    checks.listed_range,
    checks.listed_ranges,
    checks.prefix,
    checks.prefixes,
    checks.resource_name,
    checks.secret_data,
    checks.service_access_mode,
    checks.string,
    checks.string_map,
    checks.strings,
    checks.target_port,
    checks.unsigned,
    checks.whole_number,
]

LIKELY = st.sampled_from(
    ["443", "get", "TRUE", "None", "none", "30", "1s", "http", "GRPC", "ip", "Curl", "A.b", "http://a.b:1/c"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | LIKELY
    | st.text(max_size=20)
    | st.binary(max_size=4)
    | st.ip_addresses().map(str)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(SINGLE), VALUES)
@example(checks.cluster_ip, {"None": []})
def test_a_check_raises_nothing_but_invalid_value_and_is_idempotent(check: Check, value: Any) -> None:
    try:
        good = check(value)
    except InvalidValue:
        return
    assert check(good) == good


PROPOSING: list[Check] = [
    checks.egress_protocol,
    checks.host,
    checks.http_method,
    checks.resource_name,
    checks.duration,
    checks.cluster_ip,
]
NEARLY = st.from_regex(r"[a-zA-Z0-9_.-]{0,12}", fullmatch=True) | st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "http://", "HTTPS://me@", "[", "*."]),
    st.from_regex(r"[A-Za-z0-9.-]{0,12}", fullmatch=True)
    | st.just(TOO_LONG_NAME)
    | st.ip_addresses().map(str),
    st.sampled_from(["", ".", ":80", "/get", "]:80", "?q", " "]),
)


@given(st.sampled_from(PROPOSING), LIKELY | NEARLY)
@example(checks.host, TOO_LONG_NAME)
@example(checks.host, f"http://{TOO_LONG_NAME}")
def test_what_an_error_proposes_is_good(check: Check, value: str) -> None:
    try:
        check(value)
    except InvalidValue as error:
        proposals = [problem.proposal for problem in error.problems if problem.proposal is not None]
        assert [str(check(proposal)) for proposal in proposals] == proposals


@given(st.dictionaries(st.text(), st.binary()))
def test_secret_data_reads_what_base64_writes(data: dict[str, bytes]) -> None:
    assert checks.secret_data({key: b64encode(item).decode() for key, item in data.items()}) == data
    assert checks.secret_data(data) == data


@given(
    st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["h", "m", "s", "ms"])), min_size=1, max_size=6)
)
def test_seconds_add_up(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert checks.duration(text) == text
    factor = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
    assert checks.seconds(text) == sum(number * factor[unit] for number, unit in parts) / 1000
    assert checks.seconds(f"-{text}") == -checks.seconds(text)


def test_a_list_is_read_once() -> None:
    def ports() -> Iterator[int]:
        yield from (80, 443)

    assert checks.excluded_ports(ports()) == (80, 443)


def test_a_long_text_is_refused_at_once() -> None:
    hostile = "a" * 50_000
    for check in (checks.host, checks.resource_name, checks.duration, checks.http_method, checks.port_number):
        with pytest.raises(InvalidValue) as caught:
            check(hostile)
        assert re.search("a{79}…`$", str(caught.value))
        assert all(problem.proposal is None for problem in caught.value.problems)


@pytest.mark.parametrize("bad", ["a.b", "a" * 64, "", "A"])
def test_a_namespace_is_a_label(bad: str) -> None:
    with pytest.raises(InvalidValue):
        checks.namespace(bad)
    assert checks.namespace("fsm-system") == "fsm-system"


# --- names and hosts by another reading -------------------------------------------------------------------

spelled_names = st.text(st.sampled_from("ab-._*A9é\n"), max_size=6) | st.builds(
    lambda label, count, tail: label * count + tail,
    st.sampled_from("a-."),
    st.sampled_from([62, 63, 64, 252, 253, 254]),
    st.sampled_from(["", "b", "-", ".", ".b"]),
)


def is_label(text: str, letters: str) -> bool:
    """A DNS label by the letter of RFC 1123."""
    return 0 < len(text) <= 63 and set(text) <= set(letters) and "-" not in {text[0], text[-1]}


@given(spelled_names)
def test_law_a_name_is_labels_between_dots(text: str) -> None:
    letters = ascii_lowercase + digits + "-"
    is_subdomain = all(is_label(label, letters) for label in text.split("."))
    assert bool(checks.is_subdomain(text)) is is_subdomain
    assert made_by(checks.resource_name, text) == (text if is_subdomain and len(text) <= 253 else None)


@given(spelled_names)
def test_law_a_host_is_labels_between_dots_perhaps_below_a_star(text: str) -> None:
    letters = ascii_lowercase + digits + "-_"
    lower = text.lower() if text.isascii() else ""
    is_host = all(is_label(label, letters) for label in lower.removeprefix("*.").split("."))
    assert made_by(checks.host, text) == (lower if is_host and len(text) <= 253 else None)


def made_by(check: Check, value: Any) -> Any:
    """What a check makes of a value, or None where it refuses it."""
    try:
        return check(value)
    except InvalidValue:
        return None
