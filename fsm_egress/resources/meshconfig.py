"""The API group `config.flomesh.io`: MeshConfig, the mesh-wide configuration (`docs/formats.md`)."""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve, field

from ..values.construction import frozen
from ..values.enums import Word
from ..values.errors import Problem
from ..values.net import Address, Prefix
from ..values.secrecy import unless_empty
from . import checks
from .resource import ObjectMeta, Part, Resource, checked, part, parts
from .words import ServiceAccessMode

# Of Open Service Mesh, which FSM comes from: FSM itself passes such a MeshConfig by.
LEGACY_VERSIONS = (
    "config.openservicemesh.io/v1alpha3",
    "config.openservicemesh.io/v1alpha2",
    "config.openservicemesh.io/v1alpha1",
)


@frozen(field_transformer=checked)
class ServiceAccessNames(Part):
    """Which hostnames a service answers to (`spec.traffic.serviceAccessNames`)."""

    must_with_service_port: bool = field(default=False, converter=checks.boolean)
    with_trust_domain: bool = field(default=True, converter=checks.boolean)
    must_with_namespace: bool = field(default=True, converter=checks.boolean)


@frozen(field_transformer=checked)
class Traffic(Part):
    """`spec.traffic` of a MeshConfig: the mesh-wide switches and the exclusion lists."""

    enable_egress: bool = field(default=False, converter=checks.boolean)
    enable_permissive_traffic_policy_mode: bool = field(default=False, converter=checks.boolean)
    outbound_ip_range_exclusion_list: tuple[Prefix, ...] = field(default=(), converter=checks.listed_ranges)
    outbound_ip_range_inclusion_list: tuple[Prefix, ...] = field(default=(), converter=checks.listed_ranges)
    outbound_port_exclusion_list: tuple[int, ...] = field(default=(), converter=checks.excluded_ports)
    network_interface_exclusion_list: tuple[str, ...] = field(default=(), converter=checks.strings)
    interception_mode: str = field(default="", converter=checks.string)
    http1_per_request_load_balancing: bool = field(default=False, converter=checks.boolean)
    http2_per_request_load_balancing: bool = field(default=False, converter=checks.boolean)
    service_access_mode: ServiceAccessMode = field(
        default=ServiceAccessMode.MIXED, converter=checks.service_access_mode
    )
    service_access_names: ServiceAccessNames = field(
        factory=ServiceAccessNames, metadata=part(ServiceAccessNames)
    )


@frozen(field_transformer=checked)
class FeatureFlags(Part):
    """`spec.featureFlags` of a MeshConfig.

    `enable_egress_policy` is None where the flag is absent: this library reads that as true, as the chart
    sets it; the controller itself reads it as false. An absent `enable_sidecar_pretty_config` is read as
    true, too.
    """

    enable_egress_policy: bool | None = field(default=None, converter=checks.optional_boolean)
    enable_auto_default_route: bool = field(default=False, converter=checks.boolean)
    enable_retry_policy: bool = field(default=False, converter=checks.boolean)
    enable_sidecar_active_health_checks: bool = field(default=False, converter=checks.boolean)
    enable_plugin_policy: bool = field(default=False, converter=checks.boolean)
    enable_traffic_warmup_policy: bool = field(default=False, converter=checks.boolean)
    enable_sidecar_pretty_config: bool | None = field(default=None, converter=checks.optional_boolean)

    @property
    def egress_policies_apply(self) -> bool:
        """Whether Egress policies count: unless the flag says false."""
        return self.enable_egress_policy is not False


@frozen(field_transformer=checked)
class ResolveAddr(Part):
    """An address that the DNS proxy answers with, or replaces; an empty text is none."""

    ipv4: str = field(default="", converter=checks.optional_ipv4)
    ipv6: str = field(default="", converter=checks.string)


@frozen(field_transformer=checked)
class WildcardDN(Part):
    """`spec.sidecar.localDNSProxy.wildcard`: what names resolve to that nobody knows.

    The addresses of `ips` are every service's; those of `los` are replaced in the answers to clients.
    """

    enable: bool = field(default=False, converter=checks.boolean)
    ips: tuple[ResolveAddr, ...] = field(default=(), metadata=parts(ResolveAddr))
    los: tuple[ResolveAddr, ...] = field(default=(), metadata=parts(ResolveAddr))


@frozen(field_transformer=checked)
class LocalDNSProxy(Part):
    """`spec.sidecar.localDNSProxy` of a MeshConfig; what else it knows is carried along."""

    enable: bool = field(default=False, converter=checks.boolean)
    wildcard: WildcardDN = field(factory=WildcardDN, metadata=part(WildcardDN))

    @property
    def everyones(self) -> tuple[Address, ...]:
        """The addresses that every service of the mesh has besides its own."""
        listed = self.wildcard.ips if self.enable and self.wildcard.enable else ()
        return tuple(dict.fromkeys(Address(it.ipv4) for it in listed if it.ipv4))


@frozen(field_transformer=checked)
class Sidecar(Part):
    """`spec.sidecar` of a MeshConfig; `sidecar_timeout` is in seconds."""

    log_level: str = field(default="error", converter=checks.string)
    sidecar_timeout: int = field(default=60, converter=checks.unsigned)
    compress_config: bool = field(default=True, converter=checks.boolean)
    sidecar_disabled_mtls: bool = field(default=False, converter=checks.boolean)
    local_dns_proxy: LocalDNSProxy = field(factory=LocalDNSProxy, metadata=part(LocalDNSProxy))


