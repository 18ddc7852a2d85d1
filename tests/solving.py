"""A solver that knows nothing of meshes, as the tests of certificates ask it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs
import z3
from hypothesis import settings

from fsm_egress.certificates.connection import Vocabulary
from fsm_egress.certificates.reading import Fate, decided, fates_of, where_so

if TYPE_CHECKING:
    from collections.abc import Iterable

    import fsm_egress as fe
    from fsm_egress.policy import OutboundPolicy

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


class Asking:
    """A solver that has read a policy, and is asked about one connection after the other."""

    def __init__(self, policy: OutboundPolicy) -> None:
        self.words = Vocabulary()
        tree = decided(policy, self.words)
        self.fates = {fate: f"fate-{number}" for number, fate in enumerate(sorted(fates_of(tree), key=repr))}
        terms = {fate: where_so(tree, frozenset([fate])) for fate in self.fates}
        self.needed = self.words.needed_by(*terms.values())
        lines = [*self.words.declarations(self.needed), *self.words.definitions.lines(self.needed)]
        for fate, name in self.fates.items():
            lines.append(f"(declare-const {name} Bool)\n(assert (= {name} {terms[fate]}))")
        self.solver = z3.Solver()
        self.solver.from_string("\n".join(lines))

    def is_so(self, connection: fe.Connection, fate: Fate) -> bool:
        """Whether this, and only this, may become of the connection."""
        if fate not in self.fates:
            return False
        name = self.fates[fate]
        fixed = [f"(assert {term})" for term in self.words.fixed(connection, self.needed)]
        others = [f"(assert (not {other}))" for other in self.fates.values() if other != name]
        self.solver.push()
        self.solver.from_string("\n".join([*fixed, f"(assert {name})", *others]))
        found = self.solver.check()
        self.solver.pop()
        return bool(found == z3.sat)
