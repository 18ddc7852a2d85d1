"""Strategies for the parts of connections, made to collide: few ports, hosts and prefixes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..connections.connection import Connection
from ..connections.payloads import HTTPRequest, Payload, Sends, TLSClientHello
from ..resources.checks import LAST_PORT
from ..resources.resource import ServiceIdentity
from ..values.errors import InvalidValue
from ..values.net import GAP_END, GAP_START, IPV6_START, LAST_KEY, Address, Prefix
from .hypothesis_extra import st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


__all__ = [
    "HEADERS",
    "HOSTS",
    "METHODS",
    "NAMES",
    "PATHS",
    "PATTERNS",
    "PORTS",
    "PREFIXES",
    "SPACES",
    "VALUES",
    "T",
    "Tree",
    "addresses",
    "connections",
    "hosts",
    "identities",
    "payloads_of",
    "ports",
    "prefixes",
    "requests",
]


T = TypeVar("T")
Tree: TypeAlias = dict[str, Any]

PORTS = (80, 443, 8080, 3306)
HOSTS = ("a.com", "b.com", "c.org")
NAMES = ("a", "b", "c")
SPACES = ("curl", "shop")
PREFIXES = (
    "54.0.0.0/8",
    "54.9.0.0/16",
    "54.9.9.9/32",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "2001:db8::/32",
    "2001:db8::5/128",
    "::/0",
)
PATHS = ("/", "/get", "/v1/items/7", "/get?x=1", "/x?u=/get")
PATTERNS = ("/get", "^/v1/", "^/get$", ".*", "/items/[0-9]+")
METHODS = ("GET", "POST", "PUT", "DELETE", "TRACE", "PURGE")
HEADERS = ("x-env", "x-tenant")
VALUES = ("prod", "dev", "7")


def addresses(*, version: int | None = None) -> SearchStrategy[Address]:
    """IP addresses, simple ones first; an IPv4 address mapped into IPv6 is that IPv4 address.

    Args:
        version: 4 or 6; None for both.
    """
    ipv4 = st.integers(0, IPV6_START - 1)
    ipv6 = st.integers(IPV6_START, GAP_START - 1) | st.integers(GAP_END, LAST_KEY)
    keys = {4: ipv4, 6: ipv6, None: ipv4 | ipv6}
    if version not in keys:
        raise InvalidValue.of("4, 6 or None", version)
    return keys[version].map(Address.from_key)


def prefixes(*, version: int | None = None) -> SearchStrategy[Prefix]:
    """Ranges of addresses, of any length."""

    def around(address: Address) -> SearchStrategy[Prefix]:
        lengths = st.integers(0, Prefix.host(address).length)
        return lengths.map(lambda length: Prefix.around(address, length))

    return addresses(version=version).flatmap(around)


def ports() -> SearchStrategy[int]:
    """Port numbers: those that meshes of this room have, or any other."""
    return st.sampled_from(PORTS) | st.integers(1, LAST_PORT)


def hosts() -> SearchStrategy[str]:
    """Hosts in lower case: those that meshes of this room have, or others."""
    label = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
    return st.sampled_from(HOSTS) | st.builds("{}.{}".format, label, st.sampled_from(("com", "org", "net")))


def identities() -> SearchStrategy[ServiceIdentity]:
    """The identities that meshes of this room have."""
    return st.builds(ServiceIdentity, st.sampled_from(NAMES), st.sampled_from(SPACES))


def requests(
    hosts_: SearchStrategy[str] | None = None, paths: SearchStrategy[str] | None = None
) -> SearchStrategy[HTTPRequest]:
    """HTTP requests.

    Args:
        hosts_: what Hosts are drawn from; by default `hosts`.
        paths: what paths are drawn from.
    """
    headers = st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(VALUES), max_size=2)
    return st.builds(
        HTTPRequest,
        st.sampled_from(METHODS),
        hosts() if hosts_ is None else hosts_,
        st.sampled_from(PATHS) if paths is None else paths,
        headers,
    )


def connections() -> SearchStrategy[Connection]:
    """Connections of any kind, to anywhere; `connections_near` aims at a mesh."""
    return st.builds(Connection, addresses(), ports(), payloads_of(hosts(), requests()))


def payloads_of(names: SearchStrategy[str], sent: SearchStrategy[HTTPRequest]) -> SearchStrategy[Payload]:
    """All that a client can send: `sent`, TLS for `names`, or neither."""
    plain: SearchStrategy[Payload] = st.sampled_from((Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM))
    return plain | st.builds(TLSClientHello, st.none() | names) | sent
