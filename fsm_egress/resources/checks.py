"""What a single field may hold: one function for each kind of value, for Python callers and documents alike.

Each takes a value as a document or a caller gives it and returns it as the models hold it, or raises
`InvalidValue`. Nothing is coerced: `"443"` is no port, `1` is no boolean (`docs/formats.md`).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import islice
from math import isfinite
from typing import Any, TypeVar

from ..patterns import Pattern, parse_pattern
from ..values.errors import MAX_PROBLEMS, InvalidValue, Problem
from ..values.frozen import FrozenMap, freeze, is_unicode
from ..values.hostnames import spelling
from ..values.net import Address, Prefix, parse_address, parse_prefix
from .words import (
    EGRESS_PROTOCOLS,
    EGRESS_PROTOCOLS_BY_NAME,
    HTTP_METHODS,
    OTHER_PROTOCOLS,
    LoadBalancing,
    Protocol,
    ServiceAccessMode,
)

T = TypeVar("T")
UNQUOTED = "without quotes"  # why a value is proposed that looks like the one found
REFUSED_BY_IPTABLES = "iptables refuses the rules, and no pod starts that is to have them"

EnumT = TypeVar("EnumT", bound=Enum)

UINT32_MAX = 2**32 - 1
INT64_MAX = 2**63 - 1
NAME_LENGTH = 253  # RFC 1123
LAST_PORT = 65_535
LABEL_LENGTH = 63  # RFC 1123
MULTIPORT = 15  # the ports that a rule of iptables takes (`interception.json`)
IPV4 = 4
NUMBER_LENGTH = 10  # digits of UINT32_MAX: a longer text is no number that could be proposed
USUAL_PORTS = {"http": 80, "https": 443}
_A_PORT = f"a port number from 1 to {LAST_PORT}"
DURATION_LENGTH = 64  # Go's durations end at 292 years
JSON_DEPTH = 64  # the API server's own documents stay far below

_LABEL = rf"(?!-)[a-z0-9-]{{1,{LABEL_LENGTH}}}(?<!-)"
is_subdomain: Callable[[str], re.Match[str] | None] = re.compile(rf"{_LABEL}(?:\.{_LABEL})*").fullmatch
_HOST_LABEL = rf"(?!-)[a-z0-9_-]{{1,{LABEL_LENGTH}}}(?<!-)"
_HOST = re.compile(rf"(?:\*\.)?{_HOST_LABEL}(?:\.{_HOST_LABEL})*")
_HOST_IN_URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?(\[[^\]\s]*\]|[^\s:/?#]+)([:/?#]\S*)?", re.ASCII
)
_URL_LENGTH = 2048  # a longer text is nothing that a host could be proposed from
_FRACTION = re.compile(r"0?\.\d{1,16}|0|1(\.0{0,16})?|0\.", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_DURATION = re.compile(rf"[+-]?(0|({_DURATION_PART.pattern})+)", re.ASCII)
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


def each(check: Callable[[Any], T], values: Any, what: str) -> tuple[T, ...]:
    """Every element of a list by `check`; the mistakes of all elements come together.

    A string is no list of its letters, and a mapping none of its keys.
    """
    if not isinstance(values, (list, tuple)) and (
        isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable)
    ):
        raise InvalidValue.of(f"a list of {what}", values)
    given = tuple(values)
    try:
        return tuple([check(value) for value in given])
    except InvalidValue:
        raise _mistakes(check, ((f"[{index}]", value) for index, value in enumerate(given))) from None


def _mistakes(check: Callable[[Any], object], items: Iterable[tuple[str, Any]]) -> InvalidValue:
    """What `check` finds wrong with the values, each at its path."""
    problems: list[Problem] = []
    for path, value in items:
        try:
            check(value)
        except InvalidValue as error:
            problems.extend(error.at(path).problems)
        if len(problems) >= MAX_PROBLEMS:
            break
    return InvalidValue(*problems)


def one_of(value: Any, choices: Iterable[EnumT]) -> EnumT:
    """The choice whose value this is, to the letter."""
    for choice in choices:
        if value == choice.value and isinstance(value, str):
            return choice
    names = ", ".join(f"`{choice.value}`" for choice in choices)
    raise InvalidValue.of(f"one of {names}", value)


def string(value: Any) -> str:
    """A string, of any content."""
    return text_for(value, string)


def text_for(value: Any, check: Callable[[str], object]) -> str:
    """A string that `check` looks at; for a number it is proposed with quotes, where `check` takes that."""
    if not isinstance(value, str):
        is_number = type(value) is int and abs(value) < 10**NUMBER_LENGTH
        is_taken = is_number and not _mistakes(check, [("", str(value))]).problems
        raise InvalidValue.of("a string", value, proposal=f'"{value}"' if is_taken else None)
    if not is_unicode(value):
        raise InvalidValue(Problem("a string of Unicode characters", "half of one, a lone surrogate"))
    return value


def secret_string(value: Any) -> str:
    """A string that nobody is to see: no error says what stands there instead."""
    try:
        return string(value)
    except InvalidValue:
        raise InvalidValue(Problem("a string")) from None


def optional_string(value: Any) -> str | None:
    """A string, or nothing."""
    return None if value is None else string(value)


def boolean(value: Any) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        spelled = isinstance(value, str) and value.lower() in {"true", "false"}
        proposal, reason = (value.lower(), UNQUOTED) if spelled else (None, None)
        raise InvalidValue.of("a boolean", value, proposal=proposal, reason=reason)
    return value


def optional_boolean(value: Any) -> bool | None:
    """`true`, `false`, or nothing."""
    return None if value is None else boolean(value)


def _whole(value: Any, low: int, high: int, expected: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    quoted = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= NUMBER_LENGTH
    proposal = str(int(value)) if quoted and low <= int(value) <= high else None
    raise InvalidValue.of(expected, value, proposal=proposal, reason=UNQUOTED if proposal else None)


def port_number(value: Any) -> int:
    """A TCP port, 1 to 65535."""
    try:
        return _whole(value, 1, LAST_PORT, _A_PORT)
    except InvalidValue:
        number = USUAL_PORTS.get(value) if isinstance(value, str) else None
        if number is None:
            raise
        raise InvalidValue.of(
            _A_PORT, value, proposal=str(number), reason="ports have no names here"
        ) from None


def optional_port(value: Any) -> int | None:
    """A TCP port, or nothing."""
    return None if value is None else port_number(value)


def excluded_port(value: Any) -> int:
    """A port that iptables takes, 0 to 65535; no connection goes to port 0."""
    return _whole(value, 0, LAST_PORT, "a port number from 0 to 65535")


def excluded_ports(value: Iterable[int]) -> tuple[int, ...]:
    """The ports of an exclusion list: as many as one rule of iptables takes."""
    ports = each(excluded_port, value, "port numbers")
    count = len(set(ports))
    if count > MULTIPORT:
        raise InvalidValue(
            Problem(f"at most {MULTIPORT} different ports", f"{count} of them", reason=REFUSED_BY_IPTABLES)
        )
    return ports


def unsigned(value: Any) -> int:
    """An unsigned number of 32 bits."""
    return _whole(value, 0, UINT32_MAX, f"a whole number from 0 to {UINT32_MAX}")


def optional_unsigned(value: Any) -> int | None:
    """An unsigned number of 32 bits, or nothing."""
    return None if value is None else unsigned(value)


def whole_number(value: Any) -> int:
    """A signed number of 64 bits."""
    return _whole(value, -INT64_MAX - 1, INT64_MAX, "a whole number of at most 64 bits")


def optional_whole_number(value: Any) -> int | None:
    """A signed number of 64 bits, or nothing."""
    return None if value is None else whole_number(value)


def workers(value: Any) -> int:
    """How many processes share some work."""
    if type(value) is not int or value < 1:
        raise InvalidValue.of("a number of workers from 1 on", value)
    return value


def optional_ratio(value: Any) -> float | None:
    """A number from 0 to 1, or nothing."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidValue.of("a number from 0 to 1", value)
    return value


