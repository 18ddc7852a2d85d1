"""What may be a near miss, and what it takes to try it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from ..engine import Engine
from ..interception.kinds import alike
from ..patterns.automata import Texts, Undecided, witness
from ..resolution import resolve
from ..resources.resource import Resource, ServiceIdentity
from ..resources.words import FORWARDED_METHODS, KNOWN_METHODS
from ..snapshot.kind import SERVICE_ACCOUNT
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.references import FieldRef, ResourceRef
from .types import SWITCHES, Change, Difference, Edit, Nearness

if TYPE_CHECKING:
    from ..patterns import Pattern
    from ..policy.parts import HTTPRoute
    from ..resources.egress import EgressSource
    from ..resources.meshconfig import MeshConfig
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = [
    "NEEDS",
    "TRIES",
    "WAYS",
    "Proposal",
    "affordable",
    "by_order",
    "changes_of",
    "engine_of",
    "engines_of",
    "identities_in",
    "is_account",
    "missing_one",
    "out_of_force",
    "switched",
    "text_with",
    "usual_first",
]

WAYS = 12  # of changing one thing that are tried, from so many
NEEDS = 8  # other ports, accounts and meshes that are looked into, and patterns that texts are found for
TRIES = 64  # proposals that are put to the engine


@frozen
class Proposal:
    """What may be a near miss.

    Attributes:
        rule: what has to decide then; None where any rule may.
        changes: the ways to change the one thing; the first that is allowed counts.
        need: what it takes to try it: another port, account or mesh to look into, a text for a pattern.
    """

    difference: Difference
    nearness: Nearness
    distance: int
    rule: FieldRef | None
    at: FieldRef
    found: str
    wanted: str
    changes: Callable[[], Iterable[Change]]
    need: tuple[str, object] | None = None

    @property
    def order(self) -> tuple[Nearness, int, ResourceRef, str, ResourceRef, str, str, str]:
        """The nearest first, then by name."""
        rule, at = self.rule or self.at, self.at
        names = rule.resource, rule.path, at.resource, at.path, self.difference.value, self.wanted
        return self.nearness, self.distance, *names


def by_order(proposal: Proposal) -> tuple[object, ...]:
    """What proposals are sorted by."""
    return proposal.order


def affordable(proposals: Iterable[Proposal]) -> Iterator[Proposal]:
    """As many of the first proposals as are tried in time, and every switch."""
    needs: dict[str, set[object]] = {}
    tries = 0
    for proposal in proposals:
        if proposal.difference not in SWITCHES:
            kind, value = proposal.need or ("nothing", None)
            known = needs.setdefault(kind, set())
            if tries == TRIES or (value not in known and len(known) == NEEDS):
                continue
            known.add(value)
            tries += 1
        yield proposal


def engine_of(mesh: Snapshot, who: Subject) -> Engine:
    """The engine of an account in a mesh: of some of its pods, where they are not intercepted alike."""
    return next(engine for _, engine in engines_of(mesh, who))


def engines_of(mesh: Snapshot, who: Subject) -> Iterator[tuple[Subject, Engine]]:
    """An account with its engine in a mesh; each kind of its pods where they are not intercepted alike."""
    return ((kind, Engine.compile(resolve(mesh, kind), incomplete=True)) for kind in alike([who], mesh))


def changes_of(proposal: Proposal) -> Iterator[Change]:
    """The changes of a proposal, up to one that cannot be made."""
    try:
        yield from islice(proposal.changes(), WAYS)
    except (InvalidValue, Undecided):
        return


def text_with(pattern: Pattern, texts: Texts) -> str:
    """The smallest text in which a pattern is found.

    Raises:
        Undecided: none was found; there may be none.
    """
    text = witness([(pattern, True)], texts)
    if text is None:
        raise Undecided
    return text


def usual_first(route: HTTPRoute) -> list[str]:
    """The methods of a route, those that the sidecar forwards first."""
    return sorted(route.methods or FORWARDED_METHODS, key=KNOWN_METHODS.index)


def switched(
    difference: Difference, config: MeshConfig, changed: MeshConfig, path: str, found: str = "false"
) -> Proposal:
    """The proposal to switch a flag of the mesh on."""
    nearness = Nearness.PASSTHROUGH if difference is Difference.ENABLE_EGRESS else Nearness.OUT_OF_FORCE
    edit = Edit(f"set {path} of {config.ref} to true", changed)
    return Proposal(difference, nearness, 0, None, config.at(path), found, "true", lambda: [edit])


def out_of_force(difference: Difference, at: FieldRef, found: str, wanted: str, edit: Edit) -> Proposal:
    """That something is not in force."""
    return Proposal(
        difference, Nearness.OUT_OF_FORCE, 0, None, at, found, wanted, lambda: [edit], ("mesh", edit.words)
    )


def missing_one(difference: Difference, at: FieldRef, resource: Resource) -> Proposal:
    """The proposal to add a resource that is referred to."""
    name = f"{resource.namespace}/{resource.name}"
    return out_of_force(difference, at, "", name, Edit(f"add {resource.ref}", resource))


def identities_in(source: EgressSource) -> list[ServiceIdentity]:
    """The identity that a source names; it may be none, as a namespace without a dot is asked for."""
    return [ServiceIdentity(source.name, source.namespace)]


def is_account(source: EgressSource, who: Subject) -> bool:
    """Whether a source names an account."""
    return (source.name, source.namespace, source.kind) == (who.name, who.namespace, SERVICE_ACCOUNT)
