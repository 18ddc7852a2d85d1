"""What became of many connections, counted: the summaries of parts of a log add up to that of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field

from ..connections.connection import Connection
from ..connections.decision import Reason, Verdict
from ..resolution.claims import resolve_claims
from ..values.construction import frozen
from ..values.notebook import Shown, Table
from .records import Place, Unreadable

if TYPE_CHECKING:
    from ..connections.decision import Decision
    from ..snapshot import Snapshot
    from ..values.references import FieldRef

__all__ = ["Change", "Changed", "Example", "Ruling", "Summary", "ordered", "unused_rules"]

EXAMPLES = 3  # of each change
DESTINATIONS = 10_000  # that were denied are told apart
REASONS = 1_000  # for which records are left out are told apart
OTHER_REASONS = "cannot be read: other reasons"
SHOWN = 10  # unreadable records that are told in full

EFFECTS = ("verdict", "status", "targets", "gateways")


@frozen(cache_hash=True)
class Ruling:
    """What connections of one identity are counted by: what was decided for them, and by what.

    Attributes:
        rule: the field that decided, `Egress curl/httpbin spec.ports[0]`; None where none did.
        source: where it is written, `policies/httpbin.yaml:8`; None where it is in no document.
        route: the match of an HTTPRouteGroup that let a request through.
        without: the documents that could not be read, for which it may be decided otherwise.
    """

    identity: str
    verdict: Verdict
    reason: Reason
    rule: str | None = None
    source: str | None = None
    route: str | None = None
    without: tuple[str, ...] = ()

    @classmethod
    def of(cls, identity: str, decision: Decision) -> Ruling:
        """The ruling of a decision about a connection of the identity."""
        rule = decision.rule
        return cls(
            identity,
            decision.verdict,
            decision.reason,
            _name(rule) if rule else None,
            rule.location if rule else None,
            _name(decision.route) if decision.route else None,
            tuple(map(str, decision.without)),
        )

    def __reduce__(self) -> tuple[type[Ruling], tuple[Any, ...]]:
        """Pickled by its fields alone: worker processes send many."""
        told = (self.identity, self.verdict, self.reason, self.rule, self.source, self.route)
        return Ruling, (*told, self.without) if self.without else told

    def to_mapping(self) -> dict[str, Any]:
        """The ruling for machines."""
        return {
            "verdict": self.verdict.value,
            "reason": self.reason.value,
            "rule": self.rule,
            "source": self.source,
            "route": self.route,
            **({"without": list(self.without)} if self.without else {}),
        }

    def __str__(self) -> str:
        by = f" by {self.rule}" if self.rule else ""
        where = f" ({self.source})" if self.source else ""
        return f"{self.verdict} ({self.reason}){by}{where}"


def _name(reference: FieldRef) -> str:
    return f"{reference.resource} {reference.path}".rstrip()


@frozen(cache_hash=True)
class Change:
    """What connections of one identity change in: one ruling becomes another.

    Attributes:
        differs: what is different for the connection, of `verdict`, `status`, `targets` and `gateways`.
    """

    before: Ruling
    after: Ruling
    differs: tuple[str, ...]

    @classmethod
    def of(cls, identity: str, before: Decision, after: Decision) -> Change | None:
        """The change from one decision to another; None where a connection fares alike."""
        differs = tuple(name for name in EFFECTS if getattr(before, name) != getattr(after, name))
        return cls(Ruling.of(identity, before), Ruling.of(identity, after), differs) if differs else None


@frozen
class Example:
    """A connection, and where its record stands."""

    place: Place
    connection: Connection

    def to_mapping(self) -> dict[str, Any]:
        """The example for machines."""
        return {"log": self.place.name, "line": self.place.line, "connection": self.connection.to_shown()}

    def __str__(self) -> str:
        return f"{self.place}: {self.connection}"


@frozen
class Changed:
    """How many connections make a change, and the first few of them."""

    count: int
    examples: tuple[Example, ...]


@frozen
class Summary(Shown):
    """What became of connections, and what would; `Summary()` is that of none.

    Attributes:
        counts: how many connections got each ruling.
        counts_after: ditto, with the other mesh; empty where there is none.
        changes: the connections that fare differently with the other mesh.
        unreadable: how many records could not be read.
        first_unreadable: the first of those.
        left_out: how many records tell of no connection that a pod has made, or cannot be read, by reason;
            with `connections` these are all that were read; of more than `REASONS` the first ones by name.
        lost: how many more records there would be, had whoever wrote the logs not left them out.
        denied: how many connections were denied, by identity and by what they asked for, a name or an address
            with its port; of more than `DESTINATIONS` the first ones by name.
    """

    counts: Mapping[Ruling, int] = field(factory=dict)
    counts_after: Mapping[Ruling, int] = field(factory=dict)
    changes: Mapping[Change, Changed] = field(factory=dict)
    unreadable: int = 0
    first_unreadable: tuple[Unreadable, ...] = ()
    left_out: Mapping[str, int] = field(factory=dict)
    denied: Mapping[tuple[str, str], int] = field(factory=dict)
    lost: int = 0

    @classmethod
    def of(cls, parts: Iterable[Summary]) -> Summary:
        """The summary of everything that the parts are of, in whatever order they come."""
        counts: dict[Ruling, int] = {}
        counts_after: dict[Ruling, int] = {}
        changes: dict[Change, Changed] = {}
        unreadable = lost = 0
        first: tuple[Unreadable, ...] = ()
        left_out: Counter[str] = Counter()
        denied: Counter[tuple[str, str]] = Counter()
        for part in parts:
            for total, more in ((counts, part.counts), (counts_after, part.counts_after)):
                for ruling, count in more.items():
                    total[ruling] = total.get(ruling, 0) + count
            for change, changed in part.changes.items():
                known = changes.get(change)
                changes[change] = _both(known, changed) if known else changed
            unreadable += part.unreadable
            lost += part.lost
            left_out.update(part.left_out)
            if len(left_out) > 2 * REASONS:
                left_out = _bounded(left_out)
            denied.update(part.denied)
            if len(denied) > 2 * DESTINATIONS:
                denied = Counter(dict(sorted(denied.items())[:DESTINATIONS]))
            if part.first_unreadable:
                refused = sorted(first + part.first_unreadable, key=lambda each: (each.place, str(each)))
                first = tuple(refused[:SHOWN])
        some = dict(sorted(denied.items())[:DESTINATIONS])
        reasons = dict(sorted(_bounded(left_out).items()))
        return cls(counts, counts_after, changes, unreadable, first, reasons, some, lost)

    def merged(self, other: Summary) -> Summary:
        """The summary of what both are of."""
        return Summary.of((self, other))

    def table(self) -> Table:
        """What a notebook shows of it: the rulings with their counts, then what would change."""
        rows = (
            *(
                (str(count), ruling.identity, ruling.verdict.value, ruling.reason.value, ruling.rule or "-")
                for ruling, count in ordered(self.counts)
            ),
            *(
                (
                    str(changed.count),
                    change.before.identity,
                    str(change.before),
                    "would be",
                    str(change.after),
                )
                for change, changed in self.ordered_changes()
            ),
        )
        headline = (
            f"{self.connections} connections, {self.changed} would change, {self.unreadable} unreadable"
        )
        return Table(headline, ("count", "identity", "verdict", "reason", "rule"), rows)

    @property
    def connections(self) -> int:
        """How many connections there were."""
        return sum(self.counts.values())

    @property
    def changed(self) -> int:
        """How many of them fare differently with the other mesh."""
        return sum(changed.count for changed in self.changes.values())

    def to_mapping(self) -> dict[str, Any]:
        """The summary for machines, in an order of its own."""
        return {
            "connections": self.connections,
            "unreadable": self.unreadable,
            "left_out": dict(self.left_out),
            **({"lost": self.lost} if self.lost else {}),
            "denied": [
                {"identity": identity, "destination": destination, "count": count}
                for (identity, destination), count in self.ordered_denied()
            ],
            "problems": [str(problem) for record in self.first_unreadable for problem in record.problems],
            "counts": _counts(self.counts),
            "counts_after": _counts(self.counts_after),
            "changes": [_change(change, changed) for change, changed in self.ordered_changes()],
        }

    def ordered_denied(self) -> list[tuple[tuple[str, str], int]]:
        """What was asked for and denied, the most often first."""
        return sorted(self.denied.items(), key=lambda counted: (-counted[1], counted[0]))

    def ordered_changes(self) -> list[tuple[Change, Changed]]:
        """The changes by identity, the greatest first."""
        return sorted(self.changes.items(), key=_rank_of_change)


def _bounded(left_out: Counter[str]) -> Counter[str]:
    """The first reasons by name, and what the others come to together: names in them are from records."""
    named = sorted((reason, count) for reason, count in left_out.items() if reason != OTHER_REASONS)
    rest = left_out[OTHER_REASONS] + sum(count for _, count in named[REASONS:])
    return Counter(dict(named[:REASONS])) + Counter({OTHER_REASONS: rest})


def ordered(counts: Mapping[Ruling, int]) -> list[tuple[Ruling, int]]:
    """Rulings with their counts by identity, the greatest first."""
    return sorted(counts.items(), key=_rank)


def unused_rules(mesh: Snapshot, counts: Mapping[Ruling, int]) -> tuple[FieldRef, ...]:
    """The rules of Egress policies that let none of these connections out, by resource.

    They are the ports of all policies in force, and the matches of the HTTPRouteGroups that those name. A
    rule counts as used when it was the one that decided; without the others, whatever was let out still is.

    Args:
        mesh: the mesh that the connections were decided by.
        counts: how many connections got each ruling.
    """
    used = {
        name
        for ruling in counts
        if ruling.verdict is Verdict.EGRESS_POLICY
        for name in (ruling.rule, ruling.route)
    }
    rules: dict[str, FieldRef] = {}
    for identity in mesh.identities():
        for claims in resolve_claims(mesh, identity).by_port.values():
            for claim in claims:
                routes = (route.route for route in claim.routes if route.route)
                rules.update((_name(rule), rule) for rule in (claim.rule, *routes))
    unused = (rule for name, rule in rules.items() if name not in used)
    return tuple(sorted(unused, key=lambda rule: (rule.resource, len(rule.path), rule.path)))


def _both(one: Changed, other: Changed) -> Changed:
    examples = sorted(one.examples + other.examples, key=lambda example: (example.place, str(example)))
    return Changed(one.count + other.count, tuple(examples[:EXAMPLES]))


def _rank(counted: tuple[Ruling, int]) -> tuple[Any, ...]:
    ruling, count = counted
    return ruling.identity, -count, str(ruling), ruling.route or ""


def _rank_of_change(counted: tuple[Change, Changed]) -> tuple[Any, ...]:
    change, changed = counted
    return *_rank((change.before, changed.count)), str(change.after), change.after.route or "", change.differs


def _counts(counts: Mapping[Ruling, int]) -> list[dict[str, Any]]:
    return [
        {"identity": ruling.identity, **ruling.to_mapping(), "count": count}
        for ruling, count in ordered(counts)
    ]


def _change(change: Change, changed: Changed) -> dict[str, Any]:
    return {
        "identity": change.before.identity,
        "before": change.before.to_mapping(),
        "after": change.after.to_mapping(),
        "differs": list(change.differs),
        "count": changed.count,
        "examples": [example.to_mapping() for example in changed.examples],
    }
