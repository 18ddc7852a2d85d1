"""The addresses of a port that the same claims cover, and what these allow together."""

from __future__ import annotations

from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import field

from ..resources.words import Protocol
from ..values.construction import frozen
from ..values.identity import Compared
from ..values.net import Prefix
from ..values.references import FieldRef
from .parts import Claim, Cluster, Endpoint, Place, VirtualHost

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["EgressGroup", "Placed", "ServerName", "Sort"]

_PROTOCOL = attrgetter("protocol")
_PLACE = itemgetter(0)
_OF_ITSELF = attrgetter("port", "prefixes", "own", "own_names", "own_hosts", "is_only")


@frozen
class ServerName:
    """A TLS server name that an `https` claim allows, on a port."""

    host: str
    port: int
    rule: FieldRef

    @cached_property
    def endpoint(self) -> Endpoint:
        """Where connections go that ask for it."""
        return Endpoint(self.host, self.port)


Sort: TypeAlias = Literal["any", "http", "https", "stream", "opening", "any_tls", "no_tls", "broken"]
"""Sorts of claims; `opening` streams and `any_tls`, which is `https` without hosts, are not broken."""


def _sorts_of(claim: Claim) -> Iterator[Sort]:
    yield "any"
    if claim.broken:
        yield "broken"
    if claim.protocol is Protocol.HTTP:
        yield "http"
    elif claim.protocol is Protocol.HTTPS:
        yield "https"
        if not claim.hosts:
            yield "no_tls" if claim.broken else "any_tls"
    else:
        yield "stream"
        if not claim.broken:
            yield "opening"


Placed: TypeAlias = tuple[Place, Claim]
"""A claim, and its place among all claims of the port."""


