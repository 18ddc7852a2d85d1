"""What an error proposes to write: it loads, and leads in no circle."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from thoroughness import examples

import fsm_egress as fe

EGRESS = """\
apiVersion: {version}
kind: {kind}
metadata: {{name: {name}, namespace: {space}}}
spec:
  sources: [{{kind: ServiceAccount, name: {account}, namespace: shop}}]
  hosts: [{host}]
  ipAddresses: [{range}]
  ports: [{{number: {number}, protocol: {protocol}}}]
"""
CONFIG = """\
apiVersion: config.flomesh.io/v1alpha3
kind: MeshConfig
metadata: {{name: fsm-mesh-config, namespace: fsm-system}}
spec:
  traffic: {{enableEgress: {switch}, outboundPortExclusionList: [{port}], serviceAccessMode: {mode}}}
  sidecar: {{sidecarTimeout: {timeout}, logLevel: {level}}}
"""
GOOD = {
    "version": "policy.flomesh.io/v1alpha1",
    "kind": "Egress",
    "name": "a",
    "space": "shop",
    "account": "cart",
    "host": "a.com",
    "range": "54.0.0.0/8",
    "number": "443",
    "protocol": "https",
    "switch": "true",
    "port": "25",
    "mode": "mixed",
    "timeout": "60",
    "level": "error",
}
DISPUTED = ("yes", "No", "on", "off", "y", "n", "8_0", "080", "0b11", "0x1F", "1_000")
BAD = (
    *(f'"{text}"' for text in ("080", "80", "true", "True", "yes", "60", "60s", "443-445", "")),
    *("54.1.2.3", "54.1.2.3/8", "54.0.0.0/255.0.0.0", "054.0.0.0/8", "'::/0 '", "'[::1]'", "54.0.0.0/33"),
    *("https://a.com/x", "a.com:443", "A.com.", "'*'", "203.0.113.0/24", "10.0.0.1:80", "'*.a.com'"),
    *("Cart", "HTTPS", "grpc", "TLS", "egress", "Egres", "Domain", "policy.flomesh.io/v1", "1.5", "80.0"),
    *("~", "[]", "{}", "-1", "1e3", "0"),
)  # fmt: skip


def problems(field: str, text: str) -> list[fe.Problem]:
    """What is wrong with a mesh of which one field holds this, as it is written in YAML."""
    values = {**GOOD, field: text}
    mesh = fe.loads(f"{EGRESS.format(**values)}---\n{CONFIG.format(**values)}", strict=False)
    return [it for it in mesh.problems if it.severity is not fe.Severity.INFO]


@given(st.sampled_from(sorted(GOOD)), st.sampled_from(DISPUTED + BAD) | st.text('abz019:/._-" ', max_size=12))
@settings(max_examples=examples(150), deadline=None)
@example("number", '"080"')
@example("number", "8_0")
@example("switch", "yes")
@example("port", "on")
@example("level", "off")
@example("host", "No")
@example("account", "-1")
def test_law_what_an_error_proposes_loads(field: str, text: str) -> None:
    assert problems(field, GOOD[field]) == []
    found = problems(field, text)
    if len(found) == 1 and found[0].proposal is not None:
        assert problems(field, found[0].proposal) == [], found[0]


@pytest.mark.parametrize(
    ("field", "text", "proposal"),
    [
        ("number", "yes", None),
        ("number", "8_0", "80"),
        ("switch", "yes", "true"),
        ("switch", "Off", "false"),
        ("level", "off", '"off"'),
        ("host", "yes", '"yes"'),
        ("host", "No", '"no"'),
        ("host", '"No"', '"no"'),
        ("host", "1_0", '"1_0"'),
        ("port", "1_0", "10"),
        ("host", "bücher.example", "xn--bcher-kva.example"),
        ("host", "https://Bücher.example:443/x", "xn--bcher-kva.example"),
        ("host", "ü" + "b" * 300, None),
        ("host", "203.0.113.0/24", None),
        ("host", "203.0.113.9/32", "203.0.113.9"),
    ],
)
def test_the_meaning_that_the_field_takes_is_proposed(field: str, text: str, proposal: str | None) -> None:
    (found,) = problems(field, text)
    assert found.proposal == proposal


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        *(("number", text, 80) for text in ("0X50", "0B1010000", "0O120", "+0o120", "0120", "8_0", "8_0_")),
        ("timeout", "0X1F", 31),
        *(("switch", text, True) for text in ("yes", "On")),
        *(("switch", text, False) for text in ("no", "OFF")),
        ("port", "1_0E1_0", None),
        ("timeout", "-_1", None),
    ],
)
def test_law_a_field_has_what_kubectl_reads_and_it_is_said(field: str, text: str, value: object) -> None:
    (found,) = problems(field, text)
    assert (found.severity is fe.Severity.WARNING) == (value is not None)
    if value is not None:
        written = {**GOOD, field: text}
        policy, config = fe.loads(f"{EGRESS.format(**written)}---\n{CONFIG.format(**written)}")
        assert isinstance(policy, fe.EgressPolicy)
        assert isinstance(config, fe.MeshConfig)
        read = {
            "number": policy.spec.ports[0].number,
            "timeout": config.spec.sidecar.sidecar_timeout,
            "switch": config.spec.traffic.enable_egress,
        }
        assert (read[field], type(read[field])) == (value, type(value))


def test_a_range_among_hosts_is_shown_its_place() -> None:
    (found,) = problems("host", "203.0.113.0/24")
    assert found.message.endswith("found the string `203.0.113.0/24`: a range belongs into `ipAddresses`")
