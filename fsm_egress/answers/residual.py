"""What may still be decided about a connection of which not all is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import Factory, field
from attrs.converters import optional

from ..connections.findings import Finding, stated
from ..connections.payloads import Sends, read_asked_host, read_headers, read_method, read_path, shown_headers
from ..division.classes import Scope
from ..resolution import resolve
from ..resolution.everyone import unnamed
from ..resources import checks
from ..resources.resource import checked
from ..resources.subjects import Subject, Unnamed, pods_told
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.frozen import FrozenMap
from ..values.net import Prefix
from ..values.notebook import Shown, Table
from ..values.typed import takes
from .partition import PORTION, Portion, decided_within, mapping_of, rows_of, table_of
from .predicates import read_range
from .proofs import told
from .regions import TCP, Unproven, differing
from .unknown import unknown

if TYPE_CHECKING:
    from ..connections.decision import Decision

__all__ = ["Partial", "Residual", "residual"]


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
    host: str | None = field(default=None, converter=optional(read_asked_host))
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
            "headers": None if self.headers is None else shown_headers(self.headers),
        }
        texts = [f"{name} {value}" for name, value in known.items() if value is not None]
        return ", ".join(texts) or "any by TCP"


@frozen
class Residual(Shown):
    """What is decided about a connection of which not all is known.

    Attributes:
        partial: what is known.
        portions: what is decided, and how that hangs on what is not known; their regions do not repeat what
            is known of path and headers.
        undecided: regions in which some connections are in no portion, and why.
        classes: how many classes were put to the engine.
        unnamed: the identity, where no document names it.
        conditions: what the mesh uses and is not modelled: the answer stands under these.
    """

    identity: Subject
    partial: Partial
    portions: tuple[Portion, ...]
    undecided: tuple[Unproven, ...]
    classes: int
    unnamed: tuple[Unnamed, ...] = ()
    conditions: tuple[Finding, ...] = field(default=(), kw_only=True)

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
            **pods_told(self.identity),
            "known": str(self.partial),
            "allowed": self.allowed,
            "hangsOn": list(self.hangs_on),
            "classes": self.classes,
            **mapping_of(self.portions, self.undecided),
            **told(self.unnamed),
            **stated(self.conditions),
        }

    def table(self) -> Table:
        """What a notebook shows of it."""
        return Table(self.headline, PORTION, rows_of(self.portions, self.undecided))

    @property
    def headline(self) -> str:
        """What is decided, or what it hangs on, in a line."""
        if self.decision is not None:
            said = f"{self.decision}, whatever else"
        else:
            said = f"depends on {', '.join(self.hangs_on)}" if self.hangs_on else "not proven"
        return f"{self.identity}: {self.partial}: {said}"

    def __str__(self) -> str:
        table = table_of(self.portions, self.undecided)
        return "\n".join([self.headline, table, *map(str, self.conditions)])

    def __repr__(self) -> str:
        return f"<Residual of {self.identity}, {self.partial}: {len(self.portions)} portions>"


@takes(mesh=Snapshot, partial=Partial)
def residual(mesh: Snapshot, identity: Subject | str, partial: Partial) -> Residual:
    """What is decided about a connection of which not all is known.

    Args:
        mesh: the resources.
        identity: `name.namespace`.
        partial: what is known of the connection.

    Raises:
        InvalidValue: the text is no identity, there is no such pod, or the pods of the account are not
            intercepted alike (`kinds_of_pods`).
    """
    policy = resolve(mesh, identity)
    portions, undecided, count = decided_within(policy, partial.scope)
    lost = unknown([policy.identity], mesh)
    names = unnamed([policy.identity], mesh)
    unclear, under = (*undecided, *lost), policy.conditions
    return Residual(policy.identity, partial, portions, unclear, count, names, conditions=under)
