"""The matches of a config as they take connections, and the connections to outside that are kept of them."""

from __future__ import annotations

from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

from attrs import evolve

from ..values.construction import frozen
from ..values.net import GAP_END, GAP_START, LAST_KEY
from ..values.segments import Segments
from .enforcement import HTTP_CHAIN, MODULE
from .outcome import Outcome
from .scripts import Cert, Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .scripts import OutboundConfig

__all__ = ["Kept", "Taken", "is_broken", "routing", "taken_line"]

REQUESTS = "http"  # what the module may hand to the chain of requests


@frozen
class Kept:
    """A connection that the sidecar keeps, and lends to any request that goes to the same host and port.

    Attributes:
        outcome: how it was dialled.
        cert: the digest of the certificate that was shown, if it was.
        by_http2: whether it was opened by a match for gRPC.
    """

    outcome: Outcome
    cert: str | None
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


def is_broken(matches: tuple[Match, ...]) -> bool:
    """Whether a range of a port cannot be read, which breaks the port."""
    return any(entry.mask is None for match in matches for entry in match.ranges or ())


def taken_line(matches: tuple[Match, ...]) -> Segments[Taken]:
    """What takes connections to a port: the first match with a range that holds the address.

    Where there is none it is the first without ranges. Of the ranges of a match the first counts that holds
    the address.
    """
    entries = [
        (entry.mask.first, order, place, entry.mask.last, Taken(match, entry.cert, is_egress=False))
        for order, match in enumerate(matches)
        for place, entry in enumerate(match.ranges or ())
        if entry.mask is not None
    ]
    entries.sort(key=itemgetter(0))
    edges = {0, *(first for first, *_ in entries), *(last + 1 for *_, last, _ in entries)}
    starts = sorted({GAP_END if GAP_START <= edge < GAP_END else edge for edge in edges if edge <= LAST_KEY})
    anywhere = next((match for match in matches if match.ranges is None), None)
    rest = Taken(anywhere, None, is_egress=anywhere is not None)
    around: list[tuple[int, int, int, Taken]] = []
    found: list[Taken] = []
    following = iter(entries)
    coming = next(following, None)
    for start in starts:
        while coming is not None and coming[0] <= start:
            heappush(around, coming[1:])
            coming = next(following, None)
        while around and around[0][2] < start:
            heappop(around)
        found.append(around[0][3] if around else rest)
    return Segments(tuple(starts), tuple(found))


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
        if is_broken(matches):
            continue
        entries = [(match, entry) for match in matches for entry in match.ranges or ()]
        yield from (Taken(match, entry.cert, is_egress=False) for match, entry in entries)
        anywhere = next((match for match in matches if match.ranges is None), None)
        if anywhere is not None:
            yield Taken(anywhere, None, is_egress=True)
