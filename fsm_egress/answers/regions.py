"""Regions of connections: which ports, addresses and payloads, joined where the same holds, and in words."""

from __future__ import annotations

from functools import lru_cache, reduce
from itertools import chain
from operator import or_
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, field

from ..connections.connection import Connection
from ..connections.payloads import Sends
from ..division.classes import EVERY, Among, Class, Literal, Sent
from ..resources.checks import LAST_PORT
from ..resources.subjects import Subject
from ..resources.words import KNOWN_METHODS
from ..values.construction import frozen
from ..values.dialling import Appeal, Span
from ..values.net import GAP_END, GAP_START, IPV6_START, LAST_KEY, Address, Prefix, rest_of_run, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence

__all__ = ["Region", "Unproven", "aligned", "differing", "joined"]

T = TypeVar("T")

LISTED = 3  # prefixes, hosts or conditions that a text names before it counts the rest
COUNTED = 1 << 33  # addresses that a text counts to the letter
FAMILIES = ((0, IPV6_START - 1, "IPv4"), (IPV6_START, LAST_KEY, "IPv6"))
TCP = (Sends.BYTES, Sends.NOTHING, Sends.TLS, Sends.HTTP)


@frozen
class Region:
    """Connections that are looked at as one: any of these ports, with any of these addresses and payloads.

    Attributes:
        ports: runs of ports, in order.
        spans: runs of addresses, by their keys (`values/net.py`), in order.
        sent: what is sent; no connection sends two of them.
        witness: the connection that is best to show (`dialling.py`), and of those the smallest: by port, then
            by address, then by what is sent.
        appeal: how gladly it is shown.
    """

    ports: tuple[Span, ...]
    spans: tuple[Span, ...]
    sent: tuple[Sent, ...]
    witness: Connection = field(eq=False)
    appeal: Appeal = field(default=Appeal.ANY, eq=False)

    @classmethod
    def of(cls, part: Class, named: Collection[int]) -> Region:
        """The region of a class of readings that name these ports."""
        if part.port is not None:
            ports: tuple[Span, ...] = ((part.port, part.port),)
        else:
            ports = rest_of_run(_runs((port, port) for port in named), 1, LAST_PORT)
        return cls(ports, _runs_of(part.spans), (part.sent,), part.witness, part.appeal)

    @property
    def can_be_dialled(self) -> bool:
        """Whether a client can make any of the connections."""
        return self.appeal is not Appeal.NOWHERE

    def __contains__(self, connection: Connection) -> bool:
        return (
            _within(connection.port, self.ports)
            and _within(connection.key, self.spans)
            and any(connection in sent for sent in self.sent)
        )

    @property
    def addresses(self) -> int:
        """How many addresses there are."""
        return sum(last - first + 1 - _in_gap(first, last) for first, last in self.spans)

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """The addresses as the fewest prefixes."""
        return tuple(chain.from_iterable(summarize(first, last) for first, last in self.spans))

    @property
    def words(self) -> tuple[str, str, str]:
        """Ports, addresses and payloads in words; long lists are cut short."""
        return _spoken_ports(self.ports), _spoken_spans(self.spans), _spoken_payloads(self.sent)

    def to_mapping(self) -> dict[str, Any]:
        """The region for machines: nothing is cut short, and what is not said is open."""
        return {
            "ports": [list(run) for run in self.ports],
            "ranges": [[str(Address.from_key(end)) for end in span] for span in self.spans],
            "addresses": self.addresses,
            "sends": list(map(_sent_mapping, self.sent)),
            "dialable": self.can_be_dialled,
            "witness": self.witness.to_shown(),
        }

    def __str__(self) -> str:
        ports, addresses, sent = self.words
        return f"{sent} to {addresses}, port {ports}"

    def __repr__(self) -> str:
        return f"<Region {self}>"


@frozen
class Unproven:
    """Some connections of a region about which something could not be decided, and why.

    The witness of the region stands for none of them.
    """

    identities: tuple[Subject, ...]
    region: Region
    reason: str

    def to_mapping(self) -> dict[str, Any]:
        """What could not be decided, for machines."""
        region = self.region.to_mapping()
        del region["witness"]
        return {"identities": list(map(str, self.identities)), "region": region, "reason": self.reason}

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.identities))}: {self.region}: not decided for some: {self.reason}"


def _within(number: int, spans: Iterable[Span]) -> bool:
    return any(first <= number <= last for first, last in spans)


def _in_gap(first: int, last: int) -> int:
    """How many keys of a run are those of no address."""
    return max(0, min(last, GAP_END - 1) - max(first, GAP_START) + 1)


def differing(regions: Iterable[Region]) -> tuple[str, ...]:
    """In what regions differ: whatever else of a connection changes, it stays in the same one."""
    seen: dict[str, set[object]] = {}
    for region in regions:
        for name, value in _told_apart(region):
            seen.setdefault(name, set()).add(value)
    return tuple(name for name, values in seen.items() if len(values) > 1)


