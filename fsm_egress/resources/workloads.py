"""What makes pods, for its templates: Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs.

ReplicationControllers and Argo's Rollouts are as good, where somebody wrote them.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from attrs import field

from ..values.construction import frozen
from ..values.frozen import EMPTY, FrozenMap
from . import checks
from .core import PodSpec, see_that_it_starts
from .resource import Part, Resource, checked, part

__all__ = [
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "Maker",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "Rollout",
    "StatefulSet",
]


@frozen(field_transformer=checked)
class TemplateMeta(Part):
    """Labels and annotations of the pods that are made; the annotations are in no `repr`."""

    labels: FrozenMap[str] = field(default=EMPTY, converter=checks.string_map)
    annotations: FrozenMap[str] = field(default=EMPTY, converter=checks.string_map, repr=False)


@frozen(field_transformer=checked)
class PodTemplate(Part):
    """`spec.template` of what makes pods."""

    metadata: TemplateMeta = field(factory=TemplateMeta, metadata=part(TemplateMeta))
    spec: PodSpec = field(factory=PodSpec, metadata=part(PodSpec))

    def __attrs_post_init__(self) -> None:
        see_that_it_starts(self.metadata.annotations, self.spec)


@frozen(field_transformer=checked)
class WorkloadSpec(Part):
    """`spec` of what makes pods; all but the template is carried along."""

    template: PodTemplate = field(factory=PodTemplate, metadata=part(PodTemplate))

    @property
    def has_template(self) -> bool:
        """Whether the pods are described here, and not in what a Rollout refers to."""
        return "workloadRef" not in self.extra


@frozen(field_transformer=checked)
class Deployment(Resource):
    """A Deployment, for the pods that it makes."""

    kind: ClassVar[str] = "Deployment"
    api_versions: ClassVar[tuple[str, ...]] = ("apps/v1",)

    spec: WorkloadSpec = field(factory=WorkloadSpec, metadata=part(WorkloadSpec))


@frozen(field_transformer=checked)
class StatefulSet(Resource):
    """A StatefulSet, for the pods that it makes."""

    kind: ClassVar[str] = "StatefulSet"
    api_versions: ClassVar[tuple[str, ...]] = ("apps/v1",)

    spec: WorkloadSpec = field(factory=WorkloadSpec, metadata=part(WorkloadSpec))


@frozen(field_transformer=checked)
class DaemonSet(Resource):
    """A DaemonSet, for the pods that it makes."""

    kind: ClassVar[str] = "DaemonSet"
    api_versions: ClassVar[tuple[str, ...]] = ("apps/v1",)

    spec: WorkloadSpec = field(factory=WorkloadSpec, metadata=part(WorkloadSpec))


@frozen(field_transformer=checked)
class ReplicaSet(Resource):
    """A ReplicaSet, for the pods that it makes."""

    kind: ClassVar[str] = "ReplicaSet"
    api_versions: ClassVar[tuple[str, ...]] = ("apps/v1",)

    spec: WorkloadSpec = field(factory=WorkloadSpec, metadata=part(WorkloadSpec))


@frozen(field_transformer=checked)
class ReplicationController(Resource):
    """A ReplicationController, for the pods that it makes."""

    kind: ClassVar[str] = "ReplicationController"
    api_versions: ClassVar[tuple[str, ...]] = ("v1",)

    spec: WorkloadSpec = field(factory=WorkloadSpec, metadata=part(WorkloadSpec))


@frozen(field_transformer=checked)
class Rollout(Resource):
    """A Rollout of Argo, for the pods that it makes; one that refers to a Deployment has no template."""

    kind: ClassVar[str] = "Rollout"
    api_versions: ClassVar[tuple[str, ...]] = ("argoproj.io/v1alpha1",)

    spec: WorkloadSpec = field(factory=WorkloadSpec, metadata=part(WorkloadSpec))


@frozen(field_transformer=checked)
class Job(Resource):
    """A Job, for the pods that it makes."""

    kind: ClassVar[str] = "Job"
    api_versions: ClassVar[tuple[str, ...]] = ("batch/v1",)

    spec: WorkloadSpec = field(factory=WorkloadSpec, metadata=part(WorkloadSpec))


@frozen(field_transformer=checked)
class JobTemplate(Part):
    """`spec.jobTemplate` of a CronJob."""

    spec: WorkloadSpec = field(factory=WorkloadSpec, metadata=part(WorkloadSpec))


@frozen(field_transformer=checked)
class CronJobSpec(Part):
    """`spec` of a CronJob; all but the template is carried along."""

    job_template: JobTemplate = field(factory=JobTemplate, metadata=part(JobTemplate))


@frozen(field_transformer=checked)
class CronJob(Resource):
    """A CronJob, for the pods of its jobs."""

    kind: ClassVar[str] = "CronJob"
    api_versions: ClassVar[tuple[str, ...]] = ("batch/v1",)

    spec: CronJobSpec = field(factory=CronJobSpec, metadata=part(CronJobSpec))


PARTS: tuple[type[Part], ...] = (TemplateMeta, PodTemplate, WorkloadSpec, JobTemplate, CronJobSpec)
"""What they are made of besides pods."""

Maker: TypeAlias = Deployment | StatefulSet | DaemonSet | ReplicaSet | ReplicationController | Rollout | Job
"""What has its template in `spec.template`."""
SETS: tuple[type[Maker], ...] = (
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
    Rollout,
    Job,
)
MAKERS: tuple[type[Maker | CronJob], ...] = (*SETS, CronJob)
"""Every kind that makes pods."""