def number(value: Any) -> int | float:
    """A number, whole or not."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not isfinite(value):
        raise InvalidValue.of("a number", value)
    return value


def optional_fraction(value: Any) -> str | int | float | None:
    """A number from 0 to 1, or nothing: as a string, as Kubernetes keeps fractions, or as v1alpha1 has it."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return value
    given = text_for(value, optional_fraction)
    if not _FRACTION.fullmatch(given):
        raise InvalidValue.of('a number from 0 to 1 as a string, such as `"0.5"`', value)
    return given


def target_port(value: Any) -> int | str | None:
    """A port of the pods by number or by name, or nothing, which 0 is, too."""
    if value is None or isinstance(value, str):
        return value
    return None if value == 0 and type(value) is int else port_number(value)


def resource_name(value: Any) -> str:
    """The name of a Kubernetes object: a DNS subdomain in lower case."""
    if isinstance(value, str) and len(value) <= NAME_LENGTH and is_subdomain(value):
        return value
    given = text_for(value, resource_name)
    lower = given[: NAME_LENGTH + 1].lower()
    proposal = lower if len(lower) <= NAME_LENGTH and is_subdomain(lower) else None
    raise InvalidValue.of(
        "a resource name of lower-case letters, digits, `-` and `.`",
        value,
        proposal=proposal,
        reason="names are compared to the letter, without wildcards" if "*" in given else None,
    )


