"""The API group `policy.flomesh.io`: Egress and what shapes egress besides (`docs/formats.md`)."""

from __future__ import annotations

from typing import ClassVar

from attrs import field

from ..values.construction import frozen
from ..values.errors import InvalidValue, Problem
from ..values.net import Prefix
from . import checks
from .meshconfig import TrafficWarmupSpec
from .resource import Part, Resource, checked, part, parts
from .words import Protocol


@frozen(field_transformer=checked)
class SecretReference(Part):
    """A Secret by name, and by namespace where that is not the referring resource's own."""

    name: str = field(default="", converter=checks.optional_name)
    namespace: str = field(default="", converter=checks.optional_name)


@frozen(field_transformer=checked)
class SourceCertificate(Part):
    """The client certificate of an egress source (`mtls.cert`)."""

    sn: int | None = field(default=None, converter=checks.optional_whole_number)
    subject_alt_names: tuple[str, ...] = field(default=(), converter=checks.strings)
    expiration: str = field(default="", converter=checks.string)
    secret: SecretReference | None = field(default=None, metadata=part(SecretReference))


@frozen(field_transformer=checked)
class SourceMTLS(Part):
    """How an egress source identifies itself to the outside (`mtls`)."""

    issuer: str = field(default="", converter=checks.string)
    cert: SourceCertificate | None = field(default=None, metadata=part(SourceCertificate))

    @property
    def issued_by_fsm(self) -> bool:
        """Whether the mesh's own certificate is used."""
        return self.issuer.lower() == "fsm"


@frozen(field_transformer=checked)
class EgressSource(Part):
    """Whom an Egress policy allows; any other kind than `ServiceAccount` names nobody."""

    kind: str = field(converter=checks.string)
    name: str = field(converter=checks.resource_name)
    namespace: str = field(converter=checks.resource_name)
    mtls: SourceMTLS | None = field(default=None, metadata=part(SourceMTLS))


@frozen(field_transformer=checked)
class EgressPort(Part):
    """A port that an Egress policy opens, and what may be spoken there."""

    number: int = field(converter=checks.port_number)
    protocol: Protocol = field(converter=checks.egress_protocol)


ROUTE_GROUP = "HTTPRouteGroup"
UPSTREAM_SETTING = "UpstreamTrafficSetting"
MATCH_KINDS = {
    "specs.smi-spec.io/v1alpha4": ROUTE_GROUP,
    "policy.flomesh.io/v1alpha1": UPSTREAM_SETTING,
    "policy.openservicemesh.io/v1alpha1": UPSTREAM_SETTING,
}


@frozen(field_transformer=checked)
class EgressMatch(Part):
    """A reference to an HTTPRouteGroup or an UpstreamTrafficSetting in the policy's own namespace."""

    api_group: str = field(converter=checks.string)
    kind: str = field(converter=checks.string)
    name: str = field(converter=checks.resource_name)

    def __attrs_post_init__(self) -> None:
        if MATCH_KINDS.get(self.api_group) == self.kind:
            return
        groups = [group for group, kind in MATCH_KINDS.items() if kind == self.kind]
        if groups:
            names = " or ".join(f"`{group}`" for group in groups)
            raise InvalidValue.of(names, self.api_group, proposal=groups[0]).at("api_group")
        kind = MATCH_KINDS.get(self.api_group)
        raise InvalidValue.of(f"`{ROUTE_GROUP}` or `{UPSTREAM_SETTING}`", self.kind, proposal=kind).at("kind")


