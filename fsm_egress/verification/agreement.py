"""Engine against sidecar: every class of connections on which they differ, with the smallest witness.

Nothing is sampled: the connections are divided into the classes that neither side divides further
(`division`), and one of each is put to both (`sides`).
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from attrs import evolve, field

from ..connections.connection import Connection
from ..connections.payloads import Sends
from ..division.criteria import reading_of_sidecar, redirected
from ..division.dividing import ports_of
from ..resolution.inmesh import IN_MESH_KINDS
from ..resources.kinds import KINDS
from ..resources.subjects import Subject
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.net import Address
from ..values.notebook import Shown, Table
from ..values.secrecy import Discreet
from ..values.typed import takes
from .inside import Walk, around_of, nothing_known
from .sides import Disagreement, Sides, Undecided, intercepted
from .telling import told_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..connections.findings import Finding
    from ..pipy.config import PipyConfig
    from ..pipy.sidecar import Sidecar
    from .certified import Side
    from .sides import Sort

__all__ = ["Verification", "verified", "verify"]


@frozen
class Verification(Discreet, Shown):
    """How engine and sidecar compare for one identity.

    Attributes:
        classes: how many classes of connections were put to both.
        disagreements: each once, by port, address and what is sent. Of those about which the same rule
            decides the same, and in which the same happens but for the hosts that they lead to, the first is
            told, and each that leads to a host to which none led before it; `more` says where others are not.
        undecided: what no proof was found for.
        mesh: the mesh that was asked about.
    """

    identity: Subject
    classes: int
    disagreements: tuple[Disagreement, ...]
    undecided: tuple[Undecided, ...]
    sides: Sides = field(eq=False)
    mesh: Snapshot = field(eq=False)

    def certificate(self, shown: Disagreement | None = None) -> str:
        """The comparison as an SMT-LIB script, which a solver checks without this library.

        It is `unsat`: there is no connection that fares otherwise than it should, but for those that differ
        just as one of the disagreements, or likewise, where that says that there are `more`: decided so, and
        faring so, but to other hosts that are told of such. With one of the disagreements it is `sat`: its
        connection does. The sidecar is read there by rules of its own, from the bytes of its config
        (`docs/certificates.md`).

        Args:
            shown: one of `disagreements`.

        Raises:
            InvalidValue: something is not decided, so that there is nothing to prove.
        """
        from .certified import Difference, certificate  # noqa: PLC0415  # because few answers are certified

        if self.undecided and shown is None:
            what = "a verification in which everything is decided"
            raise InvalidValue.of(what, str(self.undecided[0]))
        differences = [
            Difference(
                it.connection,
                it.decision,
                it.outcome,
                not intercepted(self.sides.policy.interception, it.connection),
                str(it),
                it.more and shown is None,
            )
            for it in (self.disagreements if shown is None else (shown,))
        ]
        return certificate(self._side, differences, is_shown=shown is not None)

    @cached_property
    def _side(self) -> Side:
        """What all its certificates are about."""
        from .certified import Side  # noqa: PLC0415  # ditto

        policy = evolve(self.sides.policy, identity=self.identity)  # others may be governed by the same
        return Side(self.mesh, policy, self.sides.sidecar, self.conditions)

    def __repr__(self) -> str:
        return f"<Verification of {self.table().headline}>"

    def table(self) -> Table:
        """What a notebook shows of it: a row for each disagreement."""
        differ = len(self.disagreements)
        result = "proved to agree" if self.agreed else f"{differ} differ"
        rows = tuple(
            (str(it.connection), str(it.decision), str(it.due), it.happens) for it in self.disagreements
        )
        unclear = tuple((str(it.connection), "-", "-", it.reason) for it in self.undecided)
        columns = ("connection", "decision", "should be", "sidecar")
        under = tuple((str(it.rule), "-", "-", it.message) for it in self.conditions)
        headline = f"{self.identity}: {self.classes} classes, {result}"
        return Table(headline, columns, (*rows, *unclear, *under))

    @property
    def conditions(self) -> tuple[Finding, ...]:
        """What the mesh uses and is not modelled: the answer stands under these."""
        return self.sides.policy.conditions

    @property
    def agreed(self) -> bool:
        """Whether engine and sidecar are proved to agree on every connection."""
        return not (self.disagreements or self.undecided)


@takes(snapshot=Snapshot)
def verify(
    snapshot: Snapshot,
    identity: Subject | str,
    config: Sidecar | PipyConfig | Mapping[str, Any] | bytes | None = None,
    *,
    enforce: bool = False,
    fsm: str | None = None,
) -> Verification:
    """Compare what the policies of an identity mean with what the stock sidecar does.

    Args:
        snapshot: the mesh.
        identity: `name.namespace`, or a pod.
        config: the sidecar, or the `config.json` that it has, for example one dumped from a pod; by default
            the one that this library writes, with a certificate unless `sidecarDisabledMTLS` is set.

        enforce: whether the sidecar has this library's module, and the config that goes with it; a config
            that is given says itself whether it has.
        fsm: the version of FSM whose scripts the sidecar runs, `1.4` or `1.3.7`; None for 1.5 to 1.7.

    Raises:
        InvalidValue: the text is no identity, there is no such pod, the pods of the account are not
            intercepted alike (`kinds_of_pods`), the config is malformed, or `fsm` is no version.
    """
    return verified(snapshot, Sides.of(snapshot, identity, config, enforce=enforce, fsm=fsm))


def verified(snapshot: Snapshot, sides: Sides) -> Verification:
    """How the sides of an identity compare."""
    around = around_of(sides.policy)
    at_services = snapshot.once(nothing_known, IN_MESH_KINDS, "services", around)
    # Of equal claims each is told with its own line, so that any change of the mesh begins anew.
    at_claims = snapshot.once(nothing_known, KINDS, "claims", around)
    readings = sides.reading, redirected(reading_of_sidecar(sides.sidecar))
    unnamed = frozenset(place for reading in readings for place in reading.other.values)
    walk: Walk[Disagreement | Undecided] = Walk(sides.policy, sides.sidecar, at_services, at_claims, unnamed)
    disagreements: dict[Sort, Disagreement] = {}
    undecided: dict[str, Undecided] = {}
    classes = 0
    for port in ports_of(*readings):
        compared = walk.on(port, partial(told_on, sides))
        classes += compared.classes
        for _, found in compared.found:
            if isinstance(found, Undecided):
                undecided.setdefault(found.reason, found)
            else:
                sort = sides.sort(found)
                known_as = disagreements.setdefault(sort, found)
                if found.more and not known_as.more:
                    disagreements[sort] = evolve(known_as, more=True)
    for why in (*map(str, sides.policy.lost), sides.policy.interception.unproven):
        if why:
            undecided.setdefault(why, Undecided(_ANY, why))
    return Verification(
        sides.policy.identity,
        classes,
        tuple(disagreements.values()),
        tuple(undecided.values()),
        sides,
        snapshot,
    )


_ANY = Connection(Address("192.0.2.1"), 80, Sends.BYTES)  # one that can be dialled, and reaches nobody
