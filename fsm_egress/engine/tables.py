"""What stands at a place: for each kind of payload a decision, or the table that leads to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..connections.decision import ORIGINAL_DESTINATION, Decision, Reason, TrafficMatch, Verdict
from ..connections.payloads import KINDS, Sends
from ..patterns import MANY, searchable
from ..resources.words import FORWARDED_METHODS
from ..values.construction import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..patterns import Pattern
    from ..patterns.prefilter import Prefilter
    from ..policy.parts import HTTPRoute
    from ..values.references import FieldRef

__all__ = [
    "FORBIDDEN",
    "ORIGINAL",
    "UNSEEN",
    "Cell",
    "HostTable",
    "Hosts",
    "Leaf",
    "RouteTable",
    "Table",
    "denial",
    "everything",
    "leaf_of",
    "not_intercepted",
    "route_table",
]

ORIGINAL = (ORIGINAL_DESTINATION,)
FORBIDDEN = 403

Wanted: TypeAlias = "tuple[tuple[str, Pattern], ...]"
RouteEntry: TypeAlias = "tuple[str, Pattern | None, Wanted, Decision]"
"""A text or a pattern to look for in the path, headers that are wanted besides, and what is decided then."""


class Table(Protocol):
    """What leads from what a connection sends to the decision about it."""

    def decide(self, parts: Any, /) -> Decision:
        """The decision for the parts of `Connection.parts` that a kind of payload has."""
        ...


class Hosts(Protocol):
    """Hosts whose routes are laid out when they are first asked for."""

    @property
    def are_few(self) -> bool:
        """Whether laying out all of them is little work."""
        ...

    def tables(self) -> dict[str, RouteTable]:
        """The routes of each host that is named."""
        ...

    def name_of(self, authority: str) -> str | None:
        """The host that is named, with its port or without; None where none is."""
        ...

    def table(self, host: str) -> RouteTable:
        """The routes of a host that is named."""
        ...


Cell: TypeAlias = "Decision | Table"
Leaf: TypeAlias = "tuple[Cell, Cell, Cell, Cell, Cell]"
"""What is decided at one port and place: a cell for each of `KINDS`, in that order."""


@frozen(eq=False)
class ManyRoutes:
    """Routes, in canonical order, of which only those are looked at that may take a request."""

    entries: tuple[RouteEntry, ...]

    @cached_property
    def prefilter(self) -> Prefilter:
        """What tells which these are."""
        from ..patterns.prefilter import Prefilter, needs  # noqa: PLC0415  # because most routes are few

        return Prefilter.of(
            chain(
                needs("", pattern) if pattern is not None else [(("", False, text),)],
                *[needs(name, asked) for name, asked in wanted],
            )
            for text, pattern, wanted, _ in self.entries
        )

    def left(self, path: str, headers: Mapping[str, str], host: str | None) -> Iterator[RouteEntry]:
        """The routes that may take a request."""
        texts = [("", path), ("host", searchable(host or ""))]
        texts += [(name, searchable(value)) for name, value in headers.items()]
        return (self.entries[at] for at in self.prefilter.left(texts))

    def __reduce__(self) -> tuple[type[ManyRoutes], tuple[tuple[RouteEntry, ...]]]:
        return ManyRoutes, (self.entries,)


@frozen(eq=False)
class RouteTable:
    """The routes of one host by method, in canonical order; a decision where the path does not matter."""

    by_method: Mapping[str, Decision | tuple[RouteEntry, ...] | ManyRoutes]
    otherwise: Decision


@frozen(eq=False)
class HostTable:
    """The hosts of one HTTP match.

    Attributes:
        by_host: those that are laid out.
        otherwise: the routes of every other host, where it has any.
        unknown: what is decided where there are none.
        later: those that are laid out when they are first asked for.
    """

    by_host: dict[str, RouteTable]
    otherwise: RouteTable | None
    unknown: Decision
    later: Hosts | None = None

    def __reduce__(self) -> tuple[type[HostTable], tuple[Any, ...]]:
        later, by_host = self.later, self.by_host
        if later is not None and later.are_few:
            by_host, later = later.tables(), None  # which is less than what they are made of
        return HostTable, (by_host, self.otherwise, self.unknown, later)

    def decide(self, parts: tuple[str, str, str, Mapping[str, str], str | None]) -> Decision:
        """The decision of the first route of the host that matches."""
        authority, method, path, headers, host = parts
        table = self.by_host.get(authority)
        if table is None:
            table = self.otherwise if self.later is None else self._other(authority, self.later)
            if table is None:
                return self.unknown
        routes = table.by_method.get(method, ())
        if type(routes) is Decision:
            return routes
        if not path.isascii():
            path = searchable(path)
        listed = routes.left(path, headers, host) if isinstance(routes, ManyRoutes) else routes
        for text, pattern, wanted, decision in listed:
            if (text in path if pattern is None else pattern.find(path)) and (
                not wanted or _has_headers(wanted, headers, host)
            ):
                return decision
        return table.otherwise

    def _other(self, authority: str, later: Hosts) -> RouteTable | None:
        """The routes of a host that is not laid out, if it has any."""
        name = later.name_of(authority)
        if name is None:
            return self.otherwise
        table = self.by_host.get(name) or self.by_host.setdefault(name, later.table(name))
        return self.by_host.setdefault(authority, table)


def _has_headers(wanted: Wanted, headers: Mapping[str, str], host: str | None) -> bool:
    """Whether each pattern is found in its header; a missing one reads as the empty string."""
    return all(
        pattern.search((host if name == "host" else headers.get(name)) or "") for name, pattern in wanted
    )


def everything(decision: Decision) -> Leaf:
    """The leaf where every TCP connection is decided alike; UDP passes by the sidecar."""
    return leaf_of(decision, tls=decision, http=decision)


def leaf_of(plain: Decision, *, http: Cell, tls: Cell) -> Leaf:
    """The leaf of what is decided about HTTP, about TLS, and about all else that is TCP."""
    cells: dict[Sends, Cell] = {
        Sends.BYTES: plain,
        Sends.NOTHING: plain,
        Sends.DATAGRAM: UNSEEN,
        Sends.TLS: tls,
        Sends.HTTP: http,
    }
    first, second, third, fourth, fifth = (cells[kind] for kind in KINDS)
    return first, second, third, fourth, fifth


def not_intercepted(rule: FieldRef | None) -> Decision:
    """That the sidecar never sees it (stage 0); by a rule, or as no connection of its kind is redirected."""
    return Decision(Verdict.PASSTHROUGH, Reason.NOT_INTERCEPTED, rule, targets=ORIGINAL)


UNSEEN = not_intercepted(None)


def denial(
    reason: Reason,
    rule: FieldRef | None,
    taken: TrafficMatch | None,
    considered: tuple[FieldRef, ...],
    status: int | None = None,
    route: FieldRef | None = None,
) -> Decision:
    """That it is denied, and of what it was judged."""
    return Decision(Verdict.DENIED, reason, rule, taken, (), (), status, route, considered)


def route_table(entries: Sequence[tuple[HTTPRoute, Decision]], otherwise: Decision) -> RouteTable:
    """Routes by method; one that names none takes those that the sidecar forwards.

    What stands behind a route that takes every request is never looked at.
    """
    by_method: dict[str, Decision | tuple[RouteEntry, ...]] = {}
    for route, decision in entries:
        takes_all = route.path.matches_everything
        text = "" if takes_all else route.path.literal
        entry = ((text or "", route.path if text is None else None, route.headers, decision),)
        for method in route.methods or FORWARDED_METHODS:
            known = by_method.get(method, ())
            if type(known) is Decision:
                continue
            by_method[method] = decision if takes_all and not known and not route.headers else known + entry
    many = {
        method: ManyRoutes(routes)
        for method, routes in by_method.items()
        if type(routes) is tuple and len(routes) >= MANY
    }
    return RouteTable({**by_method, **many}, otherwise)
