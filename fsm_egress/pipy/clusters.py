"""Clusters and gateways as the sidecar's config has them: endpoints, limits, retries, certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..resources.checks import seconds
from ..values.secrecy import kept

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..policy import Forward, OutboundPolicy
    from ..policy.parts import Cluster, Endpoint, SourceCert
    from ..resources.egress import CircuitBreaking, ConnectionSettings, RetryPolicy

__all__ = ["Wire", "certificate", "cluster_config", "forward_config", "named_gateway"]

Wire = dict[str, Any]

ANY_GATEWAY = "*"


def named_gateway(policy: OutboundPolicy) -> Wire:
    """How the rules of egress name the mesh's gateways, where they do."""
    return {"EgressForwardGateway": ANY_GATEWAY} if policy.forwarded else {}


def cluster_config(cluster: Cluster) -> Wire:
    """A cluster of `ClustersConfigs`."""
    wire: Wire = {"Endpoints": endpoints_of(cluster.endpoints)}
    if cluster.connection_settings:
        wire["ConnectionSettings"] = _connection_settings(cluster.connection_settings)
    if cluster.retry_policy:
        wire["RetryPolicy"] = _retry_policy(cluster.retry_policy)
    if cluster.source_cert:
        wire["SourceCert"] = certificate(cluster.source_cert)
    return wire


def endpoints_of(endpoints: Iterable[Endpoint]) -> Wire | None:
    """Endpoints as FSM writes them, an IPv6 address without brackets; null where there is none."""
    return {f"{endpoint.host}:{endpoint.port}": _endpoint(endpoint) for endpoint in endpoints} or None


def _endpoint(endpoint: Endpoint) -> Wire:
    given = {"Key": endpoint.key, "Path": endpoint.path}
    return {"Weight": endpoint.weight, **{name: text for name, text in given.items() if text}}


def _connection_settings(settings: ConnectionSettings) -> Wire:
    wire: Wire = {}
    if settings.tcp:
        wire["tcp"] = _given(
            MaxConnections=settings.tcp.max_connections, ConnectTimeout=_seconds(settings.tcp.connect_timeout)
        )
    if settings.http:
        http = settings.http
        wire["http"] = _given(
            MaxRequests=http.max_requests,
            MaxRequestsPerConnection=http.max_requests_per_connection,
            MaxPendingRequests=http.max_pending_requests,
            MaxRetries=http.max_retries,
            CircuitBreaking=_circuit_breaking(http.circuit_breaking) if http.circuit_breaking else None,
        )
    return wire


def _circuit_breaking(breaking: CircuitBreaking) -> Wire:
    return {
        "StatTimeWindow": _seconds(breaking.stat_time_window),
        "MinRequestAmount": breaking.min_request_amount,
        "DegradedTimeWindow": _seconds(breaking.degraded_time_window),
        **_given(
            SlowTimeThreshold=_seconds(breaking.slow_time_threshold),
            SlowAmountThreshold=breaking.slow_amount_threshold,
            SlowRatioThreshold=breaking.slow_ratio_threshold,
            ErrorAmountThreshold=breaking.error_amount_threshold,
            ErrorRatioThreshold=breaking.error_ratio_threshold,
            DegradedStatusCode=breaking.degraded_status_code,
            DegradedResponseContent=breaking.degraded_response_content,
        ),
    }


def _retry_policy(policy: RetryPolicy) -> Wire:
    """Times that are not given are left out: a stock controller does not write such a config."""
    return {
        "RetryOn": policy.retry_on,
        "NumRetries": policy.num_retries,
        **_given(
            PerTryTimeout=_seconds(policy.per_try_timeout),
            RetryBackoffBaseInterval=_seconds(policy.retry_backoff_base_interval),
        ),
    }


def _seconds(duration: str | None) -> int | float | None:
    return None if duration is None else seconds(duration)


def _given(**entries: Any) -> Wire:
    return {key: value for key, value in entries.items() if value is not None}


def certificate(cert: SourceCert) -> Wire:
    """A `SourceCert`, of a cluster or of a range."""
    names = {"SubjectAltNames": list(cert.subject_alt_names)} if cert.subject_alt_names else {}
    return {
        "FsmIssued": cert.fsm_issued,
        **names,
        "Expiration": cert.expiration,
        "CertChain": kept(cert.cert_chain),
        "PrivateKey": kept(cert.private_key),
        "IssuingCA": kept(cert.issuing_ca),
    }


# --- gateways --------------------------------------------------------------------------------------------


def forward_config(forward: Forward) -> Wire:
    """The `Forward` of a config: the gateways, and which takes what share of passthrough."""
    gateways = {
        gateway.name: {"Endpoints": endpoints_of(gateway.endpoints), "Mode": gateway.mode}
        for gateway in forward.gateways
        if gateway.endpoints
    }
    weights = {gateway.name: gateway.weight for gateway in forward.gateways}
    return {"ForwardMatches": {ANY_GATEWAY: weights}, "EgressGateways": gateways or None}
