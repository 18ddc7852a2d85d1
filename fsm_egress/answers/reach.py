"""What an identity reaches: all connections as regions with one decision each, and answers that are proofs.

The connections are divided into the classes that the policy does not divide further (`division.py`), one of
each is put to the engine, and classes about which the same is decided are joined. So an answer holds for
every connection there is; what could not be decided is said, and never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import Factory, evolve, field, frozen
from attrs.converters import optional

from ..connections.connection import Connection, Sends, read_headers, read_host, read_method, read_path
from ..connections.decision import Decision
from ..division.classes import ANYTHING, Scope
from ..division.criteria import reading_of_policy
from ..division.dividing import divide
from ..engine import Engine
from ..resolution import resolve
from ..resources import checks
from ..resources.resource import ServiceIdentity, checked
from ..values.errors import InvalidValue
from ..values.frozen import FrozenMap
from ..values.net import Prefix
from ..values.notebook import Shown, Table
from .predicates import Where, read_range
from .proofs import Answer, Identities, Progress, Witness, counted, identities_of
from .regions import TCP, Region, Unproven, aligned, differing, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from ..policy import OutboundPolicy
    from ..snapshot import Snapshot
    from ..values.net import Address

__all__ = [
    "PORTION",
    "Partial",
    "Partition",
    "Portion",
    "Reachability",
    "Residual",
    "Way",
    "never",
    "partition",
    "reachable",
    "residual",
    "unproven",
]

PORTION = ("port", "addresses", "verdict", "reason", "rule", "sends")

# --- all connections -------------------------------------------------------------------------------------


@frozen(repr=False)
class Portion(Shown):
    """Connections about which the same is decided."""

    region: Region
    decision: Decision

    @property
    def witness(self) -> Connection:
        """The smallest of them."""
        return self.region.witness

    def __contains__(self, connection: Connection) -> bool:
        return connection in self.region

    @property
    def row(self) -> tuple[str, ...]:
        """The portion as texts, below `PORTION`."""
        port, addresses, sends = self.region.words
        rule = str(self.decision.rule or "-")
        return port, addresses, self.decision.verdict.value, self.decision.reason.value, rule, sends

    def table(self) -> Table:
        """What a notebook shows of it."""
        return Table(str(self.decision.verdict), PORTION, (self.row,))

    def to_mapping(self) -> dict[str, Any]:
        """The portion for machines, with the decision as it is for the witness."""
        return {**self.region.to_mapping(), "decision": self.decision.to_mapping(self.witness)}

    def __str__(self) -> str:
        return f"{self.region}: {self.decision}"

    def __repr__(self) -> str:
        return f"<Portion {self}>"


@frozen(repr=False)
class Partition(Shown):
    """All connections of an identity: each is in one portion, or among what is undecided.

    Classes with equal decisions are joined: each portion is right as it stands, but there might be fewer.

    Attributes:
        portions: by their smallest connections; no two have one in common.
        undecided: regions in which some connections are in no portion, and why no proof was found for them.
        classes: how many classes were put to the engine.
    """

    identity: ServiceIdentity
    portions: tuple[Portion, ...]
    undecided: tuple[Unproven, ...]
    classes: int

    def table(self) -> Table:
        """What a notebook shows of it."""
        return Table(f"{self.identity}: every connection, by {self.classes} classes", PORTION, _rows(self))

    def portion(self, connection: Connection) -> Portion | None:
        """The portion that holds a connection; None where it is among what is undecided."""
        return next((portion for portion in self.portions if connection in portion), None)

    def to_mapping(self) -> dict[str, Any]:
        """The partition for machines."""
        return {"identity": str(self.identity), "classes": self.classes, **_mapping(self)}

    def __str__(self) -> str:
        return f"{self.identity}: every connection, by {self.classes} classes\n{_table(self)}"

    def __repr__(self) -> str:
        return f"<Partition of {self.identity}: {len(self.portions)} portions>"


def partition(mesh: Snapshot, identity: ServiceIdentity | str) -> Partition:
    """All connections of an identity (`name.namespace`), divided into regions with one decision each.

    Raises:
        InvalidValue: the text is no identity.
    """
    policy = resolve(mesh, identity)
    portions, undecided, count = _decided(policy, ANYTHING)
    return Partition(policy.identity, portions, undecided, count)


def _decided(policy: OutboundPolicy, within: Scope) -> tuple[tuple[Portion, ...], tuple[Unproven, ...], int]:
    """The portions within a scope, what is undecided there, and how many classes were looked at."""
    engine = Engine.compile(policy)
    reading = reading_of_policy(policy)
    pieces: list[tuple[Decision, Region]] = []
    undecided: list[tuple[str, Region]] = []
    for part in divide(reading, within=within, spelled=False):
        region = Region.of(part, reading.ports)
        if part.undecided:
            undecided.append((part.undecided, region))
        else:
            pieces.append((engine.classify(part.witness), region))
    portions = tuple(Portion(region, decision) for decision, region in joined(pieces, _telling()))
    return portions, unproven([policy.identity], undecided), len(pieces)


def unproven(
    identities: Iterable[ServiceIdentity], undecided: Iterable[tuple[str, Region]]
) -> tuple[Unproven, ...]:
    """What is undecided about some identities, joined where the reason is the same."""
    whom = tuple(identities)
    return tuple(Unproven(whom, region, reason) for reason, region in joined(undecided, str))


def _telling() -> Callable[[Decision], Hashable]:
    """What tells the decisions of an engine apart: those with the same number are equal.

    An engine makes a traffic match and the list of what was considered once, so they need no comparing.
    """
    numbers: dict[int, int] = {}
    alike: dict[Hashable, int] = {}

    def tell(decision: Decision) -> int:
        number = numbers.get(id(decision))
        if number is None:
            it = evolve(decision, match=None, considered=())
            key = it, id(decision.match), id(decision.considered)
            number = numbers[id(decision)] = alike.setdefault(key, len(alike))
        return number

    return tell


def _mapping(found: Partition | Residual) -> dict[str, Any]:
    return {
        "portions": [portion.to_mapping() for portion in found.portions],
        "undecided": [it.to_mapping() for it in found.undecided],
    }


def _rows(found: Partition | Residual) -> tuple[tuple[str, ...], ...]:
    unclear = (
        (port, addresses, "-", f"not decided for some: {it.reason}", "-", sends)
        for it in found.undecided
        for port, addresses, sends in (it.region.words,)
    )
    return (*(portion.row for portion in found.portions), *unclear)


def _table(found: Partition | Residual) -> str:
    rows = [(portion.region.words, str(portion.decision)) for portion in found.portions]
    rows += [(it.region.words, f"not decided for some: {it.reason}") for it in found.undecided]
    return aligned([(f"  port {port}", addresses, said, sent) for (port, addresses, sent), said in rows])


# --- connections of which not all is known ---------------------------------------------------------------


def _kind(value: Sends | str) -> Sends:
    return checks.one_of(value, Sends)


_REQUEST = (Sends.HTTP,)
_SENT_BY = {"host": (Sends.TLS, Sends.HTTP), "method": _REQUEST, "path": _REQUEST, "headers": _REQUEST}


def _scope(partial: Partial) -> Scope:
    """The connections that are meant.

    Raises:
        InvalidValue: something is known about what is sent that no such payload has.
    """
    kinds: tuple[Sends, ...] = TCP if partial.sends is None else (partial.sends,)
    for name, senders in _SENT_BY.items():
        if getattr(partial, name) is not None:
            kinds = tuple(kind for kind in kinds if kind in senders)
            if not kinds:
                names = " or ".join(f"`{kind}`" for kind in senders)
                raise InvalidValue.of(f"{names}, as `{name}` is known", str(partial.sends)).at("sends")
    return Scope(
        port=partial.port,
        span=None if partial.to is None else (partial.to.first, partial.to.last),
        kinds=kinds,
        host=partial.host,
        method=partial.method,
        path=partial.path,
        headers=partial.headers,
    )


@frozen(field_transformer=checked)
class Partial:
    """A connection of which only this is known; what is None is open.

    Attributes:
        to: the destination: `54.9.9.9`, or that it is somewhere in `54.0.0.0/8`.
        port: the destination port.
        sends: what is sent; where it is open, anything by TCP, as UDP passes by the sidecar.
        host: the Host of a request as it is sent, or the server name; empty for none.
        method: of a request.
        path: of a request, with the query.
        headers: of a request, all but Host.

    Raises:
        InvalidValue: a value that cannot be, or that cannot be known of what is sent.
    """

    to: Prefix | None = field(default=None, converter=optional(read_range))
    port: int | None = field(default=None, converter=optional(checks.port_number))
    sends: Sends | None = field(default=None, converter=optional(_kind))
    host: str | None = field(default=None, converter=optional(read_host))
    method: str | None = field(default=None, converter=optional(read_method))
    path: str | None = field(default=None, converter=optional(read_path))
    headers: FrozenMap[str] | None = field(default=None, converter=optional(read_headers))
    scope: Scope = field(init=False, eq=False, repr=False, default=Factory(_scope, takes_self=True))

    def __str__(self) -> str:
        known = {
            "to": self.to,
            "port": self.port,
            "sending": self.sends,
            "host": None if self.host is None else f"`{self.host}`",
            "method": self.method,
            "path": None if self.path is None else f"`{self.path}`",
            "headers": None if self.headers is None else dict(self.headers),
        }
        texts = [f"{name} {value}" for name, value in known.items() if value is not None]
        return ", ".join(texts) or "any by TCP"


@frozen(repr=False)
class Residual(Shown):
    """What is decided about a connection of which not all is known.

    Attributes:
        partial: what is known.
        portions: what is decided, and how that hangs on what is not known; their regions do not repeat what
            is known of path and headers.
        undecided: regions in which some connections are in no portion, and why.
        classes: how many classes were put to the engine.
    """

    identity: ServiceIdentity
    partial: Partial
    portions: tuple[Portion, ...]
    undecided: tuple[Unproven, ...]
    classes: int

    @property
    def decision(self) -> Decision | None:
        """What is decided whatever the unknown; None where it hangs on it, or is not proven."""
        return self.portions[0].decision if len(self.portions) == 1 and not self.undecided else None

    @property
    def allowed(self) -> bool | None:
        """Whether it is allowed whatever the unknown; None where that hangs on it, or is not proven."""
        found = {portion.decision.allowed for portion in self.portions}
        return found.pop() if len(found) == 1 and not self.undecided else None

    @property
    def hangs_on(self) -> tuple[str, ...]:
        """The unknowns in which the portions differ; what is decided hangs on no other."""
        return differing(portion.region for portion in self.portions) if len(self.portions) > 1 else ()

    def to_mapping(self) -> dict[str, Any]:
        """The residual for machines."""
        return {
            "identity": str(self.identity),
            "known": str(self.partial),
            "allowed": self.allowed,
            "hangsOn": list(self.hangs_on),
            "classes": self.classes,
            **_mapping(self),
        }

    def table(self) -> Table:
        """What a notebook shows of it."""
        return Table(self.headline, PORTION, _rows(self))

    @property
    def headline(self) -> str:
        """What is decided, or what it hangs on, in a line."""
        if self.decision:
            said = f"{self.decision}, whatever else"
        else:
            said = f"hangs on {', '.join(self.hangs_on)}" if self.hangs_on else "not proven"
        return f"{self.identity}: {self.partial}: {said}"

    def __str__(self) -> str:
        return f"{self.headline}\n{_table(self)}"

    def __repr__(self) -> str:
        return f"<Residual of {self.identity}, {self.partial}: {len(self.portions)} portions>"


def residual(mesh: Snapshot, identity: ServiceIdentity | str, partial: Partial) -> Residual:
    """What is decided about a connection of which not all is known.

    Args:
        mesh: the resources.
        identity: `name.namespace`.
        partial: what is known of the connection.

    Raises:
        InvalidValue: the text is no identity.
    """
    policy = resolve(mesh, identity)
    return Residual(policy.identity, partial, *_decided(policy, partial.scope))


# --- who reaches -----------------------------------------------------------------------------------------


@frozen(repr=False)
class Way:
    """Connections of an identity that are allowed, and by what."""

    identity: ServiceIdentity
    portion: Portion

    def to_mapping(self) -> dict[str, Any]:
        """The way for machines."""
        return {"identity": str(self.identity), **self.portion.to_mapping()}

    def __str__(self) -> str:
        return f"{self.identity}: {self.portion}"

    def __repr__(self) -> str:
        return f"<Way of {self}>"


@frozen(repr=False)
class Reachability(Shown):
    """Who reaches something, and how; true where somebody does.

    Attributes:
        partial: what is to be reached.
        ways: by identity.
        undecided: regions in which some connections could not be decided about, and why.
        identities: whose connections were looked at.
        classes: how many classes of them were put to an engine.
    """

    partial: Partial
    ways: tuple[Way, ...]
    undecided: tuple[Unproven, ...]
    identities: tuple[ServiceIdentity, ...]
    classes: int

    @property
    def accounts(self) -> tuple[ServiceIdentity, ...]:
        """Who is known to reach it."""
        return tuple(dict.fromkeys(way.identity for way in self.ways))

    def __bool__(self) -> bool:
        return bool(self.ways)

    def to_mapping(self) -> dict[str, Any]:
        """The answer for machines."""
        return {
            "to": str(self.partial),
            "identities": list(map(str, self.identities)),
            "classes": self.classes,
            "ways": [way.to_mapping() for way in self.ways],
            "undecided": [it.to_mapping() for it in self.undecided],
        }

    def table(self) -> Table:
        """What a notebook shows of it."""
        rows = tuple((str(way.identity), *way.portion.row) for way in self.ways)
        return Table(self.headline, ("identity", *PORTION), rows)

    @property
    def headline(self) -> str:
        """How many reach it, in a line."""
        return f"{self.partial}: {len(self.accounts)} of {counted(self.identities)} reach it"

    def __str__(self) -> str:
        rows = [
            (f"  {way.identity}", f"port {port}", addresses, str(way.portion.decision), sent)
            for way in self.ways
            for port, addresses, sent in (way.portion.region.words,)
        ]
        unclear = [f"  {it}" for it in self.undecided]
        return "\n".join([self.headline, *([aligned(rows)] if rows else ()), *unclear])

    def __repr__(self) -> str:
        return f"<Reachability of {self.partial}: {len(self.accounts)} of {counted(self.identities)}>"


def reachable(
    mesh: Snapshot,
    to: Prefix | Address | str | None = None,
    port: int | None = None,
    *,
    sends: Sends | str | None = None,
    host: str | None = None,
    identities: Identities = None,
    progress: Progress = iter,
) -> Reachability:
    """Who reaches any of some destinations, and how: by which rule, with a witness.

    Args:
        mesh: the resources.
        to: `54.0.0.0/8` or `54.9.9.9`; None for any address.
        port: the destination port; None for any.
        sends: what is sent; None for anything by TCP, as UDP passes by the sidecar.
        host: the Host of the request as it is sent, or the server name; None for any.
        identities: who is asked for (`name.namespace`); None for all that a resource names.
        progress: what the identities are taken through one by one, such as `rich.progress.track`.

    Raises:
        InvalidValue: an address, port, host or identity that cannot be.
    """
    partial = Partial(to=to, port=port, sends=sends, host=host)
    whom = identities_of(identities, mesh)
    ways: list[Way] = []
    undecided: list[Unproven] = []
    count = 0
    for identity in progress(whom):
        portions, unclear, looked_at = _decided(resolve(mesh, identity), partial.scope)
        ways.extend(Way(identity, portion) for portion in portions if portion.decision.allowed)
        undecided.extend(unclear)
        count += looked_at
    return Reachability(partial, tuple(ways), tuple(undecided), whom, count)


# --- what never happens ----------------------------------------------------------------------------------


def never(
    mesh: Snapshot, where: Where, identities: Identities = None, *, progress: Progress = iter
) -> Answer:
    """Whether a predicate holds of no connection, whatever it is.

    Args:
        mesh: the resources.
        where: what is never to happen, such as `Where.outside() & ~Where.origin("httpbin.org", 443)`.
        identities: whose connections are meant (`name.namespace`); None for all that a resource names.
        progress: what the identities are taken through one by one, such as `rich.progress.track`.

    Raises:
        InvalidValue: a text is no identity.
    """
    whom = identities_of(identities, mesh)
    claim = f"never {where}"
    undecided: list[Unproven] = []
    count = 0
    for identity in progress(whom):
        policy = resolve(mesh, identity)
        unclear: list[tuple[str, Region]] = []
        engine = Engine.compile(policy)
        readings = (reading_of_policy(policy), *where.readings)
        ports = {port for reading in readings for port in reading.ports}
        for part in divide(*readings, spelled=False):
            if part.undecided:
                unclear.append((part.undecided, Region.of(part, ports)))
                continue
            count += 1
            decision = engine.classify(part.witness)
            if where.holds(part.witness, decision):
                witness = Witness(identity, part.witness, (decision,))
                return Answer(claim, False, whom, count, witness)
        undecided.extend(unproven([identity], unclear))
    return Answer(claim, None if undecided else True, whom, count, None, tuple(undecided))
