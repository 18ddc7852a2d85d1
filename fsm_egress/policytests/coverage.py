"""Which parts of the Egress policies the tests have decided by, and which by none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field

from ..connections.decision import Reason
from ..connections.payloads import HTTPRequest, TLSClientHello
from ..resolution.claims import resolve_claims
from ..resources.egress import EgressPolicy
from ..values.construction import frozen
from ..values.enums import Word
from ..values.references import FieldRef, item_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..connections.connection import Connection
    from ..connections.decision import Decision
    from ..snapshot import Snapshot

__all__ = ["Coverage", "Part", "PartKind", "parts_decided", "parts_of"]


class PartKind(Word):
    """What may be decided by."""

    POLICY = "policy"
    PORT = "port"
    HOST = "host"
    ROUTE = "route"


@frozen(order=False)
class Part:
    """A policy, a port or a host of one, or a route of a group that one names.

    Attributes:
        kind: which of them.
        where: the field, with its place.
        name: the host; empty for the others.
    """

    kind: PartKind
    where: FieldRef
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.where}" + (f" `{self.name}`" if self.name else "")


@frozen
class Coverage:
    """What tests have decided by, of all parts that are in force for anyone.

    Attributes:
        parts: all of them, in the order of their resources.
        decided: those by which at least one test was decided.
    """

    parts: tuple[Part, ...]
    decided: frozenset[Part] = field(repr=False)

    @classmethod
    def of(cls, parts: Iterable[Part], decided: Iterable[Part]) -> Coverage:
        """The coverage of these parts, in order, each once."""
        unique = sorted(dict.fromkeys(parts), key=_order)
        return cls(tuple(unique), frozenset(decided).intersection(unique))

    @property
    def missing(self) -> tuple[Part, ...]:
        """The parts that no test was decided by."""
        return tuple(part for part in self.parts if part not in self.decided)

    @property
    def percent(self) -> float:
        """How many of a hundred parts are covered; all, where there is none."""
        return 100 * len(self.decided) / len(self.parts) if self.parts else 100.0

    def to_mapping(self) -> dict[str, Any]:
        """The coverage for machines."""
        return {
            "parts": len(self.parts),
            "decided": len(self.decided),
            "percent": round(self.percent, 2),
            "missing": [
                {
                    "kind": part.kind.value,
                    "field": f"{part.where.resource} {part.where.path}".rstrip(),
                    "source": part.where.location,
                    **({"name": part.name} if part.name else {}),
                }
                for part in self.missing
            ],
        }


def _order(part: Part) -> tuple[Any, ...]:
    where = part.where
    return where.resource, where.source.document if where.source else "", len(where.path), where.path


def parts_of(mesh: Snapshot) -> Iterator[Part]:
    """Every part of the policies that are in force for some identity of a mesh."""
    for identity in mesh.identities():
        for claims in resolve_claims(mesh, identity).by_port.values():
            for claim in claims:
                rule = claim.rule
                yield _policy(rule)
                yield Part(PartKind.PORT, rule)
                listed = _hosts(rule, mesh)
                yield from (listed[host] for host in claim.hosts)
                for route in claim.routes:
                    if route.route is not None:
                        yield Part(PartKind.ROUTE, route.route)


def parts_decided(mesh: Snapshot, connection: Connection, decision: Decision) -> Iterator[Part]:
    """The parts that a connection was decided by: the rule, and what of it let the connection out."""
    rule = decision.rule
    if rule is None or rule.resource.kind != EgressPolicy.kind:
        return
    yield _policy(rule)
    yield Part(PartKind.PORT, rule)
    if decision.route is not None:
        yield Part(PartKind.ROUTE, decision.route)
    sent = connection.sends
    name = ""
    if decision.reason is Reason.HTTP_ROUTE and isinstance(sent, HTTPRequest):
        name = sent.authority.removesuffix(f":{connection.port}")
    elif decision.reason is Reason.TLS_SERVER_NAME and isinstance(sent, TLSClientHello):
        name = sent.name
    listed = _hosts(rule, mesh)
    if name in listed:  # by default, a Host that is not may be let out, too
        yield listed[name]


def _policy(rule: FieldRef) -> Part:
    return Part(PartKind.POLICY, FieldRef(rule.resource, "", rule.source))


def _hosts(rule: FieldRef, mesh: Snapshot) -> dict[str, Part]:
    """The hosts of the policy that a rule is of, each at its place in the list."""
    policy = mesh.kind(EgressPolicy).get(rule.resource.namespace, rule.resource.name)
    listed = enumerate(policy.spec.hosts if policy else ())
    return {
        host.lower(): Part(
            PartKind.HOST, FieldRef(rule.resource, item_path("spec.hosts", index), rule.source), host.lower()
        )
        for index, host in listed
    }
