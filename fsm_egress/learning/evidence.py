"""What connections in logs ask for that no policy grants yet, counted: parts of a log add up to the whole.

Memory grows with what can be told apart, not with the records: addresses, names, methods and the shapes of
paths, each with a few counts by time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import evolve, field

from ..connections.connection import Connection, HTTPRequest, Sends, TLSClientHello
from ..connections.decision import Reason, Verdict
from ..replaying import Decider
from ..replaying.records import Unreadable
from ..replaying.tally import SHOWN, Example
from ..resources.egress import EgressPolicy
from ..resources.meshconfig import MeshConfig
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.net import Address
from ..values.times import read_time
from .paths import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..connections.decision import Decision
    from ..replaying import Decided
    from ..replaying.records import Layout, Records

__all__ = ["Choice", "Evidence", "Learner", "Need", "Seen", "Times"]

BUCKETS = 64  # of time, at most: counts by time need no more to be drawn or divided

VERDICTS = (Verdict.PASSTHROUGH, Verdict.DENIED)


class Need(NamedTuple):
    """What a connection needs a policy to allow; those that one document would name alike are equal.

    Attributes:
        identity: whose it is, `name.namespace`.
        port: the destination port.
        sends: TLS with a server name, HTTP, or else bytes or nothing.
        name: the server name, or the host that is asked for without its port; in lower case.
        method, path: of a request, with the pattern that the path has.
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
    def of(cls, identity: str, connection: Connection) -> Need:
        """The need of a connection."""
        key, port, sent = connection.key, connection.port, connection.sends
        if isinstance(sent, HTTPRequest):
            host = sent.authority.removesuffix(f":{port}")
            return cls(identity, port, Sends.HTTP.value, host, sent.method, shape_of(sent.path), key)
        if isinstance(sent, TLSClientHello):
            if sent.server_name is not None:
                return cls(identity, port, Sends.TLS.value, sent.name, "", "", key)
            return cls(identity, port, Sends.BYTES.value, "", "", "", key)
        return cls(identity, port, sent.value, "", "", "", key)

    @property
    def destination(self) -> tuple[str, int, str]:
        """What a person would call the destination: whose, the port, and the name or else the address."""
        return self.identity, self.port, self.name or str(Address.from_key(self.address))

    def __str__(self) -> str:
        where = self.name or str(Address.from_key(self.address))
        asked = f" {self.method} {self.path}" if self.method else ""
        return f"{self.identity} to {where}:{self.port}{asked}"


@frozen
class Times:
    """Counts by time, in buckets of `2**exponent` seconds, of which there are at most `BUCKETS` in all.

    However records are grouped, the same buckets come out: they are the finest in which the first and the
    last lie near enough.
    """

    exponent: int = 0
    counts: Mapping[int, int] = field(factory=dict)

    @classmethod
    def of(cls, moments: Iterable[float]) -> Times:
        """The counts of moments, in seconds."""
        return cls(0, Counter(int(moment) for moment in moments)).fitting()

    def coarser(self, exponent: int) -> Times:
        """The same counts in buckets that are as long or longer."""
        step = exponent - self.exponent
        if not step:
            return self
        counts: dict[int, int] = {}
        for bucket, count in self.counts.items():
            counts[bucket >> step] = counts.get(bucket >> step, 0) + count
        return Times(exponent, counts)

    def fitting(self) -> Times:
        """The same counts in the finest buckets that are few enough."""
        if not self.counts:
            return self
        first, last, exponent = min(self.counts), max(self.counts), self.exponent
        while (last >> exponent - self.exponent) - (first >> exponent - self.exponent) >= BUCKETS:
            exponent += 1
        return self.coarser(exponent)

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


@frozen
class Seen:
    """How often something was needed, when, and the first record of it."""

    count: int
    example: Example
    times: Times = field(factory=Times)