DEFAULT_ACCOUNT = "default"


def account_name(value: Any) -> str:
    """The name of the account that pods run under; the empty string is none, for which `default` stands."""
    return DEFAULT_ACCOUNT if value == "" else resource_name(value)


def namespace(value: Any) -> str:
    """The name of a namespace: a DNS label, without dots."""
    name = resource_name(value)
    if not is_namespace(name):
        raise InvalidValue.of("a namespace of lower-case letters, digits and `-`", value)
    return name


def optional_namespace(value: Any) -> str:
    """The name of a namespace, or the empty string for none."""
    return "" if value == "" else namespace(value)


def is_namespace(name: str) -> bool:
    """Whether there can be a namespace of this name, which is that of an object, or empty."""
    return 0 < len(name) <= LABEL_LENGTH and "." not in name


def optional_name(value: Any) -> str:
    """The name of a Kubernetes object, or the empty string for none."""
    return "" if value == "" else resource_name(value)


def duration(value: Any) -> str:
    """A duration in Go's notation (`1m0.5s`), kept as it is written."""
    given = text_for(value, duration)
    if len(given) <= DURATION_LENGTH and _DURATION.fullmatch(given):
        return given
    number = given.isascii() and given.isdecimal() and len(given) <= NUMBER_LENGTH
    raise InvalidValue.of("a duration such as `1m30s`", value, proposal=f"{given}s" if number else None)


def optional_duration(value: Any) -> str | None:
    """A duration in Go's notation, or nothing."""
    return None if value is None else duration(value)


def seconds(text: str) -> int | float:
    """A valid duration in seconds: `1m0.5s` is 60.5, `5s` is 5."""
    from fractions import Fraction  # noqa: PLC0415  # because most meshes name no duration

    parts = _DURATION_PART.findall(text)
    total = sum((Fraction(number) * _NANOSECONDS[unit] for number, unit in parts), Fraction(0)) / 10**9
    signed = -total if text.startswith("-") else total
    return int(signed) if signed.denominator == 1 else float(signed)


def egress_protocol(value: Any) -> Protocol:
    """A protocol that an Egress port may have, in any letter case."""
    text = value.lower() if isinstance(value, str) else value
    if isinstance(text, str) and text in EGRESS_PROTOCOLS_BY_NAME:
        return EGRESS_PROTOCOLS_BY_NAME[text]
    names = ", ".join(f"`{protocol}`" for protocol in EGRESS_PROTOCOLS)
    given = text.strip() if isinstance(text, str) else ""
    proposal, reason = OTHER_PROTOCOLS.get(
        given, (given if given in EGRESS_PROTOCOLS_BY_NAME else None, None)
    )
    found = str(value) if isinstance(value, str) else value
    raise InvalidValue.of(f"one of {names}", found, proposal=proposal, reason=reason)


def load_balancing(value: Any) -> LoadBalancing:
    """How clusters share the traffic of a service: `Locality`, `ActiveActive` or `FailOver`."""
    return one_of(value, LoadBalancing)


def service_access_mode(value: Any) -> ServiceAccessMode:
    """How services are addressed: `mixed`, `ip` or `domain`."""
    return one_of(value, ServiceAccessMode)


