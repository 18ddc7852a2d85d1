"""What surrounds the Egress policies: interception, gateways, what the sidecar is told besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve

from ..connections.findings import Code, Finding
from ..interception.hosts import HOST_KINDS, hosts_of
from ..interception.injection import State, injection_of
from ..interception.kinds import interception_of, lists_of
from ..policy import Forward, Gateway, Interception, SidecarSpec
from ..policy.parts import Endpoint
from ..resources.core import Endpoints, Namespace, Service
from ..resources.egress import EgressGateway, Isolation, Retry
from ..resources.meshconfig import MeshConfig
from ..values.construction import frozen
from ..values.frozen import FrozenMap
from ..values.references import FieldRef
from .conditions import CONDITION_KINDS, conditions_of
from .mesh_service import isolated
from .plugins import Plugins, modules_with, plugins_of
from .retries import retries_of
from .routes import WHOLE_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..interception.lists import Refusal
    from ..resources.meshconfig import PluginChainEntry, RemoteLogging, Tracing
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["SURROUNDING_KINDS", "surroundings_of"]


T = TypeVar("T")

DEFAULT_TIMEOUT = 60  # seconds, which is what 0 stands for
GATEWAY_MODE = "flomesh.io/egress-gateway-mode"
GATEWAY_MODES = ("http2tunnel", "sock5")

DEFAULT_CHAINS: dict[str, tuple[str, ...]] = {
    "inbound-tcp": (
        "inbound-tls-termination",
        "inbound-tcp-routing",
        "inbound-tcp-load-balancing",
        "inbound-tcp-default",
    ),
    "inbound-http": (
        "inbound-tls-termination",
        "inbound-http-routing",
        "inbound-metrics-http",
        "inbound-tracing-http",
        "inbound-logging-http",
        "inbound-throttle-service",
        "inbound-throttle-route",
        "inbound-http-load-balancing",
        "inbound-http-default",
    ),
    "outbound-tcp": ("outbound-tcp-routing", "outbound-tcp-load-balancing", "outbound-tcp-default"),
    "outbound-http": (
        "outbound-http-routing",
        "outbound-metrics-http",
        "outbound-tracing-http",
        "outbound-logging-http",
        "outbound-circuit-breaker",
        "outbound-http-load-balancing",
        "outbound-http-default",
    ),
}
FIRST_RANK, RANKS = 10, 10  # priorities of FSM's own modules in its chart: the last has 100, then 110, ...


@frozen
class Surroundings:
    """What governs an identity besides services and Egress policies."""

    spec: SidecarSpec
    switch: FieldRef
    interception: Interception
    forward: Forward | None
    forwarded: bool
    plugins: Plugins
    findings: tuple[Finding, ...]


SURROUNDING_KINDS = tuple(dict.fromkeys((*CONDITION_KINDS, EgressGateway, Endpoints, Isolation, Retry)))


def surroundings_of(snapshot: Snapshot, identity: Subject) -> Surroundings:
    """All of it for an identity, with what is amiss there."""
    findings = [*_retry_findings(snapshot, identity), *conditions_of([identity], snapshot)]
    config = snapshot.mesh_config
    interception = interception_of(snapshot, identity)
    findings.extend(_refused(snapshot, identity))
    forward, forwarded = _forward(snapshot, findings)
    plugins = plugins_of(snapshot, identity)
    spec = _sidecar_spec(config, plugins, findings)
    switch = config.at("spec.traffic.enableEgress")
    return Surroundings(spec, switch, interception, forward, forwarded, plugins, tuple(findings))


def _refused(snapshot: Snapshot, identity: Subject) -> tuple[Finding, ...]:
    """The lists that keep pods of the identity from being created or from starting."""
    kinds = (MeshConfig, *HOST_KINDS, Namespace)
    return snapshot.once(_refusals, kinds).get((identity.name, identity.namespace), ())


def _refusals(snapshot: Snapshot) -> Mapping[tuple[str, str], tuple[Finding, ...]]:
    """The same by account: it is asked for each kind of pods."""
    found: dict[tuple[str, str], tuple[Finding, ...]] = {}
    for host in hosts_of(snapshot):
        refused = lists_of(snapshot, host)[1]
        if refused and injection_of(snapshot, host).state is State.YES:
            found[host.account] = (*found.get(host.account, ()), *map(_finding_of, refused))
    return found


def _retry_findings(snapshot: Snapshot, identity: Subject) -> Iterator[Finding]:
    for retry in retries_of(snapshot, identity):
        policy = retry.spec.retry_policy
        if policy.per_try_timeout is None or policy.retry_backoff_base_interval is None:
            message = "the stock controller does not survive every Retry; here, times not given are left out"
            yield Finding(Code.RETRY_WITHOUT_TIMES, retry.at("spec.retryPolicy"), message)


def _finding_of(refusal: Refusal) -> Finding:
    code = Code.LIST_REFUSED if refusal.by_iptables else Code.BAD_ANNOTATION
    return Finding(code, refusal.rule, evolve(refusal.problem, reason=refusal.effect).message)


# --- gateways --------------------------------------------------------------------------------------------


def _forward(snapshot: Snapshot, findings: list[Finding]) -> tuple[Forward | None, bool]:
    """The mesh's egress gateways, and whether egress rules name them at all (`controller.json`)."""
    gateways: dict[str, Gateway] = {}
    resources = [gateway for gateway in snapshot.kind(EgressGateway) if gateway.spec.global_ is not None]
    for resource in resources:
        if not resource.spec.global_:
            message = "the list is empty: egress rules name a gateway, and there is none"
            findings.append(Finding(Code.UNUSABLE_GATEWAY, resource.at("spec.global"), message))
        for index, entry in enumerate(resource.spec.global_ or ()):
            rule = resource.at(f"spec.global[{index}]")
            name = f"{entry.service}.{entry.namespace}"
            service = snapshot.kind(Service).get(entry.namespace, entry.service)
            if service is None:
                message = f"service `{entry.namespace}/{entry.service}` does not exist: it carries nothing"
                findings.append(Finding(Code.UNUSABLE_GATEWAY, rule, message))
                continue
            endpoints = _gateway_endpoints(snapshot, service)
            if not endpoints:
                message = f"service `{entry.namespace}/{entry.service}` has no endpoints: it carries nothing"
                findings.append(Finding(Code.UNUSABLE_GATEWAY, rule, message))
            gateways[name] = Gateway(
                name, entry.weight or WHOLE_WEIGHT, _gateway_mode(service, findings), endpoints
            )
    forward = (
        Forward(tuple(gateways[name] for name in sorted(gateways)), resources[0].at("spec.global"))
        if gateways
        else None
    )
    return forward, bool(resources)