@frozen
class Choice:
    """Which records count.

    Attributes:
        verdicts: what was decided for them.
        since, until: when they were made, in seconds since 1970; `until` is not included.
        only: accounts, hosts (server names are such) and ports; what has none of these does not count. All
            counts where it is empty.
        without: accounts, hosts and ports that do not count.
    """

    verdicts: frozenset[Verdict] = frozenset({Verdict.PASSTHROUGH})
    since: float | None = None
    until: float | None = None
    only: frozenset[str | int] = frozenset()
    without: frozenset[str | int] = frozenset()

    def __attrs_post_init__(self) -> None:
        if not self.verdicts or not self.verdicts <= {*VERDICTS}:
            expected = " or ".join(f"`{verdict}`" for verdict in VERDICTS)
            raise InvalidValue.of(expected, ", ".join(sorted(self.verdicts)) or None).at("verdicts")

    def passed_over(self, decision: Decision) -> str | None:
        """Why connections that were decided so do not count."""
        reason = _beyond_policies(decision)
        if reason is None and decision.verdict not in self.verdicts:
            reason = _DECIDED_AS[decision.verdict]
        return reason

    def left_out(self, need: Need) -> str | None:
        """Why a connection does not count though it was decided so."""
        about = (need.identity, need.name, need.port)
        if self.only and self.only.isdisjoint(about):
            return "another account, host or port"
        if not self.without.isdisjoint(about):
            return "asked to be left out"
        return None


_DECIDED_AS = {
    Verdict.PASSTHROUGH: "passes through",
    Verdict.DENIED: "denied",
}


