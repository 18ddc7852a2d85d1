"""What a fix says, done to the documents that trigger it: the finding is gone, and none as bad has come."""

from __future__ import annotations

import pytest
import yaml

import fsm_egress as fe
from fsm_egress.connections.findings import Code
from fsm_egress.linting import lint
from fsm_egress.linting.rules import RULES

TWO = "selector: {app: two}\n  ports: [{name: NAME, port: 80}]"
OF_TWO = "{ip: 10.0.0.2}]\n    ports: [{name: NAME, port: 80}]"
WATCHED = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {flomesh.io/monitored-by: fsm}}"
SPARE = """\
---
apiVersion: config.flomesh.io/v1alpha3
kind: MeshConfig
metadata: {name: spare, namespace: other}
"""
TOGETHER = "  - addresses: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]"


def own_port(name: str) -> tuple[tuple[str, str], ...]:
    """The second of two services with a port of its own."""
    old = (it.replace("NAME", name) for it in (TWO, OF_TWO))
    return tuple((text, text.replace("port: 80", "port: 81")) for text in old)


# Each way that a fix leaves, as texts of the example with what stands in their place.
DONE: dict[Code, tuple[tuple[tuple[str, str], ...], ...]] = {
    Code.SOURCE_KIND: ((("kind: Group", "kind: ServiceAccount"),),),
    Code.SHARED_ADDRESS: (own_port("tcp-x"),),
    Code.HTTP_AND_GRPC: (
        tuple(
            (old.replace("http-x", "grpc-x"), new.replace("http-x", "grpc-x"))
            for old, new in own_port("http-x")
        ),
    ),
    Code.GATEWAY_MODE: ((("socks5", "sock5"),),),
    Code.SHARED_HOSTNAME: (((TOGETHER, "  - addresses: [{ip: 10.0.0.2}]"),),),
    Code.BAD_ANNOTATION: ((("exclusion-list: mysql", 'exclusion-list: "3306,25"'),),),
    Code.UNMONITORED_NAMESPACE: (
        (("team: web", "flomesh.io/monitored-by: fsm"),),
        (
            ("{name: a, namespace: curl}", "{name: a, namespace: shop}"),
            ("labels: {team: web}}", f"labels: {{team: web}}}}\n---\n{WATCHED}"),
        ),
    ),
    Code.EVERY_REQUEST: (
        (("  matches: [{apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: all}]\n", ""),),
        (("pathRegex: .*", "pathRegex: ^/x$"),),
    ),
    Code.ACROSS_NAMESPACES: ((("{name: a, namespace: shop}", "{name: a, namespace: curl}"),),),
    Code.UNKNOWN_CODE_IGNORED: ((("'FSE80'", "'FSE080'"),),),
    Code.CATASTROPHIC_PATTERN: ((("'^/([a-z]+,?)+$'", "'^/[a-z,]+$'"),),),
    Code.SPARE_MESH_CONFIG: (((SPARE, ""),),),
    Code.NO_SIDECAR: ((('sidecar-injection: "no"', "sidecar-injection: enabled"),),),
    Code.HOST_NETWORK: ((("  hostNetwork: true\n", ""),),),
    Code.SIDECAR_USER: ((("runAsUser: 1500", "runAsUser: 1501"),),),
    Code.LISTS_DIFFER: (
        (("annotations: {}", 'annotations: {flomesh.io/outbound-port-exclusion-list: "25"}'),),
    ),
    Code.LIST_REFUSED: (((", 9015]", "]"),),),
    Code.NODE_LEVEL: ((("NodeLevel", "PodLevel"),),),
}


@pytest.mark.parametrize(
    ("code", "edits"),
    [(code, edits) for code, ways in DONE.items() for edits in ways],
    ids=lambda it: it.name if isinstance(it, Code) else "",
)
def test_what_a_fix_says_cures_the_example(code: Code, edits: tuple[tuple[str, str], ...]) -> None:
    text = RULES[code].example
    before = {it.code for it in lint(fe.loads(text, strict=False), sidecar=False)}
    for old, new in edits:
        assert old in text, (old, text)
        text = text.replace(old, new)
    after = {it.code for it in lint(fe.loads(text, strict=False), sidecar=False)}
    assert code in before - after
    assert not [it for it in after - before if it.severity.is_at_least(code.severity)]


@pytest.mark.parametrize("code", [Code.STALE_RULES, Code.RULES_NOT_UNDERSTOOD])
def test_a_pod_that_is_started_again_has_no_old_rules(code: Code) -> None:
    documents = list(yaml.safe_load_all(RULES[code].example))
    assert code in {it.code for it in lint(fe.load(documents), sidecar=False)}
    for document in documents:
        document["spec"].pop("initContainers", None)
        document["spec"].pop("containers", None)
    assert code not in {it.code for it in lint(fe.load(documents), sidecar=False)}
