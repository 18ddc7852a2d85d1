"""Answers that are proofs, with their extent; or a witness against them, or why there is no proof."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..connections.connection import Connection
from ..connections.decision import Decision
from ..resources.resource import ServiceIdentity
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.notebook import Shown, Table
from .regions import Unproven

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from ..snapshot import Snapshot

__all__ = ["Answer", "Identities", "Progress", "Witness", "counted", "extent", "identities_of"]

Identities: TypeAlias = "ServiceIdentity | str | Iterable[ServiceIdentity | str] | None"
"""One identity (`name.namespace`) or several; None for all that some resource names."""

Progress: TypeAlias = "Callable[[Sequence[ServiceIdentity]], Iterable[ServiceIdentity]]"
"""What identities are taken through one by one, such as `rich.progress.track`."""


def identities_of(given: Identities, *meshes: Snapshot) -> tuple[ServiceIdentity, ...]:
    """The identities that are meant, each once: those that are given, else all that a resource names.

    Raises:
        InvalidValue: a text is no identity.
    """
    if given is None:
        named = {identity for mesh in meshes for identity in mesh.identities()}
        return tuple(sorted(named, key=lambda identity: (identity.namespace, identity.name)))
    listed = [given] if isinstance(given, (str, ServiceIdentity)) else given
    if not isinstance(listed, Iterable):
        raise InvalidValue.of("identities `name.namespace`", listed).at("identities")
    parsed = (it if isinstance(it, ServiceIdentity) else ServiceIdentity.parse(it) for it in listed)
    return tuple(dict.fromkeys(parsed))


def extent(identities: Sized, classes: int) -> str:
    """How much was looked at, in words."""
    return f"{counted(identities)}, {classes} {'class' if classes == 1 else 'classes'} of connections"


def counted(identities: Sized) -> str:
    """How many identities there are, in words."""
    return f"{len(identities)} {'identity' if len(identities) == 1 else 'identities'}"


@frozen
class Witness:
    """A connection that shows something, with what is decided about it.

    Attributes:
        decisions: in one mesh, or in both that are compared.
    """

    identity: ServiceIdentity
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
        return f"{self.identity}: {self.connection}: {', then '.join(map(str, self.decisions))}"


@frozen
class Answer(Shown):
    """Whether a claim holds for every connection there is; true only where that is proven.

    Attributes:
        claim: what is claimed.
        proven: True where it is proven, False where the witness refutes it, None where neither is so.
        identities: whose connections were looked at.
        classes: how many classes of connections were looked at; a refutation looks no further.
        witness: the connection that refutes the claim.
        undecided: why there is no proof.
    """

    claim: str
    proven: bool | None
    identities: tuple[ServiceIdentity, ...]
    classes: int
    witness: Witness | None = None
    undecided: tuple[Unproven, ...] = ()

    def __bool__(self) -> bool:
        return self.proven is True

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
        }

    def __str__(self) -> str:
        looked = extent(self.identities, self.classes)
        if self.witness:
            return f"refuted: {self.claim}\n  {self.witness}"
        if self.undecided:
            return "\n  ".join([f"not proven: {self.claim} ({looked})", *map(str, self.undecided)])
        return f"proven: {self.claim} ({looked})"

    def __repr__(self) -> str:
        return f"<Answer {str(self).partition(chr(10))[0]}>"
