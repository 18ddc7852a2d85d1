"""What definitions of kinds require: of which part, and of which type what is carried along must be."""

from __future__ import annotations

from typing import Any

import pytest

import fsm_egress as fe
from fsm_egress.manifests.definitions import Amiss, lacks, limits_of, unfit
from fsm_egress.resources.egress import UpstreamTrafficSetting


def read(kind: str, version: str, **content: Any) -> Any:
    names = {"name": "m", "namespace": "x"}
    (found,) = fe.load({"apiVersion": version, "kind": kind, "metadata": names, **content})
    return found


def mesh_config(version: str = "v1alpha3", **spec: Any) -> Any:
    return read("MeshConfig", f"config.flomesh.io/{version}", spec=spec)


LEVELS = "`trace` or `debug` or `info` or `warn` or `error` or `fatal` or `panic` or `disabled`"


@pytest.mark.parametrize(
    ("spec", "path", "expected", "found"),
    [
        ({"connector": 5}, "connector", "a mapping", "the number `5`"),
        (
            {"connector": {"lb": {"type": 1}}},
            "connector.lb.type",
            "`ActiveActive` or `FailOver`",
            "the number `1`",
        ),
        ({"egressGateway": {"port": 0}}, "egressGateway.port", "a number from 1 to 65535", "the number `0`"),
        (
            {"egressGateway": {"port": 65536}},
            "egressGateway.port",
            "a number from 1 to 65535",
            "the number `65536`",
        ),
        (
            {"egressGateway": {"port": 0.5}},
            "egressGateway.port",
            "a number from 1 to 65535",
            "the number `0.5`",
        ),
        (
            {"egressGateway": {"replicas": True}},
            "egressGateway.replicas",
            "a whole number",
            "the boolean `true`",
        ),
        ({"egressGateway": {"adminport": 1}}, "egressGateway.adminport", "a known field", "`adminport`"),
        (
            {"observability": {"fsmLogLevel": "loud"}},
            "observability.fsmLogLevel",
            LEVELS,
            "the string `loud`",
        ),
        ({"image": {"tag": 1}}, "image.tag", "a string", "the number `1`"),
        ({"image": {"name": {"a": 1}}}, "image.name", "a mapping of strings", "a mapping"),
        ({"ingress": {"enabled": "yes"}}, "ingress.enabled", "a boolean", "the string `yes`"),
        ({"warmup": {"aggression": 0.5}}, "warmup.aggression", "a number from 1 on", "the number `0.5`"),
        (
            {"warmup": {"maxWeight": 101}},
            "warmup.maxWeight",
            "a number from 0 to 100",
            "the number `101`",
        ),
        ({"sidecar": {"cipherSuites": "a"}}, "sidecar.cipherSuites", "a list of strings", "the string `a`"),
        ({"sidecar": {"cipherSuites": [1]}}, "sidecar.cipherSuites", "a list of strings", "a list"),
        (
            {"traffic": {"inboundPortExclusionList": [True]}},
            "traffic.inboundPortExclusionList",
            "a list of whole numbers",
            "a list",
        ),
        (
            {"sidecar": {"resources": {"limits": {"cpu": "fast"}}}},
            "sidecar.resources.limits",
            "a mapping of quantities",
            "a mapping",
        ),
        (
            {"sidecar": {"resources": {"claims": [1]}}},
            "sidecar.resources.claims",
            "a list of mappings",
            "a list",
        ),
        (
            {"sidecar": {"localDNSProxy": {"db": [{"dn": "a", "ips": [{"ipv4": 1}]}]}}},
            "sidecar.localDNSProxy.db[0].ips[0].ipv4",
            "a string",
            "the number `1`",
        ),
    ],
)
def test_what_is_carried_along_must_be_of_its_type(spec: Any, path: str, expected: str, found: str) -> None:
    assert list(unfit(mesh_config(**spec))) == [Amiss(f"spec.{path}", expected, found)]


@pytest.mark.parametrize(
    "spec",
    [
        {"connector": None},
        {"egressGateway": {"port": 1080, "replicas": 2, "mode": "sock5"}},
        {"image": {"name": {}, "digest": {"a": "b"}}},
        {"warmup": {"aggression": 1, "duration": "1m30s", "maxWeight": 0}},
        {"warmup": {"aggression": 1.5}},
        {"sidecar": {"resources": {"limits": {"cpu": "1.5", "memory": "1Gi", "x": 2}, "claims": []}}},
        {"traffic": {"inboundPortExclusionList": [443]}},
        {"sidecar": {"localDNSProxy": {"db": 5}}},
    ],
)
def test_of_what_fits_nothing_is_said(spec: Any) -> None:
    assert [it for it in unfit(mesh_config(**spec)) if it.found != "the number `5`"] == []


@pytest.mark.parametrize(
    ("version", "spec", "missing"),
    [
        ("v1alpha3", {}, [("spec", ("connector", "image", "misc"))]),
        ("v1alpha2", {}, []),
        ("v1alpha1", {"repoServer": {"ipaddr": "a"}}, [("spec.repoServer", ("codebase",))]),
        ("v1alpha1", {"repoServer": {"ipaddr": "a", "codebase": None}}, [("spec.repoServer", ("codebase",))]),
        (
            "v1alpha2",
            {
                "pluginChains": {
                    "outbound-tcp": [{"plugin": "a", "disable": False}, {"plugin": "b", "priority": 0}]
                }
            },
            [
                ("spec.pluginChains", ("inbound-tcp", "inbound-http", "outbound-http")),
                ("spec.pluginChains.outbound-tcp[0]", ("priority",)),
                ("spec.pluginChains.outbound-tcp[1]", ("disable",)),
            ],
        ),
    ],
)
def test_a_default_that_is_written_out_is_no_missing_field(
    version: str, spec: Any, missing: list[Any]
) -> None:
    assert list(lacks(mesh_config(version, **spec))) == missing


def test_other_versions_have_other_fields() -> None:
    server: Any = {"repoServer": {"ipaddr": "a", "codebase": "b", "port": 1}}
    assert not list(unfit(mesh_config(**server)))
    assert list(unfit(mesh_config("v1alpha2", **server))) == [
        Amiss("spec.repoServer.port", "a known field", "`port`")
    ]
    osm = read("MeshConfig", "config.openservicemesh.io/v1alpha2", spec={"certificate": 5})
    assert not [*lacks(osm), *unfit(osm)]


def test_fields_of_an_object_itself_have_types_too() -> None:
    secret = read("Secret", "v1", immutable="yes")
    assert list(unfit(secret)) == [Amiss("immutable", "a boolean", "the string `yes`")]


def test_the_limits_of_a_setting_are_found_wherever_they_stand() -> None:
    setting = read(
        UpstreamTrafficSetting.kind,
        "policy.flomesh.io/v1alpha1",
        spec={
            "host": "a.b",
            "rateLimit": {"local": {"http": {"requests": 1}, "tcp": {"connections": 1}}},
            "httpRoutes": [{"path": "/"}, {"path": "/", "rateLimit": {"local": {"requests": 2}}}, 7],
        },
    )
    assert [(path, limit["requests"]) for path, limit in limits_of(setting)] == [
        ("spec.rateLimit.local.http", 1),
        ("spec.httpRoutes[1].rateLimit.local", 2),
    ]
