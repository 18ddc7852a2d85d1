"""The matches of a config as they take connections, and the connections to outside that are kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..values.construction import frozen
from .enforcement import HTTP_CHAIN, MODULE
from .outcome import Outcome
from .scripts import Cert, Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .scripts import OutboundConfig

__all__ = ["Kept", "Taken", "routing"]

REQUESTS = "http"  # what the module may hand to the chain of requests


@frozen
class Kept:
    """A connection that the sidecar keeps, and lends to any request that goes to the same host and port.

    Attributes:
        outcome: how it was dialled.
        cert: what was shown.
        by_http2: whether it was opened by a match for gRPC.
    """

    outcome: Outcome
    cert: Cert | None
    by_http2: bool

    def instead_of(self, own: Kept) -> Outcome:
        """What happens to a request that is lent it, and in what that differs from what is due."""
        version = "by HTTP/2" if self.by_http2 else "by HTTP/1.1"
        differing = (
            (version, self.by_http2 != own.by_http2),
            ("with another certificate", self.cert != own.cert and self.outcome.mtls and own.outcome.mtls),
        )
        return evolve(self.outcome, cause=", ".join(words for words, differs in differing if differs))


@frozen(eq=False)
class Taken:
    """The match that takes a connection, and what the scripts remember of the choice."""

    match: Match | None
    cert: Cert | None
    is_egress: bool

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others of the same config: which match it is, and what the certificate says."""
        return self.match, self.cert, self.is_egress

    def leading_to(self, cluster: str) -> Taken:
        """The same with a match that leads to one cluster only."""
        return evolve(self, match=self.match and evolve(self.match, clusters={cluster: 1}, allowed=False))


def routing(config: OutboundConfig) -> Iterator[Taken]:
    """The matches that route requests, as each of their ranges takes them, and the module makes of them."""
    modules = config.chains.get(HTTP_CHAIN, ())
    for taken in _ever_taken(config):
        match = taken.match
        rules = match.enforcement if match else None
        if match and (match.is_http or (rules and REQUESTS in (rules.accept or ()))):
            is_enforced = rules is not None and rules.egress and modules[:1] == (MODULE,)
            yield evolve(taken, cert=rules.cert, is_egress=True) if rules and is_enforced else taken


def _ever_taken(config: OutboundConfig) -> Iterator[Taken]:
    """Each match by each of its ranges; of those without ranges the first of a port."""
    for matches in config.matches.values():
        entries = [(match, entry) for match in matches for entry in match.ranges or ()]
        if any(entry.mask is None for _, entry in entries):
            continue  # one that cannot be read breaks its port
        yield from (Taken(match, entry.cert, is_egress=False) for match, entry in entries)
        anywhere = next((match for match in matches if match.ranges is None), None)
        if anywhere is not None:
            yield Taken(anywhere, None, is_egress=True)
