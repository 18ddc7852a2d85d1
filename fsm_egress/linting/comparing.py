"""What lint finds by comparing sides, which takes longest by far; several processes may share it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ..resolution.alike import once_for_all
from ..values.construction import frozen
from ..verification.agreement import verified
from ..verification.enforceability import findings_of, shortcomings
from ..verification.sides import Sides
from ..verification.stock_findings import stock_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..connections.findings import Findings
    from ..policy import OutboundPolicy
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["Comparison", "Found", "compared"]

Found: TypeAlias = "tuple[Findings, ...]"
FEW = 4  # identities, for which no process is started


@frozen
class Comparison:
    """What policies are compared with.

    Attributes:
        sidecar: with what a sidecar does.
        stock: with what a stock controller writes.
        enforce: whether the sidecars have this library's module.
        fsm: the version of FSM; None for the latest.
    """

    sidecar: bool
    stock: bool
    enforce: bool
    fsm: str | None

    def of(self, mesh: Snapshot) -> Callable[[OutboundPolicy], Found]:
        """How the policy of an identity compares; that with the sidecar, once for all with the same one."""
        beside = once_for_all(lambda policy: self._with_sidecar(mesh, policy))

        def found(policy: OutboundPolicy) -> Found:
            sides = [beside(policy)] if self.sidecar else []
            if self.stock:
                sides.append(stock_findings(mesh, policy.identity, fsm=self.fsm))
            return tuple(sides)

        return found

    def _with_sidecar(self, mesh: Snapshot, policy: OutboundPolicy) -> Findings:
        if self.enforce:
            return findings_of(verified(mesh, Sides.own(mesh, policy, enforce=True, fsm=self.fsm)))
        return shortcomings(mesh, policy, fsm=self.fsm)


@contextmanager
def compared(
    mesh: Snapshot, identities: Sequence[Subject], comparison: Comparison, workers: int
) -> Iterator[Callable[[OutboundPolicy], Found]]:
    """How policies compare, asked for each identity in its turn; workers begin when the block is entered.

    Args:
        mesh: the resources.
        identities: whose policies are compared.
        comparison: with what.
        workers: how many processes share the work; one is this process.
    """
    if workers == 1 or not identities[FEW:] or not (comparison.sidecar or comparison.stock):
        yield comparison.of(mesh)
        return
    from .sharing import shared  # noqa: PLC0415  # because processes take a while to load, and few ask for any

    with shared(mesh, identities, comparison, workers) as found:
        yield lambda _: next(found)
