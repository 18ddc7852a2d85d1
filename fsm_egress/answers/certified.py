"""What was asked, kept with the answer, so that a certificate of it can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.enums import Word
from .predicates import Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..connections.connection import Connection
    from ..connections.findings import Finding
    from ..policy import OutboundPolicy
    from ..resources.subjects import Subject

__all__ = ["Asked", "Question"]


class Question(Word):
    """What is asked about all connections."""

    NEVER = "never"
    IMPLIES = "implies"
    EQUIVALENT = "equivalent"


@frozen(eq=False)
class Asked:
    """A question about one mesh or two.

    Attributes:
        question: which one.
        meshes: the mesh, or that before and that after.
        where: the predicate that never holds.
    """

    question: Question
    meshes: tuple[Snapshot, ...]
    where: Where | None = None

    def certificate(
        self,
        claim: str,
        identities: Sequence[Subject],
        witness: tuple[Subject, Connection] | None,
        conditions: Sequence[Finding],
        *,
        beside: bool,
    ) -> str:
        """The script of the answer, by a reading of the policies that shares nothing with this wing.

        Args:
            claim: what is claimed.
            identities: whose connections are meant.
            witness: whose connection refutes it, and which; None where it is proven.
            conditions: what the answer stands under.
            beside: whether it is proven of UDP and IPv6, too, or refuted by some.
        """
        from ..certificates import script  # noqa: PLC0415  # because few answers are to be certified
        from ..certificates.documents import digests  # noqa: PLC0415  # ditto
        from ..resolution import resolve  # noqa: PLC0415  # ditto

        said = script.Frame(claim, digests(*self.meshes), tuple(map(str, conditions)), witness)
        policies: list[list[OutboundPolicy]] = [
            [resolve(mesh, identity) for mesh in self.meshes] for identity in identities
        ]
        if self.where is not None:
            return script.never(said, [policy for (policy,) in policies], self.where, beside=beside)
        write = script.as_much if self.question is Question.IMPLIES else script.alike
        return write(said, [(before, after) for before, after in policies])
