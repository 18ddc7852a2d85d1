"""What was left out, and how far it may bear on decisions."""

from __future__ import annotations

import pytest

import fsm_egress as fe
from fsm_egress.resources.kinds import KINDS
from fsm_egress.resources.losses import LOST_KINDS

PROBLEM = fe.Problem("a port number", "the number `0`", "spec.ports[0].number")
SHOP = fe.ServiceIdentity("cart", "shop")


def lost(kind: str, *fields: str) -> fe.Loss:
    return fe.Loss(fe.ResourceRef(kind, "shop", "a"), "a.yaml:3", (PROBLEM,), fields)


def test_every_kind_errs_in_a_way_that_is_said() -> None:
    assert set(LOST_KINDS) == {kind.kind for kind in KINDS}
    assert {kind for kind, bearing in LOST_KINDS.items() if not bearing} == {"Retry", "ServiceAccount"}
    assert lost("Surprise").bearing == fe.Loss(None, "", ()).bearing == LOST_KINDS["Egress"]


@pytest.mark.parametrize(
    ("field", "bears"),
    [
        ("spec.traffic.enableEgress", True),
        ("spec.traffic", True),
        ("spec.featureFlags.enableEgressPolicy", True),
        ("spec.featureFlags", True),
        ("spec.featureFlags.enableRetryPolicy", False),
        ("spec.sidecar.logLevel", False),
        ("spec.sidecar", True),
        ("spec.sidecar.localDNSProxy.wildcard.ips[0].ipv4", True),
        ("spec.sidecars", True),
        ("spec.pluginChains.outbound-tcp", False),
        ("spec.observability.tracing.port", False),
        ("spec", True),
    ],
)
def test_of_a_mesh_config_it_hangs_on_the_field(field: str, bears: bool) -> None:
    assert bool(lost("MeshConfig", field).bearing) is bears
    assert lost("MeshConfig", "spec.sidecar.logLevel", field).bearing == lost("MeshConfig", field).bearing
    assert lost("MeshConfig").bearing


def test_whom_it_concerns() -> None:
    everybody, somebody = lost("Pod"), fe.Loss(None, "", (), accounts=frozenset({("cart", "shop")}))
    assert everybody.concerns(SHOP)
    assert everybody.concerns(fe.AnyOtherAccount())
    assert somebody.concerns(SHOP)
    assert not somebody.concerns(fe.AnyOtherAccount("shop"))


def test_it_is_told() -> None:
    assert str(lost("Egress")) == (
        "Egress shop/a (a.yaml:3) could not be read, and could open what is called denied or deny what is "
        "called allowed or lead elsewhere"
    )
    assert str(lost("Retry")).endswith(" could not be read, and could change no decision")
    assert str(fe.Loss(None, "", ())).startswith("a document could not be read")
    assert lost("EgressGateway", "x").to_mapping() == {
        "resource": "EgressGateway shop/a",
        "place": "a.yaml:3",
        "fields": ["x"],
        "could": "lead elsewhere",
        "problems": [PROBLEM.to_mapping()],
    }
    assert fe.Loss(None, "", ()).to_mapping()["resource"] is None