def address(value: Any) -> Address:
    """An IP address, without port or length."""
    return value if isinstance(value, Address) else parse_address(value)


def optional_address(value: Any) -> str:
    """An IP address as it is written, or the empty string for none."""
    return "" if value == "" else str(address(value))


def cluster_ip(value: Any) -> str:
    """A service's ClusterIP: an address, `None` for a headless service, or nothing."""
    if isinstance(value, str) and value in {"", "None"}:
        return value
    try:
        return str(parse_address(value))
    except InvalidValue:
        proposal = "None" if isinstance(value, str) and value.lower() == "none" else None
        raise InvalidValue.of("an IP address or `None`", value, proposal=proposal) from None


def optional_ipv4(value: Any) -> str:
    """An IPv4 address as a text, or an empty text."""
    if value == "":
        return ""
    found = address(value)
    if found.version != IPV4:
        raise InvalidValue.of("an IPv4 address", str(value))
    return str(found)


def prefix(value: Any) -> Prefix:
    """An address range in CIDR notation; host bits are cleared."""
    return value if isinstance(value, Prefix) else parse_prefix(value)


def prefixes(value: Iterable[Prefix | str]) -> tuple[Prefix, ...]:
    """A list of address ranges in CIDR notation."""
    return each(prefix, value, "address ranges in CIDR notation")


def listed_range(value: Any) -> Prefix:
    """A range of a list of redirections: of IPv4, as iptables knows no other; a bare address is its `/32`."""
    is_bare = isinstance(value, str) and "/" not in value
    found = Prefix.host(address(value)) if is_bare else prefix(value)
    if found.version != IPV4 or (isinstance(value, str) and ":" in value):
        raise InvalidValue.of("a range of IPv4 addresses", str(value), reason=REFUSED_BY_IPTABLES)
    return found


def listed_ranges(value: Iterable[Prefix | str]) -> tuple[Prefix, ...]:
    """The ranges of a list of redirections."""
    return each(listed_range, value, "ranges of IPv4 addresses")


def host(value: Any) -> str:
    """A DNS name or an IP address, in lower case."""
    if isinstance(value, str) and len(value) <= NAME_LENGTH and _HOST.fullmatch(value):
        return value
    given = text_for(value, host)
    lower = given.lower()
    if len(given) <= NAME_LENGTH and given.isascii() and (_HOST.fullmatch(lower) or is_address(given)):
        return lower
    inner = _HOST_IN_URL.fullmatch(lower) if len(given) <= _URL_LENGTH else None
    bare = inner[1].strip("[]").rstrip(".") if inner else ""
    spelled = spelling(bare) if bare and not bare.isascii() else None
    bare = spelled.text if spelled else bare
    good = len(bare) <= NAME_LENGTH and (_HOST.fullmatch(bare) or is_address(bare))
    expected = "a DNS name or an IP address, without scheme, port or path"
    reason = next((why for is_so, why in _NO_HOSTS if is_so(given)), None)
    if reason:
        raise InvalidValue.of(expected, value, reason=reason)
    user, _, rest = given.rpartition("@")
    found = f"…@{rest}" if user else value  # a problem shows no password
    raise InvalidValue.of(expected, found, proposal=bare if good else None)


def is_range(text: str) -> bool:
    """Whether a text writes an address range, and no single address."""
    try:
        return parse_prefix(text).size > 1
    except InvalidValue:
        return False


_NO_HOSTS: tuple[tuple[Callable[[str], object], str], ...] = (
    (is_range, "a range belongs into `ipAddresses`"),
    (
        re.compile(r"\*|\.[a-z0-9.-]+", re.IGNORECASE).fullmatch,
        "hosts are compared to the letter, without wildcards",
    ),
    (
        re.compile(r"[a-z0-9./:-]+([,;]\s*|\s+)[a-z0-9./:-].*", re.IGNORECASE).fullmatch,
        "each host is an entry of its own",
    ),
)
"""What is written among hosts and is none, and what to say of it."""


def is_address(text: str) -> bool:
    """Whether a text writes an IP address."""
    try:
        parse_address(text)
    except InvalidValue:
        return False
    return True


