"""Comparisons of engine and sidecar as scripts that any solver checks, by readings of their own of both."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from ..certificates.documents import digests
from ..certificates.fares import Fare, Way, fare
from ..certificates.reading import Fate
from ..certificates.script import Compared, Frame, Told, as_decided
from ..certificates.sidecar import Scripts
from ..certificates.tables import Tables
from ..connections.connection import Connection
from ..connections.decision import Decision
from ..connections.findings import Finding
from ..pipy.outcome import Fate as Ending
from ..pipy.outcome import Outcome
from ..pipy.sidecar import Sidecar
from ..policy import OutboundPolicy
from ..snapshot import Snapshot
from ..values.construction import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..certificates.reading import Gateways
    from ..connections.decision import Target, UsedGateway

__all__ = ["Difference", "Side", "certificate", "fares_of"]

CLAIM = "the sidecar does what is decided"
GROWN = "where shares hang on the age of pods: all pods are grown up"
_ENDS = {Ending.REFUSED: Ending.CLOSED}  # to a client it is the same
T = TypeVar("T")


@frozen
class Difference:
    """A difference between engine and sidecar, with a connection that shows it.

    Attributes:
        passes: whether the connection never comes to the sidecar.
        words: the difference in words.
        more: whether others are meant, too, that are decided so: they fare likewise, to hosts that are told.
    """

    connection: Connection
    decision: Decision
    outcome: Outcome
    passes: bool
    words: str
    more: bool = False


@frozen(eq=False)
class Side:
    """What was compared for an identity, and under which conditions."""

    mesh: Snapshot
    policy: OutboundPolicy
    sidecar: Sidecar
    conditions: tuple[Finding, ...]

    @cached_property
    def documents(self) -> tuple[tuple[str, str], ...]:
        """The documents and the config, each with its digest."""
        return (*digests(self.mesh), (f"config.json of {self.policy.identity}", _digest(self._tree)))

    @cached_property
    def tables(self) -> Tables:
        """The config as it is read for certificates."""
        return Tables.read(self._tree)

    @cached_property
    def _tree(self) -> Any:
        return self.sidecar.tree


def certificate(side: Side, differences: Sequence[Difference], *, is_shown: bool = False) -> str:
    """The script that an identity and its sidecar differ as is told, and no otherwise.

    With `is_shown`, that the connection of the one difference fares as that says.
    """
    told = () if is_shown else tuple(it.words for it in differences)
    ages = any(end.growth for cluster in side.policy.clusters for end in cluster.endpoints)
    identity = side.policy.identity
    frame = Frame(
        f"{CLAIM}, but for what is told" if told else CLAIM,
        side.documents,
        (*map(str, side.conditions), *([GROWN] if ages else [])),
        (identity, differences[0].connection) if is_shown else None,
        told,
    )
    return as_decided(frame, _compared(side, differences))


def _compared(side: Side, differences: Iterable[Difference]) -> Compared:
    version = side.sidecar.version
    scripts = Scripts(version.plain_hosts, version.closes_unknown_hosts, side.sidecar.lends)
    fares = [(it, fares_of(it.outcome)) for it in differences]
    places: dict[object, set[tuple[str, int]]] = {}
    for _, it in fares:
        places.setdefault(it.manner, set()).update(it.places)
    among = {manner: frozenset(those) for manner, those in places.items()}
    told = (
        Told(_fate(it.decision), its, it.passes, among[its.manner] if it.more else None) for it, its in fares
    )
    return Compared(side.policy, side.tables, scripts, tuple(dict.fromkeys(told)))


def _digest(tree: object) -> str:
    """The SHA-256 of what is looked at of a config, as JSON, in its order, without spaces, in UTF-8."""
    wire = json.dumps(tree, separators=(",", ":"), ensure_ascii=False)
    return sha256(wire.encode("utf-8", "surrogatepass")).hexdigest()


# --- in the terms of certificates ------------------------------------------------------------------------


def _shares(entries: Iterable[tuple[T, int]]) -> tuple[tuple[T, Fraction], ...]:
    """Weights as shares of one."""
    listed = list(entries)
    total = sum(weight for _, weight in listed) or 1
    return tuple((it, Fraction(weight, total)) for it, weight in listed)


def _by_age(target: Target, part: Fraction) -> tuple[Fraction, Fraction]:
    """The least and the most of a share."""
    return (target.by_age.least, target.by_age.most) if target.by_age else (part, part)


def _gateways(used: Iterable[UsedGateway]) -> Gateways:
    named = _shares(((it.name, it.mode, tuple(sorted(set(it.endpoints)))), it.weight) for it in used)
    return tuple(sorted((*it, share) for it, share in named))


def _fate(decision: Decision) -> Fate:
    parts = _shares((target, target.weight) for target in decision.targets)
    targets = ((it.host, it.port, part, *_by_age(it, part)) for it, part in parts)
    return Fate(
        decision.verdict,
        decision.reason,
        decision.status,
        tuple(sorted(targets)),
        _gateways(decision.gateways),
    )


def fares_of(outcome: Outcome) -> Fare:
    """An outcome in the terms of certificates."""
    ways: list[tuple[Way, Fraction]] = []
    for each in (outcome, *outcome.others):
        end = _ENDS.get(each.fate, each.fate).value
        gateways = _gateways(each.gateways)
        places = _shares(((target.host, target.port), target.weight) for target in each.targets)
        for place, share in places or ((None, Fraction(1)),):
            ways.append((Way(end, place, each.status, each.mtls, gateways), share * each.share))
    return fare(ways, lent=bool(outcome.either))
