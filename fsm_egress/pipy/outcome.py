"""What becomes of a connection in a sidecar."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..connections.decision import Target, UsedGateway
from ..values.construction import frozen
from ..values.enums import Word
from ..values.notebook import Shown, Table

if TYPE_CHECKING:
    from ..connections.connection import Connection

__all__ = [
    "CLOSED",
    "ECHOED",
    "ORIGINAL",
    "PASSED_BY",
    "REFUSED",
    "WHOLE",
    "Fate",
    "Outcome",
    "answered",
    "unknown",
]

WHOLE = Fraction(1)


class Fate(Word):
    """What becomes of a connection in the sidecar."""

    DIALLED = "dialled"
    ANSWERED = "answered"
    CLOSED = "closed"
    REFUSED = "refused"
    ECHOED = "echoed"
    UNKNOWN = "unknown"


@frozen
class Outcome(Shown):
    """What the sidecar does with a connection.

    Attributes:
        fate: dialled to one of the targets; answered with a status; closed; refused, as nothing listens;
            echoed, as a chain is missing; or unknown, for a `cause` that this model does not render.
        targets: what is balanced over, with weights.
        status: of the answer.
        mtls: whether the sidecar opens TLS of its own towards the target.
        gateways: the egress gateways that the connection is tunnelled through.
        cause: why it is unknown.
        share: the part of the connections that this happens to, where balancing leads to different things.
        others: what happens to the rest of them.
        either: what may happen instead, as the sidecar lends connections: where another match leads to the
            same host and port in another way, the way hangs on which of them was opened before.
    """

    fate: Fate
    targets: tuple[Target, ...] = ()
    status: int | None = None
    mtls: bool = False
    gateways: tuple[UsedGateway, ...] = ()
    cause: str = ""
    share: Fraction = WHOLE
    others: tuple[Outcome, ...] = ()
    either: tuple[Outcome, ...] = ()

    def to_mapping(self, connection: Connection) -> dict[str, Any]:
        """The outcome for machines, as `fsm-egress sidecar -o json` prints it for this connection."""
        return {
            "outcome": self.fate.value,
            "targets": [target.to_mapping(connection) for target in self.targets],
            "status": self.status,
            "mtls": self.mtls,
            "gateway": [used.to_mapping() for used in self.gateways] or None,
            **({"cause": self.cause} if self.cause else {}),
            **({"share": round(float(self.share), 6)} if self.share != 1 else {}),
            **({"others": [other.to_mapping(connection) for other in self.others]} if self.others else {}),
            **({"either": [other.to_mapping(connection) for other in self.either]} if self.either else {}),
        }

    def table(self) -> Table:
        """What a notebook shows of it."""
        return Table(str(self).partition("; else ")[0], (), tuple(("else", str(it)) for it in self.others))

    def __str__(self) -> str:
        parts = [self.fate.value]
        if self.status is not None:
            parts.append(f"HTTP {self.status}")
        if self.targets:
            shared = len(self.targets) > 1
            parts.append("to " + ", ".join(target.spoken(with_weight=shared) for target in self.targets))
        if self.mtls:
            parts.append("with mTLS")
        if self.gateways:
            parts.append("via " + ", ".join(used.name for used in self.gateways))
        if self.cause:
            parts.append(f"({self.cause})")
        text = " ".join(parts)
        lent = [f"or on a kept connection {other}" for other in self.either]
        return "; else ".join([", ".join([text, *lent]), *map(str, self.others)])


CLOSED = Outcome(Fate.CLOSED)
REFUSED = Outcome(Fate.REFUSED)
ECHOED = Outcome(Fate.ECHOED)
ORIGINAL = Target("", 0)
PASSED_BY = Outcome(Fate.DIALLED, (ORIGINAL,))


@lru_cache
def answered(status: int) -> Outcome:
    """The sidecar itself answers with a status."""
    return Outcome(Fate.ANSWERED, status=status)


def unknown(cause: str) -> Outcome:
    """It is not known what happens, and why it is not."""
    return Outcome(Fate.UNKNOWN, cause=cause)
