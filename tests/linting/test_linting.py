"""What lint finds: every example of the rule table, no false alarm, and witnesses that show what they say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from attrs import evolve
from controller_cases import EQUAL
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import account, resource
from small import WHO, config, egress, load, routes, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.decision import Reason, Verdict
from fsm_egress.connections.findings import Code, Finding
from fsm_egress.connections.obstacles import obstacles_to
from fsm_egress.connections.payloads import HTTPRequest
from fsm_egress.division.criteria import reading_of_policy
from fsm_egress.division.dividing import divide
from fsm_egress.linting import IGNORE, lint, view
from fsm_egress.linting.rules import RULES
from fsm_egress.linting.rules.rule import Side
from fsm_egress.resources.core import Pod
from fsm_egress.resources.egress import EgressPolicy
from fsm_egress.resources.redirection import INJECTION
from fsm_egress.resources.smi import HTTPRouteGroup
from fsm_egress.resources.workloads import Deployment
from fsm_egress.values.errors import Severity
from fsm_egress.verification.sides import Disagreement, Sides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from small import Document, Entry

    from fsm_egress.connections.decision import Decision
    from fsm_egress.resources.resource import Resource
    from fsm_egress.values.references import FieldRef

DEMO = Path(__file__).parents[2] / "examples" / "egress-demo"
RANGE = ["54.0.0.0/8"]
OPEN = config({"enableEgress": True})


def found(*entries: Entry, **options: Any) -> list[str]:
    """What is found in a mesh, without the comparison with the sidecar: the code, the rule, the witness."""
    findings = lint(load(*entries), **{"sidecar": False, **options})
    return [f"{it.code} {it.rule}: {it.witness}" for it in findings]


def uses(*names: str) -> list[Document]:
    return [{"apiGroup": random_meshes.ROUTES, "kind": "HTTPRouteGroup", "name": name} for name in names]


def web(*paths: str, name: str = "a", **spec: Any) -> list[Document]:
    """An HTTP policy for `a.com` with a route group of these paths."""
    matches: list[Document] = [{"pathRegex": path} for path in paths]
    return [
        routes(f"of-{name}", *matches),
        egress(name, "http 80", hosts=["a.com"], matches=uses(f"of-{name}"), **spec),
    ]


def ignoring(document: Document, codes: str) -> Document:
    document["metadata"]["annotations"] = {IGNORE: codes}
    return document


# --- policies --------------------------------------------------------------------------------------------


def shadowed(*policies: Document) -> list[str]:
    """The policies that allow nothing of their own, with the code."""
    return [text for text in found(*policies) if text.startswith(("FSE070", "FSE074"))]


def test_a_policy_inside_another_is_shadowed() -> None:
    inside = egress("b", "https 443", hosts=["a.com"], ipAddresses=["54.9.0.0/16"])
    for around in (
        egress("a", "tcp 443", ipAddresses=RANGE),
        egress("a", "https 443", ipAddresses=RANGE),
        egress("a", "https 443", hosts=["b.com", "a.com"]),
        egress("a", "https 443", hosts=["a.com"], ipAddresses=["54.0.0.0/8", "55.0.0.0/8"]),
    ):
        assert shadowed(around, inside) == ["FSE070 Egress curl/b spec.ports[0]: 54.9.0.0:443 TLS a.com"]


def test_a_policy_that_allows_anything_else_is_not_shadowed() -> None:
    other = egress("b", "https 443", hosts=["a.com"], ipAddresses=RANGE)
    for around in (
        egress("a", "https 443", hosts=["b.com"]),
        egress("a", "https 443", hosts=["a.com"], ipAddresses=["54.9.0.0/16"]),
        egress("a", "https 444", hosts=["a.com"]),
        egress("a", "http 443", hosts=["a.com"]),
        egress("a", "tcp 443", ipAddresses=RANGE, sources=[account("wget.curl")]),
    ):
        assert "curl/b" not in str(shadowed(around, other))


def test_many_policies_together_shadow_one() -> None:
    halves = [
        egress("a", "tcp 25", ipAddresses=["54.0.0.0/9"]),
        egress("b", "tcp 25", ipAddresses=["54.128.0.0/9"]),
    ]
    whole = egress("c", "https 25", hosts=["a.com"], ipAddresses=["54.0.0.0/9", "54.128.0.0/9"])
    (finding,) = lint(load(*halves, whole), only=["FSE070"])
    assert finding.message == "it allows nothing that Egress curl/a spec.ports[0] and others would not"
    around = egress("c", "https 25", hosts=["a.com"], ipAddresses=RANGE)
    assert shadowed(*halves, around) == ["FSE070 Egress curl/c spec.ports[0]: 54.0.0.0:25 TLS a.com"]
    assert shadowed(halves[0], around) == []


def test_http_is_shadowed_by_wider_routes() -> None:
    narrow = web("^/get/x", name="b")
    witness = "FSE070 Egress curl/b spec.ports[0]: 192.0.2.1:80 GET http://a.com/get/x"
    assert shadowed(*web("^/get"), *narrow) == [witness]
    assert shadowed(egress("a", "http 80", hosts=["a.com"]), *narrow) == [witness]
    assert shadowed(egress("a", "tcp 80"), *narrow) == [witness]
    assert shadowed(*web("^/got"), *narrow) == []


def test_http_is_shadowed_by_several_routes_together() -> None:
    def by_method(name: str, *methods: str, path: str = "^/get") -> list[Document]:
        group = routes(f"of-{name}", {"pathRegex": path, "methods": list(methods)})
        return [group, egress(name, "http 80", hosts=["a.com"], matches=uses(f"of-{name}"))]

    both = by_method("c", "GET", "POST")
    (finding,) = lint(load(*by_method("a", "GET"), *by_method("b", "POST"), *both), only=["FSE070"])
    assert str(finding.rule) == "Egress curl/c spec.ports[0]"
    assert finding.message == "it allows nothing that Egress curl/a spec.ports[0] and others would not"
    assert "curl/c" not in str(shadowed(*by_method("a", "GET"), *by_method("b", "PUT"), *both))
    halves = (*by_method("a", "GET", path="^/[a-m]"), *by_method("b", "GET", path="^/[n-z]"))
    assert shadowed(*halves, *by_method("c", "GET", path="^/[k-p]")) != []
    assert shadowed(*halves, *by_method("c", "GET", path="^/[k-p0]")) == []


@pytest.mark.parametrize("names", [("z-narrow", "a-shared"), ("a-narrow", "z-shared")])
def test_what_others_need_does_not_keep_a_port_from_being_spare(names: tuple[str, str]) -> None:
    narrow, shared = names
    mesh = [
        egress(narrow, "tcp 25", ipAddresses=RANGE),
        egress(shared, "tcp 25", ipAddresses=RANGE, sources=[account(WHO), account("other.curl")]),
    ]
    assert shadowed(*mesh) == [f"FSE070 Egress curl/{narrow} spec.ports[0]: 54.0.0.0:25 TCP"]


def test_a_port_of_two_entries_is_one() -> None:
    twice = egress("b", "tcp 25", "tcp 25", ipAddresses=RANGE)
    assert shadowed(egress("a", "tcp 25"), twice) == ["FSE070 Egress curl/b spec.ports[0]: 54.0.0.0:25 TCP"]


def test_a_port_without_which_a_refusal_would_differ_is_not_spare() -> None:
    gone = {"issuer": "other", "cert": {"secret": {"name": "gone"}}}
    broken = egress("a", "https 80", hosts=["a.com"], ipAddresses=RANGE, mtls=gone)
    answers = egress("b", "http 80", hosts=["b.com"], ipAddresses=RANGE)
    assert found(broken, answers, only=["FSE070", "FSE072"]) == []


def test_of_two_that_allow_the_same_the_first_stays() -> None:
    first, second = egress("a", "tcp 25"), egress("b", "TCP 25", hosts=["a.com"])
    assert shadowed(second, first) == ["FSE070 Egress curl/b spec.ports[0]: 192.0.2.1:25 TCP"]


def test_who_shows_another_certificate_or_has_other_settings_is_not_shadowed() -> None:
    mtls = {"issuer": "fsm"}
    for port in ("tcp 443", "https 443", "http 443"):
        wide = egress("a", port, hosts=["a.com"])
        assert shadowed(wide, egress("b", port, hosts=["a.com"], ipAddresses=RANGE, mtls=mtls)) == []
    assert shadowed(egress("a", "https 443"), egress("b", "https 443", ipAddresses=RANGE, mtls=mtls)) == []


def test_a_policy_counts_as_shadowed_if_it_is_for_all_its_accounts() -> None:
    both = [account(WHO), account("wget.curl")]
    wide, narrow = egress("a", "tcp 25"), egress("b", "tcp 25", ipAddresses=RANGE, sources=both)
    assert shadowed(wide, narrow) == []
    assert shadowed(egress("a", "tcp 25", sources=both), narrow) != []
    assert lint(load(wide, narrow), only=["FSE070"], identities=[WHO]) != ()


def test_who_allows_nothing_is_told_otherwise() -> None:
    gone = {"issuer": "other", "cert": {"secret": {"name": "gone"}}}
    assert shadowed(egress("a", "tcp 80"), egress("b", "http 80"), egress("c", "tcp 80", mtls=gone)) == []


def test_a_policy_is_not_shadowed_where_an_account_lacks_the_certificate_for_it() -> None:
    lacking = {**account(WHO), "mtls": {"issuer": "other", "cert": {"secret": {"name": "gone"}}}}
    narrow = egress("narrow", "http 80", hosts=["a.com"])
    wide = egress("wide", "http 80", hosts=["a.com", "b.com"])
    wide["spec"]["sources"] = [account("job.batch")]
    narrow["spec"]["sources"] = [account("job.batch")]
    assert "FSE070" in {it.code.code for it in lint(load(narrow, wide), sidecar=False)}
    narrow["spec"]["sources"].append(lacking)
    assert "FSE070" not in {it.code.code for it in lint(load(narrow, wide), sidecar=False)}


def test_a_policy_that_is_said_twice_is_no_shadow_besides() -> None:
    assert shadowed(egress("b", "tcp 25"), egress("a", "tcp 25")) == ["FSE074 Egress curl/b: None"]
    assert shadowed(*web("^/get"), *web("^/get", name="b")) != ["FSE074 Egress curl/b: None"]


def test_a_policy_decides_nothing_where_the_mesh_or_an_exclusion_comes_first() -> None:
    in_mesh = egress("a", "tcp 80", ipAddresses=["10.96.0.1/32", "10.0.0.1/32"])
    assert found(service("web", "http-x 80"), in_mesh) == [
        "FSE072 Egress curl/a spec.ports[0]: 10.0.0.1:80 TCP"
    ]
    excluded = config({"outboundPortExclusionList": [25]})
    assert found(excluded, egress("a", "tcp 25", ipAddresses=RANGE), without=["FSE091"]) == [
        "FSE072 Egress curl/a spec.ports[0]: 54.0.0.0:25 TCP"
    ]


def test_a_policy_that_decides_for_one_account_decides() -> None:
    pod = random_meshes.source_pod(WHO, "outbound-port-exclusion-list", "25")
    accounts = [account(WHO), account("wget.curl")]
    other = resource("v1", "ServiceAccount", "curl", "wget")
    policy = egress("a", "tcp 25", ipAddresses=RANGE, sources=accounts)
    assert found(pod, other, policy, without=["FSE091"]) == []


def test_a_port_is_open_at_every_address() -> None:
    assert found(egress("a", "tcp 25")) == ["FSE075 Egress curl/a spec.ports[0]: 192.0.2.1:25 TCP"]
    assert found(egress("a", "https 443")) == [
        "FSE075 Egress curl/a spec.ports[0]: 192.0.2.1:443 TLS without server name"
    ]
    (finding,) = lint(load(egress("a", "tcp 25", ipAddresses=["::/0"])), sidecar=False)
    assert finding.message == "anything may be sent to port 25 of every IPv6 address"


def test_a_port_is_open_by_several_ranges_or_policies_together() -> None:
    low, high = ["0.0.0.0/1"], ["128.0.0.0/2", "192.0.0.0/2"]
    one = egress("a", "tcp 25", ipAddresses=[*low, *high])
    assert found(one) == ["FSE075 Egress curl/a spec.ports[0]: 128.0.0.0:25 TCP"]
    (finding,) = lint(
        load(egress("a", "tcp 25", ipAddresses=high), egress("b", "tcp 25", ipAddresses=low)), sidecar=False
    )
    assert (str(finding.rule), str(finding.witness)) == ("Egress curl/a spec.ports[0]", "128.0.0.0:25 TCP")
    assert finding.message == (
        "anything may be sent to port 25 of every IPv4 address, together with Egress curl/b spec.ports[0]"
    )
    tls = egress("b", "https 25", ipAddresses=[*low, "::/0"])
    messages = [
        it.message for it in lint(load(egress("a", "tcp 25", ipAddresses=high), tls), only=["FSE075"])
    ]
    assert messages == [
        "any TLS may be sent to port 25 of every IPv4 address, together with Egress curl/b spec.ports[0]",
        "any TLS may be sent to port 25 of every IPv6 address",
    ]
    assert found(egress("a", "tcp 25", ipAddresses=["0.0.0.0/2", *high])) == []
    other = egress("b", "tcp 25", ipAddresses=low, sources=[account("other.curl")])
    assert found(egress("a", "tcp 25", ipAddresses=high), other) == []


def test_a_service_without_pods_leads_outside() -> None:
    permissive = config({"enablePermissiveTrafficPolicyMode": True})
    who = resource("v1", "ServiceAccount", "curl", "curl")

    def leads(*entries: Entry) -> list[str]:
        mesh = load(permissive, who, *entries)
        refuted = not fe.never(mesh, fe.Where.outside())
        assert refuted is bool(lint(mesh, only=["FSE090"]))
        return found(permissive, who, *entries, only=["FSE090"])

    def partner(*entries: str, pod: str | Document = "203.0.113.9", **spec: Any) -> list[Document]:
        return service("partner", *entries, pods=[pod], **{"selector": {}, **spec})

    out = ["FSE090 Service shop/partner spec.ports[0]: 10.96.0.1:443 TCP"]
    assert leads(partner("tcp-x 443")) == out
    assert leads(partner("http-x 80")) == [
        "FSE090 Service shop/partner spec.ports[0]: 10.96.0.1:80 GET http://partner.shop/"
    ]
    assert leads(partner("tcp-x 443", selector={"app": "x"})) == []
    named = {"ip": "203.0.113.9", "targetRef": {"kind": "Pod", "name": "p"}}
    assert leads(partner("tcp-x 443", pod=named)) == []
    assert leads(partner("tcp-x 443", pod={**named, "targetRef": {"kind": "Node"}})) == out
    # Where the pods are known, their addresses are what counts.
    elsewhere, itself = pod_at("10.0.0.7"), pod_at("203.0.113.9")
    assert leads(partner("tcp-x 443", selector={"app": "x"}), elsewhere) == out
    assert leads(partner("tcp-x 443", pod=named), elsewhere) == out
    assert leads(partner("tcp-x 443"), itself) == []
    # A headless service has the addresses themselves.
    assert leads(partner("tcp-x 443", ip="None")) == [
        "FSE090 Service shop/partner spec.ports[0]: 203.0.113.9:443 TCP"
    ]


def pod_at(address: str) -> Document:
    return resource("v1", "Pod", "shop", "p", status={"podIPs": [{"ip": address}]})


def test_a_backend_without_pods_leads_its_service_outside() -> None:
    permissive = config({"enablePermissiveTrafficPolicyMode": True})
    who = resource("v1", "ServiceAccount", "curl", "curl")
    backends = [{"service": "out", "weight": 1}, {"service": "web", "weight": 9}]
    split = resource(
        "split.smi-spec.io/v1alpha4",
        "TrafficSplit",
        "shop",
        "s",
        spec={"service": "web", "backends": backends},
    )
    web = service("web", "tcp-x 80")
    out = service("out", "tcp-x 80", ip="10.96.0.2", pods=["203.0.113.9"], selector={})
    texts = found(permissive, who, split, web, out, only=["FSE090"])
    assert [text.split(":")[0] for text in texts] == [
        "FSE090 Service shop/out spec.ports[0]",
        "FSE090 Service shop/web spec.ports[0]",
    ]


def test_a_port_that_is_restricted_or_excluded_or_broken_is_not_open() -> None:
    gone = {"issuer": "other", "cert": {"secret": {"name": "gone"}}}
    excluded = config({"outboundPortExclusionList": [25]})
    assert "FSE075" not in str(found(egress("a", "tcp 25", ipAddresses=RANGE)))
    assert "FSE075" not in str(found(egress("a", "https 443", hosts=["a.com"])))
    assert "FSE075" not in str(found(egress("a", "tcp 25", mtls=gone)))
    assert "FSE075" not in str(found(excluded, egress("a", "tcp 25")))
    # The certificate of the other policy is what lacks: this one is open all the same.
    assert "FSE075" in str(found(egress("a", "https 25"), egress("b", "tcp 25", mtls=gone)))


def test_passthrough_beside_policies_opens_the_rest() -> None:
    claimed = egress("a", "tcp 25", ipAddresses=RANGE)
    place = "FSE077 MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress"
    assert found(OPEN, claimed) == [f"{place}: 192.0.2.1:25 TCP"]
    assert found(OPEN, egress("a", "tcp 1"), only=["FSE077"]) == [f"{place}: 192.0.2.1:2 TCP"]
    assert found(OPEN, resource("v1", "ServiceAccount", "curl", "curl")) == []
    everything = config({"enableEgress": True, "outboundIPRangeExclusionList": ["0.0.0.0/0"]})
    assert found(everything, claimed, only=["FSE077"]) == [f"{place}: [2001:db8::1]:25 TCP"]


def test_a_claim_takes_from_passthrough_what_it_does_not_allow() -> None:
    policy = egress("a", "https 443", hosts=["a.com"], ipAddresses=RANGE)
    taken = ["FSE078 Egress curl/a spec.ports[0]: 54.0.0.0:443 TCP"]
    assert found(OPEN, policy, only=["FSE078"]) == taken
    assert found(policy, only=["FSE078"]) == []
    assert found(OPEN, policy, egress("b", "tcp 443", ipAddresses=RANGE), only=["FSE078"]) == []


def test_exclusions_bypass_policies_that_deny() -> None:
    policy = egress("a", "http 80", hosts=["a.com"], ipAddresses=RANGE)
    bypassed = ["FSE079"]
    place = "FSE079 MeshConfig fsm-system/fsm-mesh-config spec.traffic."

    def lists(**traffic: Any) -> Document:
        return config(traffic)

    assert found(lists(outboundPortExclusionList=[80, 81]), policy, only=bypassed) == [
        f"{place}outboundPortExclusionList[0]: 54.0.0.0:80 TCP"
    ]
    assert found(lists(outboundIPRangeInclusionList=["10.0.0.0/8"]), policy, only=bypassed) == [
        f"{place}outboundIPRangeInclusionList[0]: 54.0.0.0:80 TCP"
    ]
    anywhere = egress("a", "http 80", hosts=["a.com"])
    assert found(lists(outboundIPRangeInclusionList=["0.0.0.0/0"]), anywhere, only=bypassed) == []
    streams = egress("a", "tcp 80")
    assert found(lists(outboundPortExclusionList=[80]), streams, only=bypassed) == []


def test_what_is_the_mesh_s_bypasses_no_policy() -> None:
    excluded = config({"outboundIPRangeExclusionList": ["10.96.0.1/32"]})
    policy = egress("a", "http 80", hosts=["a.com"])
    assert "FSE079" not in str(found(excluded, service("web", "http-x 80", pods=["10.0.0.1"]), policy))


def test_an_annotation_of_a_pod_bypasses_too() -> None:
    pod = random_meshes.source_pod(WHO, "outbound-ip-range-exclusion-list", "54.9.9.9/32")
    (text,) = found(pod, egress("a", "http 80", hosts=["a.com"]), only=["FSE079"])
    place = "Pod curl/curl-ip metadata.annotations.flomesh.io/outbound-ip-range-exclusion-list"
    assert text == f"FSE079 {place}: 54.9.9.9:80 TCP"


def passing(*entries: Entry, **options: Any) -> list[str]:
    """What passes by the sidecar of a closed mesh: by which entry, what, shown by whom."""
    findings = lint(load(*entries), sidecar=False, only=["FSE091"], **options)
    said = ": no policy can deny it"
    return [
        f"{it.rule.path.rpartition('.')[2]}: {it.message.removesuffix(said)}: {it.identity} to {it.witness}"
        for it in findings
    ]


def test_what_passes_by_the_sidecar_of_a_closed_mesh_is_found_where_nobody_claims_it() -> None:
    said = {
        it.partition(" passes by the sidecar: any other account to ")[::2]
        for lists in (
            {"outboundPortExclusionList": [443, 0, 25]},
            {"outboundIPRangeExclusionList": ["54.0.0.0/8", "54.9.0.0/16"]},
            {"outboundIPRangeInclusionList": ["10.0.0.0/8", "11.0.0.0/8"]},
        )
        for it in passing(config(lists))
    }
    assert said == {
        ("outboundPortExclusionList[0]: what goes to port 443", "192.0.2.1:443 TCP"),
        ("outboundPortExclusionList[2]: what goes to port 25", "192.0.2.1:25 TCP"),
        ("outboundIPRangeExclusionList[0]: what goes to `54.0.0.0/8`", "54.0.0.0:1 TCP"),
        ("outboundIPRangeExclusionList[1]: what goes to `54.9.0.0/16`", "54.9.0.0:1 TCP"),
        ("outboundIPRangeInclusionList[0]: what no included range holds", "192.0.2.1:1 TCP"),
    }
    assert passing(config({"outboundIPRangeInclusionList": ["0.0.0.0/0"]})) == []
    assert passing(config({"outboundIPRangeInclusionList": ["0.0.0.0/1", "128.0.0.0/1"]})) == []
    assert passing(config({"outboundIPRangeExclusionList": ["127.0.0.0/8"]})) == []
    assert passing(config({"outboundPortExclusionList": [443], "enableEgress": True})) == []
    assert passing(config()) == []


def test_what_passes_by_the_sidecar_is_told_of_each_entry_of_an_annotation() -> None:
    pod = random_meshes.source_pod(WHO, "outbound-ip-range-exclusion-list", "54.9.9.9/32, 55.0.0.0/8")
    assert passing(pod) == [
        f"io/outbound-ip-range-exclusion-list: what goes to `{entry}` passes by the sidecar: "
        f"{WHO} to {address}:1 TCP"
        for entry, address in (("54.9.9.9/32", "54.9.9.9"), ("55.0.0.0/8", "55.0.0.0"))
    ]


def test_what_a_policy_or_the_mesh_allows_is_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    excluded = config({"outboundPortExclusionList": [25]})
    assert passing(excluded, egress("a", "tcp 25"), identities=[WHO]) == []
    assert len(passing(excluded, egress("a", "tcp 25", ipAddresses=RANGE), identities=[WHO])) == 1
    assert len(passing(excluded, egress("a", "tcp 25"))) == 1  # of any other account
    monkeypatch.setattr(view, "LAST_PORT", 30)
    every = [f"tcp {number}" for number in range(1, 31)]
    ranged = config({"outboundIPRangeExclusionList": ["54.9.9.9/32"]})
    assert passing(ranged, egress("a", *every), identities=[WHO]) == []


def test_passthrough_is_found_beside_an_excluded_port() -> None:
    mesh = config({"enableEgress": True, "outboundPortExclusionList": [1]}), egress("a", "tcp 25")
    assert [text[:6] for text in found(*mesh, only=["FSE077"])] == ["FSE077"]


def test_a_second_meshconfig_counts_for_nothing() -> None:
    second = {**config({"enableEgress": True}), "metadata": {"name": "spare", "namespace": "other"}}
    (finding,) = lint(load(config(), second), sidecar=False, only=["FSE093"])
    assert str(finding.rule) == "MeshConfig other/spare"
    assert finding.message == "it counts for nothing: MeshConfig fsm-system/fsm-mesh-config is taken"


def test_http_egress_tells_the_host_who_calls() -> None:
    (finding,) = lint(load(*web("^/get")), only=["FSE083"])
    assert str(finding.witness) == "192.0.2.1:80 GET http://a.com/get"
    assert finding.message == (
        "every request tells `a.com` who sends it, in the header `serviceidentity: curl.curl`"
    )
    assert finding.cured
    assert lint(load(*web("^/get")), only=["FSE083"], enforce=True) == ()
    streams = [egress("a", "http 80", hosts=["a.com"]), egress("b", "tcp 80")]
    assert found(*streams, only=["FSE083"]) == []


def test_nothing_is_told_where_no_request_is_known() -> None:
    assert found(*web("^get$"), only=["FSE083", "FSE081"]) == [
        "FSE083 Egress curl/a spec.ports[0]: 192.0.2.1:80 GET get (Host a.com)"
    ]
    assert found(*web("[]"), only=["FSE083", "FSE081"]) == []


# --- routes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "let_out"),
    [
        ("/get", "/x?u=/get"),
        ("(/get|/status)/x", "/x?u=/get/x"),
        ("/get$", "/x?u=/get"),
        ("(?:/)get", "/x?u=/get"),
    ],
)
def test_a_path_that_is_not_anchored_is_found_in_the_query(pattern: str, let_out: str) -> None:
    (text,) = found(*web(pattern), only=["FSE081"])
    assert text == f"FSE081 HTTPRouteGroup curl/of-a spec.matches[0]: 192.0.2.1:80 GET http://a.com{let_out}"


@pytest.mark.parametrize(
    "pattern", ["^/get", "get", "(/get|status)", ".*", "/", "/.*", "/?get", "", "[/]{2}"]
)
def test_what_is_anchored_or_means_everything_or_any_place_is_left_alone(pattern: str) -> None:
    assert found(*web(pattern), only=["FSE081"]) == []


def test_a_path_that_another_route_lets_out_is_no_news() -> None:
    assert found(*web(".*", "/get"), only=["FSE081"]) != []
    assert found(*web("/[a-z]*\\?u=/get", "/get"), only=["FSE081"]) != []
    assert found(egress("b", "tcp 80"), *web("/get"), only=["FSE081"]) == []


def test_headers_and_methods_go_with_the_witness() -> None:
    group = routes(
        "r", {"pathRegex": "/get", "methods": ["PUT"], "headers": [{"X-Env": "^prod"}, {"host": "a"}]}
    )
    policy = egress("a", "http 80", hosts=["b.org", "a.com"], matches=uses("r"))
    (finding,) = lint(load(group, policy), only=["FSE081"])
    assert finding.witness is not None
    assert finding.witness.sends == HTTPRequest("PUT", "a.com", "/x?u=/get", {"x-env": "prod"})


def test_a_header_that_no_request_can_have_has_no_witness() -> None:
    name = "x" * 65
    group = routes("r", {"pathRegex": "/get", "headers": [{name: "^prod"}]})
    policy = egress("a", "http 80", hosts=["a.com"], matches=uses("r"))
    assert found(group, policy, only=["FSE081", "FSE083"]) == []


@pytest.mark.parametrize("path", [".*", "/", "^/", "/.*", "", "[^a]"])
def test_a_route_takes_every_request(path: str) -> None:
    assert found(*web(path), only=["FSE076"]) == [
        "FSE076 HTTPRouteGroup curl/of-a spec.matches[0]: 192.0.2.1:80 DELETE http://a.com/other"
    ]


def test_routes_take_every_request_together_of_one_policy_or_several() -> None:
    reads: Document = {"methods": ["GET", "HEAD"]}
    writes: Document = {"methods": ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]}
    only = ["FSE076"]

    def policy(name: str, *hosts: str) -> Document:
        return egress(name, "http 80", hosts=list(hosts or ["a.com"]), matches=uses(name))

    (text,) = found(routes("a", reads, writes), policy("a", "a.com", "b.com"), only=only)
    assert text == "FSE076 HTTPRouteGroup curl/a spec.matches[1]: 192.0.2.1:80 DELETE http://a.com/other"
    two = (routes("a", reads), routes("b", writes))
    (finding,) = lint(load(*two, policy("a"), policy("b")), sidecar=False, only=only)
    assert str(finding.rule) == "HTTPRouteGroup curl/b spec.matches[0]"
    assert finding.message == (
        "together with HTTPRouteGroup curl/a spec.matches[0] it takes every request: they restrict nothing"
    )
    assert found(*two, policy("a"), policy("b", "b.com"), only=only) == []
    fewer = routes("b", {"methods": ["POST", "PUT", "DELETE", "PATCH"]})
    assert found(routes("a", reads), fewer, policy("a"), policy("b"), only=only) == []
    (alone,) = found(routes("a", reads, {}), policy("a"), only=only)
    assert "spec.matches[1]" in alone


def test_a_route_that_asks_for_something_does_not() -> None:
    for match in ({"methods": ["GET"]}, {"headers": [{"x-env": "prod"}]}, {"pathRegex": "^/a"}):
        policy = egress("a", "http 80", hosts=["a.com"], matches=uses("r"))
        assert found(routes("r", match), policy, only=["FSE076"]) == []


def test_a_match_without_its_own_share_is_shadowed() -> None:
    def left(*matches: Document) -> list[str]:
        policy = egress("a", "http 80", hosts=["a.com"], matches=uses("r"))
        return [text.split()[-2][-4:-1] for text in found(routes("r", *matches), policy, only=["FSE071"])]

    get, post = {"pathRegex": "^/a", "methods": ["GET"]}, {"pathRegex": "^/a", "methods": ["POST"]}
    assert left({"pathRegex": "^/a"}, get, post) == ["[1]", "[2]"]
    assert left(get, get) == ["[1]"]
    assert left(get, post) == []
    assert left({"pathRegex": "^/a[0-9]"}, {"pathRegex": "^/a"}) == ["[0]"]
    both = {"pathRegex": "^/a", "methods": ["GET", "POST"]}
    assert left(get, post, both) == ["[2]"]
    (finding,) = lint(
        load(routes("r", get, post, both), egress("a", "http 80", matches=uses("r"))), only=["FSE071"]
    )
    assert finding.message == (
        "it allows an Egress policy nothing that `spec.matches[0]` and `spec.matches[1]` do not"
    )
    assert left({"pathRegex": "^/a[0-9]"}, {"pathRegex": "^/a[a-z0]"}) == []
    assert left({"headers": [{"x-env": "prod"}]}, {"pathRegex": "^/a", "headers": [{"X-Env": "prod"}]}) != []
    assert left({"headers": [{"x-env": ""}]}, {"pathRegex": "^/a"}) != []
    assert left({"headers": [{"x-env": "prod"}]}, {"headers": [{"x-env": "dev"}]}) == []


def test_a_match_that_a_traffic_target_names_is_not_spare() -> None:
    shadowing = web("^/a", "^/ab")
    rules = [{"kind": "HTTPRouteGroup", "name": "of-a", "matches": ["m1"]}]
    spec = {"destination": account("web.curl"), "sources": [account(WHO)], "rules": rules}
    target = resource("access.smi-spec.io/v1alpha3", "TrafficTarget", "curl", "t", spec=spec)
    assert found(*shadowing, only=["FSE071"]) != []
    assert found(*shadowing, target, only=["FSE071"]) == []
    assert found(shadowing[0], only=["FSE071"]) == []


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ({"pathRegex": "a^"}, "no path is matched by `a^`"),
        ({"pathRegex": "^$"}, "no path is matched by `^$`"),
        ({"headers": [{"x-env": "a$b"}]}, "no value of the header `x-env` is matched by `a$b`"),
    ],
)
def test_a_route_that_no_request_meets(match: Document, why: str) -> None:
    (finding,) = lint(load(routes("r", match)), only=["FSE073"])
    assert finding.message == why


@pytest.mark.parametrize(
    "match",
    [
        {"pathRegex": "^/get"},
        {"pathRegex": "get$"},
        {"pathRegex": r"^\*$", "methods": ["OPTIONS"]},
        {"pathRegex": "^http://a.com/"},
        {"pathRegex": "^a.com:443$", "methods": ["CONNECT"]},
        {"headers": [{"host": "a$b"}]},
        {"pathRegex": "x*(?=a)b"},
    ],
)
def test_a_route_that_some_request_meets_or_that_is_not_decided(match: Document) -> None:
    assert found(routes("r", match), only=["FSE073", "FSE160"]) == []


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("^get", "get"), (r"^\*.", "*/"), ("^ftp://", "ftp://"), ("^a.com:443$", "a/com:443")],
)
def test_a_route_that_only_requests_written_by_hand_meet(pattern: str, path: str) -> None:
    mesh = load(
        routes("r", {"pathRegex": pattern}), egress("e", "http 80", hosts=["a.com"], matches=uses("r"))
    )
    (finding,) = lint(mesh, only=["FSE073", "FSE160"])
    words = f"only paths without a slash before them are matched by `{pattern}`, such as `{path}`"
    assert (finding.code.code, finding.message) == ("FSE160", words)
    request = fe.Connection("192.0.2.1", 80, fe.HTTPRequest("GET", "a.com", path))
    assert fe.compile(mesh, WHO).classify(request).allowed


def test_a_pattern_that_may_take_ages_is_named_with_its_cost() -> None:
    group = routes("r", {"pathRegex": "^(a+)+$", "headers": [{"x-env": "(a*)*b"}, {"x-key": "a*b"}]})
    assert [(it.rule.path, it.message) for it in lint(load(group), only=["FSE088"])] == [
        ("spec.matches[0].headers", "a search for `(a*)*b` may take exponential time"),
        ("spec.matches[0].pathRegex", "a search for `^(a+)+$` may take exponential time"),
    ]


# --- resources -------------------------------------------------------------------------------------------


def test_what_is_named_twice_counts_once() -> None:
    twice = egress("a", "tcp 25", "TCP 25", hosts=["a.com", "A.com"], ipAddresses=["54.1.2.3/8", *RANGE])
    twice["spec"]["sources"] *= 2
    twice["spec"]["matches"] = uses("r", "r")
    places = [it.rule.path for it in lint(load(twice), only=["FSE059"], sidecar=False)]
    assert places == [f"spec.{name}[1]" for name in ("hosts", "ipAddresses", "matches", "ports", "sources")]


def test_a_range_inside_another_adds_nothing() -> None:
    policy = egress("a", "tcp 25", ipAddresses=["54.9.0.0/16", "55.0.0.0/8", "54.0.0.0/8", "54.9.9.9/32"])
    messages = [it.message for it in lint(load(policy), only=["FSE085"])]
    assert messages == [
        "`54.9.0.0/16` lies inside `54.0.0.0/8`, and adds nothing",
        "`54.9.9.9/32` lies inside `54.0.0.0/8`, and adds nothing",
    ]


def test_policies_say_the_same_in_any_order() -> None:
    two = [account(WHO), account("wget.curl")]
    one = egress("a", "tcp 25", "tcp 26", hosts=["a.com", "b.com"], sources=two)
    other = egress("b", "tcp 26", "tcp 25", hosts=["b.com", "a.com"], sources=two[::-1], space="shop")
    assert found(one, other, only=["FSE074"]) == ["FSE074 Egress shop/b: None"]
    assert found(*web("^/a"), *web("^/a", name="b", space="curl"), only=["FSE074"]) == []
    for group in (one, other):
        group["spec"]["matches"] = uses("r")
    assert found(one, other, only=["FSE074"]) == []


def test_an_account_is_known_by_its_own_resource_or_by_a_pod() -> None:
    policy = egress("a", "tcp 25", ipAddresses=RANGE)
    other = resource("v1", "ServiceAccount", "curl", "wget")
    unknown = ["FSE082 Egress curl/a spec.sources[0]: None"]
    assert found(policy) == []
    assert found(policy, other) == unknown
    assert found(policy, resource("v1", "Pod", "curl", "p", spec={"serviceAccountName": "wget"})) == unknown
    assert found(policy, other, resource("v1", "Pod", "curl", "p", spec={"serviceAccountName": "curl"})) == []
    default = egress("a", "tcp 25", ipAddresses=RANGE, sources=[account("default.curl")])
    assert found(default, other) == []


def test_certificates_of_other_namespaces() -> None:
    secret = resource("v1", "Secret", "shop", "s")
    mtls = {"issuer": "x", "cert": {"secret": {"name": "s", "namespace": "shop"}}}
    (text,) = found(secret, egress("a", "tcp 25", ipAddresses=RANGE, mtls=mtls))
    assert text == "FSE080 Egress curl/a spec.sources[0].mtls.cert.secret.namespace: None"
    near = {"issuer": "x", "cert": {"secret": {"name": "s"}}}
    assert found(secret, egress("a", "tcp 25", ipAddresses=RANGE, mtls=near), only=["FSE080"]) == []
    assert (
        found(egress("a", "tcp 25", ipAddresses=RANGE, mtls={"issuer": "x", "cert": {}}), only=["FSE080"])
        == []
    )


def test_a_missing_reference_is_told_where_it_would_lead() -> None:
    group = routes("r", {"pathRegex": "^/get"}, space="shop")
    policy = egress("a", "http 80", hosts=["a.com"], matches=uses("r"))
    (finding,) = lint(load(group, policy), only=["FSE002"])
    assert finding.fix == "create it in `curl`: references do not reach HTTPRouteGroup shop/r"
    (finding,) = lint(load(policy), only=["FSE002"])
    assert finding.fix == RULES[Code.MISSING_HTTP_ROUTE_GROUP].fix
    elsewhere = [
        group,
        routes("r", {"pathRegex": "^/get"}),
        egress("a", "http 80", matches=uses("r", "gone")),
    ]
    (finding,) = lint(load(*elsewhere), only=["FSE002"])
    assert finding.fix == RULES[Code.MISSING_HTTP_ROUTE_GROUP].fix


def test_a_group_that_a_split_misses_has_the_usual_advice() -> None:
    split = {"kind": "HTTPRouteGroup", "name": "r"}
    spec = {"service": "web", "backends": [{"service": "web", "weight": 1}], "matches": [split]}
    entries = [
        resource("split.smi-spec.io/v1alpha4", "TrafficSplit", "shop", "s", spec=spec),
        routes("r", {}),
        *service("web", "http-x 80"),
        resource("v1", "ServiceAccount", "curl", "curl"),
    ]
    (finding,) = lint(load(*entries), only=["FSE002"])
    assert finding.fix == RULES[Code.MISSING_HTTP_ROUTE_GROUP].fix


def test_what_is_read_otherwise_is_told_while_the_resource_is_there() -> None:
    mesh = load(egress("a", "https 443", hosts=["A.com"], ipAddresses=["54.1.2.3/8"]))
    codes = [Code.HOST_IN_CAPITALS, Code.HOST_BITS_SET]
    assert [(it.code, it.rule.path) for it in lint(mesh, only=codes)] == [
        (Code.HOST_IN_CAPITALS, "spec.hosts[0]"),
        (Code.HOST_BITS_SET, "spec.ipAddresses[0]"),
    ]
    (policy,) = mesh.kind(EgressPolicy)
    assert lint(mesh.without(policy.ref), only=codes) == ()


def test_other_words_of_the_loader_are_not_lint_s() -> None:
    odd = egress("a", "tcp 25", ipAddresses=RANGE, unknown=1)
    mesh = fe.load([config(), odd, egress("b", "tcp 0")], strict=False, lenient_fields=True)
    assert {problem.severity for problem in mesh.problems} == {Severity.WARNING, Severity.ERROR}
    assert lint(mesh, only=["FSE086", "FSE087"]) == ()


# --- what is asked for -----------------------------------------------------------------------------------


def test_codes_are_chosen_by_number_or_by_name() -> None:
    mesh = load(egress("a", "tcp 25"), OPEN)
    every = {it.code.code for it in lint(mesh, sidecar=False)}
    assert every == {"FSE075", "FSE077"}
    assert {it.code for it in lint(mesh, only=["FSE075", Code.MISSING_SECRET])} == {Code.EVERY_ADDRESS}
    assert {it.code for it in lint(mesh, without=[Code.EVERY_ADDRESS], sidecar=False)} == {
        Code.PASSTHROUGH_BESIDE_POLICIES
    }


def test_identities_are_chosen_by_name_or_value() -> None:
    mesh = load(egress("a", "tcp 25"))
    assert len(lint(mesh, sidecar=False, identities=[WHO])) == 1
    assert lint(mesh, sidecar=False, identities=[fe.ServiceIdentity("wget", "curl")]) == ()


@pytest.mark.parametrize(
    "options", [{"only": ["FSE75"]}, {"without": ["passthrough"]}, {"identities": ["curl"]}]
)
def test_what_cannot_be_chosen_is_an_error(options: dict[str, Any]) -> None:
    with pytest.raises(fe.InvalidValue):
        lint(load(), **options)


def test_a_finding_names_the_first_identity_that_shows_it() -> None:
    both = [account(WHO), account("alice.curl")]
    (finding,) = lint(load(egress("a", "tcp 25", sources=both)), sidecar=False)
    assert finding.identity == fe.ServiceIdentity("alice", "curl")


def test_the_sidecar_is_compared_with_or_without_the_module() -> None:
    mesh = load(egress("a", "https 443", hosts=["a.com"]))
    assert [it.code.code for it in lint(mesh)] == ["FSE029", "FSE031", "FSE034"]
    assert [it.code.code for it in lint(mesh, enforce=True)] == ["FSE034"]
    assert lint(mesh, sidecar=False) == lint(mesh, without=["FSE029", "FSE031", "FSE034"]) == ()


def test_what_lies_in_the_sidecar_is_said_once_for_a_mesh_at_its_config() -> None:
    one, other = (
        egress(name, f"http {port}", hosts=["a.com"], sources=[account(who)])
        for name, port, who in (("a", 80, WHO), ("b", 81, "wget.curl"))
    )
    mesh = load(ignoring(one, "FSE034, FSE035"), other)
    assert [(it.code.code, it.rule.path) for it in lint(mesh, without=["FSE083"])] == [
        (code, "spec.traffic.enableEgress") for code in ("FSE034", "FSE035", "FSE036")
    ]


def test_a_certificate_that_is_lost_is_not_with_the_module() -> None:
    mesh = load(egress("a", "https 443", hosts=["a.com"], mtls={"issuer": "fsm"}))
    only = [Code.CERTIFICATE_LOST]
    assert [it.code for it in lint(mesh, only=only, sidecar=False)] == only
    assert lint(mesh, only=only, enforce=True) == ()


def test_the_controller_s_view_has_the_last_word() -> None:
    mesh = load(egress("a", "https 443", hosts=["a.com"], mtls={"issuer": "other"}))
    (here,) = lint(mesh, only=["FSE004"])
    (there,) = lint(mesh, only=["FSE004"], stock=True)
    assert here.message == "the secret of the certificate does not exist: what the policy claims is denied"
    assert there.message == "the secret of the certificate does not exist: an empty certificate is shown"
    assert here.witness is None
    assert there.witness is not None


# --- what resources do not want to hear of ---------------------------------------------------------------


def test_a_resource_says_which_codes_it_ignores() -> None:
    policy = ignoring(egress("a", "tcp 25"), " FSE075,FSE080\n")
    other = egress("b", "tcp 26")
    assert found(policy, other) == ["FSE075 Egress curl/b spec.ports[0]: 192.0.2.1:26 TCP"]
    marked = lint(load(policy, other), sidecar=False, suppressed=True)
    assert [(it.rule.resource.name, it.suppressed) for it in marked] == [("a", True), ("b", False)]


def test_a_code_that_is_none_is_a_finding_itself() -> None:
    policy = ignoring(egress("a", "tcp 25", ipAddresses=RANGE), "FSE999, fse075")
    messages = [(it.code, it.rule.path, it.message) for it in lint(load(policy), sidecar=False)]
    place = f"metadata.annotations.{IGNORE}"
    assert messages == [
        (Code.UNKNOWN_CODE_IGNORED, place, "`FSE999` is no code of a finding"),
        (Code.UNKNOWN_CODE_IGNORED, place, "`fse075` is no code of a finding"),
    ]
    assert found(ignoring(policy, "FSE999, FSE084")) == []


def test_a_policy_that_was_refused_may_ignore_codes_too() -> None:
    def codes(document: Document) -> list[str]:
        mesh = fe.load([config(), document, resource("v1", "ServiceAccount", "curl", "curl")], strict=False)
        return [it.code.code for it in lint(mesh, sidecar=False, stock=True)]

    policy = egress("a", "tcp 25", ipAddresses=["54.1.2.3"])
    assert codes(policy) == ["FSE054", "FSE056"]
    assert codes(ignoring(policy, "FSE054, FSE056")) == []
    policy["metadata"]["annotations"] = {IGNORE: 54}
    assert codes(policy) == []  # so it is wrong otherwise, and in force nowhere
    policy["metadata"]["annotations"] = []
    assert codes(policy) == []


# --- no false alarm --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.yaml")), ids=lambda path: path.name)
@pytest.mark.parametrize("passthrough", [False, True])
def test_the_demo_raises_no_false_alarm(path: Path, *, passthrough: bool) -> None:
    mesh = fe.load({DEMO / "mesh-config.yaml", path})
    mesh = mesh.patched({"spec": {"traffic": {"enableEgress": passthrough}}})
    errors = [it for it in lint(mesh, stock=True) if it.severity is Severity.ERROR]
    assert all(is_shown(mesh, it) for it in errors)
    assert {it.code for it in errors} <= {Code.SERVER_NAME_NOT_COMPARED, Code.PROTOCOL_NOT_COMPARED}
    assert bool(errors) == (path.name == "https.yaml")


def test_meshes_that_the_controller_reads_as_we_do_raise_none() -> None:
    errors = {
        (case["name"], it.code)
        for case in EQUAL
        for it in lint(fe.load(case["resources"]), sidecar=False, stock=True)
        if it.severity is Severity.ERROR
    }
    assert errors == {
        ("missing UpstreamTrafficSetting disables the policy", Code.MISSING_UPSTREAM_TRAFFIC_SETTING)
    }


# --- laws ------------------------------------------------------------------------------------------------


def decided(mesh: fe.Snapshot, finding: Finding) -> Decision:
    assert finding.witness is not None
    assert finding.identity is not None
    return fe.compile(mesh, finding.identity).classify(finding.witness)


def is_in_the_way(mesh: fe.Snapshot, finding: Finding) -> bool:
    assert finding.witness is not None
    return finding.code in {it.code for it in obstacles_to(finding.witness, decided(mesh, finding))}


def seen_by_all(mesh: fe.Snapshot) -> fe.Snapshot:
    """The mesh without exclusions and inclusions."""
    lists = ("outboundIPRangeExclusionList", "outboundIPRangeInclusionList", "outboundPortExclusionList")
    plain: list[Resource] = [
        evolve(pod, metadata=bare(pod.metadata), spec=evolve(pod.spec, init_containers=()))
        for pod in mesh.kind(Pod)
    ]
    for maker in mesh.kind(Deployment):
        template = evolve(maker.spec.template, metadata=bare(maker.spec.template.metadata))
        plain.append(evolve(maker, spec=evolve(maker.spec, template=template)))
    return mesh.with_(*plain).patched({"spec": {"traffic": dict.fromkeys(lists)}})


def bare(metadata: Any) -> Any:
    """The metadata of a pod without its lists."""
    kept = {name: text for name, text in metadata.annotations.items() if name == INJECTION}
    return evolve(metadata, annotations=kept)


def is_stale(mesh: fe.Snapshot, finding: Finding) -> bool:
    """Whether a pod that is started now fares otherwise than the one that runs."""
    assert finding.witness is not None
    ref = finding.rule.resource
    pod = mesh.kind(Pod).get(ref.namespace, ref.name)
    assert pod is not None
    anew = mesh.with_(evolve(pod, spec=evolve(pod.spec, init_containers=())))
    engines = [fe.compile(it, pod=f"{ref.name}.{ref.namespace}") for it in (mesh, anew)]
    reasons = [engine.classify(finding.witness).reason for engine in engines]
    return (reasons[0] is Reason.NOT_INTERCEPTED) is not (reasons[1] is Reason.NOT_INTERCEPTED)


def without_policies(mesh: fe.Snapshot) -> fe.Snapshot:
    return mesh.without(*(policy.ref for policy in mesh.kind(EgressPolicy)))


def is_dialled_otherwise(mesh: fe.Snapshot, finding: Finding) -> bool:
    """Whether the sidecar does otherwise than is due."""
    assert finding.witness is not None
    assert finding.identity is not None
    return isinstance(Sides.of(mesh, finding.identity).compare(finding.witness), Disagreement)


# What the witness of a finding shows, by its code.
SHOWS: dict[Code, Callable[[fe.Snapshot, Finding], bool]] = {
    Code.STALE_RULES: is_stale,
    Code.SHADOWED_POLICY: lambda mesh, it: (
        decided(mesh, it).allowed
        and decided(mesh, it).targets == decided(without_ports(mesh, [it.rule]), it).targets
    ),
    Code.NEVER_MATCHES: lambda mesh, it: it.rule not in decided(mesh, it).considered,
    Code.EVERY_ADDRESS: lambda mesh, it: (
        decided(mesh, it).reason in {Reason.TCP_PORT, Reason.TLS_ANY}
        and it.rule in decided(mesh, it).considered
    ),
    Code.EVERY_REQUEST: lambda mesh, it: decided(mesh, it).route == it.rule,
    Code.UNANCHORED_PATH: lambda mesh, it: (
        decided(mesh, it).route == it.rule
        and decided(mesh, it).verdict is Verdict.EGRESS_POLICY
        and "?u=/" in str(it.witness)
    ),
    Code.PASSTHROUGH_BESIDE_POLICIES: lambda mesh, it: decided(mesh, it).reason is Reason.EGRESS_ENABLED,
    Code.TAKEN_FROM_PASSTHROUGH: lambda mesh, it: (
        not decided(mesh, it).allowed
        and it.rule in decided(mesh, it).considered
        and decided(without_policies(mesh), it).reason is Reason.EGRESS_ENABLED
    ),
    Code.EXCLUSION_BYPASSES_POLICY: lambda mesh, it: (
        decided(mesh, it).reason is Reason.NOT_INTERCEPTED
        and decided(mesh, it).rule == it.rule
        and not decided(seen_by_all(mesh), it).allowed
    ),
    Code.PASSES_BY_SIDECAR: lambda mesh, it: (
        decided(mesh, it).reason is Reason.NOT_INTERCEPTED
        and decided(seen_by_all(mesh), it).reason is Reason.EGRESS_DISABLED
    ),
    Code.SERVICE_LEADS_OUTSIDE: lambda mesh, it: (
        decided(mesh, it).verdict is Verdict.IN_MESH
        and decided(mesh, it).rule == it.rule
        and not {target.host for target in decided(mesh, it).targets}
        <= {str(entry.ip) for pod in mesh.kind(Pod) for entry in pod.status.pod_ips}
    ),
    Code.CONNECTION_HEADER: lambda mesh, it: not decided(mesh, it).allowed,
    **dict.fromkeys(
        (code for code in Code if "FSE140" <= code.code <= "FSE149" and code is not Code.CONNECTION_HEADER),
        is_in_the_way,
    ),
    Code.IDENTITY_REVEALED: lambda mesh, it: (
        decided(mesh, it).reason is Reason.HTTP_ROUTE
        and decided(mesh, it).verdict is Verdict.EGRESS_POLICY
        and it.rule in decided(mesh, it).considered
    ),
    **{
        code: is_dialled_otherwise
        for code, rule in RULES.items()
        if Side.SIDECAR in rule.sides and code is not Code.NOT_DECIDED
    },
}


def is_shown(mesh: fe.Snapshot, finding: Finding) -> bool:
    return SHOWS[finding.code](mesh, finding)


def without_ports(mesh: fe.Snapshot, rules: Iterable[FieldRef]) -> fe.Snapshot:
    """The mesh without these ports of Egress policies."""
    named = {(rule.resource, rule.path) for rule in rules}
    return mesh.with_(
        *(
            evolve(policy, spec=evolve(policy.spec, ports=kept))
            for policy in mesh.kind(EgressPolicy)
            for kept in [
                tuple(
                    port
                    for index, port in enumerate(policy.spec.ports)
                    if (policy.ref, f"spec.ports[{index}]") not in named
                )
            ]
        )
    )


def without_matches(mesh: fe.Snapshot, rules: Iterable[FieldRef]) -> fe.Snapshot:
    """The mesh without these matches of HTTPRouteGroups."""
    named = {(rule.resource, rule.path) for rule in rules}
    return mesh.with_(
        *(
            evolve(group, spec=evolve(group.spec, matches=kept))
            for group in mesh.kind(HTTPRouteGroup)
            for kept in [
                tuple(
                    match
                    for index, match in enumerate(group.spec.matches)
                    if (group.ref, f"spec.matches[{index}]") not in named
                )
            ]
        )
    )


def decisions(one: fe.Snapshot, other: fe.Snapshot) -> Iterator[tuple[Decision, Decision]]:
    """What both meshes decide about a connection of each class of each identity."""
    for who in (kind for named in one.identities() for kind in fe.kinds_of_pods(named, one, other)):
        sides = [(fe.resolve(mesh, who), fe.compile(mesh, who)) for mesh in (one, other)]
        for part in divide(*(reading_of_policy(policy) for policy, _ in sides)):
            first, second = (engine.classify(part.witness) for _, engine in sides)
            yield first, second


def meaning(decision: Decision) -> tuple[object, ...]:
    return decision.verdict, decision.status, decision.targets, decision.gateways


@given(random_meshes.meshes())
@settings(max_examples=examples(60), deadline=None)
def test_law_a_witness_shows_what_its_code_says(entries: random_meshes.Documents) -> None:
    mesh = fe.load(entries)
    for finding in lint(mesh, sidecar=False):
        assert finding.fix
        if finding.witness is not None:
            assert is_shown(mesh, finding), finding
        else:
            assert finding.code not in SHOWS or Side.SIDECAR in RULES[finding.code].sides


@given(random_meshes.meshes(), random_meshes.identities())
@settings(max_examples=examples(8), deadline=None)
def test_law_what_the_comparison_finds_is_shown_too(entries: random_meshes.Documents, identity: str) -> None:
    mesh = fe.load(entries)
    for finding in lint(mesh, identities=[identity]):
        assert finding.witness is None or is_shown(mesh, finding), finding
        assert Side.SIDECAR in RULES[finding.code].sides or finding.code not in SHOWS or finding.witness


PORTS_CALLED_DEAD = {Code.SHADOWED_POLICY, Code.NEVER_MATCHES}
MATCHES_CALLED_DEAD = {Code.SHADOWED_ROUTE, Code.ROUTE_NEVER_MATCHES}


def without(mesh: fe.Snapshot, findings: Iterable[Finding]) -> fe.Snapshot:
    """The mesh without what these findings call dead."""
    listed = list(findings)
    mesh = without_ports(mesh, [it.rule for it in listed if it.code in PORTS_CALLED_DEAD])
    mesh = without_matches(mesh, [it.rule for it in listed if it.code in MATCHES_CALLED_DEAD])
    return mesh.without(*[it.rule.resource for it in listed if it.code is Code.DUPLICATE_POLICY])


@given(random_meshes.meshes())
@settings(max_examples=examples(40), deadline=None)
def test_law_nobody_misses_what_is_called_dead_one_by_one_or_all_at_once(
    entries: random_meshes.Documents,
) -> None:
    mesh = fe.load(entries)
    dead = list(lint(mesh, only=[*PORTS_CALLED_DEAD, *MATCHES_CALLED_DEAD, Code.DUPLICATE_POLICY]))
    sets = [[it] for it in dead[:4]] + ([dead] if len(dead) > 1 else [])
    for gone in sets:
        # Services of the mesh may route by a match that no Egress policy misses.
        is_of_policies = any(it.code is Code.SHADOWED_ROUTE for it in gone)
        for before, after in decisions(mesh, without(mesh, gone)):
            if not is_of_policies or Verdict.EGRESS_POLICY in {before.verdict, after.verdict}:
                assert meaning(before) == meaning(after), gone


SMALL_PORTS = st.fixed_dictionaries(
    {
        "port": st.sampled_from(["tcp 25", "tcp-server-first 25", "http 25", "https 25"]),
        "ranges": st.sampled_from([[], ["54.0.0.0/8"], ["54.1.0.0/16"]]),
        "hosts": st.sampled_from([["a.com"], ["a.com", "b.com"]]),
        "accounts": st.sampled_from([[WHO], [WHO, "other.curl"]]),
    }
)


@given(
    st.lists(SMALL_PORTS, min_size=2, max_size=3),
    st.permutations("abc"),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "tcp-x 25", "http-x 25"]),
)
@settings(max_examples=examples(60), deadline=None)
def test_law_a_port_that_nobody_would_miss_is_told_whatever_the_names(
    listed: list[dict[str, Any]], names: list[str], enable_egress: bool, by_default: bool, served: str
) -> None:
    mesh = load(
        config({"enableEgress": enable_egress}, featureFlags={"enableAutoDefaultRoute": by_default}),
        *(
            egress(
                name,
                it["port"],
                ipAddresses=it["ranges"],
                sources=list(map(account, it["accounts"])),
                **({"hosts": it["hosts"]} if it["port"].startswith("http") else {}),
            )
            for name, it in zip(names, listed, strict=False)
        ),
        *([service("db", served)] if served else []),
    )
    left = without(mesh, lint(mesh, only=[*PORTS_CALLED_DEAD, Code.DUPLICATE_POLICY]))
    for policy in left.kind(EgressPolicy):
        if policy.spec.ports:
            gone = without_ports(left, [policy.at("spec.ports[0]")])
            assert any(meaning(before) != meaning(after) for before, after in decisions(left, gone))


@given(random_meshes.meshes(), st.data())
@settings(max_examples=examples(15), deadline=None)
def test_law_permuted_documents_have_the_same_findings(
    entries: random_meshes.Documents, data: st.DataObject
) -> None:
    def findings(given: random_meshes.Documents) -> set[tuple[Code, str]]:
        return {(it.code, str(it.rule.resource)) for it in lint(fe.load(given), sidecar=False)}

    assert findings(data.draw(random_meshes.permuted(entries))) == findings(entries)


@given(random_meshes.meshes(), st.sets(st.sampled_from(Code)))
@settings(max_examples=examples(15), deadline=None)
def test_law_what_is_chosen_and_what_is_not_are_all_together(
    entries: random_meshes.Documents, codes: set[Code]
) -> None:
    mesh = fe.load(entries)
    every = lint(mesh, sidecar=False)
    assert lint(mesh, sidecar=False, only=codes) == tuple(it for it in every if it.code in codes)
    assert lint(mesh, sidecar=False, without=codes) == tuple(it for it in every if it.code not in codes)


@given(random_meshes.meshes())
@settings(max_examples=examples(15), deadline=None)
def test_law_a_mesh_that_ignores_every_code_hears_nothing(entries: random_meshes.Documents) -> None:
    for document in entries:
        document["metadata"].setdefault("annotations", {})[IGNORE] = ", ".join(map(str, Code))
    mesh = fe.load(entries)
    assert lint(mesh, sidecar=False) == ()
    assert {it.suppressed for it in lint(mesh, sidecar=False, suppressed=True)} <= {True}


def test_routes_have_no_effect_where_no_port_is_http() -> None:
    group = routes("get", {"pathRegex": "^/get"})
    for ports in (["https 443"], ["tcp 25"], ["tcp 25", "https 443"]):
        policy = egress("a", *ports, hosts=["a.com"], ipAddresses=RANGE, matches=uses("get"))
        (finding,) = lint(load(group, policy), sidecar=False, only=["FSE092"])
        assert str(finding.rule) == "Egress curl/a spec.matches[0]"
        spoken = " and ".join(f"`{port.split()[0]}`" for port in sorted(ports))
        assert finding.message == f"the routes of `get` have no effect on {spoken}"
    fine = egress("a", "https 443", "http 80", hosts=["a.com"], ipAddresses=RANGE, matches=uses("get"))
    assert not found(group, fine, only=["FSE092"])


def test_hosts_have_no_effect_where_no_port_has_names() -> None:
    for ports, spoken in (
        (["tcp 25"], "`tcp`"),
        (["tcp-server-first 3306", "tcp 25"], "`tcp` and `tcp-server-first`"),
    ):
        for ranges, where in ((RANGE, "in its ranges"), ([], "of any address")):
            policy = egress("a", *ports, hosts=["a.com"], ipAddresses=ranges)
            (finding,) = lint(load(policy), sidecar=False, only=["FSE094"])
            assert str(finding.rule) == "Egress curl/a spec.hosts"
            expected = f"`hosts` have no effect on {spoken}: whatever is sent to its ports {where} goes out"
            assert finding.message == expected
    for fine in (
        egress("a", "tcp 25", ipAddresses=RANGE),
        egress("a", "tcp 25", "https 443", hosts=["a.com"]),
        egress("a", hosts=["a.com"]),
    ):
        assert not found(fine, only=["FSE094"])


def test_what_else_a_policy_matches_has_its_effect_without_http() -> None:
    setting = [{"apiGroup": "policy.flomesh.io/v1alpha1", "kind": "UpstreamTrafficSetting", "name": "few"}]
    policy = egress("a", "https 443", hosts=["a.com"], ipAddresses=RANGE, matches=setting)
    assert not found(policy, only=["FSE092"])
