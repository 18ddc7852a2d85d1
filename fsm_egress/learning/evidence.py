"""What connections in logs ask for that no policy grants yet, counted: parts of a log add up to the whole.

Memory grows with what can be told apart, not with the records: addresses, names, methods and the shapes of
paths, each with a few counts by time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from attrs import evolve, field

from ..connections.payloads import HTTPRequest, Sends, TLSClientHello, shown_host
from ..replaying.records import Unreadable
from ..replaying.tally import SHOWN, Example
from ..values.construction import frozen
from ..values.net import Address
from .paths import shape_of

if TYPE_CHECKING:
    from ..connections.connection import Connection

__all__ = ["Evidence", "Need", "Seen", "Times"]

BUCKETS = 64  # of time, at most: counts by time need no more to be drawn or divided


class Need(NamedTuple):
    """What a connection needs a policy to allow; those that one document would name alike are equal.

    Attributes:
        identity: whose it is, `name.namespace`.
        port: the destination port.
        sends: TLS with a server name, HTTP, or else bytes or nothing.
        name: the server name, or the host that is asked for without its port; in lower case, without a user.
        method, path: of a request, with the pattern that the path has; empty where it does not count.
        address: the destination, by its key.
    """

    identity: str
    port: int
    sends: str
    name: str
    method: str
    path: str
    address: int

    @classmethod
    def of(cls, identity: str, connection: Connection, *, routes: bool = True) -> Need:
        """The need of a connection.

        Args:
            identity: whose it is.
            connection: to where, and what is sent.
            routes: whether the path of a request counts.
        """
        key, port, sent = connection.key, connection.port, connection.sends
        if isinstance(sent, HTTPRequest):
            host = shown_host(sent.authority.removesuffix(f":{port}"))
            path = shape_of(sent.path) if routes else ""
            return cls(identity, port, Sends.HTTP.value, host, sent.method, path, key)
        if isinstance(sent, TLSClientHello):
            if sent.server_name is not None:
                return cls(identity, port, Sends.TLS.value, shown_host(sent.name), "", "", key)
            return cls(identity, port, Sends.BYTES.value, "", "", "", key)
        return cls(identity, port, sent.value, "", "", "", key)

    @property
    def destination(self) -> tuple[str, int, str]:
        """What a person would call the destination: whose, the port, and the name or else the address."""
        return self.identity, self.port, self.name or str(Address.from_key(self.address))

    def __str__(self) -> str:
        where = self.name or str(Address.from_key(self.address))
        asked = (f"{self.identity} to {where}:{self.port}", self.method, self.path)
        return " ".join(filter(None, asked))


@frozen
class Times:
    """Counts by time, in buckets of `2**exponent` seconds, of which there are at most `BUCKETS` in all.

    However records are grouped, the same buckets come out: they are the finest in which the first and the
    last lie near enough.
    """

    exponent: int = 0
    counts: Mapping[int, int] = field(factory=dict)

    @classmethod
    def of(cls, moments: Mapping[float, int]) -> Times:
        """The counts of moments, in seconds."""
        counts: dict[int, int] = {}
        for moment, count in moments.items():
            counts[int(moment)] = counts.get(int(moment), 0) + count
        return cls(0, counts).fitting() if len(counts) > 1 else cls(0, counts)

    def coarser(self, exponent: int) -> Times:
        """The same counts in buckets that are as long or longer."""
        step = exponent - self.exponent
        return Times(exponent, _longer(self.counts, step)) if step else self

    def fitting(self) -> Times:
        """The same counts in the finest buckets that are few enough."""
        return self.coarser(self.exponent + _excess(_ends(self.counts)))

    @property
    def width(self) -> int:
        """How long a bucket is, in seconds."""
        return 1 << self.exponent

    @classmethod
    def together(cls, parts: Iterable[Times]) -> Times:
        """The counts of all parts."""
        listed = [part for part in parts if part.counts]
        exponent = max((part.exponent for part in listed), default=0)
        counts: Counter[int] = Counter()
        for part in listed:
            counts.update(part.coarser(exponent).counts)
        return cls(exponent, dict(counts)).fitting()


def _longer(counts: Mapping[int, int], step: int) -> dict[int, int]:
    """The same counts in buckets that are `2**step` times as long."""
    longer: dict[int, int] = {}
    for bucket, count in counts.items():
        longer[bucket >> step] = longer.get(bucket >> step, 0) + count
    return longer


def _ends(buckets: Collection[int]) -> tuple[int, ...]:
    """The first and the last of some buckets."""
    return (min(buckets), max(buckets)) if buckets else ()


def _excess(ends: tuple[int, ...]) -> int:
    """How many times buckets must be made twice as long, for those between the ends to be few enough."""
    step = 0
    while ends and (ends[1] >> step) - (ends[0] >> step) >= BUCKETS:
        step += 1
    return step


@frozen
class Seen:
    """How often something was needed, when, and the first record of it."""

    count: int
    example: Example
    times: Times = field(factory=Times)


@frozen
class Evidence:
    """What was needed in some records; `Evidence()` is that of none.

    Attributes:
        seen: each need with how often and when.
        left_out: how many records do not count, by reason.
        untimed: how many of those that count have no time.
        unlike: requests whose Host is not the server name that their TLS connection asked for: both names,
            and how many.
        first_unreadable: the first records that could not be read.
        lost: how many more records there would be, had whoever wrote the logs not left them out.
    """

    seen: Mapping[Need, Seen] = field(factory=dict)
    left_out: Mapping[str, int] = field(factory=dict)
    untimed: int = 0
    unlike: Mapping[tuple[str, str], int] = field(factory=dict)
    first_unreadable: tuple[Unreadable, ...] = ()
    lost: int = 0

    @classmethod
    def of(cls, parts: Iterable[Evidence]) -> Evidence:
        """The evidence of everything that the parts are of, in whatever order they come."""
        seen = _Totals()
        left_out: Counter[str] = Counter()
        untimed = lost = 0
        unlike: Counter[tuple[str, str]] = Counter()
        first: list[Unreadable] = []
        for part in parts:
            seen.add(part.seen)
            left_out.update(part.left_out)
            untimed += part.untimed
            lost += part.lost
            unlike.update(part.unlike)
            if part.first_unreadable:
                listed = sorted((*first, *part.first_unreadable), key=lambda it: (it.place, str(it)))
                first = listed[:SHOWN]
        return cls(seen.seen(), dict(left_out), untimed, dict(unlike), tuple(first), lost)

    @property
    def counted(self) -> int:
        """How many records count."""
        return sum(one.count for one in self.seen.values())

    @property
    def read(self) -> int:
        """How many records there were."""
        return self.counted + sum(self.left_out.values())

    @property
    def times(self) -> Times:
        """All that count, by time."""
        return Times.together(one.times for one in self.seen.values())

    def only(self, needs: Iterable[Need]) -> Evidence:
        """What was seen of these needs alone."""
        return evolve(self, seen={need: self.seen[need] for need in needs})


class _Totals:
    """Needs as they add up, part by part: what is kept grows with the needs, not with the parts."""

    def __init__(self) -> None:
        self._counts: Counter[Need] = Counter()
        self._examples: dict[Need, Example] = {}
        self._buckets: dict[Need, dict[int, int]] = {}
        self._exponent = 0
        self._ends: tuple[int, ...] = ()

    def add(self, seen: Mapping[Need, Seen]) -> None:
        """Add what was seen in a part."""
        self._coarsen(max((one.times.exponent for one in seen.values()), default=0))
        for need, one in seen.items():
            self._counts[need] += one.count
            known = self._examples.get(need)
            if known is None or _is_before(one.example, known):
                self._examples[need] = one.example
            buckets = self._buckets.setdefault(need, {})
            shift = self._exponent - one.times.exponent
            for bucket, count in one.times.counts.items():
                buckets[bucket >> shift] = buckets.get(bucket >> shift, 0) + count
            self._ends = _ends((*self._ends, *(bucket >> shift for bucket in one.times.counts)))
        self._coarsen(self._exponent + _excess(self._ends))

    def _coarsen(self, exponent: int) -> None:
        """Make the buckets longer, unless they are as long."""
        step = exponent - self._exponent
        if step > 0:
            self._buckets = {need: _longer(counts, step) for need, counts in self._buckets.items()}
            self._ends = tuple(bucket >> step for bucket in self._ends)
            self._exponent = exponent

    def seen(self) -> Mapping[Need, Seen]:
        """Each need in order, with buckets of one length."""
        return {
            need: Seen(count, self._examples[need], Times(self._exponent, self._buckets[need]))
            for need, count in sorted(self._counts.items())
        }


def _is_before(one: Example, other: Example) -> bool:
    """Whether an example is to be shown rather than another; where both are of one place, by its text."""
    return one.place < other.place or (one.place == other.place and str(one) < str(other))
