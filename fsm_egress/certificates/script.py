"""A question as an SMT-LIB 2.6 script, readable from its first line to `(check-sat)`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..connections.connection import Connection
from ..connections.obstacles import LONGEST_LINE
from ..policy import OutboundPolicy
from ..resources.subjects import Subject
from ..values.construction import frozen
from .connection import IPV6, TOO_LONG, Vocabulary
from .fares import PASSED as UNTOUCHED
from .fares import Fare, due
from .predicates import PASSED, dialable, differs, holds, is_beside, is_passing, taken_away
from .reading import Fate, decided, passing
from .sidecar import Scripts, Sidecar
from .tables import Tables
from .terms import TRUE, all_of, any_of, no, remark
from .trees import among, ends_of, fork, mapped, where_so

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .predicates import Asked
    from .trees import Tree

__all__ = ["Compared", "Frame", "Told", "alike", "as_decided", "as_much", "never"]

_SHOWN = 20  # identities that a remark names before it counts the rest


@frozen
class Frame:
    """What a script says of itself, and which connection it fixes.

    Attributes:
        claim: what is claimed.
        documents: the names of the documents that it is about, each with its digest.
        conditions: what the mesh uses and is not modelled.
        witness: whose connection refutes the claim, and which; None for a proof.
        exceptions: what the claim does not speak of.
    """

    claim: str
    documents: tuple[tuple[str, str], ...] = ()
    conditions: tuple[str, ...] = ()
    witness: tuple[Subject, Connection] | None = None
    exceptions: tuple[str, ...] = ()


@frozen
class Told:
    """A difference between what is decided and what a sidecar does.

    Attributes:
        passes: whether the connection never comes to the sidecar.
        among: the hosts and ports to which others lead that are decided so and fare likewise; None for none.
    """

    decided: Fate
    fares: Fare
    passes: bool
    among: frozenset[tuple[str, int]] | None = None


@frozen(eq=False)
class Compared:
    """A policy, the config of a sidecar with the scripts that read it, and how they are said to differ."""

    policy: OutboundPolicy
    tables: Tables
    scripts: Scripts
    told: tuple[Told, ...] = ()


def never(frame: Frame, policies: Sequence[OutboundPolicy], where: Asked, *, beside: bool) -> str:
    """The script that a predicate holds of no connection.

    Args:
        frame: what it says of itself.
        policies: those of the identities that are meant.
        where: the predicate.
        beside: whether UDP and IPv6, which pass by every sidecar, are spoken of, too.
    """
    asked = "Is there a connection of which that holds?"
    if not beside:
        asked += " UDP and IPv6 pass by every sidecar, and do not count."
    return _script(frame, asked, [(it.identity, partial(_happens, it, where, beside)) for it in policies])


def as_much(frame: Frame, pairs: Sequence[tuple[OutboundPolicy, OutboundPolicy]]) -> str:
    """The script that the second of two policies allows whatever the first one allows."""
    asked = "Is there a connection that is allowed before, and not after?"
    return _script(frame, asked, [(pair[0].identity, partial(_is_taken_away, pair)) for pair in pairs])


def alike(frame: Frame, pairs: Sequence[tuple[OutboundPolicy, OutboundPolicy]]) -> str:
    """The script that the same becomes of every connection by two policies."""
    asked = "Is there a connection of which something else becomes after than before?"
    return _script(frame, asked, [(pair[0].identity, partial(_differs, pair)) for pair in pairs])


def as_decided(frame: Frame, sides: Compared) -> str:
    """The script that a sidecar does what is decided, but for the differences that are told.

    With a witness: that it fares otherwise than is decided, in just the way that is told.
    """
    asked = "Is there a connection that fares otherwise in the sidecar than it should, and not as is told?"
    if frame.witness:
        asked = "Does the connection fare otherwise in the sidecar than it should, and as is told?"
    is_shown = frame.witness is not None
    return _script(frame, asked, [(sides.policy.identity, partial(_departs, sides, is_shown))])


# --- questions -------------------------------------------------------------------------------------------


def _happens(policy: OutboundPolicy, where: Asked, beside: bool, words: Vocabulary) -> str:
    tree = decided(policy, words)
    seen = all_of(holds(where, tree, words), no(all_of(is_beside(), is_passing(tree, words))))
    unseen = all_of(is_beside(), holds(where, PASSED, words))
    return all_of(dialable(policy.interception.own, words), any_of(seen, unseen) if beside else seen)


def _is_taken_away(pair: tuple[OutboundPolicy, OutboundPolicy], words: Vocabulary) -> str:
    def term(when: str) -> str:
        before, after = (decided(policy, words) for policy in pair)
        return taken_away(before, after, words, when)

    return all_of(_dialable(pair, words), _by_port(_ports(pair), words, term))


def _differs(pair: tuple[OutboundPolicy, OutboundPolicy], words: Vocabulary) -> str:
    def term(when: str) -> str:
        before, after = (decided(policy, words) for policy in pair)
        return differs(before, after, words, (f"{when}before", f"{when}after"))

    return all_of(_dialable(pair, words), _by_port(_ports(pair), words, term))


def _departs(compared: Compared, is_shown: bool, words: Vocabulary) -> str:
    policy, tables = compared.policy, compared.tables
    lists = policy.interception
    beside = TRUE if lists.without else any_of(IPV6, passing(lists, words))
    sidecar = Sidecar(tables, compared.scripts, words)

    def term(when: str) -> str:
        meant = decided(policy, words)
        seen = fork([(beside, UNTOUCHED)], sidecar.handled())
        should = mapped(meant, due(policy, has_certificate=tables.own is not None))
        other = differs(should, seen, words, (f"{when}should be", f"{when}is"))
        told = _told(compared.told, meant, seen, beside, words, when)
        return all_of(other, told if is_shown else no(told))

    other = _by_port({*_ports([policy]), *tables.ports}, words, term)
    if is_shown:
        return other
    is_read = no(TOO_LONG) if TOO_LONG in words.needed_by(other) else TRUE
    return all_of(dialable(lists.own, words), is_read, other)


def _told(
    told: Sequence[Told], meant: Tree[Fate], seen: Tree[Fare], beside: str, words: Vocabulary, when: str
) -> str:
    """That this is decided, and that the connection fares so, as one of the differences says."""
    name = words.definitions.name
    fates, fares = ends_of(meant), ends_of(seen)
    by_fate: dict[tuple[Fate, bool], dict[tuple[str, frozenset[Fare]], None]] = {}
    likewise: dict[object, tuple[str, frozenset[Fare]]] = {}
    for it in told:
        if it.among is None:
            led = str(it.fares), fares & {it.fares}
        else:
            key = it.fares.manner, it.among
            if key not in likewise:
                likewise[key] = _likewise(it.fares, it.among, fares)
            led = likewise[key]
        if led[1]:
            by_fate.setdefault((it.decided, it.passes), {})[led] = None
    ways = []
    for (fate, passes), several in by_fate.items():
        if any(map(fate.is_alike, fates)):
            so = name(f"{when}decided: {fate}", among(meant, fate.is_alike))
            is_so = (name(f"{when}is: {said}", where_so(seen, those)) for said, those in several)
            ways.append(all_of(beside if passes else no(beside), so, any_of(*is_so)))
    return any_of(*ways)


def _likewise(
    told: Fare, places: frozenset[tuple[str, int]], fares: Iterable[Fare]
) -> tuple[str, frozenset[Fare]]:
    """Those that differ from one that is told in which of the places they lead to, and how it is said."""
    found = frozenset(it for it in fares if it.manner == told.manner and it.places <= places)
    return f"{min(map(str, found), default='')}, or likewise", found


def _ports(policies: Iterable[OutboundPolicy]) -> set[int]:
    return {port.port for policy in policies for port in policy.ports}


def _by_port(ports: Iterable[int], words: Vocabulary, term: Callable[[str], str]) -> str:
    """What a term says on each port, by the rules of that alone, and on all others; so solvers are quick."""
    if words.only is not None:
        return term("")
    ways = []
    for port in sorted(ports):
        words.only = port
        ways.append(all_of(words.port(port), term(f"on port {port} ")))
    words.only = 0
    other = all_of(no(any_of(*map(words.port, sorted(ports)))), term("elsewhere "))
    words.only = None
    return any_of(*ways, other)


def _dialable(pair: Iterable[OutboundPolicy], words: Vocabulary) -> str:
    return dialable((prefix for policy in pair for prefix in policy.interception.own), words)


# --- scripts ---------------------------------------------------------------------------------------------


def _script(frame: Frame, asked: str, terms: Sequence[tuple[Subject, Callable[[Vocabulary], str]]]) -> str:
    words = Vocabulary()
    whom = [subject for subject, _ in terms]
    if frame.witness is not None:
        words = Vocabulary(only=frame.witness[1].port)
        whom = [frame.witness[0]]
        asked += f" Rules of other ports than {words.only}, where it goes, are not written down."
    whose: dict[str, list[Subject]] = {}
    for subject, term in terms:
        if subject in whom:
            whose.setdefault(term(words), []).append(subject)
    question = any_of(*(words.definitions.name(_contradicted(them), term) for term, them in whose.items()))
    needed = words.needed_by(question) | ({"port"} if frame.witness else set())
    lines = [
        *_head(frame, asked, whom, words, needed),
        "(set-info :smt-lib-version 2.6)",
        f"(set-info :status {'sat' if frame.witness else 'unsat'})",
        "(set-logic ALL)",
        "",
        *words.declarations(needed),
        "",
        *words.definitions.lines(needed),
        "",
        f"(assert {question})",
    ]
    if frame.witness:
        lines.extend(f"(assert {term})" for term in words.fixed(frame.witness[1], needed))
    return "\n".join([*lines, "(check-sat)", ""])


def _contradicted(whom: Sequence[Subject]) -> str:
    others = f" and {len(whom) - 1} more" if len(whom) > 1 else ""
    return f"contradicted by {whom[0]}{others}"


def _head(
    frame: Frame, asked: str, whom: Sequence[Subject], words: Vocabulary, needed: set[str]
) -> Iterator[str]:
    """What people read first, and `fsm-egress certify` tells."""
    yield f"; claim: {remark(frame.claim)}"
    if frame.witness:
        yield f"; connection: {remark(str(frame.witness[1]))}"
    yield f"; expected: {'sat, as the connection refutes it' if frame.witness else 'unsat, as it holds'}"
    for subject in whom[:_SHOWN]:
        yield f"; of: {remark(str(subject))}"
    if len(whom) > _SHOWN:
        yield f"; of: {len(whom) - _SHOWN} more identities"
    for name, digest in frame.documents:
        yield f"; document: sha256 {digest} {remark(name)}"
    for exception in frame.exceptions:
        yield f"; but for: {remark(exception)}"
    for condition in frame.conditions:
        yield f"; under: {remark(condition)}"
    for name, (variable, pattern, why) in words.free.items():
        if name in needed:
            where = variable.strip("|")
            text = f"whether `{remark(pattern.text)}` is found in {where}, as {why}"
            yield f"; left out: {text}: it may be or not"
    if TOO_LONG in needed and not frame.witness:
        yield f"; left out: requests with a line of more than {LONGEST_LINE} bytes: a sidecar closes them"
    yield f"; question: {asked}"
