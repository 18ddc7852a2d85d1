"""A solver that knows nothing of meshes, as the tests of certificates ask it."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
import pytest
import z3
from hypothesis import settings

from fsm_egress.certificates.connection import Vocabulary
from fsm_egress.certificates.reading import Fate, decided
from fsm_egress.certificates.sidecar import Scripts, Sidecar
from fsm_egress.certificates.tables import Tables
from fsm_egress.certificates.trees import ends_of, mapped, where_so

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import fsm_egress as fe
    from fsm_egress.certificates.fares import Fare
    from fsm_egress.certificates.trees import Tree
    from fsm_egress.policy import OutboundPolicy

E = TypeVar("E")
PATIENCE = 60_000  # milliseconds for one question of the tests
TURNS = 20
ASKED: Counter[str] = Counter()
"""What the solver was asked and agreed to, by kind of question and answer; `conftest.py` tells it."""

in_turns = pytest.mark.usefixtures("turn")
"""A law that is asked in `TURNS` turns in the long run, so that several processes share them."""


def is_long() -> bool:
    """Whether this is the long run."""
    return settings.default is not None and settings.default.max_examples > 1_000


def many(usual: int, long: int) -> settings:
    """So many examples, and so many in the long run; of a law `in_turns` in each turn."""
    return settings(max_examples=long if is_long() else usual, deadline=None)


_READ = count()


@lru_cache(maxsize=1)
def _context(_: int) -> z3.Context:
    """What scripts are read into: to make one for each costs time, and one that has read many is slow."""
    return z3.Context()


def solved(script: str) -> str:
    """What the solver says of a script: `sat`, `unsat` or `unknown`."""
    solver = z3.Solver(ctx=_context(next(_READ) // 40))
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
    is_decided = not verification.undecided
    if is_decided and solved(verification.certificate()) != "unsat":
        return False
    if not all(solved(verification.certificate(it)) == "sat" for it in verification.disagreements):
        return False
    ASKED["verify: proven but for what is told"] += is_decided
    ASKED["verify: differences, each shown"] += len(verification.disagreements)
    return True


def open_question(answer: fe.Answer) -> str:
    """The script of what was asked, without its witness; satisfied where it is refuted."""
    return attrs.evolve(answer, proven=True, witness=None).certificate()


def agrees(answer: fe.Answer) -> bool:
    """Whether the solver finds what we have found; what is left out may only keep it from proving."""
    if answer.proven is None:
        return True
    script = open_question(answer)
    found = solved(script)
    kind = answer.asked.question if answer.asked else ""
    if not answer.proven:
        ASKED[f"{kind}: refuted"] += 1
        return found == "sat" and solved(answer.certificate()) == "sat"
    may_be = found == "sat" and "\n; left out: " in script
    ASKED[f"{kind}: {'proven here, open there' if may_be else 'proven'}"] += 1
    return found == "unsat" or may_be


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
    """A solver that has read what becomes of connections, and is asked about one, or about many at once."""

    def __init__(self, tree: Tree[E], words: Vocabulary) -> None:
        self.words = words
        self.ends = {end: f"end-{number}" for number, end in enumerate(sorted(ends_of(tree), key=repr))}
        terms = {end: where_so(tree, frozenset([end])) for end in self.ends}
        self.needed = words.needed_by(*terms.values())
        self.declared = list(words.declarations(self.needed))
        lines = [*self.declared, *words.definitions.lines(self.needed)]
        for end, name in self.ends.items():
            lines.append(f"(declare-const {name} Bool)\n(assert (= {name} {terms[end]}))")
        self.read = z3.And(list(z3.parse_smt2_string("\n".join(lines))))

    def is_so(self, connection: fe.Connection, end: E) -> bool:
        """Whether this, and only this, may become of the connection."""
        return self._are_so([(connection, end)])

    def wrong(self, told: Sequence[tuple[fe.Connection, E]]) -> list[tuple[fe.Connection, E]]:
        """Those of which something else becomes than is told."""
        ASKED["connections"] += len(told)
        return [] if self._are_so(told) else [it for it in told if not self.is_so(*it)]

    def found(self, connection: fe.Connection) -> list[E]:
        """All that may become of a connection."""
        (fixed,) = self._fixed([connection])
        return [end for end, name in self.ends.items() if _is_sat(self._with(fixed, {name: True}))]

    def _are_so(self, told: Sequence[tuple[fe.Connection, E]]) -> bool:
        if any(end not in self.ends for _, end in told):
            return False
        fixed = self._fixed([connection for connection, _ in told])
        return _is_sat(
            *(
                self._with(values, {name: name == self.ends[end] for name in self.ends.values()})
                for values, (_, end) in zip(fixed, told, strict=True)
            )
        )

    def _with(self, fixed: Sequence[tuple[Any, Any]], ends: dict[str, bool]) -> Any:
        """What was read with constants replaced by what they are."""
        told = [(z3.Bool(name), z3.BoolVal(so)) for name, so in ends.items()]
        return z3.substitute(self.read, *fixed, *told)

    def _fixed(self, connections: Sequence[fe.Connection]) -> list[list[tuple[Any, Any]]]:
        """For each connection the constants with what they are."""
        lines = [list(self.words.fixed(it, self.needed)) for it in connections]
        script = [*self.declared, *(f"(assert {line})" for them in lines for line in them)]
        terms = list(z3.parse_smt2_string("\n".join(script)))
        found = iter(terms[len(terms) - sum(map(len, lines)) :])
        return [[_told(next(found)) for _ in them] for them in lines]


def _told(term: Any) -> tuple[Any, Any]:
    """The constant that a term says something of, and what."""
    if z3.is_eq(term):
        return term.arg(0), term.arg(1)
    return (term.arg(0), z3.BoolVal(False)) if z3.is_not(term) else (term, z3.BoolVal(True))


def _is_sat(*terms: Any) -> bool:
    solver = z3.Solver()
    solver.set("timeout", PATIENCE)
    solver.add(*terms)
    return bool(solver.check() == z3.sat)


def asking(policy: OutboundPolicy) -> Asking[Fate]:
    """A solver that has read a policy; whether certificates are shown, no decision says."""
    words = Vocabulary()
    return Asking(mapped(decided(policy, words), lambda it: attrs.evolve(it, certified=False)), words)


def asking_sidecar(config: Any, scripts: Scripts = Scripts()) -> Asking[Fare]:  # noqa: B008  # because it is frozen
    """A solver that has read the config of a sidecar."""
    words = Vocabulary()
    return Asking(Sidecar(Tables.read(config), scripts, words).handled(), words)
