"""Rows about deciding: one connection, many, made from strings, and what others take."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from attrs import frozen

import fsm_egress as fe

from .engines import ENGINES
from .figures import Row, figures
from .floor import Floor, Index, Plain, TextFloor, plain
from .meshes import documents, mesh
from .scan import Scan
from .timing import Contender
from .workload import IDENTITIES, Call, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .figures import Measured, Options
    from .workload import Account

__all__ = ["DECIDING", "Disagreement", "connection"]

PASSES = 5  # over the same connections in a round: only the first finds the processor's caches cold
SHARE = 100  # of the connections, one is decided by what takes milliseconds


class Disagreement(Exception):
    """Two contenders decide differently, so there is nothing to compare."""


def connection(call: Call) -> fe.Connection:
    """A connection as the engine takes it."""
    make, arguments = made_from(call)
    return make(*arguments)


def made_from(call: Call) -> tuple[Callable[..., fe.Connection], tuple[Any, ...]]:
    """The public function that makes a connection, and its arguments."""
    to = (call.destination, call.port)
    if call.sends == "http":
        headers = (call.headers,) if call.headers else ()
        return fe.http, (*to, call.method, f"{call.host}{call.path}", *headers)
    if call.sends == "tls":
        return fe.tls, (*to, call.host)
    return (fe.tcp if call.sends == "bytes" else fe.server_first), to


@frozen
class Case:
    """An identity of a mesh, its connections, several times over, and both that decide alike about them."""

    made: Sequence[Call]
    connections: Sequence[fe.Connection]
    plain: Sequence[Plain]
    engine: fe.Engine
    floor: Floor
    floor_of_texts: TextFloor

    @classmethod
    def of(cls, size: int, account: Account, number: int, index: Index | None = None) -> Case:
        """The case of an account.

        Raises:
            Disagreement: the contenders decide differently.
        """
        made = calls(documents(size), account, number)
        connections, tuples = list(map(connection, made)), list(map(plain, made))
        engine, index = fe.compile(mesh(size), ".".join(account)), index or Index(mesh(size))
        floor, floor_of_texts = index.floor(account), index.floor_of_texts(account)
        outcomes = list(map(_outcome, map(engine.classify, connections)))
        _agree("f", (floor(each)[:2] for each in tuples), outcomes, made)
        _agree("f of texts", (floor_of_texts(*call)[:2] for call in made), outcomes, made)
        return cls(made * PASSES, connections * PASSES, tuples * PASSES, engine, floor, floor_of_texts)


def _agree(name: str, theirs: Iterable[Any], ours: Iterable[Any], made: Iterable[Call]) -> None:
    for other, one, call in zip(theirs, ours, made, strict=True):
        if other != one:
            raise Disagreement(f"{name} decides {other} instead of {one} about {call}")


def _outcome(decision: fe.Decision) -> tuple[fe.Verdict, fe.Reason]:
    return decision.verdict, decision.reason


def _each(decide: Callable[[Any], object], connections: Iterable[Any]) -> None:
    """A call for each connection."""
    for one in connections:
        decide(one)


def _pairs(pairs: Iterable[tuple[Callable[[Any], object], Any]]) -> None:
    """A call for each connection, each by what decides about it."""
    for decide, one in pairs:
        decide(one)


def _texts(decide: TextFloor, made: Iterable[Call]) -> None:
    """A call for each connection in texts."""
    for call in made:
        decide(*call)


def _made(
    classify: Callable[[fe.Connection], object],
    recipes: Iterable[tuple[Callable[..., fe.Connection], tuple[Any, ...]]],
) -> None:
    """A call to make each connection, and one to decide about it."""
    for make, arguments in recipes:
        classify(make(*arguments))


def _looped(decide: Floor, connections: Iterable[Plain]) -> list[Any]:
    """The results for all connections."""
    return [decide(one) for one in connections]


def _looped_columns(decide: TextFloor, columns: Iterable[list[Any]]) -> list[Any]:
    """The results for all rows of some columns."""
    return [
        decide(destination, port, sends, host, method, path, headers)
        for destination, port, sends, host, method, path, headers in zip(*columns, strict=True)
    ]


def _many_columns(engine: fe.Engine, columns: Iterable[list[Any]]) -> list[fe.Decision]:
    """The decisions about all rows of some columns."""
    destinations, ports, sends, hosts, methods, paths, headers = columns
    return engine.classify_many(
        fe.Columns(destinations, ports, sends, hosts=hosts, methods=methods, paths=paths, headers=headers)
    )


# --- rows ------------------------------------------------------------------------------------------------


def classify(options: Options) -> Measured:
    """All identities, one after the other."""
    for size in options.sizes:
        cases = list(_all_identities(size, options.calls))
        ours = [(case.engine.classify, one) for case in cases for one in case.connections]
        theirs = [(case.floor, one) for case in cases for one in case.plain]
        contenders = [
            Contender("f", partial(_pairs, theirs), len(theirs)),
            Contender("classify", partial(_pairs, ours), len(ours)),
        ]
        yield from figures("classify", size, contenders, options)


def classify_in_turn(options: Options) -> Measured:
    """Every connection is of another identity than the one before."""
    for size in options.sizes:
        cases = list(_all_identities(size, options.calls))
        turns = range(len(cases[0].made))
        ours = [(case.engine.classify, case.connections[turn]) for turn in turns for case in cases]
        theirs = [(case.floor, case.plain[turn]) for turn in turns for case in cases]
        contenders = [
            Contender("f", partial(_pairs, theirs), len(theirs)),
            Contender("classify", partial(_pairs, ours), len(ours)),
        ]
        yield from figures("classify-in-turn", size, contenders, options)


def _all_identities(size: int, number: int) -> Iterator[Case]:
    """The cases of all identities, with so many connections altogether."""
    index = Index(mesh(size))
    for account in IDENTITIES:
        yield Case.of(size, account, max(1, number // len(IDENTITIES)), index)


def strings(options: Options) -> Measured:
    """A call to make the connection, and a call to decide about it."""
    for size in options.sizes:
        case = Case.of(size, IDENTITIES[0], options.calls)
        recipes = list(map(made_from, case.made))
        contenders = [
            Contender("f with inet_pton", partial(_texts, case.floor_of_texts, case.made), len(case.made)),
            Contender(
                "tcp, http, tls; classify", partial(_made, case.engine.classify, recipes), len(case.made)
            ),
        ]
        yield from figures("strings", size, contenders, options)


def many(options: Options) -> Measured:
    """A list of connections."""
    for size in options.sizes:
        case = Case.of(size, IDENTITIES[0], options.calls)
        contenders = [
            Contender("f in a loop", partial(_looped, case.floor, case.plain), len(case.made)),
            Contender("classify_many", partial(case.engine.classify_many, case.connections), len(case.made)),
        ]
        yield from figures("many", size, contenders, options)


def by_column(options: Options) -> Measured:
    """Addresses, ports and so on, each in a list."""
    for size in options.sizes:
        case = Case.of(size, IDENTITIES[0], options.calls)
        columns = list(map(list, zip(*case.made, strict=True)))
        decisions = case.engine.classify_many(case.connections)
        _agree("classify_many of columns", _many_columns(case.engine, columns), decisions, case.made)
        contenders = [
            Contender(
                "f with inet_pton in a loop",
                partial(_looped_columns, case.floor_of_texts, columns),
                len(case.made),
            ),
            Contender("Columns, classify_many", partial(_many_columns, case.engine, columns), len(case.made)),
        ]
        yield from figures("columns", size, contenders, options)


def peers(options: Options) -> Measured:
    """The same policies as others decide about them."""
    engines = [engine for engine in ENGINES if find_spec(engine.package)]
    for engine in ENGINES:
        if engine not in engines:
            yield f"{engine.package} is left out, since it is not installed"
    for size in options.sizes:
        case = Case.of(size, IDENTITIES[0], options.calls)
        made = case.made[: max(9, options.calls // SHARE)]
        decisions = [case.engine.classify(one) for one in case.connections[: len(made)]]
        scan = Scan(documents(size), IDENTITIES[0])
        _agree("the scan", map(scan.decide, made), map(_outcome, decisions), made)
        contenders = [
            Contender(
                "classify", partial(_each, case.engine.classify, case.connections), len(case.connections)
            ),
            Contender("scan with ipaddress", partial(_each, scan.decide, made), len(made)),
        ]
        for engine in engines:
            peer = engine(documents(size), IDENTITIES[0])
            requests = list(map(peer.prepared, made))
            allowed = [decision.allowed for decision in decisions]
            _agree(engine.package, map(peer.allows, requests), allowed, made)
            contenders.append(Contender(engine.package, partial(_each, peer.allows, requests), len(made)))
        yield from figures("peers", size, contenders, options)


DECIDING = (
    Row("classify", "Connections that are given are decided", "1.5 x f at every size", classify),
    Row(
        "classify-in-turn",
        "The same, each of another identity than the one before",
        "1.5 x f at every size",
        classify_in_turn,
    ),
    Row("strings", "Connections are made from strings and decided", "1.8 x f", strings),
    Row("many", "Many connections that are given are decided at once", "1.1 x f", many),
    Row("columns", "Many connections by column are decided at once", "1.1 x f", by_column),
    Row("peers", "Connections are decided by others", "the scan 1,000 x, cedarpy 500 x", peers),
)