def _gateway_endpoints(snapshot: Snapshot, service: Service) -> tuple[Endpoint, ...]:
    endpoints = snapshot.kind(Endpoints).get(service.namespace, service.name)
    closed = isolated(snapshot)
    return tuple(
        sorted(
            {
                Endpoint(str(entry.ip), port.port)
                for subset in (endpoints.subsets if endpoints else ())
                for port in subset.ports
                for entry in subset.addresses
                if not any(entry.ip in prefix for prefix in closed)
            }
        )
    )


def _gateway_mode(service: Service, findings: list[Finding]) -> str:
    mode = service.metadata.annotations.get(GATEWAY_MODE, GATEWAY_MODES[0])
    if mode in GATEWAY_MODES:
        return mode
    message = f"mode `{mode}` is read as `{GATEWAY_MODES[0]}`; SOCKS5 is spelled `sock5`"
    findings.append(Finding(Code.GATEWAY_MODE, service.at(f"metadata.annotations.{GATEWAY_MODE}"), message))
    return GATEWAY_MODES[0]


# --- what the sidecar is told besides --------------------------------------------------------------------


def _sidecar_spec(config: MeshConfig, plugins: Plugins, findings: list[Finding]) -> SidecarSpec:
    spec = config.spec
    properties = {entry.name: entry.value for entry in spec.cluster_set.properties}
    return SidecarSpec(
        log_level=spec.sidecar.log_level,
        timeout=spec.sidecar.sidecar_timeout or DEFAULT_TIMEOUT,
        enable_egress=spec.traffic.enable_egress,
        http1_per_request_load_balancing=spec.traffic.http1_per_request_load_balancing,
        http2_per_request_load_balancing=spec.traffic.http2_per_request_load_balancing,
        enable_sidecar_active_health_checks=spec.feature_flags.enable_sidecar_active_health_checks,
        enable_auto_default_route=spec.feature_flags.enable_auto_default_route,
        compress_config=spec.sidecar.compress_config,
        tracing=_tracing(spec.observability.tracing, config.namespace),
        remote_logging=_remote_logging(spec.observability.remote_logging),
        cluster_set=FrozenMap(properties) if properties else None,
        chains=_chains(config, plugins, findings),
    )


