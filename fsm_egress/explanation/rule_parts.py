"""What the rules of a policy offer to a connection, and what of it a request does not meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ..policy.parts import HTTPRoute
from ..resources.egress import EgressPolicy
from ..resources.words import FORWARDED_METHODS, Protocol
from ..values.construction import frozen
from ..values.net import Prefix
from ..values.references import FieldRef
from .types import Difference

if TYPE_CHECKING:
    from ..connections.payloads import HTTPRequest
    from ..patterns import Pattern

__all__ = ["ROUTE_FIELDS", "Offer", "Unmet", "offer_of", "unmet_by"]


@frozen
class Offer:
    """What one rule lets out on one port.

    Attributes:
        protocol: `http` or `https`; another stands for anything.
        is_here: whether the destination is among its addresses.
        hosts: those that it lists; `suffix` is the port that a Host may have besides.
        routes: None where they were not looked at.
        is_broken: whether its certificate is missing.
        policy: the Egress policy that it is of; None for a service.
    """

    rule: FieldRef
    port: int
    protocol: Protocol
    prefixes: tuple[Prefix, ...]
    is_here: bool
    hosts: tuple[str, ...] = ()
    suffix: str = ""
    routes: tuple[HTTPRoute, ...] | None = None
    is_broken: bool = False
    policy: EgressPolicy | None = None

    def has(self, name: str) -> bool:
        """Whether a host or server name is among its own."""
        return name in self.hosts or name.removesuffix(self.suffix) in self.hosts

    def beside(self, path: str) -> FieldRef:
        """Another field of its policy; for a service the rule itself, as it is made of several resources."""
        return self.policy.at(path) if self.policy else self.rule


def offer_of(
    rule: FieldRef, port: int, protocol: Protocol, prefixes: tuple[Prefix, ...], *, is_here: bool, **rest: Any
) -> Offer:
    """The offer of a rule; of HTTP, a host may be asked for with the port."""
    suffix = f":{port}" if protocol is Protocol.HTTP else ""
    return Offer(rule, port, protocol, prefixes, is_here, suffix=suffix, **rest)


ROUTE_FIELDS = {
    Difference.METHOD: "methods",
    Difference.PATH: "pathRegex",
    Difference.HEADER: "headers",
}

Unmet: TypeAlias = "tuple[Difference, str, Pattern | None]"
"""What a request fails of a route: the kind, the name of the header, the pattern that is not found."""


def unmet_by(route: HTTPRoute, request: HTTPRequest) -> list[Unmet]:
    """Everything of a route that a request does not meet."""
    unmet: list[Unmet] = []
    if request.method not in (route.methods or FORWARDED_METHODS):
        unmet.append((Difference.METHOD, "", None))
    if not route.path.search(request.path):
        unmet.append((Difference.PATH, "", route.path))
    unmet.extend(
        (Difference.HEADER, name, pattern)
        for name, pattern in route.headers
        if not pattern.search(request.header(name))
    )
    return unmet
