"""`python -m benchmarks.certificates [POLICIES]`: what certificates of a mesh cost, to write and to check.

A row for each kind of question, as a table of Markdown: processor time to write the script, and of `certify`,
of z3 alone and of cvc5 (`pip install cvc5`), each in a process of its own, to decide it. Whoever needs longer
than `PATIENCE` is stopped.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from time import process_time
from typing import TYPE_CHECKING

from attrs import frozen

import fsm_egress as fe

from .meshes import crowd, fresh, mesh
from .workload import IDENTITIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

__all__ = ["SOLVERS", "Asked", "Cost", "asked", "cost", "main"]

PATIENCE = 120  # seconds of a processor
OUTSIDE = fe.Where.outside()


@frozen
class Asked:
    """A question, and what writes its certificate; the answer is worked out before."""

    question: str
    answer: str
    write: Callable[[], str]


@frozen
class Cost:
    """What a certificate costs: characters, and seconds of processor time to write it, and for each solver.

    Attributes:
        solved: what each solver said, and how long it took; None where it was stopped.
    """

    asked: Asked
    size: int
    written: float
    solved: dict[str, tuple[str, float] | None]

    def __str__(self) -> str:
        told = (f"{it[1]:.1f} s" if it else f"stopped after {PATIENCE} s" for it in self.solved.values())
        start = f"| {self.asked.question} | {self.asked.answer} | {self.size / 1e6:.1f} MB"
        return f"{start} | {self.written:.1f} s | {' | '.join(told)} |"


def asked(policies: int) -> Iterator[Asked]:
    """The questions about the mesh of so many policies, and about an account that has all of them."""
    plain, crowded = mesh(policies), crowd(policies)
    opened = plain.helm_set("fsm.enableEgress=true")
    poorer = plain.without(next(it.ref for it in plain if isinstance(it, fe.EgressPolicy)))
    account = f"{IDENTITIES[0][0]}.{IDENTITIES[0][1]}"
    for question, answer in (
        ("`never --outside --port 22`", fe.never(plain, OUTSIDE & fe.Where.port(22))),
        (
            "`never --outside --host nobody.example.com`",
            fe.never(plain, OUTSIDE & fe.Where.host("nobody.example.com")),
        ),
        ("`never --outside`", fe.never(plain, OUTSIDE)),
        ("`implies`: all egress is let out after", fe.implies(plain, opened)),
        ("`implies`: a policy is gone after", fe.implies(plain, poorer)),
        ("`equivalent`: the same read anew", fe.equivalent(plain, fresh(plain))),
        ("`equivalent`: a policy is gone after", fe.equivalent(plain, poorer)),
        ("`equivalent`, an account with all policies", fe.equivalent(crowded, fresh(crowded), account)),
    ):
        yield Asked(question, "proven" if answer.proven else "refuted", answer.certificate)
    compared = fe.verify(crowded, account)
    told = len(compared.disagreements)
    yield Asked("`verify`, an account with all policies", f"proven but for {told}", compared.certificate)
    for shown in compared.disagreements[:1]:
        write = partial(compared.certificate, shown)
        yield Asked("`verify`, one of the differences", "refuted", write)


def cost(question: Asked) -> Cost:
    """What a certificate costs to write, and to check."""
    start = process_time()
    script = question.write()
    written = process_time() - start
    return Cost(question, len(script), written, {name: _solved(name, script) for name in SOLVERS})


def _certify(script: str) -> str:
    return fe.certify(script).found.value


def _z3(script: str) -> str:
    import z3  # noqa: PLC0415  # because another solver need not load it

    solver = z3.Solver()
    solver.from_string(script)
    return str(solver.check())


def _cvc5(script: str) -> str:
    import cvc5  # noqa: PLC0415  # ditto

    solver = cvc5.Solver()
    solver.setOption("strings-exp", "true")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script, "certificate")
    symbols = parser.getSymbolManager()
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said += str(command.invoke(solver, symbols))
    return said.strip()


SOLVERS = {
    "`certify`": _certify,
    "z3": _z3,
    **({"cvc5": _cvc5} if find_spec("cvc5") else {}),
}


def _limited(name: str, script: str) -> tuple[str, float]:
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
    start = process_time()
    return SOLVERS[name](script), process_time() - start


def _solved(name: str, script: str) -> tuple[str, float] | None:
    """What a solver says of a script in a process of its own, and how long it took."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(theirs, name, script))
    process.start()
    theirs.close()
    try:
        found: tuple[str, float] | None = ours.recv()
    except EOFError:  # it was stopped
        found = None
    process.join()
    return found


def _send(pipe: Connection[object], name: str, script: str) -> None:
    pipe.send(_limited(name, script))


def main(policies: int) -> None:
    """Print a table."""
    names = "".join(f" {name} |" for name in SOLVERS)
    sys.stdout.write(f"| question | answer | script | written in |{names}\n|{'---|' * (4 + len(SOLVERS))}\n")
    for question in asked(policies):
        found = cost(question)
        expected = "unsat" if found.asked.answer.startswith("proven") else "sat"
        wrong = [it for it in found.solved.values() if it and it[0] != expected]
        if wrong:
            raise RuntimeError(f"{question.question}: {found.solved}")
        sys.stdout.write(f"{found}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
