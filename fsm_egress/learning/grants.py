"""What was needed as grants: hosts by name, addresses by ranges; and what no policy can grant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..connections.payloads import Sends
from ..resources.checks import host, http_method
from ..resources.core import Endpoints, Pod, Service
from ..resources.words import FORWARDED_METHODS, Protocol
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.net import Address, Prefix, parse_address
from .documents import Grant, granted_hosts, granted_ranges, merged
from .evidence import Need
from .ranges import WIDEST, fewest_addresses

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ..snapshot import Snapshot

__all__ = ["Granted", "Manner", "granted", "own_addresses"]


@frozen
class Manner:
    """How needs become grants.

    Attributes:
        routes: whether requests are granted by method and path; otherwise all to a host are.
        ranges: how many ranges an account may have on a port, at most.
        widest: for IPv4 and for IPv6, a prefix as long as the shortest that is allowed.
    """

    routes: bool = False
    ranges: int = 16
    widest: tuple[Prefix, ...] = WIDEST


@frozen(eq=False)
class Granted:
    """Grants, the needs that they are for, and why others have none.

    Attributes:
        grants: the fewest that say it.
        needs: what they grant.
        refused: what no policy can grant, and why.
        opened: the ranges of each account on each port.
    """

    grants: tuple[Grant, ...]
    needs: tuple[Need, ...]
    refused: Mapping[Need, str]
    opened: Mapping[tuple[str, int, Protocol], tuple[Prefix, ...]]


def own_addresses(mesh: Snapshot) -> tuple[Prefix, ...]:
    """The addresses of the mesh's own services and pods, each as a prefix."""
    addresses = {_read(service.spec.cluster_ip) for service in mesh.kind(Service)} - {None}
    addresses |= {
        address.ip
        for endpoints in mesh.kind(Endpoints)
        for subset in endpoints.subsets
        for address in (*subset.addresses, *subset.not_ready_addresses)
    }
    addresses |= {pod_ip.ip for pod in mesh.kind(Pod) for pod_ip in pod.status.pod_ips}
    return tuple(sorted(Prefix.host(address) for address in addresses if address is not None))


def _read(text: str) -> Address | None:
    try:
        return parse_address(text)
    except InvalidValue:
        return None


def granted(needs: Iterable[Need], manner: Manner, never: Collection[Prefix]) -> Granted:
    """The grants of what is needed, the same for the same needs in any order.

    Ranges come first: a name all of whose connections they let through already is granted by them.

    Args:
        needs: what is needed.
        manner: how they become grants.
        never: the mesh's own addresses, which no range may touch.

    Raises:
        InvalidValue: an account's addresses on a port lie too far apart for the ranges that it may have.
    """
    refused: dict[Need, str] = {}
    named: list[Need] = []
    addressed: dict[tuple[str, int], list[Need]] = defaultdict(list)
    closed = {prefix.first for prefix in never}
    for need in sorted({*needs}):
        why = _why_not(need, closed)
        if why:
            refused[need] = why
        elif need.name:
            named.append(need)
        else:
            addressed[need.identity, need.port].append(need)
    opened = {
        (identity, port, _protocol(group)): _ranges(identity, port, group, manner, never)
        for (identity, port), group in addressed.items()
    }
    names = _not_within(named, opened)
    grants = [*granted_hosts(names, routes=manner.routes), *granted_ranges(opened)]
    taken = (*named, *(need for group in addressed.values() for need in group))
    return Granted(tuple(merged(grants)), tuple(sorted(taken)), refused, opened)


def _why_not(need: Need, closed: Collection[int]) -> str | None:
    """Why no policy can grant it."""
    if need.sends in {Sends.HTTP.value, Sends.TLS.value}:
        try:
            host(need.name)
            if need.method:
                http_method(need.method)
        except InvalidValue as error:
            return f"no policy can name it: {error}"
        is_forwarded = need.method in {"", *FORWARDED_METHODS}
        return None if is_forwarded else f"the sidecar forwards no `{need.method}` where a policy says `http`"
    return "an address of the mesh's own services or pods" if need.address in closed else None


def _protocol(needs: Iterable[Need]) -> Protocol:
    """How bytes are proxied: where some client waits for the server to speak first, the sidecar may not."""
    waits = any(need.sends == Sends.NOTHING.value for need in needs)
    return Protocol.TCP_SERVER_FIRST if waits else Protocol.TCP


def _ranges(
    identity: str, port: int, needs: Iterable[Need], manner: Manner, never: Collection[Prefix]
) -> tuple[Prefix, ...]:
    addresses = [Address.from_key(need.address) for need in needs]
    try:
        return fewest_addresses(addresses, manner.ranges, widest=manner.widest, never=never)
    except InvalidValue as error:
        raise error.at(f"the addresses that {identity} reaches on port {port}") from None


def _not_within(
    named: Iterable[Need], opened: Mapping[tuple[str, int, Protocol], tuple[Prefix, ...]]
) -> Iterator[Need]:
    """The needs by name whose connections go elsewhere than to ranges that are open anyway."""
    ranges = {(identity, port): prefixes for (identity, port, _), prefixes in opened.items()}
    for need in named:
        prefixes = ranges.get((need.identity, need.port), ())
        if not any(prefix.first <= need.address <= prefix.last for prefix in prefixes):
            yield need
