"""What a tolerant load left out, as data: of which resource, why, and how far it may bear on decisions.

What is lost is somewhere in the cluster, and has its effect there. So a loss errs in both ways: what the rest
says is denied may be allowed, and what it says is allowed may be denied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field

from ..values.construction import frozen
from ..values.errors import Problem
from ..values.references import ResourceRef
from .meshconfig import MeshConfig
from .workloads import MAKERS

if TYPE_CHECKING:
    from .subjects import Subject

__all__ = ["LOST_KINDS", "Bearing", "Loss"]


@frozen
class Bearing:
    """How decisions may differ for a resource that is lost.

    Attributes:
        opens: what is called denied may be allowed.
        hides: what is called allowed may be denied.
        leads: what is allowed may be sent elsewhere.
    """

    opens: bool = False
    hides: bool = False
    leads: bool = False

    def __bool__(self) -> bool:
        return self.opens or self.hides or self.leads

    def on(self, *, is_allowed: bool) -> bool:
        """Whether a decision may differ that allows, or denies."""
        return self.hides or self.leads if is_allowed else self.opens

    def __str__(self) -> str:
        said = {
            "open what is called denied": self.opens,
            "deny what is called allowed": self.hides,
            "lead elsewhere": self.leads,
        }
        return " or ".join(text for text, is_so in said.items() if is_so) or "change no decision"


ANYTHING = Bearing(opens=True, hides=True, leads=True)
NOTHING = Bearing()

LOST_KINDS: dict[str, Bearing] = {
    "MeshConfig": ANYTHING,  # its switches, and the lists of what passes by the sidecar
    "Egress": ANYTHING,  # it opens what it allows, and closes what it claims where the switch opens the rest
    "HTTPRouteGroup": ANYTHING,  # routes of policies and splits
    "UpstreamTrafficSetting": ANYTHING,  # the policies that refer to it count for nothing without it
    "EgressGateway": Bearing(leads=True),
    "Retry": NOTHING,
    "Isolation": ANYTHING,  # addresses that are no service's
    "Service": ANYTHING,  # its addresses are no longer those of egress
    "Endpoints": ANYTHING,  # ditto
    "Pod": ANYTHING,  # its annotations, and what is behind services
    **dict.fromkeys((kind.kind for kind in MAKERS), ANYTHING),  # as of a Pod
    "ServiceImport": ANYTHING,  # addresses that are a service's
    "GlobalTrafficPolicy": ANYTHING,  # whether they are
    "TrafficWarmup": Bearing(leads=True),  # which share each target has
    "Plugin": ANYTHING,  # its script may do so
    "PluginChain": ANYTHING,
    "PluginConfig": ANYTHING,
    "VirtualMachine": ANYTHING,  # as of a Pod
    "ServiceAccount": NOTHING,  # it names an account, and an account that nothing names is looked at anyway
    "Namespace": ANYTHING,  # whether policies and services there count
    "Secret": Bearing(opens=True),  # what a policy claims is denied without its certificate
    "TrafficTarget": ANYTHING,  # which services are reached, and so no longer egress
    "TrafficSplit": ANYTHING,  # where services lead, or that they lead nowhere
}
"""How the loss of a resource of each kind errs; of any other, no one knows."""

# The fields of a MeshConfig that no decision looks at, and what is below them; any other may bear on all.
_BESIDES = (
    "metadata.labels",
    "metadata.annotations",
    "spec.certificate",
    "spec.image",
    "spec.observability",
    "spec.pluginChains",
    "spec.sidecar.compressConfig",
    "spec.sidecar.logLevel",
    "spec.sidecar.sidecarDisabledMTLS",
    "spec.sidecar.sidecarTimeout",
    "spec.featureFlags.enableRetryPolicy",
    "spec.featureFlags.enableSidecarActiveHealthChecks",
)


@frozen
class Loss:
    """A resource that was left out, or the fields of a MeshConfig that could not be read.

    Attributes:
        ref: the resource; None for a text of which nobody knows what it holds.
        place: where it is written: `mesh.yaml:12`.
        problems: why it was left out.
        fields: the fields that were left out, of a MeshConfig; empty where it is the whole.
        accounts: the names and namespaces of whom alone it concerns; None for everybody.
    """

    ref: ResourceRef | None
    place: str
    problems: tuple[Problem, ...] = field(repr=False)
    fields: tuple[str, ...] = ()
    accounts: frozenset[tuple[str, str]] | None = field(default=None, repr=False)

    @property
    def bearing(self) -> Bearing:
        """How decisions may differ for it."""
        if self.ref is None:
            return ANYTHING
        if self.ref.kind == MeshConfig.kind and self.fields:
            return NOTHING if all(map(_is_beside, self.fields)) else ANYTHING
        return LOST_KINDS.get(self.ref.kind, ANYTHING)

    def concerns(self, subject: Subject) -> bool:
        """Whether it may bear on decisions about the connections of an account."""
        return self.accounts is None or (subject.name, subject.namespace) in self.accounts

    def to_mapping(self) -> dict[str, Any]:
        """The loss for machines."""
        return {
            "resource": self.ref and str(self.ref),
            "place": self.place,
            "fields": list(self.fields),
            "could": str(self.bearing),
            "problems": [problem.to_mapping() for problem in self.problems],
        }

    def __str__(self) -> str:
        what = " ".join(
            [str(self.ref) if self.ref else "a document", *([", ".join(self.fields)] if self.fields else [])]
        )
        place = f" ({self.place})" if self.place else ""
        return f"{what}{place} could not be read, and could {self.bearing}"


def _is_beside(path: str) -> bool:
    return any(path == known or path.startswith((f"{known}.", f"{known}[")) for known in _BESIDES)
