"""What lint finds by comparing sides, which takes longest by far; several processes may share it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ..resolution.alike import once_for_all
from ..values.construction import frozen
from ..verification.agreement import verify
from ..verification.enforceability import enforceability, findings_of
from ..verification.stock_findings import stock_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..connections.findings import Findings
    from ..policy import OutboundPolicy
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["Comparison", "Found", "compared"]

Found: TypeAlias = "tuple[Findings, ...]"
TASK = 4  # identities that a worker is asked about at a time


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
        beside = once_for_all(lambda policy: self._with_sidecar(mesh, policy.identity))

        def found(policy: OutboundPolicy) -> Found:
            sides = [beside(policy)] if self.sidecar else []
            if self.stock:
                sides.append(stock_findings(mesh, policy.identity, fsm=self.fsm))
            return tuple(sides)

        return found

    def _with_sidecar(self, mesh: Snapshot, identity: Subject) -> Findings:
        if self.enforce:
            return findings_of(verify(mesh, identity, enforce=True, fsm=self.fsm))
        return enforceability(mesh, identity, fsm=self.fsm)


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
    if workers == 1 or not identities[TASK:] or not (comparison.sidecar or comparison.stock):
        yield comparison.of(mesh)
        return
    from .sharing import shared  # noqa: PLC0415  # because processes take a while to load, and few ask for any

    tasks = [identities[at : at + TASK] for at in range(0, len(identities), TASK)]
    with shared(mesh, tasks, comparison, workers) as found:
        yield lambda _: next(found)