def _beyond_policies(decision: Decision) -> str | None:
    """Why no further policy could make a difference to connections that were decided so."""
    if decision.verdict is Verdict.IN_MESH:
        return "inside the mesh"
    if decision.verdict is Verdict.EGRESS_POLICY:
        return "allowed by a policy already"
    by_egress = decision.rule is None or decision.rule.resource.kind in {EgressPolicy.kind, MeshConfig.kind}
    if decision.verdict is Verdict.DENIED and not by_egress:
        return "denied inside the mesh"
    if decision.reason is Reason.NOT_INTERCEPTED:
        return "passes by the sidecar"
    if decision.reason is Reason.NO_CERTIFICATE:
        return "denied, as the client certificate is missing"
    return None


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
    """

    seen: Mapping[Need, Seen] = field(factory=dict)
    left_out: Mapping[str, int] = field(factory=dict)
    untimed: int = 0
    unlike: Mapping[tuple[str, str], int] = field(factory=dict)
    first_unreadable: tuple[Unreadable, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Evidence]) -> Evidence:
        """The evidence of everything that the parts are of, in whatever order they come."""
        seen: dict[Need, list[Seen]] = {}
        left_out: Counter[str] = Counter()
        untimed = 0
        unlike: Counter[tuple[str, str]] = Counter()
        unreadable: list[Unreadable] = []
        for part in parts:
            for need, one in part.seen.items():
                seen.setdefault(need, []).append(one)
            left_out.update(part.left_out)
            untimed += part.untimed
            unlike.update(part.unlike)
            unreadable += part.first_unreadable
        together = {need: ones[0] if len(ones) == 1 else _together(ones) for need, ones in seen.items()}
        unreadable.sort(key=lambda record: (record.place, str(record)))
        return cls(_aligned(together), dict(left_out), untimed, dict(unlike), tuple(unreadable[:SHOWN]))

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


def _together(ones: Iterable[Seen]) -> Seen:
    listed = list(ones)
    example = min((one.example for one in listed), key=lambda it: (it.place, str(it)))
    return Seen(sum(one.count for one in listed), example, Times.together(one.times for one in listed))


def _aligned(seen: Mapping[Need, Seen]) -> Mapping[Need, Seen]:
    """The same with buckets of one length."""
    exponent = Times.together(one.times for one in seen.values()).exponent
    return {
        need: one if one.times.exponent == exponent else evolve(one, times=one.times.coarser(exponent))
        for need, one in sorted(seen.items())
    }


@frozen(eq=False)
class Learner:
    """A mesh that decides about records, and which of them count: a tally of logs."""

    decider: Decider
    choice: Choice = field(factory=Choice)

    @property
    def layout(self) -> Layout:
        """Which columns hold what."""
        return self.decider.layout

    def total(self, parts: Iterable[Evidence]) -> Evidence:
        """The evidence of everything that the parts are of."""
        return Evidence.of(parts)

    def summary(self, records: Records) -> Evidence:
        """The evidence of some records."""
        unreadable: list[Unreadable] = []
        left_out: Counter[str] = Counter(records.left_out)
        unlike: Counter[tuple[str, str]] = Counter()
        found: dict[Need, list[_Row]] = {}
        for decided in self.decider.decide(records, unreadable):
            account = decided.account
            for alike in self._alike(decided, left_out):
                need = Need.of(account, decided.connections[alike[0]])
                reason = self.choice.left_out(need)
                if reason:
                    left_out[reason] += len(alike)
                    continue
                timed = [
                    _Row(decided.rows[at], decided, at, _moment(records, decided.rows[at])) for at in alike
                ]
                rows = self._timely(timed, left_out)
                if rows:
                    found.setdefault(need, []).extend(rows)
                if need.sends == Sends.HTTP.value and records.server_names is not None:
                    unlike.update(_unlike(records.server_names, need.name, rows))
        seen = {need: _seen(records, rows) for need, rows in found.items()}
        left_out.update(record.reason for record in unreadable)
        untimed = sum(row.moment is None for rows in found.values() for row in rows)
        first = sorted(unreadable, key=lambda record: record.place)[:SHOWN]
        return Evidence(_aligned(seen), dict(left_out), untimed, dict(unlike), tuple(first))

    def _alike(self, decided: Decided, left_out: Counter[str]) -> Iterable[list[int]]:
        """The connections that were decided as is asked for, those that are written alike together."""
        columns = decided.connections
        listed = (columns.hosts, columns.methods, columns.paths)
        optional = (repeat(None) if values is None else values for values in listed)
        written = zip(columns.destinations, columns.ports, columns.sends, *optional, strict=False)
        why: dict[int, str | None] = {}
        groups: dict[Any, list[int]] = {}
        for at, (decision, key) in enumerate(zip(decided.before, written, strict=False)):
            if id(decision) not in why:
                why[id(decision)] = self.choice.passed_over(decision)
            reason = why[id(decision)]
            if reason:
                left_out[reason] += 1
            else:
                groups.setdefault(key, []).append(at)
        return groups.values()

    def _timely(self, rows: list[_Row], left_out: Counter[str]) -> list[_Row]:
        """Those that were made when is asked for."""
        since, until = self.choice.since, self.choice.until
        if since is None and until is None:
            return rows
        timed = [row for row in rows if row.moment is not None]
        timely = [row for row in timed if _within(row.moment, since, until)]
        if len(timed) < len(rows):
            left_out["the record has no time"] += len(rows) - len(timed)
        if len(timely) < len(timed):
            left_out["outside of the time asked for"] += len(timed) - len(timely)
        return timely


class _Row(NamedTuple):
    """A record, where it stands among those decided with it, and when it was made."""

    row: int
    decided: Decided
    at: int
    moment: float | None


def _within(moment: float | None, since: float | None, until: float | None) -> bool:
    return moment is not None and (since or 0) <= moment < (float("inf") if until is None else until)


def _unlike(server_names: Sequence[Any], name: str, rows: Iterable[_Row]) -> Iterator[tuple[str, str]]:
    """The Host and the server name of requests for which they differ."""
    for row in rows:
        given = server_names[row.row]
        if isinstance(given, str) and given.lower() != name:
            yield name, given.lower()


def _moment(records: Records, row: int) -> float | None:
    """When a record was made; None where it does not say, or not in a way that is known."""
    value: Any = None if records.times is None else records.times[row]
    if value is None:
        return None
    try:
        return read_time(value)
    except InvalidValue:
        return None


def _seen(records: Records, rows: list[_Row]) -> Seen:
    first = min(rows, key=attrgetter("row"))
    times = Times.of(row.moment for row in rows if row.moment is not None)
    return Seen(len(rows), Example(records.place(first.row), first.decided.connections[first.at]), times)
