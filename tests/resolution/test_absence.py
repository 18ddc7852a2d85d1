"""What is called missing may be among what could not be read."""

from __future__ import annotations

from typing import Any

import pytest
from random_meshes import resource
from small import config, egress

import fsm_egress as fe
from fsm_egress.manifests.unread import Unread

MTLS = {"issuer": "other", "cert": {"secret": {"name": "client", "namespace": "curl"}}}
GROUP = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "g"}
SETTING = {"apiGroup": "policy.flomesh.io/v1alpha1", "kind": "UpstreamTrafficSetting", "name": "s"}
LACKING = {
    "FSE001": ("UpstreamTrafficSetting", egress("a", "tcp 25", matches=[SETTING])),
    "FSE002": ("HTTPRouteGroup", egress("a", "http 80", hosts=["a.com"], matches=[GROUP])),
    "FSE004": ("Secret", egress("a", "http 80", hosts=["a.com"], mtls=MTLS)),
    "FSE026": ("Namespace", egress("a", "tcp 25")),
    "FSE082": ("ServiceAccount", egress("a", "tcp 25")),
}


OTHERS = {
    "FSE026": resource("v1", "Namespace", "", "other", metadata={"name": "other"}),
    "FSE082": resource("v1", "ServiceAccount", "shop", "cart"),
}


def codes(*documents: dict[str, Any]) -> set[str]:
    """What lint finds, and what is found when the policy is resolved."""
    mesh = fe.load([config(), *documents], strict=False)
    found = (*fe.lint(mesh, sidecar=False), *fe.resolve(mesh, "curl.curl").findings)
    return {it.code.code for it in found}


@pytest.mark.parametrize("code", LACKING)
def test_a_finding_that_something_is_missing_is_none_where_it_could_not_be_read(code: str) -> None:
    kind, policy = LACKING[code]
    documents = [policy, *([OTHERS[code]] if code in OTHERS else [])]
    assert code in codes(*documents)
    assert code not in codes(*documents, Unread(kind, "no").to_mapping())
    assert code not in codes(*documents, {"kind": kind})  # of which nobody knows what it is
    assert code in codes(*documents, Unread("Retry", "no").to_mapping())


def test_one_that_could_not_be_read_may_be_the_one() -> None:
    _, policy = LACKING["FSE004"]
    assert "FSE004" not in codes(policy, Unread("Secret", "no", "curl", "client").to_mapping())


def test_of_a_mesh_config_it_hangs_on_what_is_lost() -> None:
    off = config(featureFlags={"enableEgressPolicy": False})
    policy = egress("a", "tcp 25")

    def found(**spec: Any) -> bool:
        mesh = fe.load([{**off, "spec": {**off["spec"], **spec}}, policy], strict=False)
        assert bool(mesh.lost) is bool(spec)
        return "FSE011" in {it.code.code for it in fe.resolve(mesh, "curl.curl").findings}

    assert found()
    assert found(sidecar={"logLevel": 7})
    assert not found(traffic={"enableEgress": 7})
