"""Which disagreement shows a suspicion, and which ones no suspicion explains: few pairs are tried in vain.

The policies of a port are as many as what they bring about: to try each with each would be the square.
"""

from __future__ import annotations

from functools import cached_property
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from attrs import field

from ..connections.payloads import TLSClientHello
from ..values.construction import frozen
from ..values.identity import Same
from .stock_mesh import Shown, StockMesh, Trait

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from ..connections.connection import Connection
    from ..connections.decision import Decision
    from ..pipy.outcome import Outcome
    from .sides import Sides
    from .stock_mesh import Suspicion

__all__ = ["Choosing", "Exhibits", "unexplained"]

RARE = 4
"""What more than one of so many disagreements has is common: the first of them is soon come upon."""

_Group: TypeAlias = "list[tuple[int, Shown]]"
_Groups: TypeAlias = "Mapping[tuple[int | None, Trait], list[_Group]]"
_Suspected: TypeAlias = "Mapping[tuple[int | None, Trait | None], list[Suspicion]]"
_NUMBER = itemgetter(0)


class Choosing:
    """Chooses classes by which all is shown that any shows, where they are server names times addresses.

    What shows a suspicion hangs on the address, what happens there and what is due, and on the rule or the
    name only where the suspicion says so.

    Attributes:
        left_out: whether there are others, which show the same.
    """

    def __init__(self, theirs: Sides, suspected: Iterable[Suspicion]) -> None:
        self.theirs = theirs
        self.left_out: bool = False
        self._apart = frozenset(chain.from_iterable(it.hangs_on for it in suspected))

    def choose(
        self, by_name: Sequence[Connection], by_part: Sequence[Connection]
    ) -> Iterator[tuple[int, int]]:
        """See `division.dividing.Choose`: of each address the first disagreement of each sort."""
        sorts: dict[Hashable, list[tuple[int, Outcome]]] = {}
        for number, it in enumerate(by_name):
            decision = self.theirs.engine.classify(it)
            due = self.theirs.due(decision)
            sorts.setdefault(self._sort(it, decision, due), []).append((number, due))
        self.left_out |= len(sorts) < len(by_name)
        for part, it in enumerate(by_part):
            outcome = self.theirs.outcome(it)
            for alike in sorts.values():
                differing = (number for number, due in alike if self.theirs.differ(due, outcome))
                yield from ((number, part) for number in islice(differing, 1))

    def _sort(self, it: Connection, decision: Decision, due: Outcome) -> Hashable:
        """What is the same of names where their disagreements show the same."""
        rule, name = decision.rule, it.sends.server_name if isinstance(it.sends, TLSClientHello) else None
        return (
            self._apart & {rule, name},
            (decision.verdict, decision.reason, rule and rule.resource.kind),
            (due.fate, due.status, due.mtls, due.gateways),
        )


@frozen(eq=False)
class Exhibits:
    """What policies and the controller's config disagree about, in order."""

    shown: tuple[Shown, ...]
    mesh: StockMesh
    _taken: dict[tuple[int | None, str], list[Shown]] = field(init=False, factory=dict, repr=False)
    _groups: dict[str, _Groups] = field(init=False, factory=dict, repr=False)

    def first(self, suspicion: Suspicion) -> Shown | None:
        """The first disagreement that is brought about by what is suspected."""
        if suspicion.shows is None:
            return None
        return next(filter(suspicion.shows, self._near(suspicion)), None)

    def _near(self, suspicion: Suspicion) -> Iterable[Shown]:
        """Those that may be, in order."""
        port, protocol = suspicion.port, suspicion.not_by
        on_port = self.shown if port is None else self._by_port.get(port, ())
        groups = [it for trait in suspicion.among for it in self._having(port, trait)]
        if suspicion.among and sum(map(len, groups)) * RARE <= len(on_port):
            near = (it for _, it in merge(*groups, key=_NUMBER))
            return near if protocol is None else self._not_by(protocol, near)
        if protocol is None:
            return on_port
        if (port, protocol) not in self._taken:
            self._taken[port, protocol] = list(self._not_by(protocol, on_port))
        return self._taken[port, protocol]

    def _not_by(self, protocol: str, near: Iterable[Shown]) -> Iterator[Shown]:
        return (it for it in near if self.mesh.is_taken_by_another(it.connection, protocol))

    @cached_property
    def _by_port(self) -> Mapping[int, Sequence[Shown]]:
        found: dict[int, list[Shown]] = {}
        for it in self.shown:
            found.setdefault(it.connection.port, []).append(it)
        return found

    def _having(self, port: int | None, trait: Trait) -> list[_Group]:
        """The disagreements of a port that have a trait, in groups that have it from the same object."""
        sort, _ = trait
        if sort not in self._groups:
            self._groups[sort] = self._grouped(sort)
        return self._groups[sort].get((port, trait), [])

    def _grouped(self, sort: str) -> _Groups:
        groups: dict[tuple[int, Same], _Group] = {}
        found: dict[tuple[int | None, Trait], list[_Group]] = {}
        for number, it in enumerate(self.shown):
            port, (source, things) = it.connection.port, it.traits(sort)
            key = port, Same(source)
            if key not in groups:
                groups[key] = []
                for thing in things:
                    found.setdefault((port, (sort, thing)), []).append(groups[key])
            groups[key].append((number, it))
        return found


def unexplained(shown: Iterable[Shown], suspected: Iterable[Suspicion], mesh: StockMesh) -> Iterator[Shown]:
    """The disagreements that nothing which is suspected brings about."""
    known = _suspected(suspected)
    latest: dict[int, Suspicion] = {}
    for it in shown:
        connection = it.connection
        port = connection.port
        likely = [latest[port]] if port in latest else []
        for suspicion in chain(likely, _likely(known, it)):
            protocol = suspicion.not_by
            is_taken = protocol is None or mesh.is_taken_by_another(connection, protocol)
            if is_taken and suspicion.shows is not None and suspicion.shows(it):
                latest[port] = suspicion
                break
        else:
            yield it


def _suspected(suspected: Iterable[Suspicion]) -> _Suspected:
    """The suspicions by the port and the trait that they ask for."""
    found: dict[tuple[int | None, Trait | None], list[Suspicion]] = {}
    for suspicion in (it for it in suspected if it.shows is not None):
        for trait in suspicion.among or (None,):
            found.setdefault((suspicion.port, trait), []).append(suspicion)
    return found


def _likely(known: _Suspected, it: Shown) -> Iterator[Suspicion]:
    """The suspicions that may explain a disagreement; first those of which there are few."""
    port = it.connection.port
    for sort in ("decides", "dialled"):
        for thing in it.traits(sort)[1]:
            yield from known.get((port, (sort, thing)), ())
    yield from chain(known.get((port, None), ()), known.get((None, None), ()))
    for rule in it.claiming.rules:
        yield from known.get((port, ("claims", rule)), ())