@frozen(field_transformer=checked)
class PluginChainEntry(Part):
    """One module of a plugin chain; those of higher priority run first."""

    plugin: str = field(converter=checks.string)
    priority: int | float = field(default=0, converter=checks.number)
    disable: bool = field(default=False, converter=checks.boolean)


@frozen(field_transformer=checked)
class PluginChains(Part):
    """`spec.pluginChains` of a MeshConfig; a chain that is None is FSM's default."""

    inbound_tcp: tuple[PluginChainEntry, ...] | None = field(default=None, metadata=parts(PluginChainEntry))
    inbound_http: tuple[PluginChainEntry, ...] | None = field(default=None, metadata=parts(PluginChainEntry))
    outbound_tcp: tuple[PluginChainEntry, ...] | None = field(default=None, metadata=parts(PluginChainEntry))
    outbound_http: tuple[PluginChainEntry, ...] | None = field(default=None, metadata=parts(PluginChainEntry))


@frozen(field_transformer=checked)
class Tracing(Part):
    """`spec.observability.tracing` of a MeshConfig."""

    enable: bool = field(default=False, converter=checks.boolean)
    address: str = field(default="", converter=checks.string)
    port: int = field(default=0, converter=checks.unsigned)
    endpoint: str = field(default="", converter=checks.string)
    sampled_fraction: str | int | float | None = field(default=None, converter=checks.optional_fraction)


@frozen(field_transformer=checked)
class RemoteLogging(Part):
    """`spec.observability.remoteLogging` of a MeshConfig."""

    enable: bool = field(default=False, converter=checks.boolean)
    level: int = field(default=0, converter=checks.unsigned)
    address: str = field(default="", converter=checks.string)
    port: int = field(default=0, converter=checks.unsigned)
    endpoint: str = field(default="", converter=checks.string)
    authorization: str = field(default="", converter=checks.secret_string, repr=False)

    def without_secrets(self) -> RemoteLogging:
        """The same without the credential."""
        return evolve(self, authorization=unless_empty(self.authorization))


@frozen(field_transformer=checked)
class Observability(Part):
    """`spec.observability` of a MeshConfig."""

    tracing: Tracing = field(factory=Tracing, metadata=part(Tracing))
    remote_logging: RemoteLogging = field(factory=RemoteLogging, metadata=part(RemoteLogging))


@frozen(field_transformer=checked)
class ClusterProperty(Part):
    """A name and a value that the sidecar is told about its cluster."""

    name: str = field(converter=checks.string)
    value: str = field(converter=checks.string)


@frozen(field_transformer=checked)
class ClusterSet(Part):
    """`spec.clusterSet` of a MeshConfig."""

    properties: tuple[ClusterProperty, ...] = field(default=(), metadata=parts(ClusterProperty))


@frozen(field_transformer=checked)
class TrafficWarmupSpec(Part):
    """How shares of pods grow with their age: `spec` of a TrafficWarmup, `spec.warmup` of a MeshConfig."""

    enable: bool = field(default=True, converter=checks.boolean)
    duration: str = field(default="90s", converter=checks.duration)
    min_weight: int = field(default=10, converter=checks.unsigned)
    max_weight: int = field(default=100, converter=checks.unsigned)
    aggression: int | float = field(default=1, converter=checks.number)


@frozen(field_transformer=checked)
class MeshConfigSpec(Part):
    """`spec` of a MeshConfig; what has nothing to do with egress is in `extra`."""

    traffic: Traffic = field(factory=Traffic, metadata=part(Traffic))
    feature_flags: FeatureFlags = field(factory=FeatureFlags, metadata=part(FeatureFlags))
    sidecar: Sidecar = field(factory=Sidecar, metadata=part(Sidecar))
    plugin_chains: PluginChains = field(factory=PluginChains, metadata=part(PluginChains))
    observability: Observability = field(factory=Observability, metadata=part(Observability))
    cluster_set: ClusterSet = field(factory=ClusterSet, metadata=part(ClusterSet))
    warmup: TrafficWarmupSpec = field(
        factory=lambda: TrafficWarmupSpec(enable=False), metadata=part(TrafficWarmupSpec)
    )


@frozen(field_transformer=checked)
class MeshConfig(Resource):
    """The configuration of the whole mesh; FSM keeps it as `fsm-mesh-config` in `fsm-system`."""

    kind: ClassVar[str] = "MeshConfig"
    api_versions: ClassVar[tuple[str, ...]] = (
        "config.flomesh.io/v1alpha3",
        "config.flomesh.io/v1alpha2",
        "config.flomesh.io/v1alpha1",
        *LEGACY_VERSIONS,
    )

    metadata: ObjectMeta = field(
        factory=lambda: ObjectMeta("fsm-mesh-config", "fsm-system"), metadata=part(ObjectMeta)
    )
    spec: MeshConfigSpec = field(factory=MeshConfigSpec, metadata=part(MeshConfigSpec))


class Defaults(Word):
    """What is assumed of a mesh without a MeshConfig."""

    FSM = "fsm"
    CHART = "chart"


NO_MESH = Problem(
    "documents of a mesh",
    "none",
    proposal="--defaults fsm",
    reason="nothing can be said about a mesh that is not there; for FSM's defaults alone, say so",
)
"""What is wrong where documents hold no resource, and nobody said what is to be assumed."""

INSTALLED = MeshConfig(
    spec=MeshConfigSpec(
        traffic=Traffic(
            enable_egress=True,
            enable_permissive_traffic_policy_mode=True,
            http2_per_request_load_balancing=True,
        ),
        feature_flags=FeatureFlags(enable_egress_policy=True),
    )
)
"""The MeshConfig that FSM's chart installs, as far as decisions look at it."""
