"""The models of all resources: as strict in Python as from a document, frozen, and with FSM's defaults."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

import fsm_egress as fe
from fsm_egress.manifests.wire_names import FIELDS
from fsm_egress.patterns import Pattern
from fsm_egress.resources.core import (
    Container,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    Namespace,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
    Secret,
    SecurityContext,
    Service,
    ServiceAccount,
    ServicePort,
    ServiceSpec,
    SliceConditions,
    SliceEndpoint,
    SlicePort,
)
from fsm_egress.resources.egress import (
    CircuitBreaking,
    ConnectionSettings,
    EgressGateway,
    EgressGatewaySpec,
    EgressMatch,
    EgressPolicy,
    EgressPort,
    EgressSource,
    EgressSpec,
    GlobalEgressGateway,
    HTTPConnectionSettings,
    Isolation,
    IsolationSpec,
    Retry,
    RetryPolicy,
    RetrySource,
    RetrySpec,
    SecretReference,
    SourceCertificate,
    SourceMTLS,
    TCPConnectionSettings,
    TrafficWarmup,
    UpstreamTrafficSetting,
    UpstreamTrafficSettingSpec,
)
from fsm_egress.resources.kinds import READ
from fsm_egress.resources.machines import VirtualMachine, VirtualMachineSpec
from fsm_egress.resources.meshconfig import (
    ClusterProperty,
    ClusterSet,
    FeatureFlags,
    LocalDNSProxy,
    MeshConfig,
    MeshConfigSpec,
    Observability,
    PluginChainEntry,
    PluginChains,
    RemoteLogging,
    ResolveAddr,
    ServiceAccessNames,
    Sidecar,
    Tracing,
    Traffic,
    TrafficWarmupSpec,
    WildcardDN,
)
from fsm_egress.resources.multicluster import (
    GlobalTrafficPolicy,
    GlobalTrafficPolicySpec,
    GlobalTrafficTarget,
    ImportedEndpoint,
    ImportedPort,
    ImportedTarget,
    ServiceImport,
    ServiceImportSpec,
)
from fsm_egress.resources.plugins import (
    ChainSelectors,
    LabelRequirement,
    LabelSelector,
    Plugin,
    PluginChain,
    PluginChainSpec,
    PluginConfig,
    PluginConfigSpec,
    PluginDestination,
    PluginMount,
    PluginSpec,
)
from fsm_egress.resources.resource import ObjectMeta, Part, Resource
from fsm_egress.resources.smi import (
    HTTPMatch,
    HTTPRouteGroup,
    HTTPRouteGroupSpec,
    IdentityReference,
    SplitBackend,
    SplitMatch,
    TrafficSplit,
    TrafficSplitSpec,
    TrafficTarget,
    TrafficTargetRule,
    TrafficTargetSpec,
)
from fsm_egress.resources.words import Protocol, ServiceAccessMode
from fsm_egress.resources.workloads import MAKERS, PARTS
from fsm_egress.values.errors import InvalidValue
from fsm_egress.values.frozen import FrozenMap
from fsm_egress.values.net import Address, Prefix

if TYPE_CHECKING:
    from collections.abc import Callable

META = ObjectMeta("httpbin", "curl")
GROUPS = "specs.smi-spec.io/v1alpha4"
SETTINGS = "policy.flomesh.io/v1alpha1"
A_KIND = "`HTTPRouteGroup` or `UpstreamTrafficSetting`"
LEGACY = "policy.openservicemesh.io/v1alpha1"

# One value of every class, with as little said as is possible.
LEAST: list[Part] = [
    META,
    Container(),
    SecurityContext(),
    *(kind() for kind in PARTS),
    *(kind(META) for kind in MAKERS),
    ServiceAccessNames(),
    Traffic(),
    FeatureFlags(),
    ResolveAddr(),
    WildcardDN(),
    LocalDNSProxy(),
    Sidecar(),
    PluginChainEntry("modules/a"),
    PluginChains(),
    Tracing(),
    RemoteLogging(),
    Observability(),
    ClusterProperty("a", "b"),
    ClusterSet(),
    MeshConfigSpec(),
    MeshConfig(),
    SecretReference("cert"),
    SourceCertificate(),
    SourceMTLS("fsm"),
    EgressSource("ServiceAccount", "curl", "curl"),
    EgressPort(443, Protocol.HTTPS),
    EgressMatch(GROUPS, "HTTPRouteGroup", "routes"),
    EgressSpec(),
    EgressPolicy(META, EgressSpec()),
    TCPConnectionSettings(),
    CircuitBreaking(),
    HTTPConnectionSettings(),
    ConnectionSettings(),
    UpstreamTrafficSettingSpec("httpbin.org"),
    UpstreamTrafficSetting(META, UpstreamTrafficSettingSpec("httpbin.org")),
    GlobalEgressGateway("gateway", "egress"),
    EgressGatewaySpec(),
    EgressGateway(META, EgressGatewaySpec()),
    RetrySource("ServiceAccount", "curl", "curl"),
    RetryPolicy(),
    RetrySpec(RetrySource("ServiceAccount", "curl", "curl")),
    Retry(META, RetrySpec(RetrySource("ServiceAccount", "curl", "curl"))),
    HTTPMatch(),
    HTTPRouteGroupSpec(),
    HTTPRouteGroup(META, HTTPRouteGroupSpec()),
    IdentityReference("ServiceAccount", "curl"),
    TrafficTargetRule("HTTPRouteGroup", "routes"),
    TrafficTargetSpec(IdentityReference("ServiceAccount", "curl")),
    TrafficTarget(META, TrafficTargetSpec(IdentityReference("ServiceAccount", "curl"))),
    SplitBackend("v1", 1),
    SplitMatch("HTTPRouteGroup", "routes"),
    TrafficSplitSpec("apex"),
    TrafficSplit(META, TrafficSplitSpec("apex")),
    ServicePort(80),
    ServiceSpec(),
    Service(META, ServiceSpec()),
    EndpointAddress(Address("10.0.0.1")),
    EndpointPort(80),
    EndpointSubset(),
    Endpoints(META),
    SliceConditions(),
    SliceEndpoint(),
    SlicePort(),
    EndpointSlice(META),
    PodSpec(),
    PodIP(Address("10.0.0.1")),
    PodStatus(),
    Pod(META),
    Namespace(ObjectMeta("curl")),
    ServiceAccount(META),
    Secret(META),
    IsolationSpec(),
    Isolation(ObjectMeta("out"), IsolationSpec()),
    ImportedTarget(Address("10.9.0.1"), 80),
    ImportedEndpoint(ImportedTarget(Address("10.9.0.1"), 80)),
    ImportedPort(80),
    ServiceImportSpec(),
    ServiceImport(META),
    GlobalTrafficTarget("b"),
    GlobalTrafficPolicySpec(),
    GlobalTrafficPolicy(META),
    TrafficWarmupSpec(),
    TrafficWarmup(META),
    PluginSpec(),
    Plugin(META),
    PluginMount("outbound-http"),
    LabelRequirement("app", "Exists"),
    LabelSelector(),
    ChainSelectors(),
    PluginChainSpec(),
    PluginChain(META),
    PluginDestination(),
    PluginConfigSpec("auth"),
    PluginConfig(META, PluginConfigSpec("auth")),
    VirtualMachineSpec(Address("10.3.0.1")),
    VirtualMachine(META, VirtualMachineSpec(Address("10.3.0.1"))),
]

each_model = pytest.mark.parametrize("value", LEAST, ids=lambda value: type(value).__name__)


def refused(make: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(InvalidValue) as caught:
        make(*args, **kwargs)
    return str(caught.value)


def test_every_model_is_looked_at() -> None:
    assert {type(value) for value in LEAST} == set(FIELDS)


@each_model
def test_a_model_never_changes_and_has_no_room_for_more(value: Part) -> None:
    for field in attrs.fields(type(value)):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, None)
    with pytest.raises((AttributeError, FrozenInstanceError)):
        value.a_field_that_nobody_has_thought_of = 1  # type: ignore[attr-defined]  # because that must fail
    assert not hasattr(value, "__dict__")


@each_model
def test_a_model_is_a_value(value: Part) -> None:
    for other in (copy.deepcopy(value), pickle.loads(pickle.dumps(value)), attrs.evolve(value)):  # noqa: S301  # because the bytes are our own
        assert other == value
        assert hash(other) == hash(value)
        assert repr(other) == repr(value)


@each_model
def test_no_field_takes_just_anything(value: Part) -> None:
    alien = object()
    unchecked = {"explicit", "source"} if isinstance(value, Resource) else {"explicit"}
    for field in attrs.fields(type(value)):
        if field.name not in unchecked:
            message = refused(attrs.evolve, value, **{field.name: alien})
            assert message.startswith(f"{field.name}: expected ")


@each_model
def test_numbers_are_no_texts_and_texts_no_numbers(value: Part) -> None:
    for field in attrs.fields(type(value)):
        held = getattr(value, field.name)
        wrong = {bool: 1, int: str(held), str: 5}.get(type(held)) if not isinstance(held, Protocol) else 5
        if wrong is not None:
            assert refused(attrs.evolve, value, **{field.name: wrong}).startswith(f"{field.name}: expected ")


def test_every_kind_is_read_once_per_version() -> None:
    pairs = [(version, kind.kind) for kind in READ for version in kind.api_versions]
    assert sorted(pairs) == [
        ("access.smi-spec.io/v1alpha3", "TrafficTarget"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("argoproj.io/v1alpha1", "Rollout"),
        ("batch/v1", "CronJob"),
        ("batch/v1", "Job"),
        ("config.flomesh.io/v1alpha1", "MeshConfig"),
        ("config.flomesh.io/v1alpha2", "MeshConfig"),
        ("config.flomesh.io/v1alpha3", "MeshConfig"),
        ("config.openservicemesh.io/v1alpha1", "MeshConfig"),
        ("config.openservicemesh.io/v1alpha2", "MeshConfig"),
        ("config.openservicemesh.io/v1alpha3", "MeshConfig"),
        ("discovery.k8s.io/v1", "EndpointSlice"),
        ("discovery.k8s.io/v1beta1", "EndpointSlice"),
        ("machine.flomesh.io/v1alpha1", "VirtualMachine"),
        ("multicluster.flomesh.io/v1alpha1", "GlobalTrafficPolicy"),
        ("multicluster.flomesh.io/v1alpha1", "ServiceImport"),
        ("plugin.flomesh.io/v1alpha1", "Plugin"),
        ("plugin.flomesh.io/v1alpha1", "PluginChain"),
        ("plugin.flomesh.io/v1alpha1", "PluginConfig"),
        (SETTINGS, "Egress"),
        (SETTINGS, "EgressGateway"),
        (SETTINGS, "Isolation"),
        (SETTINGS, "Retry"),
        (SETTINGS, "TrafficWarmup"),
        (SETTINGS, "UpstreamTrafficSetting"),
        (LEGACY, "Egress"),
        (LEGACY, "Retry"),
        (LEGACY, "UpstreamTrafficSetting"),
        (GROUPS, "HTTPRouteGroup"),
        ("split.smi-spec.io/v1alpha2", "TrafficSplit"),
        ("split.smi-spec.io/v1alpha4", "TrafficSplit"),
        ("v1", "Endpoints"),
        ("v1", "Namespace"),
        ("v1", "Pod"),
        ("v1", "ReplicationController"),
        ("v1", "Secret"),
        ("v1", "Service"),
        ("v1", "ServiceAccount"),
    ]
    assert {type(value) for value in LEAST if isinstance(value, Resource)} == set(READ)


class TestMeshConfig:
    def test_the_addresses_of_the_wildcard_are_everyones_where_it_is_on(self) -> None:
        wildcard = WildcardDN(
            enable=True, ips=(ResolveAddr("203.0.113.77"), ResolveAddr(), ResolveAddr("203.0.113.77"))
        )
        proxy = LocalDNSProxy(enable=True, wildcard=wildcard)
        assert proxy.everyones == (Address("203.0.113.77"),)
        assert attrs.evolve(proxy, enable=False).everyones == ()
        assert attrs.evolve(proxy, wildcard=attrs.evolve(wildcard, enable=False)).everyones == ()

    def test_the_defaults(self) -> None:
        mesh = MeshConfig()
        traffic, flags, sidecar = mesh.spec.traffic, mesh.spec.feature_flags, mesh.spec.sidecar
        assert str(mesh.ref) == "MeshConfig fsm-system/fsm-mesh-config"
        assert mesh.api_version == "config.flomesh.io/v1alpha3"
        assert traffic == Traffic(
            enable_egress=False,
            enable_permissive_traffic_policy_mode=False,
            outbound_ip_range_exclusion_list=(),
            outbound_ip_range_inclusion_list=(),
            outbound_port_exclusion_list=(),
            http1_per_request_load_balancing=False,
            http2_per_request_load_balancing=False,
            service_access_mode=ServiceAccessMode.MIXED,
            service_access_names=ServiceAccessNames(
                must_with_service_port=False, with_trust_domain=True, must_with_namespace=True
            ),
        )
        assert flags == FeatureFlags(
            enable_egress_policy=None,
            enable_auto_default_route=False,
            enable_retry_policy=False,
            enable_sidecar_active_health_checks=False,
        )
        assert sidecar == Sidecar(
            log_level="error",
            sidecar_timeout=60,
            compress_config=True,
            sidecar_disabled_mtls=False,
            local_dns_proxy=LocalDNSProxy(enable=False),
        )
        assert mesh.spec.plugin_chains == PluginChains(None, None, None, None)
        assert mesh.spec.observability.tracing.enable is False
        assert mesh.spec.observability.remote_logging.enable is False
        assert mesh.spec.cluster_set.properties == ()

    @pytest.mark.parametrize(("flag", "apply"), [(None, True), (True, True), (False, False)])
    def test_egress_policies_apply_unless_the_flag_says_false(self, flag: bool | None, apply: bool) -> None:
        assert FeatureFlags(enable_egress_policy=flag).egress_policies_apply is apply

    def test_the_exclusions_are_networks_and_ports(self) -> None:
        ranges: list[Any] = ["10.1.2.3/8", Prefix("0.0.0.0/0"), "54.9.9.9"]
        traffic = attrs.evolve(Traffic(), outbound_ip_range_exclusion_list=ranges)
        assert traffic.outbound_ip_range_exclusion_list == (
            Prefix("10.0.0.0/8"),
            Prefix("0.0.0.0/0"),
            Prefix("54.9.9.9/32"),
        )
        assert refused(Traffic, outbound_port_exclusion_list=[80, "443"]) == (
            "outbound_port_exclusion_list[1]: expected a port number from 0 to 65535, "
            "found the string `443`; write `443`: without quotes"
        )
        assert refused(Traffic, outbound_ip_range_inclusion_list=[Prefix("::/0")]).startswith(
            "outbound_ip_range_inclusion_list[0]: expected a range of IPv4 addresses"
        )

    def test_an_empty_chain_is_not_an_absent_one(self) -> None:
        assert PluginChains(outbound_tcp=()) != PluginChains()

    def test_the_credential_of_remote_logging_is_not_shown(self) -> None:
        logging = RemoteLogging(authorization="hunter2")
        mesh = MeshConfig(spec=MeshConfigSpec(observability=Observability(remote_logging=logging)))
        assert "hunter2" not in f"{mesh!r}{mesh}"
        assert mesh != MeshConfig()


class TestEgress:
    def test_a_policy_allows_nothing_by_default(self) -> None:
        assert EgressSpec() == EgressSpec(sources=(), hosts=(), ip_addresses=(), ports=(), matches=())

    @pytest.mark.parametrize(
        ("group", "kind"),
        [
            (GROUPS, "HTTPRouteGroup"),
            (SETTINGS, "UpstreamTrafficSetting"),
            (LEGACY, "UpstreamTrafficSetting"),
        ],
    )
    def test_what_a_policy_may_refer_to(self, group: str, kind: str) -> None:
        assert EgressMatch(group, kind, "a").kind == kind

    @pytest.mark.parametrize(
        ("group", "kind", "message"),
        [
            (
                SETTINGS,
                "HTTPRouteGroup",
                f"api_group: expected `{GROUPS}`, found the string `{SETTINGS}`; write `{GROUPS}`",
            ),
            (
                "",
                "UpstreamTrafficSetting",
                f"api_group: expected `{SETTINGS}` or `{LEGACY}`, found the string ``; write `{SETTINGS}`",
            ),
            (
                GROUPS,
                "TCPRoute",
                f"kind: expected {A_KIND}, found the string `TCPRoute`; write `HTTPRouteGroup`",
            ),
            (
                "apps/v1",
                "Deployment",
                f"kind: expected {A_KIND}, found the string `Deployment`",
            ),
        ],
    )
    def test_any_other_reference_is_refused(self, group: str, kind: str, message: str) -> None:
        assert refused(EgressMatch, group, kind, "a") == message

    def test_there_is_at_most_one_upstream_traffic_setting(self) -> None:
        routes = EgressMatch(GROUPS, "HTTPRouteGroup", "a")
        first = EgressMatch(SETTINGS, "UpstreamTrafficSetting", "a")
        second = EgressMatch(LEGACY, "UpstreamTrafficSetting", "b")
        assert len(EgressSpec(matches=(routes, first, routes)).matches) == 3
        assert refused(EgressSpec, matches=(first, routes, second)) == (
            "matches[2]: expected at most one `UpstreamTrafficSetting`, found 2 of them"
        )

    @pytest.mark.parametrize(("issuer", "own"), [("fsm", True), ("FSM", True), ("other", False), ("", False)])
    def test_who_issues_the_client_certificate(self, issuer: str, own: bool) -> None:
        assert SourceMTLS(issuer).issued_by_fsm is own

    def test_a_port_speaks_a_protocol_of_egress(self) -> None:
        protocol: Any = "HTTPS"
        assert EgressPort(443, protocol).protocol is Protocol.HTTPS
        assert refused(EgressPort, 443, "grpc").startswith("protocol: expected one of ")

    def test_a_gateway_without_the_list_is_not_one_with_an_empty_list(self) -> None:
        assert EgressGatewaySpec().global_ is None
        assert EgressGatewaySpec(()).global_ == ()
        assert GlobalEgressGateway("gateway", "egress").weight is None


class TestSMI:
    def test_a_match_asks_for_nothing_by_default(self) -> None:
        assert HTTPMatch() == HTTPMatch(name="", path_regex=None, methods=(), headers=FrozenMap())

    def test_headers_are_a_list_of_maps_with_one_entry_each(self) -> None:
        listed: Any = [{"x-env": "^prod"}, {"x-env": "^test"}]
        assert HTTPMatch(headers=listed).headers == {"x-env": Pattern("^test")}
        assert refused(HTTPMatch, headers={"x-env": "^prod"}) == (
            "headers: expected a list of maps with one entry each, found a mapping; write `[{x-env: …}]`"
        )

    def test_a_pattern_is_one_of_the_sidecar(self) -> None:
        text: Any = "^/get$"
        assert HTTPMatch(path_regex=text).path_regex == Pattern("^/get$")
        assert refused(HTTPMatch, path_regex="(").startswith("path_regex: expected ")


class TestCore:
    @pytest.mark.parametrize(
        ("cluster_ip", "headless"), [("", True), ("None", True), ("10.96.0.1", False), ("fd00::1", False)]
    )
    def test_a_service_without_an_address_is_headless(self, cluster_ip: str, headless: bool) -> None:
        assert ServiceSpec(cluster_ip).headless is headless

    def test_a_service_port_is_a_tcp_port_without_a_name(self) -> None:
        assert ServicePort(80) == ServicePort(80, "", "TCP", None, None)
        assert EndpointPort(80) == EndpointPort(80, "", "TCP", None)

    def test_a_pod_runs_under_the_account_default(self) -> None:
        assert Pod(META).spec.service_account_name == "default"
        assert Pod(META).status.pod_ips == ()

    @pytest.mark.parametrize(
        ("labels", "monitored"),
        [({}, False), ({"flomesh.io/monitored-by": "fsm"}, True), ({"flomesh.io/other": "fsm"}, False)],
    )
    def test_a_namespace_is_watched_by_label(self, labels: dict[str, str], monitored: bool) -> None:
        space = Namespace(ObjectMeta("curl", labels=FrozenMap(labels)))
        assert space.monitored is monitored
        assert space.monitored_by == ("fsm" if monitored else None)

    def test_what_a_secret_holds_is_shown_nowhere(self) -> None:
        secret = Secret(META, FrozenMap({"tls.key": b"hunter2"}))
        assert secret.type == "Opaque"
        assert secret.data["tls.key"] == b"hunter2"
        assert secret != Secret(META)
        for text in (
            repr(secret),
            str(secret),
            f"{secret}",
            repr([secret]),
            str(secret.ref),
            repr(secret.at()),
        ):
            assert "hunter2" not in text

    @pytest.mark.parametrize(
        "data", ["hunter2", ["hunter2"], {"tls.key": "hunter2!"}, {"tls.key": ["hunter2"]}]
    )
    def test_no_error_shows_what_a_secret_holds(self, data: Any) -> None:
        with pytest.raises(InvalidValue) as caught:
            Secret(META, data)
        assert "hunter2" not in f"{caught.value}{caught.value!r}"
        assert str(caught.value).startswith("data")


@pytest.mark.parametrize(
    ("wire", "account"),
    [
        ({}, "default"),
        ({"serviceAccountName": ""}, "default"),
        ({"serviceAccountName": "a"}, "a"),
        ({"serviceAccount": "b"}, "b"),
        ({"serviceAccount": "b", "serviceAccountName": "a"}, "a"),
        ({"serviceAccount": "b", "serviceAccountName": "default"}, "default"),
        ({"serviceAccount": "", "serviceAccountName": "a"}, "a"),
    ],
)
def test_the_older_name_of_the_account_counts_where_the_newer_is_not_given(
    wire: dict[str, Any], account: str
) -> None:
    entry = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": wire}
    mesh = fe.load(entry)
    (pod,) = mesh.kind(Pod)
    assert pod.spec.service_account_name == account
    assert fe.loads(fe.dump_yaml(list(mesh))) == mesh


def test_the_one_address_of_a_pod_is_its_first_where_no_others_are_given() -> None:
    assert PodStatus(pod_ip="10.1.0.1").pod_ips == (PodIP("10.1.0.1"),)
    both = PodStatus(pod_ip="10.1.0.1", pod_ips=(PodIP("10.1.0.1"), PodIP("2001:db8::1")))
    assert [str(it.ip) for it in both.pod_ips] == ["10.1.0.1", "2001:db8::1"]
    assert PodStatus(pod_ip="").pod_ips == ()
