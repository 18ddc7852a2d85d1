"""What surrounds the Egress policies: interception, gateways, what the sidecar is told besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import fields
from random_meshes import FLOMESH, egress_gateway, isolation, resource, source_pod
from small import WHO, config, found, load, resolved, service

import fsm_egress as fe
from fsm_egress.policy import Interception, OutboundPolicy
from fsm_egress.policy.parts import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_egress.policy import Gateway
    from fsm_egress.values.references import FieldRef

MESH = "MeshConfig fsm-system/fsm-mesh-config"


# --- interception ----------------------------------------------------------------------------------------


def listed(entries: Iterable[tuple[Any, FieldRef]]) -> list[tuple[str, str]]:
    return [(str(value), str(rule)) for value, rule in entries]


def annotated(key: str, value: str, identity: str = WHO) -> dict[str, Any]:
    return source_pod(identity, key, value)


RANGES_OUT = "outbound-ip-range-exclusion-list"
RANGES_IN = "outbound-ip-range-inclusion-list"
PORTS_OUT = "outbound-port-exclusion-list"


def test_the_lists_of_the_mesh_config_come_with_their_places() -> None:
    interception = resolved(
        config(
            {
                "outboundIPRangeExclusionList": ["10.0.0.0/8", "54.9.9.9"],
                "outboundIPRangeInclusionList": ["54.0.0.0/8"],
                "outboundPortExclusionList": [25],
            }
        )
    ).interception
    traffic = f"{MESH} spec.traffic"
    assert listed(interception.excluded) == [
        ("10.0.0.0/8", f"{traffic}.outboundIPRangeExclusionList[0]"),
        ("54.9.9.9/32", f"{traffic}.outboundIPRangeExclusionList[1]"),
    ]
    assert listed(interception.included) == [("54.0.0.0/8", f"{traffic}.outboundIPRangeInclusionList[0]")]
    assert listed(interception.excluded_ports) == [("25", f"{traffic}.outboundPortExclusionList[0]")]


def test_annotations_of_the_identity_s_only_kind_of_pods_are_added() -> None:
    interception = resolved(
        config({"outboundPortExclusionList": [25]}),
        annotated(PORTS_OUT, " 26,27"),
        annotated(RANGES_IN, "54.0.0.0/8", "wget.curl"),
        annotated(RANGES_IN, "54.0.0.0/8", "curl.shop"),
    ).interception
    rule = f"Pod curl/curl-po metadata.annotations.flomesh.io/{PORTS_OUT}"
    assert listed(interception.excluded_ports)[1:] == [("26", rule), ("27", rule)]
    assert interception.included == ()
    assert [port for port, _ in interception.excluded_ports] == [25, 26, 27]


def test_of_pods_that_differ_each_kind_has_its_own_and_the_account_none() -> None:
    entries = (annotated(PORTS_OUT, "26"), annotated(RANGES_IN, "54.0.0.0/8"))
    mesh = load(*entries)
    assert resolved(*entries).interception == Interception()
    first, second = (fe.resolve(mesh, f"pod/curl-{name}.curl") for name in ("ip", "po"))
    assert [str(it) for it, _ in first.interception.included] == ["54.0.0.0/8"]
    assert [it for it, _ in second.interception.excluded_ports] == [26]
    assert [str(it) for it in fe.never(mesh, fe.Where.port(26), "curl.curl").identities] == [
        "pod/curl-ip.curl",
        "pod/curl-po.curl",
    ]
    with pytest.raises(fe.InvalidValue, match="a pod or a template of the mesh"):
        fe.resolve(mesh, "pod/gone.curl")


@pytest.mark.parametrize(
    ("key", "text", "codes"),
    [
        (RANGES_OUT, "10.0.0.1,54.0.0.0/8", {"FSE025"}),
        (RANGES_IN, "x", {"FSE025"}),
        (PORTS_OUT, "0,25,65536,a", {"FSE025", "FSE115"}),
        (PORTS_OUT, "\N{ARABIC-INDIC DIGIT FIVE},26", {"FSE025"}),
        (PORTS_OUT, "9" * 5000, {"FSE025"}),
    ],
)
def test_a_bad_entry_keeps_the_pod_from_running_and_is_found(key: str, text: str, codes: set[str]) -> None:
    policy = resolved(annotated(key, text))
    assert policy.interception == Interception()
    rule = f"Pod curl/{'curl-ip' if 'ip' in key else 'curl-po'} metadata.annotations.flomesh.io/{key}"
    assert set(found(policy)) == {(code, rule) for code in codes}
    endings = {"FSE025": ": the pod is not created", "FSE115": ": the pod does not start"}
    assert all(finding.message.endswith(endings[finding.code.code]) for finding in policy.findings)


def test_what_mesh_and_pod_exclude_too_much_of_together_is_found() -> None:
    policy = resolved(config({"outboundPortExclusionList": list(range(1, 16))}), annotated(PORTS_OUT, "25"))
    (finding,) = policy.findings
    assert str(finding.code) == "FSE115"
    assert finding.message.endswith("found 16 of them of mesh and pod together: the pod does not start")


def test_lists_of_a_pod_without_sidecar_are_nobody_s() -> None:
    entry = annotated(PORTS_OUT, "a")
    entry["metadata"]["annotations"]["flomesh.io/sidecar-injection"] = "no"
    assert resolved(entry).findings == ()


# --- gateways --------------------------------------------------------------------------------------------


def gateway(name: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return egress_gateway(name, list(entries))


def to(name: str, **rest: Any) -> dict[str, Any]:
    return {"service": name, "namespace": "fsm", **rest}


def proxy(name: str = "gw", mode: str | None = None, pods: Iterable[str] = ("10.0.9.1",)) -> list[Any]:
    entries = service(name, "tcp-proxy 1080", space="fsm", ip="10.96.9.9", pods=pods)
    if mode:
        entries[0]["metadata"]["annotations"] = {"flomesh.io/egress-gateway-mode": mode}
    return entries


def gateways(policy: OutboundPolicy) -> dict[str, Gateway]:
    assert policy.forward is not None
    return {gateway.name: gateway for gateway in policy.forward.gateways}


def test_gateways_come_by_name_with_weight_mode_and_endpoints() -> None:
    policy = resolved(
        gateway("g0", to("gw", weight=70), to("a")),
        proxy(pods=["10.0.9.2", "10.0.9.1"]),
        proxy("a", "sock5"),
    )
    assert list(gateways(policy)) == ["a.fsm", "gw.fsm"]
    assert gateways(policy)["gw.fsm"].endpoints == (Endpoint("10.0.9.1", 1080), Endpoint("10.0.9.2", 1080))
    assert [(it.weight, it.mode) for it in gateways(policy).values()] == [(100, "sock5"), (70, "http2tunnel")]
    assert policy.forwarded
    assert policy.forward is not None
    assert str(policy.forward.rule) == "EgressGateway fsm/g0 spec.global"
    assert not [code for code, _ in found(policy) if code in {"FSE019", "FSE020"}]


def test_gateways_behind_one_that_is_missing_carry_as_ever() -> None:
    assert list(gateways(resolved(gateway("g0", to("gone"), to("gw")), proxy()))) == ["gw.fsm"]


def test_a_gateway_of_no_weight_has_the_whole() -> None:
    policy = resolved(gateway("g0", to("gw", weight=0), to("a", weight=5)), proxy(), proxy("a"))
    assert [it.weight for it in gateways(policy).values()] == [5, 100]


def test_the_endpoints_of_a_gateway_come_by_address() -> None:
    pods = [f"10.0.9.{number}" for number in range(1, 10)]
    policy = resolved(gateway("g", to("gw")), proxy(pods=list(reversed(pods))))
    assert [it.host for it in gateways(policy)["gw.fsm"].endpoints] == pods


def test_the_isolated_endpoints_of_a_gateway_are_none() -> None:
    closed = isolation("i", ["10.0.9.1/32"])
    policy = resolved(gateway("g", to("gw")), proxy(pods=["10.0.9.1", "10.0.9.2"]), closed)
    assert gateways(policy)["gw.fsm"].endpoints == (Endpoint("10.0.9.2", 1080),)


def test_the_last_resource_by_name_says_the_weight() -> None:
    policy = resolved(gateway("g1", to("gw", weight=2)), gateway("g0", to("gw", weight=1)), proxy())
    assert gateways(policy)["gw.fsm"].weight == 2


def test_no_list_at_all_is_no_gateway() -> None:
    policy = resolved(resource(FLOMESH, "EgressGateway", "fsm", "g", spec={}))
    assert (policy.forward, policy.forwarded) == (None, False)


def test_gateways_that_carry_nothing_are_found() -> None:
    empty, missing, bare = gateway("g"), gateway("g", to("gone")), gateway("g", to("gw"))
    for entries, place in (
        ([empty], "spec.global"),
        ([missing], "spec.global[0]"),
        ([bare, *proxy()[:1]], "spec.global[0]"),
        ([bare, *proxy(pods=[])], "spec.global[0]"),
    ):
        policy = resolved(*entries)
        assert policy.forwarded
        assert ("FSE020", f"EgressGateway fsm/g {place}") in found(policy)
    assert resolved(empty).forward is None
    assert resolved(missing).forward is None
    assert gateways(resolved(bare, proxy()[:1]))["gw.fsm"].endpoints == ()


def test_an_unknown_mode_is_read_as_http2tunnel_and_found() -> None:
    policy = resolved(gateway("g", to("gw")), proxy(mode="socks5"))
    assert gateways(policy)["gw.fsm"].mode == "http2tunnel"
    assert ["is read as `http2tunnel`;" in finding.message for finding in policy.findings] == [True]
    assert found(policy) == [("FSE019", "Service fsm/gw metadata.annotations.flomesh.io/egress-gateway-mode")]


# --- what the sidecar is told ----------------------------------------------------------------------------


def test_switches_and_settings_are_those_of_the_mesh_config() -> None:
    spec = resolved(
        config(
            {
                "enableEgress": True,
                "http1PerRequestLoadBalancing": True,
                "http2PerRequestLoadBalancing": True,
            },
            featureFlags={"enableAutoDefaultRoute": True, "enableSidecarActiveHealthChecks": True},
            sidecar={"logLevel": "debug", "sidecarTimeout": 5, "compressConfig": False},
            clusterSet={"properties": [{"name": "CLUSTER", "value": "a"}]},
        )
    ).spec
    assert (spec.log_level, spec.timeout, spec.compress_config) == ("debug", 5, False)
    assert spec.cluster_set == {"CLUSTER": "a"}
    assert observed().cluster_set is None
    switches = [field.name for field in fields(type(spec)) if field.type == "bool"]
    assert all(getattr(spec, name) for name in switches if name != "compress_config")


def observed(**observability: Any) -> Any:
    return resolved(config(observability=observability)).spec


def test_tracing_is_told_where_spans_go() -> None:
    assert observed(tracing={"enable": False, "address": "a"}).tracing is None
    assert observed(tracing={"enable": True}).tracing == {
        "address": "jaeger.fsm-system.svc.cluster.local:9411",
        "endpoint": "/api/v2/spans",
        "sampledFraction": "1.00",
    }
    given = {"enable": True, "address": "a", "port": 1, "endpoint": "/x", "sampledFraction": "0.5"}
    assert observed(tracing=given).tracing == {"address": "a:1", "endpoint": "/x", "sampledFraction": "0.50"}


def test_remote_logging_leaves_out_what_is_empty() -> None:
    assert observed(remoteLogging={"enable": False}).remote_logging is None
    given = {"enable": True, "address": "a", "port": 1, "level": 2, "endpoint": "/x", "authorization": "key"}
    assert observed(remoteLogging=given).remote_logging == {
        "address": "a:1",
        "level": 2,
        "endpoint": "/x",
        "authorization": "key",
    }
    assert observed(remoteLogging={"enable": True, "address": "a", "port": 1}).remote_logging == {
        "address": "a:1"
    }


def test_the_credential_of_remote_logging_is_in_no_repr() -> None:
    spec = observed(remoteLogging={"enable": True, "address": "a", "port": 1, "authorization": "s3cret"})
    assert "s3cret" not in repr(spec)


def plugin(name: str, priority: int = 0, **rest: bool) -> dict[str, Any]:
    return {"plugin": f"modules/{name}", "priority": priority, **rest}


def test_chains_are_fsm_s_own_unless_configured() -> None:
    policy = resolved(
        config(
            pluginChains={
                "outbound-tcp": [
                    plugin("low", 1),
                    plugin("off", 9, disable=True),
                    plugin("first", 5),
                    plugin("second", 5),
                ]
            }
        )
    )
    assert found(policy) == []
    chains = policy.spec.chains
    assert list(chains) == ["inbound-tcp", "inbound-http", "outbound-tcp", "outbound-http"]
    assert chains["outbound-tcp"] == ("modules/first.js", "modules/second.js", "modules/low.js")
    assert chains["inbound-tcp"] == (
        "modules/inbound-tls-termination.js",
        "modules/inbound-tcp-routing.js",
        "modules/inbound-tcp-load-balancing.js",
        "modules/inbound-tcp-default.js",
    )


@pytest.mark.parametrize("entries", [[], [plugin("off", disable=True)]])
def test_a_chain_without_modules_is_fsm_s_own_and_found(entries: list[dict[str, Any]]) -> None:
    policy = resolved(config(pluginChains={"outbound-tcp": entries}))
    assert policy.spec.chains == resolved().spec.chains
    assert found(policy) == [("FSE028", f"{MESH} spec.pluginChains.outbound-tcp")]


def test_a_timeout_of_nothing_is_the_default_one() -> None:
    timeouts = [resolved(config(sidecar={"sidecarTimeout": given})).spec.timeout for given in (0, 5, 60)]
    assert timeouts == [60, 5, 60]
