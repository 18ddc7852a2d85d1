"""Logs replayed against a mesh, or against two: decided by identity, and counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import Factory, field

from ..connections.columns import Columns
from ..connections.connection import socket_address
from ..connections.decision import Decision, Verdict
from ..connections.payloads import shown_host
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.errors import InvalidValue, Problem
from ..values.typed import takes
from .records import Layout, Place, Records, Unreadable
from .streaming import Partitions, streamed
from .tally import EXAMPLES, SHOWN, Change, Changed, Example, Ruling, Summary
from .whose import Whom

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from ..resources.subjects import Subject
    from ..values.net import Address
    from .logs import Log
    from .whose import Engines, Whose

__all__ = ["DECIDED", "Decided", "Decider", "reasons", "replay"]

K = TypeVar("K")

DECIDED = ("verdict", "reason", "rule", "source", "problem")  # the columns that data frames get
COLUMNS = ("destinations", "ports", "sends", "hosts", "methods", "paths", "headers")


@takes(mesh=Snapshot, logs=(Iterable, Partitions), after=(Snapshot, NoneType))
def replay(
    mesh: Snapshot,
    logs: Iterable[Log] | Partitions,
    after: Snapshot | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    identity: Subject | str | None = None,
    workers: int = 1,
    strict: bool = False,
    context: BaseContext | None = None,
    incomplete: bool = False,
) -> Summary:
    """What became of the connections in logs; and with another mesh, what would change.

    The logs are streamed: memory depends on the rulings there are, not on how long the logs are. The result
    does not depend on the number of workers. As each of them imports the main module, a script that asks
    for more than one has its work below `if __name__ == "__main__":`.

    Args:
        mesh: what decides.
        logs: open streams, each with its name; or `Partitions` of Dask or Spark.
        after: the mesh to compare with.
        columns: for some fields of a record, the column to read instead of the one of that name: `identity`,
            `pod`, `pod_namespace`, `destination`, `port`, `sends`, `host`, `server_name`, `method`, `path`,
            `headers`, `time`. A pod is `curl-0.curl`, `curl/curl-0`, or a name beside its namespace; its
            account follows from the mesh.
        identity: whose the connections are, of records that do not say.
        workers: how many processes share the work.
        strict: stop at the first record that cannot be read; otherwise such records are counted, and the
            first ones told.
        context: how worker processes are started; by default they are spawned.
        incomplete: whether the meshes may be such of which documents could not be read; each ruling then
            carries what it was made without.

    Raises:
        IncompleteMesh: documents could not be read on which a decision may hang.
        InvalidValue: there is no such field; a CSV or Parquet lacks a column, or a stream is no Parquet; when
            `strict`, a record cannot be read; or there are no workers.
        MissingExtra: a log is Parquet, and pyarrow is not installed.
    """
    decider = Decider(mesh, after, Layout(columns or {}, identity), incomplete)
    parts = streamed(decider, logs, workers, context)
    return Summary.of(_strictly(parts) if strict else parts)


def _strictly(parts: Iterable[Summary]) -> Iterator[Summary]:
    for part in parts:
        for record in part.first_unreadable:
            raise InvalidValue(*record.problems)
        yield part


# --- deciding --------------------------------------------------------------------------------------------


@frozen(eq=False)
class Decided:
    """What was decided for the connections of one identity among some records.

    Attributes:
        identity: the account, or those of its pods that are intercepted alike.
        account: as `name.namespace`.
        rows: which of the records they are.
        connections: by column, in the same order.
        before: the decision for each.
        after: ditto with the other mesh; None where there is none.
    """

    identity: str
    account: str
    rows: Sequence[int]
    connections: Columns
    before: Sequence[Decision]
    after: Sequence[Decision] | None


@frozen(eq=False)
class Decider:
    """A mesh, or two, that decides about records; engines are compiled when an identity first comes up."""

    mesh: Snapshot
    after: Snapshot | None = None
    layout: Layout = field(factory=Layout)
    incomplete: bool = False
    _whom: Whom = field(
        init=False, repr=False, default=Factory(lambda self: self._of_meshes(), takes_self=True)
    )
    _known: dict[str, _Known] = field(factory=dict, init=False, repr=False)

    @classmethod
    def of_frame(
        cls,
        frame: Any,
        mesh: Snapshot,
        after: Snapshot | None = None,
        *,
        columns: Mapping[str, str] | None,
        identity: Subject | str | None,
    ) -> Decider:
        """The decider about the rows of a data frame, whichever library's.

        Raises:
            InvalidValue: the frame lacks a column, or there is no such field.
        """
        decider = cls(mesh, after, Layout(columns or {}, identity))
        decider.layout.check(frame.columns, "the data frame")
        return decider

    @property
    def timed(self) -> bool:
        """Whether it matters when records were made."""
        return False

    def __reduce__(self) -> tuple[type[Decider], tuple[Any, ...]]:
        """Pickled without its engines: they are compiled anew where records are decided."""
        return Decider, (self.mesh, self.after, self.layout, self.incomplete)

    def _of_meshes(self) -> Whom:
        meshes = (self.mesh,) if self.after is None else (self.mesh, self.after)
        return Whom(meshes, self.incomplete)

    def decide(self, records: Records, unreadable: list[Unreadable]) -> Iterator[Decided]:
        """The decisions for records, by identity; what cannot be read is added to `unreadable`.

        So is a record of an account whose pods would not all fare alike, where it does not say which it is.
        """
        unreadable.extend(records.unreadable)
        for (identity, pod), every_row in _by_whom(records).items():
            rows = every_row
            try:
                whose = self._whom.whose(identity, pod)
            except InvalidValue as error:
                for row in rows:
                    unreadable.extend(records.refused(row, _no_identity(error, records.identities[row], pod)))
                continue
            try:
                yield self._decided(whose, records, rows, unreadable)
            except InvalidValue:
                rows = _readable(records, rows, unreadable)
                yield self._decided(whose, records, rows, unreadable)

    def _decided(
        self, whose: Whose, records: Records, rows: Sequence[int], unreadable: list[Unreadable]
    ) -> Decided:
        connections = records.connections
        taken = connections if len(rows) == len(connections) else _taken(connections, rows)
        engines = whose.engines
        if whose.pod is not None and not whose.own.isdisjoint(map(str, taken.destinations)):
            engines = (self._whom.engines(whose.pod),)  # because it dials itself
        found = _classified(engines[0], taken)
        unlike = {
            at
            for other in engines[1:]
            for at, pairs in enumerate(zip(*found, *_classified(other, taken), strict=True))
            if pairs[: len(found)] != pairs[len(found) :]
        }
        if unlike:
            expected = f"a pod of `{whose.account}`, as those are not intercepted alike"
            error = InvalidValue(Problem(expected, "none", "pod"))
            unreadable.extend(it for at in sorted(unlike) for it in records.refused(rows[at], error))
            kept = [at for at in range(len(rows)) if at not in unlike]
            rows, taken = [rows[at] for at in kept], _taken(taken, kept)
            found = tuple([decisions[at] for at in kept] for decisions in found)
        before, *after = found
        return Decided(whose.name, whose.account, rows, taken, before, after[0] if after else None)

    def _known_of(self, identity: str) -> _Known:
        return self._known.setdefault(identity, _Known(identity))

    def total(self, parts: Iterable[Summary]) -> Summary:
        """The summary of everything that the parts are of."""
        return Summary.of(parts)

    def table(self, records: Records) -> dict[str, list[str | None]]:
        """The columns of `DECIDED`, a value for each record; one that is unreadable has only a problem."""
        unreadable: list[Unreadable] = []
        table: dict[str, list[str | None]] = {name: [None] * len(records) for name in DECIDED}
        verdicts, reasons, rules, sources, problems = table.values()
        for decided in self.decide(records, unreadable):
            known = self._known_of(decided.identity)
            for row, place in zip(decided.rows, known.learn(decided.before), strict=True):
                ruling = known.rulings[place]
                verdicts[row] = ruling.verdict.value
                reasons[row] = ruling.reason.value
                rules[row] = ruling.rule
                sources[row] = ruling.source
        for record in unreadable:
            told = (f"{problem.path}: {problem.message}" for problem in record.problems)
            problems[record.place.line - records.first.line] = "; ".join(told)
        return table

    def summary(self, records: Records) -> Summary:
        """The summary of some records."""
        unreadable: list[Unreadable] = []
        parts = [
            self._known_of(decided.identity).summary(records, decided)
            for decided in self.decide(records, unreadable)
        ]
        first = sorted(unreadable, key=lambda record: record.place)[:SHOWN]
        left_out = Counter(records.left_out) + reasons(unreadable)
        rest = Summary(
            unreadable=sum(record.count for record in unreadable),
            first_unreadable=tuple(first),
            left_out=left_out,
            lost=records.lost,
        )
        return Summary.of([*parts, rest])


def _by_whom(records: Records) -> Mapping[tuple[str, str], list[int]]:
    """The rows of each identity and pod; those that hold no text are the rows of none."""
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, (who, pod) in enumerate(zip(records.identities, records.pods or repeat(""), strict=False)):
        rows[who if isinstance(who, str) else "", pod].append(row)
    return rows


def _no_identity(error: InvalidValue, value: Any, pod: str) -> InvalidValue:
    """Why nobody is known whose a record is."""
    return error if pod else InvalidValue.of("a service identity `name.namespace`", value).at("identity")


def _classified(engines: Engines, connections: Columns) -> tuple[Sequence[Decision], ...]:
    return tuple(engine.classify_many(connections) for engine in engines if engine is not None)


def _taken(columns: Columns, rows: Sequence[int]) -> Columns:
    """Some rows of columns."""
    cells = ((name, getattr(columns, name)) for name in COLUMNS)
    return Columns(**{name: [values[row] for row in rows] for name, values in cells if values is not None})


def _readable(records: Records, rows: Iterable[int], unreadable: list[Unreadable]) -> list[int]:
    """Those of the rows that hold a connection; the others are added to `unreadable`."""
    readable = []
    for row in rows:
        try:
            records.connections[row]
        except InvalidValue as error:
            unreadable.extend(records.refused(row, error))
        else:
            readable.append(row)
    return readable


# --- counting --------------------------------------------------------------------------------------------


@frozen(eq=False)
class _Known:
    """The rulings and changes of one identity.

    Its engines make each decision once, so a decision is known by its place in memory: it is held here, and
    the place is no other's.
    """

    identity: str
    decisions: dict[int, Decision] = field(factory=dict)
    rulings: dict[int, Ruling] = field(factory=dict)
    changes: dict[tuple[int, int], Change | None] = field(factory=dict)

    def learn(self, decisions: Sequence[Decision]) -> list[int]:
        """The place of each decision, whose ruling is known from then on."""
        places = list(map(id, decisions))
        new = set(places) - self.rulings.keys()
        if new:
            made = dict(zip(places, decisions, strict=True))
            self.decisions.update((place, made[place]) for place in new)
            self.rulings.update((place, Ruling.of(self.identity, made[place])) for place in new)
        return places

    def change(self, pair: tuple[int, int]) -> Change | None:
        """The change from one decision to another, if it is one."""
        if pair not in self.changes:
            before, after = pair
            self.changes[pair] = Change.of(self.identity, self.decisions[before], self.decisions[after])
        return self.changes[pair]

    def summary(self, records: Records, decided: Decided) -> Summary:
        """The summary of what was decided."""
        before = self.learn(decided.before)
        repeats = None if records.repeats is None else list(records.counts(decided.rows))
        denied = self.denied(decided.connections, before, repeats)
        if decided.after is None:
            return Summary(self.counts(how_often(before, repeats).items()), denied=denied)
        pairs = list(zip(before, self.learn(decided.after), strict=True))
        counts = how_often(pairs, repeats)
        changes = {pair: change for pair in counts if (change := self.change(pair))}
        counted: dict[Change, int] = {}
        for pair, change in changes.items():
            counted[change] = counted.get(change, 0) + counts[pair]
        examples = _examples(records, decided, [changes.get(pair) for pair in pairs] if changes else [])
        return Summary(
            self.counts((one, count) for (one, _), count in counts.items()),
            self.counts((other, count) for (_, other), count in counts.items()),
            {change: Changed(count, tuple(examples[change])) for change, count in counted.items()},
            denied=denied,
        )

    def denied(
        self, connections: Columns, places: Sequence[int], repeats: Sequence[int] | None
    ) -> Counter[tuple[str, str]]:
        """What was asked for and denied: a name where one was sent, or else the address, with the port."""
        refused = {place for place in set(places) if self.rulings[place].verdict is Verdict.DENIED}
        if not refused:
            return Counter()
        asked = zip(
            places,
            connections.hosts or repeat(None),
            connections.destinations,
            connections.ports,
            repeat(1) if repeats is None else repeats,
            strict=False,
        )
        counts: Counter[tuple[str, str]] = Counter()
        for place, host, address, port, count in asked:
            if place in refused:
                counts[self.identity, _asked_for(host, address, port)] += count
        return counts

    def counts(self, places: Iterable[tuple[int, int]]) -> dict[Ruling, int]:
        """How many connections got each ruling; decisions may differ in what a ruling leaves out."""
        counts: dict[Ruling, int] = {}
        for place, count in places:
            ruling = self.rulings[place]
            counts[ruling] = counts.get(ruling, 0) + count
        return counts


def how_often(values: Iterable[K], repeats: Sequence[int] | None) -> Counter[K]:
    """How many records each value is of; `repeats` says how many each single one stands for."""
    if repeats is None:
        return Counter(values)
    counts: Counter[K] = Counter()
    for value, count in zip(values, repeats, strict=True):
        counts[value] += count
    return counts


def reasons(unreadable: Iterable[Unreadable]) -> Counter[str]:
    """How many records cannot be read, by reason."""
    counts: Counter[str] = Counter()
    for record in unreadable:
        counts[record.reason] += record.count
    return counts


def _asked_for(host: str | None, address: Address | str, port: int) -> str:
    """`api.example:443`, or the address where no name was sent."""
    name = shown_host((host or "").lower().removesuffix(f":{port}"))
    return f"{name}:{port}" if name else socket_address(str(address), port)


def _examples(
    records: Records, decided: Decided, changes: Sequence[Change | None]
) -> Mapping[Change, list[Example]]:
    """The first few connections of each change."""
    found: dict[Change, list[tuple[Place, int]]] = defaultdict(list)
    rows: Counter[Change] = Counter()
    for index, change in enumerate(changes):
        if change is not None and rows[change] < EXAMPLES:
            rows[change] += 1
            found[change].extend((place, index) for place in records.places(decided.rows[index]))
    return {
        change: [Example(place, decided.connections[index]) for place, index in sorted(listed)[:EXAMPLES]]
        for change, listed in found.items()
    }
