"""The values of the FSM chart, and what `--set` makes of a MeshConfig by them."""

from __future__ import annotations

from typing import Any

import pytest
from changes import at, problem

from fsm_egress.documents.chart import CHART_KEYS, helm_set, placeless
from fsm_egress.documents.helm import apply_set
from fsm_egress.values.frozen import freeze
from fsm_egress.values.references import Mark


def mesh(**spec: Any) -> dict[str, Any]:
    return {"kind": "MeshConfig", "metadata": {"name": "fsm-mesh-config"}, "spec": spec}


# What the chart's template says, in one line each that has a name of its own, and some that have not.
@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("fsm.enableEgress", "spec.traffic.enableEgress"),
        ("fsm.enablePermissiveTrafficPolicy", "spec.traffic.enablePermissiveTrafficPolicyMode"),
        ("fsm.trafficInterceptionMode", "spec.traffic.interceptionMode"),
        ("fsm.serviceAccessMode", "spec.traffic.serviceAccessMode"),
        ("fsm.outboundIPRangeInclusionList", "spec.traffic.outboundIPRangeInclusionList"),
        ("fsm.sidecar.sidecarLogLevel", "spec.sidecar.logLevel"),
        ("fsm.sidecar.sidecarTimeout", "spec.sidecar.sidecarTimeout"),
        ("fsm.enablePrivilegedInitContainer", "spec.sidecar.enablePrivilegedInitContainer"),
        ("fsm.localDNSProxy", "spec.sidecar.localDNSProxy"),
        ("fsm.controllerLogLevel", "spec.observability.fsmLogLevel"),
        ("fsm.tracing.sampledFraction", "spec.observability.tracing.sampledFraction"),
        ("fsm.remoteLogging.secretName", "spec.observability.remoteLogging.secretName"),
        ("fsm.certificateProvider.certKeyBitSize", "spec.certificate.certKeyBitSize"),
        ("fsm.featureFlags.enableEgressPolicy", "spec.featureFlags.enableEgressPolicy"),
        ("fsm.pluginChains", "spec.pluginChains"),
        ("fsm.fsmIngress.service.type", "spec.ingress.type"),
        ("fsm.fsmIngress.tls.containerPort", "spec.ingress.tls.listen"),
        ("fsm.fsmGateway.logLevel", "spec.gatewayAPI.logLevel"),
        ("fsm.egressGateway.replicaCount", "spec.egressGateway.replicas"),
        ("fsm.image.digest", "spec.image.digest"),
        ("clusterSet.region", "spec.clusterSet.region"),
    ],
)
def test_the_place_of_a_chart_value(key: str, place: str) -> None:
    assert CHART_KEYS[key] == place


@pytest.mark.parametrize("key", ["fsm.fsmIngress.enabled", "fsm.sidecar.image.tag", "fsm.meshName"])
def test_a_chart_value_that_becomes_no_field_of_its_own_has_no_place(key: str) -> None:
    complaint = problem(helm_set, mesh(), f"{key}=1")
    assert (complaint.path, complaint.proposal) == (key, None)


@pytest.mark.parametrize(("key", "place"), CHART_KEYS.items())
def test_a_chart_value_is_set_at_its_place_alone_and_removed_there(key: str, place: str) -> None:
    changed = helm_set({}, f"{key}=x")
    assert at(changed, tuple(place.split("."))) == "x"
    assert changed == apply_set({}, f"{place}=x")
    *parents, name = place.split(".")
    assert at(helm_set(changed, f"{key}=null"), tuple(parents)) == {}
    assert name in at(changed, tuple(parents))


def test_no_two_chart_values_share_a_place_or_lie_below_one_another() -> None:
    for paths in (CHART_KEYS.keys(), CHART_KEYS.values()):
        assert [(a, b) for a in paths for b in paths if b.startswith(f"{a}.")] == []
    assert len(set(CHART_KEYS.values())) == len(CHART_KEYS)


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        (mesh(), "", mesh()),
        (
            mesh(traffic={"enableEgress": False, "other": 1}),
            "fsm.enableEgress=true,fsm.sidecar.sidecarLogLevel=debug",
            mesh(traffic={"enableEgress": True, "other": 1}, sidecar={"logLevel": "debug"}),
        ),
        # A list replaces, an index changes or extends.
        (
            mesh(traffic={"outboundPortExclusionList": [1, 2, 3]}),
            "fsm.outboundPortExclusionList={8080,9090}",
            mesh(traffic={"outboundPortExclusionList": [8080, 9090]}),
        ),
        (
            mesh(traffic={"outboundPortExclusionList": [1, 2]}),
            "fsm.outboundPortExclusionList[1]=8080,fsm.outboundPortExclusionList[2]=9090",
            mesh(traffic={"outboundPortExclusionList": [1, 8080, 9090]}),
        ),
        # What is below a key is below its place.
        (
            mesh(pluginChains={"outbound-tcp": [{"plugin": "x", "priority": 1}, {"plugin": "y"}]}),
            "fsm.pluginChains.outbound-tcp[0].disable=true",
            mesh(
                pluginChains={
                    "outbound-tcp": [{"plugin": "x", "priority": 1, "disable": True}, {"plugin": "y"}]
                }
            ),
        ),
        (mesh(), "fsm.image.name.fsmCurl=curl", mesh(image={"name": {"fsmCurl": "curl"}})),
        # Null removes a field, and makes nothing where there is none; in a list it is an element.
        (
            mesh(traffic={"enableEgress": True, "other": 1}),
            "fsm.enableEgress=null",
            mesh(traffic={"other": 1}),
        ),
        (mesh(traffic=None), "fsm.enableEgress=null", mesh(traffic=None)),
        (mesh(), "fsm.enableEgress=null", mesh()),
        (mesh(), "fsm.localDNSProxy.wildcard.ips[0].ipv4=null", mesh()),
        (
            mesh(sidecar={"localDNSProxy": {"enable": True}}),
            "fsm.localDNSProxy=null,fsm.localDNSProxy.wildcard.enable=true",
            mesh(sidecar={"localDNSProxy": {"wildcard": {"enable": True}}}),
        ),
        (mesh(), "fsm.inboundPortExclusionList[0]=null", mesh(traffic={"inboundPortExclusionList": [None]})),
        # What a field may hold is for others to say.
        (mesh(), "fsm.enableEgress={1.5,x}", mesh(traffic={"enableEgress": ["1.5", "x"]})),
        (mesh(), "fsm.enableEgress.x=1", mesh(traffic={"enableEgress": {"x": 1}})),
    ],
)
def test_set_texts_on_a_mesh_config(before: dict[str, Any], text: str, after: dict[str, Any]) -> None:
    assert helm_set(before, text) == after
    assert helm_set(freeze(before), text) == after


