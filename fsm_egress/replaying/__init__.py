"""Logs replayed against a mesh, or against two: decided by identity, and counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import Factory, field

from ..connections.columns import Columns
from ..connections.decision import Decision
from ..engine import Engine
from ..resolution import resolve
from ..resources.resource import ServiceIdentity
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.typed import takes
from .records import Layout, Records, Unreadable
from .streaming import streamed
from .tally import EXAMPLES, SHOWN, Change, Changed, Example, Ruling, Summary

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from .logs import Log

__all__ = ["DECIDED", "Decided", "Decider", "replay"]

Engines: TypeAlias = "tuple[Engine, Engine | None]"

DECIDED = ("verdict", "reason", "rule", "source", "problem")  # the columns that data frames get
COLUMNS = ("destinations", "ports", "sends", "hosts", "methods", "paths", "headers")


@takes(mesh=Snapshot, logs=Iterable, after=(Snapshot, NoneType))
def replay(
    mesh: Snapshot,
    logs: Iterable[Log],
    after: Snapshot | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    identity: ServiceIdentity | str | None = None,
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
        logs: open streams, each with its name and format.
        after: the mesh to compare with.
        columns: for some fields of a record, the column to read instead of the one of that name: `identity`,
            `destination`, `port`, `sends`, `host`, `server_name`, `method`, `path`, `headers`, `time`.
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
            `strict`, a record cannot be read.
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
        rows: which of the records they are.
        connections: by column, in the same order.
        before: the decision for each.
        after: ditto with the other mesh; None where there is none.
    """

    identity: str
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
    _named: frozenset[tuple[str, str]] = field(
        init=False, repr=False, default=Factory(lambda self: self._identities(), takes_self=True)
    )
    _engines: dict[ServiceIdentity | None, Engines] = field(factory=dict, init=False, repr=False)
    _known: dict[str, _Known] = field(factory=dict, init=False, repr=False)

    @classmethod
    def of_frame(
        cls,
        frame: Any,
        mesh: Snapshot,
        after: Snapshot | None = None,
        *,
        columns: Mapping[str, str] | None,
        identity: ServiceIdentity | str | None,
    ) -> Decider:
        """The decider about the rows of a data frame, whichever library's.

        Raises:
            InvalidValue: the frame lacks a column, or there is no such field.
        """
        decider = cls(mesh, after, Layout(columns or {}, identity))
        decider.layout.check(frame.columns, "the data frame")
        return decider

    def __reduce__(self) -> tuple[type[Decider], tuple[Any, ...]]:
        """Pickled without its engines: they are compiled anew where records are decided."""
        return Decider, (self.mesh, self.after, self.layout, self.incomplete)

    def _identities(self) -> frozenset[tuple[str, str]]:
        meshes = (self.mesh,) if self.after is None else (self.mesh, self.after)
        lost = {account for mesh in meshes for loss in mesh.lost for account in loss.accounts or ()}
        return frozenset(lost.union((it.name, it.namespace) for mesh in meshes for it in mesh.identities()))

    def decide(self, records: Records, unreadable: list[Unreadable]) -> Iterator[Decided]:
        """The decisions for records, by identity; what cannot be read is added to `unreadable`."""
        unreadable.extend(records.unreadable)
        for identity, every_row in _by_identity(records.identities).items():
            rows = every_row
            try:
                engines = self._engines_of(identity)
            except InvalidValue:
                unreadable.extend(records.refused(row, _no_identity(records.identities[row])) for row in rows)
                continue
            try:
                decided = _decided(identity, engines, records.connections, rows)
            except InvalidValue:
                rows = _readable(records, rows, unreadable)
                decided = _decided(identity, engines, records.connections, rows)
            yield decided

    def _engines_of(self, identity: str) -> Engines:
        """The engines for an identity; those that no resource names are decided about alike.

        Raises:
            InvalidValue: it is none.
        """
        who = ServiceIdentity.parse(identity)
        named = who if (who.name, who.namespace) in self._named else None
        if named not in self._engines:
            after = None if self.after is None else self._engine(self.after, who)
            self._engines[named] = self._engine(self.mesh, who), after
        return self._engines[named]

    def _engine(self, mesh: Snapshot, who: ServiceIdentity) -> Engine:
        return Engine.compile(resolve(mesh, who), incomplete=self.incomplete)

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
        return Summary.of([*parts, Summary(unreadable=len(unreadable), first_unreadable=tuple(first))])


def _by_identity(identities: Iterable[Any]) -> Mapping[str, list[int]]:
    """The rows of each identity; those that hold no text are the rows of none."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, who in enumerate(identities):
        rows[who if isinstance(who, str) else ""].append(row)
    return rows


def _no_identity(value: Any) -> InvalidValue:
    return InvalidValue.of("a service identity `name.namespace`", value).at("identity")


def _decided(identity: str, engines: Engines, connections: Columns, rows: Sequence[int]) -> Decided:
    before, after = engines
    taken = connections if len(rows) == len(connections) else _taken(connections, rows)
    return Decided(
        identity, rows, taken, before.classify_many(taken), after.classify_many(taken) if after else None
    )


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
            unreadable.append(records.refused(row, error))
        else:
            readable.append(row)
    return readable


# --- counting --------------------------------------------------------------------------------------------


@frozen(eq=False)
class _Known:
    """The rulings and changes of one identity.

    Its engines make each decision once, so a decision is known by its place in memory, for as long as it is
    kept here.
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
        if decided.after is None:
            return Summary(self.counts(Counter(before).items()))
        pairs = list(zip(before, self.learn(decided.after), strict=True))
        counts = Counter(pairs)
        changes = {pair: change for pair in counts if (change := self.change(pair))}
        counted: dict[Change, int] = {}
        for pair, change in changes.items():
            counted[change] = counted.get(change, 0) + counts[pair]
        examples = _examples(records, decided, [changes.get(pair) for pair in pairs] if changes else [])
        return Summary(
            self.counts((one, count) for (one, _), count in counts.items()),
            self.counts((other, count) for (_, other), count in counts.items()),
            {change: Changed(count, tuple(examples[change])) for change, count in counted.items()},
        )

    def counts(self, places: Iterable[tuple[int, int]]) -> dict[Ruling, int]:
        """How many connections got each ruling; decisions may differ in what a ruling leaves out."""
        counts: dict[Ruling, int] = {}
        for place, count in places:
            ruling = self.rulings[place]
            counts[ruling] = counts.get(ruling, 0) + count
        return counts


def _examples(
    records: Records, decided: Decided, changes: Sequence[Change | None]
) -> Mapping[Change, list[Example]]:
    """The first few connections of each change."""
    examples: dict[Change, list[Example]] = defaultdict(list)
    for index, change in enumerate(changes):
        if change is not None and len(examples[change]) < EXAMPLES:
            place = records.place(decided.rows[index])
            examples[change].append(Example(place, decided.connections[index]))
    return examples
