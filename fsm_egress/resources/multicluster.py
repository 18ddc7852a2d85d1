"""The API group `multicluster.flomesh.io`: services of other clusters, and how they share the traffic."""

from __future__ import annotations

from typing import ClassVar

from attrs import field

from ..values.construction import frozen
from ..values.net import Address
from . import checks
from .resource import Part, Resource, checked, part, parts
from .words import LoadBalancing

__all__ = [
    "GlobalTrafficPolicy",
    "GlobalTrafficPolicySpec",
    "GlobalTrafficTarget",
    "ImportedEndpoint",
    "ImportedPort",
    "ImportedTarget",
    "ServiceImport",
    "ServiceImportSpec",
]


@frozen(field_transformer=checked)
class ImportedTarget(Part):
    """Where another cluster is reached for a service."""

    ip: Address = field(converter=checks.address)
    port: int = field(converter=checks.port_number)
    host: str = field(default="", converter=checks.string)
    path: str = field(default="", converter=checks.string)


@frozen(field_transformer=checked)
class ImportedEndpoint(Part):
    """A way to a service in another cluster."""

    target: ImportedTarget = field(metadata=part(ImportedTarget))
    cluster_key: str = field(default="", converter=checks.string)


@frozen(field_transformer=checked)
class ImportedPort(Part):
    """A port of a service in other clusters."""

    port: int = field(converter=checks.port_number)
    name: str = field(default="", converter=checks.string)
    protocol: str = field(default="TCP", converter=checks.string)
    app_protocol: str | None = field(default=None, converter=checks.optional_string)
    endpoints: tuple[ImportedEndpoint, ...] = field(default=(), metadata=parts(ImportedEndpoint))


@frozen(field_transformer=checked)
class ServiceImportSpec(Part):
    """`spec` of a ServiceImport; of what else Kubernetes has there nothing is read."""

    ports: tuple[ImportedPort, ...] = field(default=(), metadata=parts(ImportedPort))
    service_account_name: str = field(default="", converter=checks.string)


@frozen(field_transformer=checked)
class ServiceImport(Resource):
    """A service that other clusters have: of effect with a GlobalTrafficPolicy of its name alone."""

    kind: ClassVar[str] = "ServiceImport"
    api_versions: ClassVar[tuple[str, ...]] = ("multicluster.flomesh.io/v1alpha1",)

    spec: ServiceImportSpec = field(factory=ServiceImportSpec, metadata=part(ServiceImportSpec))


@frozen(field_transformer=checked)
class GlobalTrafficTarget(Part):
    """A cluster that takes part, and its weight."""

    cluster_key: str = field(converter=checks.string)
    weight: int | None = field(default=None, converter=checks.optional_unsigned)


@frozen(field_transformer=checked)
class GlobalTrafficPolicySpec(Part):
    """`spec` of a GlobalTrafficPolicy."""

    lb_type: LoadBalancing = field(default=LoadBalancing.LOCALITY, converter=checks.load_balancing)
    targets: tuple[GlobalTrafficTarget, ...] = field(default=(), metadata=parts(GlobalTrafficTarget))


@frozen(field_transformer=checked)
class GlobalTrafficPolicy(Resource):
    """How the clusters share the traffic of the service of its name."""

    kind: ClassVar[str] = "GlobalTrafficPolicy"
    api_versions: ClassVar[tuple[str, ...]] = ("multicluster.flomesh.io/v1alpha1",)

    spec: GlobalTrafficPolicySpec = field(
        factory=GlobalTrafficPolicySpec, metadata=part(GlobalTrafficPolicySpec)
    )
