"""Labels and annotations that count for nothing: of Open Service Mesh, misspelled, or in the wrong place."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ..resources.core import MONITORED_BY, Namespace, Pod, Service
from ..resources.machines import VirtualMachine
from ..resources.redirection import INJECTION, LISTS
from ..resources.workloads import MAKERS, SETS, CronJob
from ..values.errors import Problem, Severity
from ..values.frozen import EMPTY
from ..values.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..resources.resource import Resource
    from ..resources.workloads import TemplateMeta

__all__ = ["FSM", "NOT_READ", "OSM", "has_names_to_tell", "names_to_tell"]

OSM, FSM = "openservicemesh.io", "flomesh.io"
NOT_READ = "FSE103"
ALIKE = 0.85  # of the names of one mesh, which begin and end alike
LABELS, ANNOTATIONS = "labels", "annotations"
_MAKERS = {kind.kind for kind in MAKERS}
_WORDS = {"exclusion", "inclusion", "ip", "port"}  # of which none stands for another
_OUTBOUND = f"{FSM}/outbound-"  # what begins so is nobody else's

READ_ON: Mapping[tuple[str, str], tuple[str, ...]] = {
    (LABELS, MONITORED_BY): (Namespace.kind,),
    **{(ANNOTATIONS, name): (Pod.kind, VirtualMachine.kind) for name in LISTS},
    (ANNOTATIONS, INJECTION): (Pod.kind, VirtualMachine.kind, Namespace.kind),
    (ANNOTATIONS, f"{FSM}/service-exclusion"): (Service.kind,),
    (ANNOTATIONS, f"{FSM}/service-exclusion-list"): (Namespace.kind,),
    (ANNOTATIONS, f"{FSM}/egress-gateway-mode"): (Service.kind,),
}
"""Of which kinds FSM reads the names that decisions look at (its packages `injector` and `catalog`)."""
_BESIDES = {
    f"{FSM}/{name}"
    for name in (
        "graceful-exit-until-downstream-ends",
        "hold-application-until-proxy-starts",
        "ignore",
        "inbound-port-exclusion-list",
        "metrics",
        "reconcile",
        "sidecar-image",
        "traffic-warmup-aggression",
        "traffic-warmup-duration",
        "traffic-warmup-enable",
        "traffic-warmup-maxweight",
        "traffic-warmup-minweight",
    )
}
_KNOWN = {name for _, name in READ_ON} | _BESIDES


def has_names_to_tell(resource: Resource) -> bool:
    """Whether there is something to say about the labels and annotations of a resource."""
    metadata = resource.metadata
    is_bare = metadata.labels is EMPTY and metadata.annotations is EMPTY and not isinstance(resource, MAKERS)
    return not is_bare and any(True for _ in names_to_tell(resource))


def names_to_tell(resource: Resource) -> Iterator[Problem]:
    """What there is to say about the labels and annotations of a resource, and of the pods that it makes."""
    of_pods: Mapping[str, str] = EMPTY
    template = _template_of(resource)
    if template is not None:
        of_pods, path = template.annotations, _where_pods_are(resource.kind)
        yield from _of_table(Pod.kind, LABELS, template.labels, path)
        yield from _of_table(Pod.kind, ANNOTATIONS, of_pods, path)
    metadata = resource.metadata
    if "ownerReferences" in metadata.extra:
        return  # as its names are copies of what its owner has
    yield from _of_table(resource.kind, LABELS, metadata.labels, "metadata")
    own = {name: text for name, text in metadata.annotations.items() if name not in of_pods}
    yield from _of_table(resource.kind, ANNOTATIONS, own, "metadata")


def _template_of(resource: Resource) -> TemplateMeta | None:
    """Labels and annotations of the pods that a resource makes; None where it makes none."""
    if isinstance(resource, CronJob):
        return resource.spec.job_template.spec.template.metadata
    return resource.spec.template.metadata if isinstance(resource, SETS) else None


def _where_pods_are(kind: str) -> str:
    """Where what makes pods has the metadata of these."""
    return f"spec.{'jobTemplate.spec.' if kind == CronJob.kind else ''}template.metadata"


def _of_table(kind: str, table: str, names: Mapping[str, str], path: str) -> Iterator[Problem]:
    for name in names:
        if name.startswith((OSM, FSM)):
            told = _told(kind, table, name)
            if told is not None:
                yield told.within(f"{path}.{table}.{name}")


@lru_cache(1_000)
def _told(kind: str, table: str, name: str) -> Problem | None:
    """What there is to say about a name of one of the meshes; None where it is read, or somebody else's."""
    if name.startswith(f"{OSM}/"):
        reason = "FSM does not read it, and it counts for nothing"
        return _not_read(f"a name of `{FSM}`", name, name.replace(OSM, FSM), reason)
    read = READ_ON.get((table, name))
    if kind in (read or ()) or name in _BESIDES or not name.startswith(f"{FSM}/"):
        return None
    other = ANNOTATIONS if table == LABELS else LABELS
    for where, kinds in ((table, read), (other, READ_ON.get((other, name)))):
        if kinds is not None:
            is_of_pods = kind in _MAKERS and Pod.kind in kinds
            named = (
                f"`{_where_pods_are(kind)}.{where}`"
                if is_of_pods
                else f"the {where} of a {' or a '.join(kinds)}"
            )
            reason = f"FSM reads it in {named}, and here it counts for nothing"
            return _not_read(f"a name that FSM reads in these {table}", name, None, reason)
    words = _WORDS.intersection(re.split("[/-]", name))
    near = nearest(name, [it for it in _KNOWN if words.issubset(re.split("[/-]", it))], ALIKE)
    if near is None and not name.startswith(_OUTBOUND):
        return None
    return _not_read("a name that FSM reads", name, near, "it counts for nothing")


def _not_read(expected: str, name: str, proposal: str | None, reason: str) -> Problem:
    severity = Severity.WARNING
    return Problem(expected, f"`{name}`", proposal=proposal, reason=reason, severity=severity, code=NOT_READ)