@frozen
class EgressGroup:
    """Addresses of a port that the same claims cover, and the union of what those allow.

    The claims of what lies around a group cover it, too. They are kept there, and joined with its own where
    somebody asks: a thousand ranges within what a thousand claims cover are no million of claims.

    Attributes:
        prefixes: the addresses, sorted, none inside another; empty for every address that no other group has.
        own: the claims that cover the addresses besides those of what lies around.
        around: the group of what lies around, if any claim covers that.
        own_names: what `https` claims allow, by host, where it is not as it is around.
        own_hosts: what `http` claims allow, likewise.
        is_only: whether the port has no other group.
    """

    port: int
    prefixes: tuple[Prefix, ...]
    own: tuple[Claim, ...]
    around: EgressGroup | None = field(repr=False)
    own_names: tuple[ServerName, ...]
    own_hosts: tuple[VirtualHost, ...]
    is_only: bool = False
    _compared: Compared = field(init=False, factory=Compared, eq=False, repr=False)

    def __eq__(self, other: object) -> bool:
        """Whether the claims and what they allow are equal; what lies around many groups is compared once."""
        if not isinstance(other, EgressGroup):
            return NotImplemented
        return self is other or self._compared.with_(
            other, lambda: _OF_ITSELF(self) == _OF_ITSELF(other) and self.around == other.around
        )

    def __hash__(self) -> int:
        return hash((self.port, self.prefixes))

    @cached_property
    def placed(self) -> tuple[Placed, ...]:
        """All claims that cover the addresses, each with its place."""
        own = self._own_placed
        return tuple(sorted([*self.around.placed, *own], key=_PLACE)) if self.around else own

    @property
    def _own_placed(self) -> tuple[Placed, ...]:
        return tuple([(claim.place, claim) for claim in self.own])

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Those that cover the addresses, by namespace, name and port of the policy."""
        return tuple([claim for _, claim in self.placed])

    @cached_property
    def size(self) -> int:
        """How many claims cover the addresses."""
        return len(self.own) + (self.around.size if self.around else 0)

    @cached_property
    def protocols(self) -> frozenset[Protocol]:
        """Those of the claims."""
        own = frozenset(map(_PROTOCOL, self.own))
        return own | self.around.protocols if self.around else own

    def has(self, *protocols: Protocol) -> bool:
        """Whether a claim of one of these protocols covers the group."""
        return not self.protocols.isdisjoint(protocols)

    @cached_property
    def firsts(self) -> Mapping[Sort, Placed]:
        """The first claim of each sort, with its place."""
        found = dict(self.around.firsts) if self.around else {}
        for placed in self._own_placed:
            for sort in _sorts_of(placed[1]):
                if sort not in found or placed[0] < found[sort][0]:
                    found[sort] = placed
        return found

    def first(self, sort: Sort) -> Claim | None:
        """The first claim of a sort, if there is one."""
        placed = self.firsts.get(sort)
        return placed and placed[1]

    @property
    def lead(self) -> Claim:
        """The first of all claims."""
        return self.firsts["any"][1]

    @property
    def stream(self) -> Claim | None:
        """The `tcp` claim that opens the group for anything, if there is one."""
        return self.first("opening")

    @property
    def any_tls(self) -> Claim | None:
        """The `https` claim without hosts that opens it for every TLS connection, if there is one."""
        return self.first("any_tls")

    @cached_property
    def _named(self) -> Mapping[tuple[Protocol, str], tuple[Placed, ...]]:
        found: dict[tuple[Protocol, str], list[Placed]] = {}
        for placed in self._own_placed:
            for host in placed[1].hosts:
                found.setdefault((placed[1].protocol, host), []).append(placed)
        if self.around is None:
            return {key: tuple(listed) for key, listed in found.items()}
        return {
            key: tuple(sorted([*self.around.naming(*key), *listed], key=_PLACE))
            for key, listed in found.items()
        }

    @property
    def named(self) -> Iterable[tuple[Protocol, str]]:
        """The hosts that its own claims name, by protocol."""
        return self._named

    def naming(self, protocol: Protocol, host: str) -> tuple[Placed, ...]:
        """The claims that name a host by a protocol, in their order."""
        found = self._named.get((protocol, host))
        if found is None:
            return self.around.naming(protocol, host) if self.around else ()
        return found

    def host(self, name: str) -> VirtualHost | None:
        """What the `http` claims allow of a host; see `hosts`."""
        found = self._own_hosts.get(name)
        return self.around.host(name) if found is None and self.around else found

    @property
    def is_entangled(self) -> bool:
        """Whether one of its own hosts is written, with the port, as another one that is named around it.

        `2001:db8::1` with port 80 is `2001:db8::1:80`, which is an address itself.
        """
        around = self.around
        return around is not None and any(around.host(f"{it.name}:{self.port}") for it in self.own_hosts)

    @cached_property
    def _own_hosts(self) -> Mapping[str, VirtualHost]:
        return {host.name: host for host in self.own_hosts}

    @cached_property
    def names(self) -> Mapping[str, ServerName]:
        """What the `https` claims with hosts allow, by host; none where a stream is opened."""
        if self.stream:
            return {}
        own = {name.host: name for name in self.own_names}
        return dict(sorted({**self.around.names, **own}.items())) if self.around else own

    @cached_property
    def hosts(self) -> Mapping[str, VirtualHost]:
        """What the `http` claims allow, by host; none where a stream is opened."""
        if self.stream:
            return {}
        own = self._own_hosts
        return dict(sorted({**self.around.hosts, **own}.items())) if self.around else own

    @property
    def server_names(self) -> tuple[ServerName, ...]:
        """What the `https` claims with hosts allow, sorted; none where a stream is opened."""
        return tuple(self.names.values())

    @property
    def tls_cluster(self) -> str:
        """The name of the cluster that stands for the server names."""
        is_told = self.prefixes and not self.is_only
        return f"{self.port}@{self.prefixes[0]}" if is_told else str(self.port)

    @cached_property
    def cluster(self) -> Cluster | None:
        """What stands for the server names, where there are any and not every name is allowed."""
        names = self.server_names
        if not names or self.any_tls:
            return None
        return Cluster(self.tls_cluster, tuple([name.endpoint for name in names]), names[0].rule)

    @property
    def virtual_hosts(self) -> tuple[VirtualHost, ...]:
        """What the `http` claims allow, sorted by host; none where a stream is opened."""
        return tuple(self.hosts.values())