@pytest.mark.parametrize(
    ("key", "proposal"),
    [
        ("fsm.enableEgres", "fsm.enableEgress"),
        ("enableEgress", "fsm.enableEgress"),
        ("enableEgres", "fsm.enableEgress"),
        ("FSM.enableEgress", "fsm.enableEgress"),
        ("spec.traffic.enableEgress", "fsm.enableEgress"),
        ("traffic.enableEgress", "fsm.enableEgress"),
        ("spec.trafic.enableEgress", "fsm.enableEgress"),
        ("fsm.traffic.enableEgress", "fsm.enableEgress"),
        ("spec.traffic.enablePermissiveTrafficPolicyMode", "fsm.enablePermissiveTrafficPolicy"),
        ("fsm.enablePermissiveTrafficPolicyMode", "fsm.enablePermissiveTrafficPolicy"),
        ("spec.sidecar.logLevel", "fsm.sidecar.sidecarLogLevel"),
        ("fsm.enableEgressPolicy", "fsm.featureFlags.enableEgressPolicy"),
        ("spec.pluginChains.outbound-tcp[0].disable", "fsm.pluginChains.outbound-tcp[0].disable"),
        ("fsm.pluginChain.outbound-tcp[0].disable", "fsm.pluginChains.outbound-tcp[0].disable"),
        (" fsm.enableEgress", "fsm.enableEgress"),
        ("fsm.fsmGateway.enabled", None),  # far from `fsm.egressGateway.enabled`
        ("fsm.logLevel", None),  # of which there are several
        ("fsm.featureFlags", None),
        ("metadata.name", None),
        ("fsm", None),
        ("x" * 100_000, None),
    ],
)
def test_an_unknown_key_proposes_the_one_that_is_meant(key: str, proposal: str | None) -> None:
    complaint = problem(helm_set, mesh(), f"fsm.enableEgress=true,{key}=1")
    assert complaint.proposal == proposal
    assert complaint.mark == Mark(1, 23)
    assert complaint.expected == "a chart value that a MeshConfig holds"


def test_what_no_mesh_config_holds_is_named_and_can_be_passed_over() -> None:
    text = (
        "fsm.deployPrometheus=true,fsm.enableEgress=true,fsm.enableEgres=1,smi.x=1,fsm=1,deployPrometheus=1"
    )
    assert placeless(text) == (
        ("fsm.deployPrometheus", True),
        ("fsm.enableEgres", False),
        ("smi.x", True),
        ("fsm", False),
        ("deployPrometheus", False),
    )
    assert helm_set({}, text, lenient=True) == {"spec": {"traffic": {"enableEgress": True}}}


@pytest.mark.parametrize(("key", "place"), CHART_KEYS.items())
def test_the_field_and_the_key_without_its_first_name_propose_the_key(key: str, place: str) -> None:
    others = {place, place.removeprefix("spec."), key.removeprefix("fsm.")} - {key}
    assert {problem(helm_set, {}, f"{other}=1").proposal for other in others} == {key}


@pytest.mark.parametrize(
    ("before", "text", "message"),
    [
        (
            mesh(traffic={"enableEgress": True}),
            "fsm.serviceAccessMode=ip,fsm.enableEgress[0]=false",
            "1:26: spec.traffic.enableEgress: expected a list, found the boolean `true`",
        ),
        (
            mesh(pluginChains=[]),
            "fsm.pluginChains.outbound-tcp=null",
            "1:1: spec.pluginChains: expected a mapping, found an empty list",
        ),
        ({"spec": "x"}, "fsm.enableEgress=true", "1:1: spec: expected a mapping, found the string `x`"),
        (
            mesh(),
            "fsm.enableEgress",
            "1:17: fsm.enableEgress: expected `=` and a value, found the end of the text",
        ),
    ],
)
def test_what_cannot_be_set_is_told_where_and_why(before: dict[str, Any], text: str, message: str) -> None:
    assert str(problem(helm_set, before, text)) == f"--set:{message}"
