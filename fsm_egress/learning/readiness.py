"""Whether it is time to close: what would still have been denied, and what is still unseen."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from ..connections.decision import Decision, Reason, Verdict
from ..engine import Engine
from ..interception.kinds import kinds_of_pods
from ..resolution import resolve
from ..values.construction import frozen
from ..values.times import spelled_time
from .documents import documents
from .grants import Manner, granted, own_addresses
from .unseen import Unseen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..snapshot import Snapshot
    from .evidence import Evidence, Need, Seen, Times

__all__ = ["CLOSED", "HeldOut", "LastSeen", "Readiness", "decisions_of", "readiness_of"]

CLOSED = {"spec": {"traffic": {"enableEgress": False}, "featureFlags": {"enableEgressPolicy": True}}}
READY = 0.01  # of connections, at the most, may still go to a destination never seen
LAST = 5  # destinations that are told of as the last that came up


@frozen
class HeldOut:
    """How the policies learned from the first part of the logs fare on the rest.

    Attributes:
        since: where the rest begins, in seconds since 1970.
        connections: how many there are in it.
        denied: how many of them would be denied.
    """

    since: float
    connections: int
    denied: int

    def __str__(self) -> str:
        return f"{self.denied} of the {self.connections} since {spelled_time(self.since)} would be denied"


@frozen(order=True)
class LastSeen:
    """A destination, and when it came up: within so many seconds from `first` on."""

    first: float
    destination: str


@frozen
class Readiness:
    """Whether an account's traffic, or that of the whole mesh, is known well enough to close.

    Attributes:
        account: `name.namespace`; None for the mesh.
        unseen: the chance of a destination never seen.
        held_out: how the policies learned from the first part fare on the rest; None without times.
        curve: how many destinations were known at the end of each bucket of time: its end, and the number.
        last: the destinations that came last, the latest first.
    """

    account: str | None
    unseen: Unseen
    held_out: HeldOut | None
    curve: tuple[tuple[float, int], ...]
    last: tuple[LastSeen, ...]

    @property
    def ready(self) -> bool:
        """Whether little more is to be expected; not where too little was seen to tell."""
        held = self.held_out is None or not self.held_out.denied
        return not self.unseen.sparse and self.unseen.high <= READY and held

    def to_mapping(self) -> dict[str, Any]:
        """The readiness for machines."""
        return {
            "account": self.account,
            "ready": self.ready,
            "connections": self.unseen.connections,
            "destinations": self.unseen.destinations,
            "unseen": {"estimate": self.unseen.estimate, "low": self.unseen.low, "high": self.unseen.high},
            "sparse": self.unseen.sparse,
            "held_out": None
            if self.held_out is None
            else {
                "since": spelled_time(self.held_out.since),
                "connections": self.held_out.connections,
                "denied": self.held_out.denied,
            },
            "curve": [[spelled_time(end), known] for end, known in self.curve],
            "last": [{"since": spelled_time(it.first), "destination": it.destination} for it in self.last],
        }

    def __str__(self) -> str:
        whose = self.account or "the mesh"
        verdict = "ready" if self.ready else "not ready"
        told = f"{whose}: {verdict}; the next connection is to something new with a chance of {self.unseen}"
        return f"{told}; {self.held_out}" if self.held_out else told


def readiness_of(
    mesh: Snapshot, evidence: Evidence, manner: Manner, hold_out: float
) -> tuple[Readiness, ...]:
    """The readiness of the mesh, then of each account by name.

    Args:
        mesh: today's mesh.
        evidence: what was seen.
        manner: how needs become grants.
        hold_out: which share of the records, the last ones, is held out; 0 for none.
    """
    times = evidence.times
    cut = _cut(times, hold_out)
    denied = {} if cut is None else _denied_after(mesh, evidence, manner, cut)
    by_account: dict[str, dict[Need, Seen]] = defaultdict(dict)
    for need, seen in evidence.seen.items():
        by_account[need.identity][need] = seen
    accounts: list[tuple[str | None, Mapping[Need, Seen]]] = [
        (None, evidence.seen),
        *sorted(by_account.items()),
    ]
    return tuple(_readiness(account, seen, times, cut, denied) for account, seen in accounts)


def _cut(times: Times, share: float) -> int | None:
    """The bucket where the last share of the records begins; None where there is nothing to divide."""
    if not share or len(times.counts) < 2:  # noqa: PLR2004  # because one part is learned from, one held out
        return None
    wanted, last = share * sum(times.counts.values()), 0
    buckets = sorted(times.counts, reverse=True)
    for bucket in buckets[:-1]:
        last += times.counts[bucket]
        if last >= wanted:
            return bucket
    return buckets[-2]


def _denied_after(mesh: Snapshot, evidence: Evidence, manner: Manner, cut: int) -> Mapping[Need, int]:
    """How many connections of each need, from a bucket on, those before it would not have taught to allow."""
    exponent = evidence.times.exponent
    first = [need for need, seen in evidence.seen.items() if any(it < cut for it in _counts(seen, exponent))]
    learned = granted(first, manner, own_addresses(mesh))
    resources = documents(learned.grants, ((it.kind, it.namespace, it.name) for it in mesh))
    closed = mesh.patched(CLOSED).with_(*resources)
    denied: dict[Need, int] = {}
    for need, decision in decisions_of(closed, evidence):
        buckets = _counts(evidence.seen[need], exponent).items()
        late = sum(count for bucket, count in buckets if bucket >= cut)
        if late and decision.verdict is not Verdict.EGRESS_POLICY:
            denied[need] = late
    return denied


def decisions_of(mesh: Snapshot, evidence: Evidence) -> Iterator[tuple[Need, Decision]]:
    """What a mesh decides for each need, by the first record of it.

    Where the pods of an account are not intercepted alike, by those that the sidecar has a say about.
    """
    engines: dict[str, list[Engine]] = {}
    for need, seen in evidence.seen.items():
        if need.identity not in engines:
            kinds = kinds_of_pods(need.identity, mesh)
            engines[need.identity] = [Engine.compile(resolve(mesh, kind)) for kind in kinds]
        decisions = [engine.classify(seen.example.connection) for engine in engines[need.identity]]
        yield need, next((it for it in decisions if it.reason not in UNSEEN), decisions[0])


UNSEEN = (Reason.NOT_INTERCEPTED, Reason.NO_SIDECAR)


def _counts(seen: Seen, exponent: int) -> Mapping[int, int]:
    return seen.times.coarser(exponent).counts if seen.times.counts else {}


def _readiness(
    account: str | None, seen: Mapping[Need, Seen], times: Times, cut: int | None, denied: Mapping[Need, int]
) -> Readiness:
    counts: Counter[tuple[str, int, str]] = Counter()
    came: dict[tuple[str, int, str], int] = {}
    late = 0
    for need, one in seen.items():
        counts[need.destination] += one.count
        buckets = _counts(one, times.exponent)
        if buckets:
            first = min(buckets)
            came[need.destination] = min(first, came.get(need.destination, first))
        if cut is not None:
            late += sum(count for bucket, count in buckets.items() if bucket >= cut)
    held = None
    if cut is not None and late:
        held = HeldOut(float(cut * times.width), late, sum(denied.get(need, 0) for need in seen))
    return Readiness(
        account, Unseen.of(counts.values()), held, _curve(came.values(), times), _last(came, times)
    )


def _curve(came: Iterable[int], times: Times) -> tuple[tuple[float, int], ...]:
    fresh, known = Counter(came), 0
    points = []
    for bucket in sorted({*fresh, *times.counts}):
        known += fresh[bucket]
        points.append((float((bucket + 1) * times.width), known))
    return tuple(points)


def _last(came: Mapping[tuple[str, int, str], int], times: Times) -> tuple[LastSeen, ...]:
    listed = [
        LastSeen(float(bucket * times.width), f"{identity} to {name}:{port}")
        for (identity, port, name), bucket in came.items()
    ]
    return tuple(sorted(listed, key=lambda it: (-it.first, it.destination))[:LAST])