@frozen(field_transformer=checked)
class EgressSpec(Part):
    """`spec` of an Egress policy."""

    sources: tuple[EgressSource, ...] = field(default=(), metadata=parts(EgressSource))
    hosts: tuple[str, ...] = field(default=(), converter=checks.hosts)
    ip_addresses: tuple[Prefix, ...] = field(default=(), converter=checks.prefixes)
    ports: tuple[EgressPort, ...] = field(default=(), metadata=parts(EgressPort))
    matches: tuple[EgressMatch, ...] = field(default=(), metadata=parts(EgressMatch))

    def __attrs_post_init__(self) -> None:
        if len(self.matches) < 2:  # noqa: PLR2004  # because two are needed for one too many
            return
        settings = [index for index, match in enumerate(self.matches) if match.kind == UPSTREAM_SETTING]
        for index in settings[1:]:
            expected = f"at most one `{UPSTREAM_SETTING}`"
            raise InvalidValue(Problem(expected, found=f"{len(settings)} of them", path=f"matches[{index}]"))


@frozen(field_transformer=checked)
class EgressPolicy(Resource):
    """An allow rule for traffic that leaves the mesh (kind `Egress`); without `spec` it is for nobody."""

    kind: ClassVar[str] = "Egress"
    api_versions: ClassVar[tuple[str, ...]] = (
        "policy.flomesh.io/v1alpha1",
        "policy.openservicemesh.io/v1alpha1",
    )

    spec: EgressSpec = field(factory=EgressSpec, metadata=part(EgressSpec))


@frozen(field_transformer=checked)
class TCPConnectionSettings(Part):
    """`connectionSettings.tcp` of an UpstreamTrafficSetting."""

    max_connections: int | None = field(default=None, converter=checks.optional_unsigned)
    connect_timeout: str | None = field(default=None, converter=checks.optional_duration)


@frozen(field_transformer=checked)
class CircuitBreaking(Part):
    """`connectionSettings.http.circuitBreaking` of an UpstreamTrafficSetting."""

    stat_time_window: str | None = field(default=None, converter=checks.optional_duration)
    min_request_amount: int = field(default=0, converter=checks.unsigned)
    degraded_time_window: str | None = field(default=None, converter=checks.optional_duration)
    slow_time_threshold: str | None = field(default=None, converter=checks.optional_duration)
    slow_amount_threshold: int | None = field(default=None, converter=checks.optional_unsigned)
    slow_ratio_threshold: float | None = field(default=None, converter=checks.optional_ratio)
    error_amount_threshold: int | None = field(default=None, converter=checks.optional_unsigned)
    error_ratio_threshold: float | None = field(default=None, converter=checks.optional_ratio)
    degraded_status_code: int | None = field(default=None, converter=checks.optional_unsigned)
    degraded_response_content: str | None = field(default=None, converter=checks.optional_string)


@frozen(field_transformer=checked)
class HTTPConnectionSettings(Part):
    """`connectionSettings.http` of an UpstreamTrafficSetting."""

    max_requests: int | None = field(default=None, converter=checks.optional_unsigned)
    max_requests_per_connection: int | None = field(default=None, converter=checks.optional_unsigned)
    max_pending_requests: int | None = field(default=None, converter=checks.optional_unsigned)
    max_retries: int | None = field(default=None, converter=checks.optional_unsigned)
    circuit_breaking: CircuitBreaking | None = field(default=None, metadata=part(CircuitBreaking))


@frozen(field_transformer=checked)
class ConnectionSettings(Part):
    """`spec.connectionSettings` of an UpstreamTrafficSetting."""

    tcp: TCPConnectionSettings | None = field(default=None, metadata=part(TCPConnectionSettings))
    http: HTTPConnectionSettings | None = field(default=None, metadata=part(HTTPConnectionSettings))


@frozen(field_transformer=checked)
class UpstreamTrafficSettingSpec(Part):
    """`spec` of an UpstreamTrafficSetting."""

    host: str = field(converter=checks.string)
    connection_settings: ConnectionSettings | None = field(default=None, metadata=part(ConnectionSettings))


@frozen(field_transformer=checked)
class UpstreamTrafficSetting(Resource):
    """Limits for the connections to a host; without `spec` there are none, and the host is empty."""

    kind: ClassVar[str] = UPSTREAM_SETTING
    api_versions: ClassVar[tuple[str, ...]] = (
        "policy.flomesh.io/v1alpha1",
        "policy.openservicemesh.io/v1alpha1",
    )

    spec: UpstreamTrafficSettingSpec = field(
        factory=lambda: UpstreamTrafficSettingSpec(""), metadata=part(UpstreamTrafficSettingSpec)
    )


