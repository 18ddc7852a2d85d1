"""Whether a running pod is intercepted otherwise than one that starts now, and a connection that shows it."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from ..connections.connection import Connection
from ..connections.payloads import Sends
from ..values.dialling import Appeal, Dialling
from ..values.net import IPV6_START, Address
from .injection import State, injection_of
from .kinds import lists_of
from .started import started_with

if TYPE_CHECKING:
    from ..policy import Interception
    from ..snapshot import Snapshot
    from .hosts import Host

__all__ = ["difference", "stale"]

LAST_PORT = 65_535


def stale(snapshot: Snapshot, host: Host) -> Connection | None:
    """A connection that fares otherwise in a running pod than in one started now; None where none does."""
    started = started_with(host)
    if started is None or started.unclear or injection_of(snapshot, host).state is not State.YES:
        return None
    return difference(started.lists, lists_of(snapshot, host)[0])


def difference(one: Interception, other: Interception) -> Connection | None:
    """The connection that is best to show of those that are redirected by one of two lists alone."""
    both = one, other
    prefixes = [it for lists in both for it, _ in (*lists.excluded, *lists.included)]
    ports = {port for lists in both for port, _ in lists.excluded_ports}
    unlisted = next(port for port in chain((80, 443), range(1, LAST_PORT)) if port not in ports)
    edges = {0, *chain.from_iterable((prefix.first, prefix.last + 1) for prefix in prefixes)}
    starts = sorted(edge for edge in edges if edge < IPV6_START)
    choice = Dialling.of(prefix.first for prefix in prefixes)
    runs = zip_longest(starts, starts[1:], fillvalue=IPV6_START)
    shown = sorted(choice.best([(first, after - 1)]) for first, after in runs)
    return next(
        (
            Connection(Address.from_key(key), port, Sends.BYTES)
            for port in (unlisted, *sorted(ports - {0}))
            for appeal, key in shown
            if appeal is not Appeal.NOWHERE and _redirects(one, key, port) != _redirects(other, key, port)
        ),
        None,
    )


def _redirects(lists: Interception, key: int, port: int) -> bool:
    """Whether lists let a connection to an address be redirected."""
    if any(it.first <= key <= it.last for it, _ in lists.excluded):
        return False
    if any(port == it for it, _ in lists.excluded_ports):
        return False
    return not lists.included or any(it.first <= key <= it.last for it, _ in lists.included)
