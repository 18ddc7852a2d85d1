"""The core API group of Kubernetes: services, pods, accounts, namespaces, secrets (`docs/formats.md`)."""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve, field

from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.frozen import EMPTY, FrozenMap
from ..values.net import Address
from ..values.secrecy import unless_empty
from . import checks
from .redirection import INIT, SIDECAR, asked, refused_by_iptables
from .resource import Part, Resource, checked, part, parts

MONITORED_BY = "flomesh.io/monitored-by"


@frozen(field_transformer=checked)
class ServicePort(Part):
    """A port of a Service; `app_protocol` wins over the prefix of `name`."""

    port: int = field(converter=checks.port_number)
    name: str = field(default="", converter=checks.string)
    protocol: str = field(default="TCP", converter=checks.string)
    app_protocol: str | None = field(default=None, converter=checks.optional_string)
    target_port: int | str | None = field(default=None, converter=checks.target_port)


@frozen(field_transformer=checked)
class ServiceSpec(Part):
    """`spec` of a Service."""

    cluster_ip: str = field(default="", converter=checks.cluster_ip)
    selector: FrozenMap[str] = field(default=EMPTY, converter=checks.string_map)
    ports: tuple[ServicePort, ...] = field(default=(), metadata=parts(ServicePort))

    @property
    def headless(self) -> bool:
        """Whether the service has no address of its own."""
        return self.cluster_ip in {"", "None"}


@frozen(field_transformer=checked)
class Service(Resource):
    """A service, inside the mesh or a gateway out of it."""

    kind: ClassVar[str] = "Service"
    api_versions: ClassVar[tuple[str, ...]] = ("v1",)

    spec: ServiceSpec = field(metadata=part(ServiceSpec))


@frozen(field_transformer=checked)
class EndpointAddress(Part):
    """The address of a pod behind a service."""

    ip: Address = field(converter=checks.address)
    hostname: str = field(default="", converter=checks.string)


@frozen(field_transformer=checked)
class EndpointPort(Part):
    """A port that the pods behind a service listen on."""

    port: int = field(converter=checks.port_number)
    name: str = field(default="", converter=checks.string)
    protocol: str = field(default="TCP", converter=checks.string)
    app_protocol: str | None = field(default=None, converter=checks.optional_string)


@frozen(field_transformer=checked)
class EndpointSubset(Part):
    """Addresses that have the same ports."""

    addresses: tuple[EndpointAddress, ...] = field(default=(), metadata=parts(EndpointAddress))
    not_ready_addresses: tuple[EndpointAddress, ...] = field(default=(), metadata=parts(EndpointAddress))
    ports: tuple[EndpointPort, ...] = field(default=(), metadata=parts(EndpointPort))


@frozen(field_transformer=checked)
class Endpoints(Resource):
    """The pods behind the service of the same name."""

    kind: ClassVar[str] = "Endpoints"
    api_versions: ClassVar[tuple[str, ...]] = ("v1",)

    subsets: tuple[EndpointSubset, ...] = field(default=(), metadata=parts(EndpointSubset))


@frozen(field_transformer=checked)
class SliceConditions(Part):
    """What an endpoint is fit for; one that does not say whether it is ready is."""

    ready: bool | None = field(default=None, converter=checks.optional_boolean)


@frozen(field_transformer=checked)
class SliceEndpoint(Part):
    """A pod behind a service, with its addresses of one family."""

    addresses: tuple[str, ...] = field(default=(), converter=checks.strings)
    hostname: str = field(default="", converter=checks.string)
    conditions: SliceConditions = field(factory=SliceConditions, metadata=part(SliceConditions))


@frozen(field_transformer=checked)
class SlicePort(Part):
    """A port that the pods of a slice listen on; without a number it is all of them."""

    port: int | None = field(default=None, converter=checks.optional_port)
    name: str = field(default="", converter=checks.string)
    protocol: str = field(default="TCP", converter=checks.string)
    app_protocol: str | None = field(default=None, converter=checks.optional_string)


IP_FAMILIES = ("IPv4", "IPv6")


@frozen(field_transformer=checked)
class EndpointSlice(Resource):
    """Some of the pods behind a service, which its label names: read where the Endpoints are missing.

    FSM reads Endpoints alone; a load makes of the slices those that a cluster would have.
    """

    kind: ClassVar[str] = "EndpointSlice"
    api_versions: ClassVar[tuple[str, ...]] = ("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1")

    address_type: str = field(default="IPv4", converter=checks.string)
    endpoints: tuple[SliceEndpoint, ...] = field(default=(), metadata=parts(SliceEndpoint))
    ports: tuple[SlicePort, ...] = field(default=(), metadata=parts(SlicePort))

    def __attrs_post_init__(self) -> None:
        if self.address_type in IP_FAMILIES:
            for index, endpoint in enumerate(self.endpoints):
                try:
                    checks.each(checks.address, endpoint.addresses, "addresses")
                except InvalidValue as error:
                    raise error.at(f"endpoints[{index}].addresses") from None