def _tracing(tracing: Tracing, namespace: str) -> FrozenMap[str] | None:
    """Where spans go, with the controller's defaults for what is not said."""
    if not tracing.enable:
        return None
    host = tracing.address or f"jaeger.{namespace}.svc.cluster.local"
    fraction = 1.0 if tracing.sampled_fraction is None else float(tracing.sampled_fraction)
    return FrozenMap(
        {
            "address": f"{host}:{tracing.port or 9411}",
            "endpoint": tracing.endpoint or "/api/v2/spans",
            "sampledFraction": f"{fraction:.2f}",
        }
    )


def _remote_logging(logging: RemoteLogging) -> FrozenMap[str | int] | None:
    if not logging.enable:
        return None
    entries: dict[str, Any] = {
        "level": logging.level,
        "address": f"{logging.address}:{logging.port}",
        "endpoint": logging.endpoint,
        "authorization": logging.authorization,
    }
    return FrozenMap({key: value for key, value in entries.items() if value})


def _chains(config: MeshConfig, plugins: Plugins, findings: list[Finding]) -> FrozenMap[tuple[str, ...]]:
    """The modules of each chain, by descending priority; FSM's own where a chain is not configured.

    A chain without modules would make the sidecar echo the client's bytes back: FSM's own is used instead.
    Plugins stand among them; those of FSM's own chains have the priorities that its chart gives them.
    """
    configured = {
        "inbound-tcp": config.spec.plugin_chains.inbound_tcp,
        "inbound-http": config.spec.plugin_chains.inbound_http,
        "outbound-tcp": config.spec.plugin_chains.outbound_tcp,
        "outbound-http": config.spec.plugin_chains.outbound_http,
    }
    chains: dict[str, tuple[str, ...]] = {}
    for name, mounted in plugins.chains.items():
        chains[name] = modules_with((), mounted)
    for name, entries in configured.items():
        own = plugins.chains.get(name, {})
        modules = _modules(entries or (), own)
        if entries is not None and not modules:
            message = "no module is left, and the sidecar would echo: FSM's own chain is used"
            rule = config.at(f"spec.pluginChains.{name}")
            findings.append(Finding(Code.EMPTY_PLUGIN_CHAIN, rule, message))
        if entries is None or not modules:
            given = enumerate(reversed(DEFAULT_CHAINS[name]), FIRST_RANK)
            ranked = ((RANKS * rank, f"modules/{module}.js") for rank, module in given)
            modules = modules_with(ranked, own)
        chains[name] = modules
    return FrozenMap(chains)


def _modules(entries: Iterable[PluginChainEntry], plugins: Mapping[str, int | float]) -> tuple[str, ...]:
    enabled = ((entry.priority, f"{entry.plugin}.js") for entry in entries if not entry.disable)
    return modules_with(enabled, plugins)
