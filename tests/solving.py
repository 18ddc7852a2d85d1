"""A solver that knows nothing of meshes, as the tests of certificates ask it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
import z3
from hypothesis import settings

from fsm_egress.certificates.connection import Vocabulary
from fsm_egress.certificates.reading import Fate, decided
from fsm_egress.certificates.sidecar import Scripts, handled
from fsm_egress.certificates.tables import Tables
from fsm_egress.certificates.trees import ends_of, mapped, where_so

if TYPE_CHECKING:
    from collections.abc import Iterable

    import fsm_egress as fe
    from fsm_egress.certificates.fares import Fare
    from fsm_egress.certificates.trees import Tree
    from fsm_egress.policy import OutboundPolicy

E = TypeVar("E")
PATIENCE = 60_000  # milliseconds for one question of the tests


def many(usual: int, long: int) -> settings:
    """So many examples, and so many in the long run."""
    is_long = settings.default is not None and settings.default.max_examples > 1_000
    return settings(max_examples=long if is_long else usual, deadline=None)


def solved(script: str) -> str:
    """What the solver says of a script: `sat`, `unsat` or `unknown`."""
    solver = z3.Solver(ctx=z3.Context())  # one that has read nothing else
    solver.set("timeout", PATIENCE)
    solver.from_string(script)
    return str(solver.check())


def holds(declared: Iterable[str], term: str) -> bool:
    """Whether a term that leaves nothing open is true."""
    answer = solved("\n".join([*declared, f"(assert {term})"]))
    assert answer in {"sat", "unsat"}
    return answer == "sat"


def agrees_about_the_sidecar(verification: fe.Verification) -> bool:
    """Whether the solver finds the differences that we have found, and no others."""
    if not verification.undecided and solved(verification.certificate()) != "unsat":
        return False
    return all(solved(verification.certificate(it)) == "sat" for it in verification.disagreements)


def open_question(answer: fe.Answer) -> str:
    """The script of what was asked, without its witness; satisfied where it is refuted."""
    return attrs.evolve(answer, proven=True, witness=None).certificate()


def agrees(answer: fe.Answer) -> bool:
    """Whether the solver finds what we have found; what is left out may only keep it from proving."""
    if answer.proven is None:
        return True
    script = open_question(answer)
    found = solved(script)
    if answer.proven:
        return found == "unsat" or (found == "sat" and "\n; left out: " in script)
    return found == "sat" and solved(answer.certificate()) == "sat"


def shares(entries: Iterable[tuple[Any, int]]) -> tuple[tuple[Any, Fraction], ...]:
    """Weights as shares of one."""
    listed = list(entries)
    total = sum(weight for _, weight in listed) or 1
    return tuple(sorted((it, Fraction(weight, total)) for it, weight in listed))


def _by_age(target: fe.Target, part: Fraction) -> tuple[Fraction, Fraction, Fraction]:
    """The share of a target, and the least and the most of it."""
    return (part, target.by_age.least, target.by_age.most) if target.by_age else (part, part, part)


def fate_of(decision: fe.Decision) -> Fate:
    """What the engine decides, in the terms of the third reading."""
    parts = dict(shares((target, target.weight) for target in decision.targets))
    targets = [(target.host, target.port, *_by_age(target, part)) for target, part in parts.items()]
    used = shares(
        ((it.name, it.mode, tuple(sorted(set(it.endpoints)))), it.weight) for it in decision.gateways
    )
    return Fate(
        decision.verdict,
        decision.reason,
        decision.status,
        tuple(sorted(targets)),
        tuple((*it, share) for it, share in used),
        decision.leads_outside,
    )


class Asking(Generic[E]):
    """A solver that has read what becomes of connections, and is asked about one after the other."""

    def __init__(self, tree: Tree[E], words: Vocabulary) -> None:
        self.words = words
        self.ends = {end: f"end-{number}" for number, end in enumerate(sorted(ends_of(tree), key=repr))}
        terms = {end: where_so(tree, frozenset([end])) for end in self.ends}
        self.needed = words.needed_by(*terms.values())
        lines = [*words.declarations(self.needed), *words.definitions.lines(self.needed)]
        for end, name in self.ends.items():
            lines.append(f"(declare-const {name} Bool)\n(assert (= {name} {terms[end]}))")
        self.solver = z3.Solver()
        self.solver.from_string("\n".join(lines))

    def is_so(self, connection: fe.Connection, end: E) -> bool:
        """Whether this, and only this, may become of the connection."""
        if end not in self.ends:
            return False
        name = self.ends[end]
        others = [f"(assert (not {other}))" for other in self.ends.values() if other != name]
        return self._is_found(connection, f"(assert {name})", *others)

    def found(self, connection: fe.Connection) -> list[E]:
        """All that may become of a connection."""
        return [end for end, name in self.ends.items() if self._is_found(connection, f"(assert {name})")]

    def _is_found(self, connection: fe.Connection, *asserted: str) -> bool:
        fixed = [f"(assert {term})" for term in self.words.fixed(connection, self.needed)]
        self.solver.push()
        self.solver.from_string("\n".join([*fixed, *asserted]))
        asked = self.solver.assertions()
        self.solver.pop()
        fresh = z3.Solver()  # one that is asked once only puts in first what is fixed
        fresh.add(asked)
        return bool(fresh.check() == z3.sat)


def asking(policy: OutboundPolicy) -> Asking[Fate]:
    """A solver that has read a policy; whether certificates are shown, no decision says."""
    words = Vocabulary()
    return Asking(mapped(decided(policy, words), lambda it: attrs.evolve(it, certified=False)), words)


def asking_sidecar(config: Any, scripts: Scripts = Scripts()) -> Asking[Fare]:  # noqa: B008  # because it is frozen
    """A solver that has read the config of a sidecar."""
    words = Vocabulary()
    return Asking(handled(Tables.read(config), scripts, words), words)