def hosts(value: Iterable[str]) -> tuple[str, ...]:
    """A list of DNS names or IP addresses."""
    return each(host, value, "hosts")


def strings(value: Iterable[str]) -> tuple[str, ...]:
    """A list of strings."""
    return each(string, value, "strings")


def http_method(value: Any) -> str:
    """An HTTP method that an HTTPRouteGroup may name, or `*` for any."""
    if isinstance(value, str) and value in HTTP_METHODS:
        return value
    upper = value.upper() if isinstance(value, str) and len(value) <= NUMBER_LENGTH else None
    names = ", ".join(f"`{method}`" for method in HTTP_METHODS)
    raise InvalidValue.of(f"one of {names}", value, proposal=upper if upper in HTTP_METHODS else None)


def http_methods(value: Iterable[str]) -> tuple[str, ...]:
    """A list of HTTP methods."""
    return each(http_method, value, "HTTP methods")


def pattern(value: Any) -> Pattern:
    """A regular expression as the sidecar reads it."""
    return value if isinstance(value, Pattern) else parse_pattern(value)


def optional_pattern(value: Any) -> Pattern | None:
    """A regular expression as the sidecar reads it, or nothing."""
    return None if value is None else pattern(value)


def header_patterns(value: Any) -> FrozenMap[Pattern]:
    """Header names and the patterns of their values: a list of maps with one entry each.

    Of equal names the last counts. A `FrozenMap` is what a caller in Python hands over.
    """
    if isinstance(value, Mapping) and not isinstance(value, FrozenMap):
        shown = ", ".join(f"{{{name}: …}}" for name in islice(value, 3) if isinstance(name, str))
        raise InvalidValue.of(
            "a list of maps with one entry each", value, proposal=f"[{shown}]" if shown else None
        )
    entries = [{name: item} for name, item in value.items()] if isinstance(value, FrozenMap) else value
    return FrozenMap(dict(each(_header, entries, "maps with one entry each")))


def _header(value: Any) -> tuple[str, Pattern]:
    if not isinstance(value, Mapping) or len(value) != 1:
        raise InvalidValue.of("a map with one entry, a header's name and the pattern of its value", value)
    ((name, text),) = value.items()
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise InvalidValue.of("a header name", name)
    try:
        return name, pattern(text)
    except InvalidValue as error:
        raise error.at(name) from None


def string_map(value: Any) -> FrozenMap[str]:
    """A mapping of strings to strings: labels, annotations, a selector; a null is an empty one."""
    if not isinstance(value, Mapping):
        raise InvalidValue.of("a mapping of strings", value)
    if None in value.values():  # as the API server reads it
        value = {key: "" if item is None else item for key, item in value.items()}
    try:
        for key, item in value.items():
            if not (type(key) is str is type(item) and key.isascii() and item.isascii()):
                string(key)
                string(item)
    except InvalidValue:
        pairs = ((str(key), part) for key, item in value.items() for part in (key, item))
        raise _mistakes(string, pairs) from None
    return value if isinstance(value, FrozenMap) else FrozenMap(value)


def secret_data(value: Any) -> FrozenMap[bytes]:
    """A Secret's data: bytes, in documents as base64. No error shows what it holds."""
    if not isinstance(value, Mapping):
        raise InvalidValue(Problem(expected="a mapping of base64 texts"))
    data: dict[str, bytes] = {}
    problems: list[Problem] = []
    for key, item in value.items():
        try:
            data[string(key)] = item if isinstance(item, bytes) else _decoded(item)
        except (InvalidValue, ValueError, AttributeError):
            problems.append(Problem(expected="a base64 text", path=str(key)))
            if len(problems) == MAX_PROBLEMS:
                break
    if problems:
        raise InvalidValue(*problems)
    return FrozenMap(data)


def _decoded(item: Any) -> bytes:
    """Base64 as the API server reads it: line breaks count for nothing, and so does null."""
    return b"" if item is None else b64decode(item.replace("\n", "").replace("\r", ""), validate=True)


def json_map(value: Any) -> FrozenMap[Any]:
    """A mapping of JSON values that this library carries along unread."""
    if not isinstance(value, Mapping):
        raise InvalidValue.of("a mapping", value)
    return value if isinstance(value, FrozenMap) else freeze(value)
