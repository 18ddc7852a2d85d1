"""A resolved policy compiled into tables: `classify` looks up what is decided, and decides nothing anew.

The tables are laid out by port, then by place on the line of all addresses; at each place stands a *leaf*,
which holds for every kind of payload either the decision or the table of hosts or server names that leads
to it (`docs/decision.md`). What a host or a server name leads to is laid out when it is first asked for, so
that many ranges within what many policies claim are not the product of both.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

from attrs import evolve, field

from ..connections.columns import Columns
from ..connections.decision import Decision
from ..connections.findings import Finding
from ..resources.losses import Loss
from ..resources.subjects import Subject, Unnamed
from ..values.construction import frozen
from ..values.errors import IncompleteMesh, InvalidValue
from ..values.identity import Memory
from .compiling import Governing, lay_out, unclaimed, used_gateways
from .ports import Ports, Shared
from .tables import Leaf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..connections.connection import Connection
    from ..policy import OutboundPolicy

__all__ = ["Engine", "used_gateways"]

PARTS = attrgetter("parts")
KINDS_NAMED = 3  # of pods, where they differ


@frozen(eq=False)
class Engine:
    """Decides about the outbound connections of one identity; immutable, picklable, shared by threads.

    The tables of a port are laid out when a connection to it is first asked about. Until all of them are, an
    engine holds on to the mesh that it was compiled from; a pickled one has all of them and holds nothing.

    Attributes:
        unnamed: that no document of the mesh names the identity, where that is so and was looked at.
    """

    identity: Subject
    _ports: Ports = field(repr=False)
    _unclaimed: Leaf = field(repr=False)
    unnamed: Unnamed | None = field(default=None, kw_only=True, repr=False)

    @classmethod
    def compile(cls, policy: Governing, *, incomplete: bool = False) -> Engine:
        """The tables of a policy.

        Args:
            policy: of one identity, whole or in outline.
            incomplete: whether it may be one of a mesh of which documents could not be read; each decision
                then carries what it was made without.

        Raises:
            IncompleteMesh: documents could not be read on which decisions may hang.
            InvalidValue: it is of an account whose pods are not intercepted alike: each kind has its own.
        """
        if policy.interception.apart:
            raise _of_several_kinds(policy)
        if policy.lost and not incomplete:
            raise IncompleteMesh(problem for loss in policy.lost for problem in loss.problems)
        return _compiled(policy, unclaimed(policy), {})

    def recompiled(self, before: OutboundPolicy, policy: OutboundPolicy) -> Engine:
        """The tables of a changed policy: ports whose policy is the same object as before keep theirs.

        Args:
            before: the policy that this engine was compiled from.
            policy: the one that it has become.
        """
        is_around = all(a is b for a, b in zip(_around(before), _around(policy), strict=True))
        if policy.lost or before.lost or not is_around:
            return Engine.compile(policy, incomplete=bool(before.lost))
        same = {id(port) for port in before.ports}
        known = self._ports.named
        kept = {it.port: known[it.port] for it in policy.ports if id(it) in same and it.port in known}
        return _compiled(policy, self._unclaimed, kept)

    def classify(self, connection: Connection) -> Decision:
        """The one decision for a connection; total, deterministic, without I/O and without a clock.

        Raises:
            InvalidValue: it is no connection.
        """
        try:
            port, key, slot, sent = connection.parts
        except AttributeError:
            raise InvalidValue.of("a value of type `Connection`", connection) from None
        line = self._ports[port]
        cell = line.values[bisect_right(line.starts, key) - 1][slot]
        return cell if type(cell) is Decision else cell.decide(sent)

    def classify_many(self, connections: Iterable[Connection] | Columns) -> list[Decision]:
        """The decision for each of these connections, in their order, quicker than one by one.

        Raises:
            InvalidValue: a value of the columns cannot be; its path names the column and the row. Or one of
                them is no connection.
        """
        ports = self._ports
        decisions = []
        lookups = connections.lookups() if isinstance(connections, Columns) else map(PARTS, connections)
        try:
            for port, key, slot, sent in lookups:
                line = ports[port]
                cell = line.values[bisect_right(line.starts, key) - 1][slot]
                decisions.append(cell if type(cell) is Decision else cell.decide(sent))
        except AttributeError as error:
            raise InvalidValue.of("a value of type `Connection`", error.obj) from error
        return decisions


@frozen(eq=False)
class IncompleteEngine(Engine):
    """An engine of a mesh of which documents could not be read, or not all is modelled; decisions say so.

    Attributes:
        without: what decisions are made without; each carries that for which it may differ.
        conditions: what they stand under.
    """

    without: tuple[Loss, ...]
    conditions: tuple[Finding, ...] = ()
    _marked: Memory[Decision] = field(factory=Memory, init=False, repr=False)

    @classmethod
    def of(
        cls, engine: Engine, without: tuple[Loss, ...], conditions: tuple[Finding, ...] = ()
    ) -> IncompleteEngine:
        """The engine, whose decisions are made without these, under those conditions."""
        return cls(engine.identity, engine._ports, engine._unclaimed, without, conditions)  # noqa: SLF001  # because it is one

    def classify(self, connection: Connection) -> Decision:
        """The one decision for a connection, and what it was made without."""
        return self._mark(Engine.classify(self, connection))

    def classify_many(self, connections: Iterable[Connection] | Columns) -> list[Decision]:
        """The decision for each of these connections, and what it was made without."""
        return list(map(self._mark, Engine.classify_many(self, connections)))

    def _mark(self, decision: Decision) -> Decision:
        """The decision as this engine makes it, once."""
        return self._marked.once(decision, self._marked_anew)

    def _marked_anew(self, decision: Decision) -> Decision:
        without = tuple(it for it in self.without if it.bearing.on(is_allowed=decision.allowed))
        return evolve(decision, without=without, conditions=self.conditions)


def _compiled(policy: Governing, otherwise: Leaf, known: Mapping[int, Shared]) -> Engine:
    """The engine; one whose decisions say so where a policy is not all that governs them."""
    engine = Engine(policy.identity, lay_out(policy, otherwise, known), otherwise)
    conditions = policy.conditions
    return IncompleteEngine.of(engine, policy.lost, conditions) if policy.lost or conditions else engine


def _of_several_kinds(policy: Governing) -> InvalidValue:
    names = ", ".join(f"`{kind.first}`" for kind in policy.interception.apart[:KINDS_NAMED])
    expected = f"a pod of this account, as those are not intercepted alike, such as {names}"
    return InvalidValue.of(expected, str(policy.identity))


def _around(policy: OutboundPolicy) -> tuple[object, ...]:
    """Whatever of a policy the tables of every port depend on."""
    return policy.identity, policy.spec, policy.switch, policy.interception, policy.clusters, policy.forward
