"""What nobody knows of a mesh: what could not be read of it, and what nodes do in place of sidecars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connections.connection import Connection
from ..connections.payloads import Sends
from ..division.classes import Sent
from ..interception.kinds import interception_of
from ..resources.checks import LAST_PORT
from ..values.net import IPV6_START, LAST_KEY, Address
from .regions import Region, Unproven

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..resources.losses import Loss
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["ANY_CONNECTION", "unknown"]

ANY_CONNECTION = Region(
    ((1, LAST_PORT),),
    ((0, IPV6_START - 1), (IPV6_START, LAST_KEY)),
    tuple(map(Sent, Sends)),
    Connection(Address.from_key(0), 1, Sends.BYTES),
)


def unknown(identities: Iterable[Subject], *meshes: Snapshot, is_led: bool = True) -> tuple[Unproven, ...]:
    """What is not known about the connections of some identities: an entry for each document that is lost.

    Of pods that the node intercepts nothing is known.

    Args:
        identities: whose connections are meant.
        meshes: what decides about them.
        is_led: whether it matters where a connection is sent, and not only whether it is allowed.
    """
    whom: dict[Loss | str, dict[Subject, None]] = {}
    for identity in identities:
        for mesh in meshes:
            for loss in mesh.lost_for(identity):
                if is_led or loss.bearing.opens or loss.bearing.hides:
                    whom.setdefault(loss, {})[identity] = None
            reason = interception_of(mesh, identity).unproven
            if reason:
                whom.setdefault(reason, {})[identity] = None
    return tuple(Unproven(tuple(them), ANY_CONNECTION, str(why)) for why, them in whom.items())
