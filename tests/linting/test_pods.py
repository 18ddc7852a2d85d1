"""What is amiss with pods."""

from __future__ import annotations

from typing import Any

import pytest
from pods import RULES, pod
from small import config, egress, load

from fsm_egress.interception.hosts import hosts_of
from fsm_egress.interception.injection import shares_the_sidecars_user
from fsm_egress.linting.pods import pod_findings

ODD = ["-A FSM_PROXY_OUTBOUND -m odd -j RETURN", *RULES]
MANY = [
    f"-A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports {','.join(map(str, range(1, 17)))} -j RETURN"
]
PORT = {"outbound_port_exclusion_list": "25"}
RUNNING = "10.244.0.9"


def on_host(entry: dict[str, Any]) -> dict[str, Any]:
    entry["spec"]["hostNetwork"] = True
    return entry


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([pod("a")], []),
        ([pod("a", sidecar_injection="no")], []),
        ([pod("a", sidecar_injection="no"), egress("e", "tcp 25")], ["FSE110 Egress curl/e spec.sources"]),
        ([on_host(pod("a"))], ["FSE111 Pod curl/a spec.hostNetwork"]),
        (
            [pod("a", sidecar_injection="odd")],
            ["FSE025 Pod curl/a metadata.annotations.flomesh.io/sidecar-injection"],
        ),
        ([config({"interceptionMode": "NodeLevel"}), pod("a")], ["FSE116 Pod curl/a"]),
        ([pod("a", RUNNING, RULES, "sidecar")], []),
        ([pod("a", RUNNING, RULES, "sidecar", **PORT)], ["FSE113 Pod curl/a spec.initContainers"]),
        ([pod("a", RUNNING, ODD, "sidecar", **PORT)], ["FSE117 Pod curl/a spec.initContainers"]),
        ([pod("a", RUNNING, [*MANY, *ODD], "sidecar")], ["FSE115 Pod curl/a spec.initContainers"]),
        ([pod("a"), pod("b", outbound_port_exclusion_list="25")], ["FSE114 Pod curl/b"]),
    ],
)
def test_each_thing_amiss_is_found_where_it_stands(
    entries: list[dict[str, Any]], expected: list[str]
) -> None:
    found = [f"{it.code} {it.rule}".strip() for it in pod_findings(load(*entries))]
    assert found == expected


def test_stale_rules_are_shown_by_a_connection() -> None:
    (found,) = pod_findings(load(pod("a", RUNNING, RULES, "sidecar", **PORT)))
    assert found.witness is not None
    assert found.witness.port == 25


@pytest.mark.parametrize(
    ("of_all", "own", "expected"),
    [(None, 1500, ["app"]), (1500, None, ["app"]), (1500, 1000, []), (None, None, [])],
)
def test_the_container_s_user_counts_before_the_pod_s(
    of_all: int | None, own: int | None, expected: list[str]
) -> None:
    entry = pod("a", RUNNING, None, "app", "sidecar")
    if of_all is not None:
        entry["spec"]["securityContext"] = {"runAsUser": of_all}
    if own is not None:
        entry["spec"]["containers"][0]["securityContext"] = {"runAsUser": own}
    mesh = load(entry)
    assert [name for _, name in shares_the_sidecars_user(hosts_of(mesh)[0])] == expected
    found = [f"{it.code} {it.rule}" for it in pod_findings(mesh)]
    assert found == ["FSE112 Pod curl/a spec.containers[0]" for _ in expected]
