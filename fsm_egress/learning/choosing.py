"""Which records count, and what they ask for: the tally that learns from logs, and the one that proves."""

from __future__ import annotations

from collections import Counter
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from attrs import field

from ..connections.decision import Reason, Verdict
from ..connections.payloads import Sends
from ..replaying import Decider, reasons
from ..replaying.tally import SHOWN, Example, Ruling, Summary
from ..resources.egress import EgressPolicy
from ..resources.meshconfig import MeshConfig
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.identity import Memory
from ..values.times import read_time
from .evidence import Evidence, Need, Seen, Times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..connections.connection import Connection
    from ..connections.decision import Decision
    from ..replaying import Decided
    from ..replaying.records import Layout, Records, Unreadable

__all__ = ["Choice", "Learner", "Prover"]

_Row: TypeAlias = "tuple[int, float | None, int]"
"""Where a connection stands among those decided, when it was made, and for how many records it stands."""

VERDICTS = (Verdict.PASSTHROUGH, Verdict.DENIED)


@frozen
class Choice:
    """Which records count.

    Attributes:
        verdicts: what was decided for them.
        since, until: when they were made, in seconds since 1970; `until` is not included.
        only: accounts, hosts (server names are such, and addresses where no name is sent) and ports; what has
            none of these does not count. All counts where it is empty.
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
        if self.only and self.only.isdisjoint(need.destination):
            return "another account, host or port"
        if self.without and not self.without.isdisjoint(need.destination):
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


@frozen(eq=False)
class Learner:
    """A mesh that decides about records, and which of them count: a tally of logs.

    Attributes:
        decider: decides; its other mesh has no say.
        choice: which records count.
        routes: whether requests are told apart by their paths.
    """

    decider: Decider
    choice: Choice = field(factory=Choice)
    routes: bool = True

    @property
    def layout(self) -> Layout:
        """Which columns hold what."""
        return self.decider.layout

    @property
    def timed(self) -> bool:
        """Whether it matters when records were made."""
        return True

    def total(self, parts: Iterable[Evidence]) -> Evidence:
        """The evidence of everything that the parts are of."""
        return Evidence.of(parts)

    def summary(self, records: Records) -> Evidence:
        """The evidence of some records."""
        unreadable: list[Unreadable] = []
        left_out: Counter[str] = Counter()
        unlike: Counter[tuple[str, str]] = Counter()
        found: dict[Need, list[_Alike]] = {}
        for decided in self.decider.decide(records, unreadable):
            for alike in self.counted(records, decided, left_out):
                found.setdefault(alike.need, []).append(alike)
                if records.server_names is not None and alike.need.sends == Sends.HTTP.value:
                    unlike.update(_unlike(records.server_names, alike))
        left_out.update(_left_out(records, unreadable))
        untimed = sum(alike.untimed for ones in found.values() for alike in ones)
        first = sorted(unreadable, key=lambda record: record.place)[:SHOWN]
        seen = {need: _seen(records, ones) for need, ones in found.items()}
        return Evidence(seen, dict(left_out), untimed, dict(unlike), tuple(first), records.lost)

    def counted(self, records: Records, decided: Decided, left_out: Counter[str]) -> Iterator[_Alike]:
        """The connections that count, those that are written alike together; why others do not is counted."""
        for places in self._decided_as_asked_for(records, decided, left_out):
            connection = decided.connections[places[0]]
            need = Need.of(decided.account, connection, routes=self.routes)
            reason = self.choice.left_out(need) or self._untold(need, decided, places[0])
            if reason:
                left_out[reason] += sum(records.counts([decided.rows[at] for at in places]))
                continue
            rows = [decided.rows[at] for at in places]
            moments = [_moment(records, row) for row in rows]
            timely = self._timely(list(zip(places, moments, records.counts(rows), strict=True)), left_out)
            if timely:
                first = connection if timely[0][0] == places[0] else decided.connections[timely[0][0]]
                yield _Alike(need, decided, first, *map(list, zip(*timely, strict=True)))

    def _untold(self, need: Need, decided: Decided, place: int) -> str | None:
        """What a record would have to say to teach a route."""
        paths = decided.connections.paths
        is_asked_for = self.routes and need.sends == Sends.HTTP.value
        return "its path is not said" if is_asked_for and (paths is None or paths[place] is None) else None

    def _decided_as_asked_for(
        self, records: Records, decided: Decided, left_out: Counter[str]
    ) -> Iterable[list[int]]:
        """The places of connections that were decided so, those that are written alike together."""
        columns = decided.connections
        listed = (columns.hosts, columns.methods, columns.paths if self.routes else None)
        optional = (repeat(None) if values is None else values for values in listed)
        written = zip(columns.destinations, columns.ports, columns.sends, *optional, strict=False)
        why: Memory[str | None] = Memory()
        groups: dict[Any, list[int]] = {}
        for at, (decision, key) in enumerate(zip(decided.before, written, strict=False)):
            reason = why.once(decision, self.choice.passed_over)
            if reason:
                left_out[reason] += records.count(decided.rows[at])
            else:
                groups.setdefault(key, []).append(at)
        return groups.values()

    def _timely(self, rows: list[_Row], left_out: Counter[str]) -> list[_Row]:
        """Those that were made when is asked for."""
        since, until = self.choice.since, self.choice.until
        if since is None and until is None:
            return rows
        timely: list[_Row] = []
        for row in rows:
            if row[1] is None:
                left_out["the record has no time"] += row[2]
            elif _within(row[1], since, until):
                timely.append(row)
            else:
                left_out["outside of the time asked for"] += row[2]
        return timely


@frozen(eq=False)
class Prover:
    """What becomes of the records that count in the other mesh of a learner's decider: a tally of logs."""

    learner: Learner

    @property
    def timed(self) -> bool:
        """Whether it matters when records were made."""
        choice = self.learner.choice
        return choice.since is not None or choice.until is not None

    @property
    def layout(self) -> Layout:
        """Which columns hold what."""
        return self.learner.layout

    def total(self, parts: Iterable[Summary]) -> Summary:
        """The summary of everything that the parts are of."""
        return Summary.of(parts)

    def summary(self, records: Records) -> Summary:
        """What becomes of some records; `denied` says of what."""
        unreadable: list[Unreadable] = []
        left_out: Counter[str] = Counter()
        counts: Counter[Ruling] = Counter()
        denied: Counter[tuple[str, str]] = Counter()
        for decided in self.learner.decider.decide(records, unreadable):
            after = decided.after or ()
            made: dict[int, Decision] = {}
            times: Counter[int] = Counter()
            for alike in self.learner.counted(records, decided, left_out):
                decisions = [after[at] for at in alike.places]
                made.update(zip(map(id, decisions), decisions, strict=True))
                refused = 0
                for decision, count in zip(decisions, alike.counts, strict=True):
                    times[id(decision)] += count
                    refused += count * (decision.verdict is not Verdict.EGRESS_POLICY)
                if refused:
                    _, port, name = alike.need.destination
                    denied[decided.identity, f"{name}:{port}"] += refused
            for key, count in times.items():
                counts[Ruling.of(decided.identity, made[key])] += count
        left_out.update(_left_out(records, unreadable))
        first = sorted(unreadable, key=lambda record: record.place)[:SHOWN]
        return Summary(
            counts,
            unreadable=sum(record.count for record in unreadable),
            first_unreadable=tuple(first),
            left_out=left_out,
            denied=denied,
            lost=records.lost,
        )


