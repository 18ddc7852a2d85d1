"""Certificates run by a solver: whether they hold, and what they say they are about."""

from __future__ import annotations

import re
from typing import Any

from ..values.construction import frozen
from ..values.enums import Word
from ..values.errors import InvalidValue, MissingExtra
from ..values.typed import takes

__all__ = ["Certified", "Found", "certify"]

_SAID = re.compile(r"^; (claim|of|document|but for|under|left out|question|connection): (.*)$", re.MULTILINE)
_STATUS = re.compile(r"^\(set-info :status (sat|unsat)\)$", re.MULTILINE)
_PORT = re.compile(r"^\(define-fun \|port (\d{1,5})\| ", re.MULTILINE)
LONGEST = 1_000_000  # seconds that a solver is given at most
_SHOWN = 80  # characters of a line that is none of a certificate
_STOPPED = frozenset({"timeout", "canceled"})


class Found(Word):
    """What a solver says of a script."""

    SAT = "sat"
    UNSAT = "unsat"
    UNKNOWN = "unknown"


@frozen
class Certified:
    """What a solver says of a certificate, and what the certificate says of itself.

    Attributes:
        claim: what is claimed.
        expected: what the solver is to say: `unsat` proves the claim, `sat` shows that the connection
            refutes it.
        found: what it says.
        identities: whose connections are meant.
        documents: which documents it is about, each `sha256 DIGEST NAME`.
        conditions: what it stands under.
        left_out: patterns that are taken to be found or not, whichever is worse.
        connection: the one that refutes the claim; empty for a proof.
        exceptions: what the claim does not speak of.
        why: why the solver could not tell.
    """

    claim: str
    expected: Found
    found: Found
    identities: tuple[str, ...]
    documents: tuple[str, ...]
    conditions: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    connection: str = ""
    exceptions: tuple[str, ...] = ()
    why: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether it is as the certificate says; None where the solver could not tell."""
        return None if self.found is Found.UNKNOWN else self.found is self.expected

    def __bool__(self) -> bool:
        return self.holds is True

    def to_mapping(self) -> dict[str, Any]:
        """It for machines; `holds` is null where the solver could not tell."""
        return {
            "holds": self.holds,
            "claim": self.claim,
            "expected": self.expected.value,
            "found": self.found.value,
            "identities": list(self.identities),
            "documents": list(self.documents),
            "conditions": list(self.conditions),
            "leftOut": list(self.left_out),
            **({"connection": self.connection} if self.connection else {}),
            **({"exceptions": list(self.exceptions)} if self.exceptions else {}),
            **({"why": self.why} if self.why else {}),
        }

    def __str__(self) -> str:
        what = "refuted" if self.expected is Found.SAT else "proven"
        verdicts = {True: what, False: f"not {what}", None: f"not decided whether {what}"}
        lines = [f"{verdicts[self.holds]}: {self.claim} ({self.why or f'the solver says {self.found}'})"]
        lines += [f"  by {self.connection}"] if self.connection else []
        lines += [f"  of {it}" for it in self.identities]
        lines += [f"  about {it}" for it in self.documents]
        lines += [f"  but for {it}" for it in self.exceptions]
        lines += [f"  under {it}" for it in self.conditions]
        lines += [f"  left out: {it}" for it in self.left_out]
        return "\n".join(lines)


@takes(certificate=str)
def certify(certificate: str, *, timeout: float | None = None) -> Certified:
    """What the solver z3 says of a certificate.

    It says what the certificate proves of what is asserted in it. That this is what its remarks say, shows
    who writes it anew from the documents and compares (`docs/certificates.md`).

    Args:
        certificate: the text of one, as `Answer.certificate` and `Verification.certificate` write it.
        timeout: the seconds after which the solver is stopped, so that it could not tell; None: it takes as
            long as it takes.

    Raises:
        InvalidValue: the text is none, or the time is no positive number.
        MissingExtra: z3 is not installed.
    """
    try:
        import z3  # noqa: PLC0415  # because it is an extra
    except ImportError:
        raise MissingExtra("checking a certificate", "proof") from None
    if timeout is not None and not _is_time(timeout):
        raise InvalidValue.of(f"a positive number of seconds, up to {LONGEST}", timeout).at("timeout")
    status = _STATUS.search(certificate)
    said: dict[str, list[str]] = {}
    for key, text in _SAID.findall(certificate):
        said.setdefault(key, []).append(text)
    if status is None or "claim" not in said:
        raise InvalidValue.of(
            "a certificate, with a claim and a status", certificate.partition("\n")[0][:_SHOWN]
        )
    if not certificate.rstrip().endswith("(check-sat)"):
        last = certificate.rstrip().rpartition("\n")[2]
        raise InvalidValue.of("a certificate, which ends with `(check-sat)`", last[:_SHOWN])
    try:
        solver = _read(z3, certificate)
        if timeout is not None:
            solver.set("timeout", max(1, round(timeout * 1000)))
        found = Found(str(solver.check()))
    except z3.Z3Exception as error:
        reason = str(error).strip("b'").replace("\\n", " ").strip()
        raise InvalidValue.of("a certificate that a solver reads", said["claim"][0], reason=reason) from None
    return Certified(
        said["claim"][0],
        Found(status[1]),
        found,
        tuple(said.get("of", ())),
        tuple(said.get("document", ())),
        tuple(said.get("under", ())),
        tuple(said.get("left out", ())),
        said.get("connection", [""])[0],
        tuple(said.get("but for", ())),
        _why(solver.reason_unknown(), timeout) if found is Found.UNKNOWN else "",
    )


def _read(z3: Any, certificate: str) -> Any:
    """A solver that has read a certificate; it takes its ports one by one, and is quicker for it."""
    fresh = z3.Context()  # what has read nothing else is quicker, too
    asserted = z3.parse_smt2_string(certificate, ctx=fresh)
    ports = [int(number) for number in _PORT.findall(certificate)]
    if not ports:
        solver = z3.Solver(ctx=fresh)
    else:
        port = z3.BitVec("port", 16, ctx=fresh)
        cases = z3.Tactic("split-clause", ctx=fresh)
        solver = z3.Then(cases, z3.Tactic("smt", ctx=fresh), ctx=fresh).solver()
        solver.add(z3.Or([*(port == it for it in ports), z3.And([port != it for it in ports])]))
    solver.add(asserted)
    return solver


def _is_time(seconds: object) -> bool:
    return type(seconds) in {int, float} and 0 < seconds <= LONGEST  # type: ignore[operator]  # a number now


def _why(reason: str, timeout: float | None) -> str:
    if timeout is not None and reason in _STOPPED:
        return f"the solver was stopped after {timeout:g} s"
    return f"the solver says {Found.UNKNOWN}: {reason}"