def _told_apart(region: Region) -> Iterator[tuple[str, object]]:
    yield "address", region.spans
    yield "port", region.ports
    yield "what is sent", frozenset(sent.kind for sent in region.sent)
    for sent in region.sent:
        if sent.kind is Sends.TLS:
            yield "server name", sent.names
        if sent.kind is Sends.HTTP:
            yield "host", (sent.names, sent.spellings, sent.hosts)
            yield "method", sent.methods
            for name, pattern in chain(sent.found, *sent.missing):
                yield (f"header `{name}`" if name else "path"), None
                yield (f"header `{name}`" if name else "path"), pattern


# --- joining ---------------------------------------------------------------------------------------------


def joined(
    pieces: Iterable[tuple[T, Region]], meaning: Callable[[T], Hashable]
) -> tuple[tuple[T, Region], ...]:
    """Regions joined where the same holds, by their witnesses; none holds a connection of another.

    What no client can dial comes last.

    They are joined over addresses, then over what is sent, then over ports. The result holds the same
    connections, but need not be the fewest regions that do.

    Args:
        pieces: what holds, and where; no two with a connection in common.
        meaning: what must be equal of two things that hold for their regions to be joined.
    """
    found = [(meaning(thing), thing, region) for thing, region in pieces]
    for over, same, join in _JOINS:
        groups: dict[Hashable, list[tuple[Hashable, T, Region]]] = {}
        for piece in found:
            key = (piece[0], *(getattr(piece[2], name) for name in same))
            groups.setdefault(key, []).append(piece)
        found = [group[0] if len(group) == 1 else _join(over, join, group) for group in groups.values()]
    found.sort(key=lambda it: (not it[2].can_be_dialled, *_size(it[2].witness)))
    return tuple((thing, region) for _, thing, region in found)


def _size(witness: Connection) -> tuple[int, int, int]:
    return witness.port, witness.key, witness.slot


def _join(
    over: str, join: Callable[[Iterable[Any]], tuple[Any, ...]], pieces: list[tuple[Hashable, T, Region]]
) -> tuple[Hashable, T, Region]:
    """The pieces as one, with what holds of the witness that is best to show."""
    joint: dict[str, Any] = {over: join(chain.from_iterable(getattr(it, over) for _, _, it in pieces))}
    key, thing, region = min(pieces, key=lambda piece: (piece[2].appeal, *_size(piece[2].witness)))
    return key, thing, evolve(region, **joint)