@frozen(field_transformer=checked)
class SecurityContext(Part):
    """Whom a container, or all of a pod, runs as; the rest is carried along."""

    run_as_user: int | None = field(default=None, converter=checks.optional_whole_number)


@frozen(field_transformer=checked)
class Container(Part):
    """A container of a pod: what it is called, its arguments and whom it runs as."""

    name: str = field(default="", converter=checks.string)
    args: tuple[str, ...] = field(default=(), converter=checks.strings, repr=False)
    security_context: SecurityContext = field(factory=SecurityContext, metadata=part(SecurityContext))


@frozen(field_transformer=checked)
class PodSpec(Part):
    """`spec` of a Pod, or of the template of pods; what is not read is carried along.

    `serviceAccount` is the older name of `serviceAccountName`, as an API server reads it: it counts where
    that is not given.
    """

    service_account_name: str = field(default=checks.DEFAULT_ACCOUNT, converter=checks.account_name)
    service_account: str = field(default="", converter=checks.optional_name)
    host_network: bool = field(default=False, converter=checks.boolean)
    node_name: str = field(default="", converter=checks.string)
    containers: tuple[Container, ...] = field(default=(), metadata=parts(Container))
    init_containers: tuple[Container, ...] = field(default=(), metadata=parts(Container))
    security_context: SecurityContext = field(factory=SecurityContext, metadata=part(SecurityContext))

    def __attrs_post_init__(self) -> None:
        is_given = (
            "serviceAccountName" in self.explicit or self.service_account_name != checks.DEFAULT_ACCOUNT
        )
        if self.service_account and not is_given:
            object.__setattr__(self, "service_account_name", self.service_account)

    @property
    def has_sidecar(self) -> bool:
        """Whether FSM has put its sidecar in."""
        return any(it.name == SIDECAR for it in self.containers) or any(
            it.name == INIT for it in self.init_containers
        )


def see_that_it_starts(annotations: FrozenMap[str], spec: PodSpec) -> None:
    """See that iptables takes the lists of a pod that gets a sidecar when it is created.

    One that has its sidecar was started with the lists that it had then.

    Raises:
        InvalidValue: iptables refuses them, and the pod would not start.
    """
    problems = refused_by_iptables(annotations)
    if problems and not (spec.host_network or spec.has_sidecar or asked(annotations) is False):
        raise InvalidValue(*problems).at("metadata")


@frozen(field_transformer=checked)
class PodIP(Part):
    """An address of a pod."""

    ip: Address = field(converter=checks.address)


@frozen(field_transformer=checked)
class PodStatus(Part):
    """`status` of a Pod; its one address, `podIP`, is the first of `podIPs` where these are not given."""

    pod_ips: tuple[PodIP, ...] = field(default=(), metadata=parts(PodIP))
    pod_ip: str = field(default="", converter=checks.optional_address)

    def __attrs_post_init__(self) -> None:
        if self.pod_ip and not self.pod_ips:
            object.__setattr__(self, "pod_ips", (PodIP(self.pod_ip),))


_OVER = ("Succeeded", "Failed")


@frozen(field_transformer=checked)
class Pod(Resource):
    """A pod: whose account it runs under, its addresses, its annotations."""

    kind: ClassVar[str] = "Pod"
    api_versions: ClassVar[tuple[str, ...]] = ("v1",)

    spec: PodSpec = field(factory=PodSpec, metadata=part(PodSpec))
    status: PodStatus = field(factory=PodStatus, metadata=part(PodStatus))

    def __attrs_post_init__(self) -> None:
        see_that_it_starts(self.metadata.annotations, self.spec)

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end: it opens no connections any more."""
        return self.status.extra.get("phase") in _OVER


@frozen(field_transformer=checked)
class Namespace(Resource):
    """A namespace; a mesh watches those whose label `flomesh.io/monitored-by` has its name."""

    kind: ClassVar[str] = "Namespace"
    api_versions: ClassVar[tuple[str, ...]] = ("v1",)

    @property
    def monitored_by(self) -> str | None:
        """The name of the mesh that watches this namespace; None where none does."""
        return self.metadata.labels.get(MONITORED_BY)

    @property
    def monitored(self) -> bool:
        """Whether some mesh watches this namespace; whether it is this one, its `Snapshot.monitors` knows."""
        return self.monitored_by is not None


@frozen(field_transformer=checked)
class ServiceAccount(Resource):
    """An account that pods run under."""

    kind: ClassVar[str] = "ServiceAccount"
    api_versions: ClassVar[tuple[str, ...]] = ("v1",)


@frozen(field_transformer=checked)
class Secret(Resource):
    """A client certificate and its key. What it holds is in no `repr`, error or log."""

    kind: ClassVar[str] = "Secret"
    api_versions: ClassVar[tuple[str, ...]] = ("v1",)

    data: FrozenMap[bytes] = field(default=EMPTY, converter=checks.secret_data, repr=False)
    type: str = field(default="Opaque", converter=checks.string)

    def without_secrets(self) -> Secret:
        """The same without what it holds; the names of its entries are no secret."""
        data = {name: unless_empty(entry.decode("latin-1")).encode() for name, entry in self.data.items()}
        return evolve(self, data=data)
