"""Pods, and the templates that pods are made from: all that opens connections, in one form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources.core import Pod, PodSpec
from ..resources.resource import Resource
from ..resources.workloads import SETS, CronJob, PodTemplate
from ..values.construction import frozen
from ..values.frozen import FrozenMap
from ..values.net import Prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..snapshot import Snapshot
    from ..values.references import FieldRef

__all__ = ["HOST_KINDS", "Host", "hosts_by_address", "hosts_by_name", "hosts_of"]

HOST_KINDS = (Pod, *SETS, CronJob)
UUID_LABEL = "fsm-proxy-uuid"
_OWNED = "ownerReferences"


@frozen(eq=False)
class Host:
    """A pod, or the pods of a template.

    Attributes:
        resource: the Pod, or what has the template.
        path: where in the resource the pod is described: `spec.template.`, or nothing for a Pod.
        labels: those of the pod.
        annotations: those of the pod.
        spec: that of the pod.
        own: the addresses of the pod, where it has some.
    """

    resource: Resource
    path: str
    labels: FrozenMap[str]
    annotations: FrozenMap[str]
    spec: PodSpec
    own: tuple[Prefix, ...] = ()

    @property
    def name(self) -> str:
        """What it is called as a subject: `pod/cart-0`, `deployment/cart`."""
        return f"{self.resource.kind.lower()}/{self.resource.name}"

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.resource.namespace

    @property
    def account(self) -> tuple[str, str]:
        """The name and the namespace of the account that it runs under."""
        return self.spec.service_account_name, self.resource.namespace

    @property
    def is_running(self) -> bool:
        """Whether it is a pod that has been placed on a node, so that nothing is added to it any more."""
        return isinstance(self.resource, Pod) and bool(
            self.spec.containers and (self.own or self.spec.node_name)
        )

    @property
    def is_over(self) -> bool:
        """Whether it is a pod that has ended: logs may name it, and it opens no connections any more."""
        return isinstance(self.resource, Pod) and self.resource.is_over

    def at(self, path: str) -> FieldRef:
        """A field of the pod."""
        return self.resource.at(f"{self.path}{path}".rstrip("."))


def hosts_of(snapshot: Snapshot) -> tuple[Host, ...]:
    """Every pod and template, by kind, namespace and name; what something makes stands in that."""
    return snapshot.once(_hosts, HOST_KINDS)


def hosts_by_name(snapshot: Snapshot) -> Mapping[tuple[str, str], Host]:
    """The same by namespace and name."""
    return snapshot.once(_by_name, HOST_KINDS)


def hosts_by_address(snapshot: Snapshot) -> Mapping[Prefix, tuple[Host, ...]]:
    """The same by each address of their own, as a prefix of its full length."""
    return snapshot.once(_by_address, HOST_KINDS)


def _by_address(snapshot: Snapshot) -> Mapping[Prefix, tuple[Host, ...]]:
    found: dict[Prefix, list[Host]] = {}
    for host in hosts_of(snapshot):
        for prefix in host.own:
            found.setdefault(prefix, []).append(host)
    return {prefix: tuple(hosts) for prefix, hosts in found.items()}


def _by_name(snapshot: Snapshot) -> Mapping[tuple[str, str], Host]:
    return {(host.namespace, host.name): host for host in hosts_of(snapshot)}


def _hosts(snapshot: Snapshot) -> tuple[Host, ...]:
    return tuple(_listed(snapshot))


def _listed(snapshot: Snapshot) -> Iterator[Host]:
    for pod in snapshot.kind(Pod):
        own = tuple(dict.fromkeys(Prefix.host(it.ip) for it in pod.status.pod_ips))
        yield Host(pod, "", pod.metadata.labels, pod.metadata.annotations, pod.spec, own)
    for maker in (it for kind in SETS for it in snapshot.kind(kind)):
        if maker.spec.has_template and _OWNED not in maker.metadata.extra:
            yield _host(maker, "spec.template.", maker.spec.template)
    for job in snapshot.kind(CronJob):
        yield _host(job, "spec.jobTemplate.spec.template.", job.spec.job_template.spec.template)


def _host(maker: Resource, path: str, template: PodTemplate) -> Host:
    return Host(maker, path, template.metadata.labels, template.metadata.annotations, template.spec)
