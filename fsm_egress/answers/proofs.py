"""Answers that are proofs, with their extent; or a witness against them, or why there is no proof."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field

from ..connections.connection import Connection
from ..connections.decision import PASSING, Decision, ungoverned
from ..connections.findings import Finding, stated
from ..connections.payloads import Sends
from ..interception.kinds import alike
from ..resolution.everyone import subjects_of
from ..resources.resource import ServiceIdentity
from ..resources.subjects import AnyOtherAccount, Pods, Subject, Unnamed, read_subject
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.notebook import Shown, Table
from ..values.secrecy import Discreet
from .certified import Asked
from .regions import Unproven

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..snapshot import Snapshot

__all__ = [
    "Answer",
    "Identities",
    "Progress",
    "Witness",
    "counted",
    "extent",
    "identities_of",
    "others_in_words",
    "told",
    "told_apart",
]

Identities: TypeAlias = "Subject | str | Iterable[Subject | str] | None"
"""One identity (`name.namespace`) or several; None for all that some resource names and any other account."""

Progress: TypeAlias = "Callable[[Sequence[Subject]], Iterable[Subject]]"
"""What identities are taken through one by one, such as `rich.progress.track`."""


def identities_of(given: Identities, *meshes: Snapshot) -> tuple[Subject, ...]:
    """Who is meant, each once: those that are given, else all that a resource names and any other account.

    Raises:
        InvalidValue: a text is no identity.
    """
    if given is None:
        return subjects_of(*meshes)
    listed = [given] if isinstance(given, (str, ServiceIdentity, AnyOtherAccount, Pods)) else given
    if not isinstance(listed, Iterable):
        raise InvalidValue.of("identities `name.namespace`", listed).at("identities")
    return alike(dict.fromkeys(map(read_subject, listed)), *meshes)


def extent(identities: Iterable[Subject], classes: int) -> str:
    """How much was looked at, in words."""
    return f"{counted(identities)}, {classes} {'class' if classes == 1 else 'classes'} of connections"


def counted(identities: Iterable[Subject]) -> str:
    """How many identities there are, in words, and whether any other account is among them."""
    named, others = told_apart(identities)
    parts = [f"{len(named)} {'identity' if len(named) == 1 else 'identities'}"] if named or not others else []
    return " and ".join([*parts, *([others_in_words(others)] if others else [])])


def told(names: Iterable[Unnamed]) -> dict[str, list[str]]:
    """Those whom no document names, for machines; no key where there are none."""
    listed = list(map(str, names))
    return {"unnamed": listed} if listed else {}


def told_apart(identities: Iterable[Subject]) -> tuple[tuple[Subject, ...], tuple[AnyOtherAccount, ...]]:
    """Those that somebody names, and those that stand for any other account."""
    listed = tuple(identities)
    others = tuple(it for it in listed if isinstance(it, AnyOtherAccount))
    return tuple(it for it in listed if not isinstance(it, AnyOtherAccount)), others


def others_in_words(others: Sequence[AnyOtherAccount]) -> str:
    """Any other account: of a namespace, where it is that of one only."""
    return str(others[0] if len(others) == 1 else AnyOtherAccount())


@frozen
class Witness:
    """A connection that shows something, with what is decided about it.

    Attributes:
        decisions: in one mesh, or in both that are compared.
    """

    identity: Subject
    connection: Connection
    decisions: tuple[Decision, ...]

    def to_mapping(self) -> dict[str, Any]:
        """The witness for machines."""
        return {
            "identity": str(self.identity),
            "connection": self.connection.to_mapping(),
            "decisions": [decision.to_mapping(self.connection) for decision in self.decisions],
        }

    def __str__(self) -> str:
        text = f"{self.identity}: {self.connection}: {', then '.join(map(str, self.decisions))}"
        passing = ungoverned(self.connection)
        is_told = not passing or any(decision.reason in PASSING for decision in self.decisions)
        return text if is_told else f"{text}; but {passing} passes by the sidecar"


@frozen
class Answer(Discreet, Shown):
    """Whether a claim holds for every connection there is; true only where that is proven.

    Attributes:
        claim: what is claimed.
        proven: True where it is proven, False where the witness refutes it, None where neither is so.
        identities: whose connections were looked at.
        classes: how many classes of connections were looked at; a refutation looks no further.
        witness: the connection that refutes the claim.
        undecided: why there is no proof.
        beside: where it is proven for what can be governed, TCP over IPv4: connections of other kinds for
            which it does not hold, as they pass by the sidecar.
        unnamed: those who were asked for, and whom no document names.
        conditions: what a mesh uses and is not modelled: the answer stands under these.
        asked: what was asked about which meshes, for a certificate.
    """

    claim: str
    proven: bool | None
    identities: tuple[Subject, ...]
    classes: int
    witness: Witness | None = None
    undecided: tuple[Unproven, ...] = ()
    beside: tuple[Witness, ...] = ()
    unnamed: tuple[Unnamed, ...] = ()
    conditions: tuple[Finding, ...] = field(default=(), kw_only=True)
    asked: Asked | None = field(default=None, kw_only=True, eq=False)

    def __bool__(self) -> bool:
        return self.proven is True

    def certificate(self) -> str:
        """The answer as an SMT-LIB script, which a solver checks without this library.

        It is `unsat` where the claim is proven; where it is refuted, the witness is fixed in it, and it is
        `sat`. `certify` runs it, and so does any solver that has strings.

        Raises:
            InvalidValue: the answer is neither proven nor refuted.
        """
        if self.proven is None or self.asked is None:
            raise InvalidValue.of("an answer that is proven or refuted", self.claim)
        witness = (self.witness.identity, self.witness.connection) if self.witness else None
        return self.asked.certificate(
            self.claim, self.identities, witness, self.conditions, beside=not self.beside
        )

    def table(self) -> Table:
        """What a notebook shows of it."""
        headline, *lines = str(self).split("\n")
        return Table(headline, (), tuple((line.strip(),) for line in lines))

    def to_mapping(self) -> dict[str, Any]:
        """The answer for machines; `proven` is null where there is neither proof nor refutation."""
        return {
            "claim": self.claim,
            "proven": self.proven,
            "identities": list(map(str, self.identities)),
            "classes": self.classes,
            "witness": self.witness and self.witness.to_mapping(),
            "undecided": [it.to_mapping() for it in self.undecided],
            **({"beside": [it.to_mapping() for it in self.beside]} if self.beside else {}),
            **told(self.unnamed),
            **stated(self.conditions),
        }

    def __str__(self) -> str:
        return "\n  ".join([self._said, *map(str, self.conditions)])

    @property
    def _said(self) -> str:
        looked = extent(self.identities, self.classes)
        if self.witness:
            return f"refuted: {self.claim}\n  {self.witness}"
        if self.undecided:
            return "\n  ".join([f"not proven: {self.claim} ({looked})", *map(str, self.undecided)])
        if self.beside:
            kinds = sorted({"UDP" if it.connection.sends is Sends.DATAGRAM else "IPv6" for it in self.beside})
            pass_by = (
                f"{' and '.join(reversed(kinds))} {'pass' if len(kinds) > 1 else 'passes'} by the sidecar"
            )
            return f"proven: {self.claim} ({looked})\n  for TCP over IPv4; {pass_by}"
        return f"proven: {self.claim} ({looked})"

    def __repr__(self) -> str:
        return f"<Answer {str(self).partition(chr(10))[0]}>"