def _runs(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order, those that touch as one; none crosses from IPv4 to IPv6."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and found[-1][1] + 1 == first != IPV6_START:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return tuple(found)


def _runs_of(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """The same for the spans of a class, which many classes have."""
    return _known_runs(spans) if spans[1:] else spans


@lru_cache(maxsize=256)
def _known_runs(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    return _runs(spans)


def _payloads(sent: Iterable[Sent]) -> tuple[Sent, ...]:
    """Payloads that differ only in their methods as one, then those that differ only in their names."""
    found = list(sent)
    for name in ("methods", "names", "methods"):
        groups: dict[Sent, list[Sent]] = {}
        for it in found:
            groups.setdefault(_with(it, name, EVERY), []).append(it)
        found = [
            _with(rest, name, reduce(or_, (getattr(it, name) for it in alike))) if alike[1:] else alike[0]
            for rest, alike in groups.items()
        ]
    return tuple(found)


def _with(sent: Sent, name: str, words: Among) -> Sent:
    """What is sent, with these words; `evolve` would take several times as long."""
    names, methods = (sent.names, words) if name == "methods" else (words, sent.methods)
    return Sent(sent.kind, names, sent.spellings, methods, sent.hosts, sent.found, sent.missing)


_JOINS: tuple[tuple[str, tuple[str, str], Callable[[Iterable[Any]], tuple[Any, ...]]], ...] = (
    ("spans", ("ports", "sent"), _runs),
    ("sent", ("ports", "spans"), _payloads),
    ("ports", ("spans", "sent"), _runs),
)


# --- words -----------------------------------------------------------------------------------------------


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as lines, with their columns one below the other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _shortly(texts: Sequence[str], separator: str = ", ") -> str:
    """The first few of some texts, and how many more there are."""
    rest = len(texts) - LISTED
    few = texts if rest <= 1 else texts[:LISTED]
    return separator.join([*few, f"{rest} more"] if rest > 1 else few)


def _spoken_ports(ports: tuple[Span, ...]) -> str:
    rest = rest_of_run(ports, 1, LAST_PORT)
    if not rest:
        return "any"
    if len(rest) < len(ports) or ports[-1][1] == LAST_PORT:
        return f"any but {_shortly(list(map(_spoken_run, rest)))}"
    return _shortly(list(map(_spoken_run, ports)))


def _spoken_run(run: Span) -> str:
    first, last = run
    return f"{first}" if first == last else f"{first}-{last}"


def _spoken_spans(spans: tuple[Span, ...]) -> str:
    whole = [family for *_, family in FAMILIES]
    texts: list[str] = []
    for first, last, family in FAMILIES:
        own = [run for run in spans if first <= run[0] <= last]
        rest = rest_of_run(own, first, last)
        but = [prefix for run in rest for prefix in summarize(*run)]
        if not but:
            whole.remove(family)
        if own:
            prefixes = [prefix for run in own for prefix in summarize(*run)]
            few = _shortly(list(map(_spoken_prefix, prefixes))) + _counted(own)
            most = f"all {family}" + (f" except {_shortly(list(map(_spoken_prefix, but)))}" if but else "")
            texts.append(few if len(prefixes) <= len(but) else most)
    return "any address" if not whole else " and ".join(texts)


def _spoken_prefix(prefix: Prefix) -> str:
    return str(prefix.network if prefix.size == 1 else prefix)


def _counted(spans: Iterable[Span]) -> str:
    """How many addresses there are, where that cannot be seen."""
    count = sum(last - first + 1 - _in_gap(first, last) for first, last in spans)
    if count <= LISTED:
        return ""
    return f" ({count:,})" if count < COUNTED else f" (2^{count.bit_length() - 1} and more)"


def _spoken_payloads(sent: tuple[Sent, ...]) -> str:
    whole = {it.kind for it in sent if it == Sent(it.kind)}
    if whole.issuperset(Sends):
        return "anything"
    texts: list[str] = []
    for group, text in _WHOLE:
        if whole.issuperset(group):
            texts.append(text)
            whole = whole.difference(group)
    texts.extend(_spoken_payload(it) for it in sent if it != Sent(it.kind))
    return _shortly(texts, "; ")


_WHOLE = (
    (TCP, "any TCP"),
    ((Sends.BYTES, Sends.NOTHING), "bytes"),
    ((Sends.BYTES,), "bytes of the client first"),
    ((Sends.NOTHING,), "bytes of the server first"),
    ((Sends.DATAGRAM,), "UDP"),
    ((Sends.TLS,), "any TLS"),
    ((Sends.HTTP,), "any request"),
)


def _spoken_payload(sent: Sent) -> str:
    if sent.kind is Sends.TLS:
        return _spoken_names(sent.names)
    conditions = [
        *(f"{'' if found else 'no '}`{pattern.text}` in the Host" for pattern, found in sent.hosts),
        *map(_spoken_literal, sent.found),
        *map(_spoken_missing, reduced(sent)),
    ]
    hosts = _spoken_words(sent.names, "host")
    with_ = f" with {_shortly(conditions, ' and ')}" if conditions else ""
    return f"{_spoken_methods(sent.methods)} {hosts}{with_}".replace("  ", " ").rstrip()


def _spoken_names(names: Among) -> str:
    named = Among(names.words - {""}, names.but)
    if "" not in names:
        return f"TLS {_spoken_words(named, 'name')}".rstrip()
    return (
        f"TLS {_spoken_words(named, 'name')} or without" if named.but or named.words else "TLS without name"
    )


def _spoken_words(words: Among, what: str) -> str:
    listed = _shortly([f"`{word}`" for word in sorted(words.words)])
    if words.but:
        return f"to any {what}" + (f" but {listed}" if listed else "")
    return f"to {listed}"


def _spoken_methods(methods: Among) -> str:
    if methods.every:
        return "any request"
    named = [method for method in KNOWN_METHODS if (method in methods) is not methods.but]
    others = sorted(methods.words.difference(KNOWN_METHODS))
    listed = "/".join([*named, *others])
    if not methods.but:
        return listed
    known = [method for method in KNOWN_METHODS if method in methods]
    return "/".join([*known, "unknown methods"])


def _spoken_literal(literal: Literal) -> str:
    name, pattern = literal
    return f"`{pattern.text}` in {f'`{name}`' if name else 'the path'}"


def _spoken_missing(literals: tuple[Literal, ...]) -> str:
    first, *rest = map(_spoken_literal, literals)
    return f"not {' together with '.join([first, *rest])}" if rest else f"no {first}"


def reduced(sent: Sent) -> Iterator[tuple[Literal, ...]]:
    """What is missing of what is sent, without what is said already."""
    found = set(sent.found)
    left = list(
        dict.fromkeys(tuple(literal for literal in rest if literal not in found) for rest in sent.missing)
    )
    alone = {rest[0] for rest in left if len(rest) == 1}
    return (rest for rest in left if len(rest) == 1 or alone.isdisjoint(rest))


def _sent_mapping(sent: Sent) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "name" if sent.kind is Sends.TLS else "host": _among(sent.names),
        "spelling": _among(sent.spellings),
        "method": _among(sent.methods),
        "hostPatterns": [{"pattern": pattern.text, "found": found} for pattern, found in sent.hosts],
        "found": list(map(_literal_mapping, sent.found)),
        "missing": [list(map(_literal_mapping, rest)) for rest in reduced(sent)],
    }
    return {"kind": sent.kind.value, **{key: value for key, value in parts.items() if value}}


def _among(words: Among) -> dict[str, list[str]]:
    return {} if words.every else {"anyBut" if words.but else "anyOf": sorted(words.words)}


def _literal_mapping(literal: Literal) -> dict[str, str]:
    name, pattern = literal
    return {"header": name, "pattern": pattern.text} if name else {"path": pattern.text}
