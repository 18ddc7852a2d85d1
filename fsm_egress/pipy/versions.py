"""What differs between FSM's versions: in the sidecar's config and scripts, and in what the controller makes.

It is the table of `docs/decision.md`, and what the controller's code of each version does not know yet. 1.5,
1.6 and 1.7 are the same in all of it, and are what everything else in this library is about.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import evolve

from ..values.construction import frozen
from ..values.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LATEST", "FSMVersion", "fsm_version"]

LINES = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)
_NEWEST = 999  # of a line of which no patch is named


@frozen
class FSMVersion:
    """What sets a version apart.

    Attributes:
        since: the first version of which this holds.
        plain_hosts: whether `HttpHostPort2Service` holds the names of rules as they are; scripts of one form
            answer every request to a config of the other with 403.
        closes_unknown_hosts: whether a request for a host that no rule names is closed, and not answered 403.
        reads_gzip: whether the scripts read `config.json.gz`.
        keeps_untargeted: whether the controller keeps a service port without a target port: in-mesh, by a
            cluster of the port 0.
        keeps_zero_weights: whether weights of an HTTP route that are all zero stay zero.
        isolates: whether the controller knows Isolations.
        isolates_sources: whether a pod whose own address is in one gets no config.
        names_services: whether it knows `serviceAccessNames`, the wildcard of the DNS proxy, and the
            annotation of services that are for health checks.
        shortens_elsewhere: whether it knows `mustWithNamespace`; before, a service has its short name in its
            own namespace only.
        packs: whether it packs a config where `enableSidecarPrettyConfig` is off.
        warms: whether the shares of pods grow with their age.
    """

    since: tuple[int, int, int]
    plain_hosts: bool = False
    closes_unknown_hosts: bool = False
    reads_gzip: bool = True
    keeps_untargeted: bool = False
    keeps_zero_weights: bool = False
    isolates: bool = True
    isolates_sources: bool = True
    names_services: bool = True
    shortens_elsewhere: bool = True
    packs: bool = True
    warms: bool = True


LATEST = FSMVersion((1, 5, 0))
_V147 = evolve(LATEST, since=(1, 4, 7), keeps_untargeted=True, warms=False)
_V144 = evolve(_V147, since=(1, 4, 4), keeps_zero_weights=True)
_V143 = evolve(_V144, since=(1, 4, 3), closes_unknown_hosts=True, isolates_sources=False)
_V142 = evolve(_V143, since=(1, 4, 2), shortens_elsewhere=False)
_V139 = evolve(_V142, since=(1, 3, 9), reads_gzip=False)
_V138 = evolve(_V139, since=(1, 3, 8), isolates=False)
_V120 = evolve(
    _V138,
    since=(1, 2, 0),
    plain_hosts=True,
    closes_unknown_hosts=False,
    names_services=False,
    packs=False,
)
_TABLE = (LATEST, _V147, _V144, _V143, _V142, _V139, _V138, _V120)


def fsm_version(text: str) -> FSMVersion:
    """What holds in a version: `1.4.1`, or `1.4` for the newest of its line.

    Raises:
        InvalidValue: it is none of the lines from 1.2 to 1.7.
    """
    found = _VERSION.fullmatch(text)
    if found is None or f"{int(found[1])}.{int(found[2])}" not in LINES:
        raise InvalidValue.of(f"a version of FSM: {_listed(LINES)}, or one of their patches", text)
    asked = int(found[1]), int(found[2]), int(found[3] or _NEWEST)
    return next(version for version in _TABLE if version.since <= asked)


def _listed(lines: Iterable[str]) -> str:
    return ", ".join(f"`{line}`" for line in lines)