@frozen(field_transformer=checked)
class GlobalEgressGateway(Part):
    """A gateway service that carries the mesh's egress; no weight counts as 100, and so does 0."""

    service: str = field(converter=checks.resource_name)
    namespace: str = field(converter=checks.resource_name)
    weight: int | None = field(default=None, converter=checks.optional_unsigned)


@frozen(field_transformer=checked)
class EgressGatewaySpec(Part):
    """`spec` of an EgressGateway; `global_` is the field `global`, None where it is absent."""

    global_: tuple[GlobalEgressGateway, ...] | None = field(default=None, metadata=parts(GlobalEgressGateway))


@frozen(field_transformer=checked)
class EgressGateway(Resource):
    """Which services the mesh's egress is tunnelled through."""

    kind: ClassVar[str] = "EgressGateway"
    api_versions: ClassVar[tuple[str, ...]] = ("policy.flomesh.io/v1alpha1",)

    spec: EgressGatewaySpec = field(factory=EgressGatewaySpec, metadata=part(EgressGatewaySpec))


@frozen(field_transformer=checked)
class IsolationSpec(Part):
    """`spec` of an Isolation."""

    cidrs: tuple[Prefix, ...] = field(default=(), converter=checks.prefixes)


@frozen(field_transformer=checked)
class Isolation(Resource):
    """Addresses that no service of the mesh is reached at; the kind has no namespace."""

    kind: ClassVar[str] = "Isolation"
    api_versions: ClassVar[tuple[str, ...]] = ("policy.flomesh.io/v1alpha1",)

    spec: IsolationSpec = field(factory=IsolationSpec, metadata=part(IsolationSpec))


@frozen(field_transformer=checked)
class TrafficWarmup(Resource):
    """Pods of the service of its name have shares that grow with their age."""

    kind: ClassVar[str] = "TrafficWarmup"
    api_versions: ClassVar[tuple[str, ...]] = ("policy.flomesh.io/v1alpha1",)

    spec: TrafficWarmupSpec = field(factory=TrafficWarmupSpec, metadata=part(TrafficWarmupSpec))


@frozen(field_transformer=checked)
class RetrySource(Part):
    """Whose requests are retried."""

    kind: str = field(converter=checks.string)
    name: str = field(converter=checks.resource_name)
    namespace: str = field(converter=checks.resource_name)


_NOBODY = RetrySource("", "nobody", "nobody")  # as an empty kind is no account's


@frozen(field_transformer=checked)
class RetryPolicy(Part):
    """When, how often and how fast a request is tried again."""

    retry_on: str = field(default="", converter=checks.string)
    per_try_timeout: str | None = field(default=None, converter=checks.optional_duration)
    num_retries: int | None = field(default=None, converter=checks.optional_unsigned)
    retry_backoff_base_interval: str | None = field(default=None, converter=checks.optional_duration)


@frozen(field_transformer=checked)
class RetrySpec(Part):
    """`spec` of a Retry."""

    source: RetrySource = field(metadata=part(RetrySource))
    destinations: tuple[RetrySource, ...] = field(default=(), metadata=parts(RetrySource))
    retry_policy: RetryPolicy = field(factory=RetryPolicy, metadata=part(RetryPolicy))


@frozen(field_transformer=checked)
class Retry(Resource):
    """A retry policy for requests from one account to some services; without `spec` it is for nobody."""

    kind: ClassVar[str] = "Retry"
    api_versions: ClassVar[tuple[str, ...]] = (
        "policy.flomesh.io/v1alpha1",
        "policy.openservicemesh.io/v1alpha1",
    )

    spec: RetrySpec = field(factory=lambda: RetrySpec(_NOBODY), metadata=part(RetrySpec))
