"""How near a host or an address is to one that a rule has."""

from __future__ import annotations

from ..values.net import IPV6_START, Address, Prefix
from .types import SLIP, Nearness

__all__ = ["OTHER_FAMILY", "differing", "host_nearness", "plain_host", "unlikeness"]

OTHER_FAMILY = 129


def host_nearness(asked: str, host: str) -> tuple[Nearness, int]:
    """How near a host that is asked for is to one that is listed: rank, and the length of what differs."""
    found, listed = plain_host(asked), plain_host(host)
    distance = differing(found, listed)
    if not distance or (host.startswith("*.") and found.endswith(host[1:])):
        return Nearness.SPELLING, distance
    if found and distance <= SLIP:
        return Nearness.SLIP, distance
    labels, others = found.split("."), listed.split(".")
    is_kin = len(labels) > 1 and (labels[0] == others[0] or labels[-2:] == others[-2:])
    return Nearness.KIN if is_kin else Nearness.OTHER, distance


def plain_host(host: str) -> str:
    """A host without a port and a dot at its end."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() and ":" not in name else host).removesuffix(".")


def differing(one: str, other: str) -> int:
    """The length of the stretch in which two texts differ."""
    least = min(len(one), len(other))
    start = next((at for at in range(least) if one[at] != other[at]), least)
    end = next((at for at in range(least - start) if one[-1 - at] != other[-1 - at]), least - start)
    return max(len(one), len(other)) - start - end


def unlikeness(address: Address, prefix: Prefix) -> int:
    """How many of an address's last bits have to change for it to be in a prefix; 129 for another family."""
    start, first = (0 if key < IPV6_START else IPV6_START for key in (address.key, prefix.first))
    if start != first:
        return OTHER_FAMILY
    nearest = min(max(address.key, prefix.first), prefix.last)
    return (address.key - start ^ nearest - start).bit_length()