class _Alike(NamedTuple):
    """Connections that ask for the same.

    Attributes:
        first: the first of them.
        places: where they stand among those decided.
        moments: when each was made.
        counts: how many records each stands for.
    """

    need: Need
    decided: Decided
    first: Connection
    places: list[int]
    moments: list[float | None]
    counts: list[int]

    @property
    def untimed(self) -> int:
        """How many records have no time."""
        return sum(count for moment, count in zip(self.moments, self.counts, strict=True) if moment is None)


def _left_out(records: Records, unreadable: Iterable[Unreadable]) -> Counter[str]:
    """How many records were no connection, by reason."""
    return Counter(records.left_out) + reasons(unreadable)


def _within(moment: float | None, since: float | None, until: float | None) -> bool:
    return moment is not None and (since or 0) <= moment < (float("inf") if until is None else until)


def _unlike(server_names: Sequence[Any], alike: _Alike) -> Counter[tuple[str, str]]:
    """The Host and the server name of requests for which they differ, counted."""
    unlike: Counter[tuple[str, str]] = Counter()
    for at, count in zip(alike.places, alike.counts, strict=True):
        given, name = server_names[alike.decided.rows[at]], alike.need.name
        if isinstance(given, str) and given.lower() != name:
            unlike[name, given.lower()] += count
    return unlike


def _moment(records: Records, row: int) -> float | None:
    """When a record was made; None where it does not say, or not in a way that is known."""
    value: Any = None if records.times is None else records.times[row]
    if value is None:
        return None
    try:
        return read_time(value)
    except InvalidValue:
        return None


def _seen(records: Records, ones: Sequence[_Alike]) -> Seen:
    first = min(ones, key=_first_row) if len(ones) > 1 else ones[0]
    total = 0
    counts: dict[float, int] = {}
    for one in ones:
        for moment, count in zip(one.moments, one.counts, strict=True):
            total += count
            if moment is not None:
                counts[moment] = counts.get(moment, 0) + count
    return Seen(total, Example(records.place(_first_row(first)), first.first), Times.of(counts))


def _first_row(one: _Alike) -> int:
    return one.decided.rows[one.places[0]]
