"""The sides, asked one connection at a time."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from small import WHO, config, egress, load

import fsm_egress as fe
from fsm_egress.connections.decision import Reason
from fsm_egress.pipy.outcome import Fate
from fsm_egress.verification.sides import Disagreement, Sides, intercepted, own_config

# Nothing here reaches IPv6, HTTP or TLS, which no stock sidecar handles as decided.
PLAIN = config({"outboundIPRangeInclusionList": ["0.0.0.0/0"]})


@pytest.mark.parametrize(
    ("traffic", "connection", "expected"),
    [
        ({}, fe.tcp("54.9.9.9", 80), True),
        ({}, fe.udp("54.9.9.9", 80), False),
        ({}, fe.tcp("2001:db8::1", 80), False),
        ({}, fe.tcp("127.0.0.1", 80), False),
        ({}, fe.tcp("127.0.0.2", 80), False),
        ({}, fe.tcp("0.0.0.0", 80), False),
        ({}, fe.tcp("128.0.0.1", 80), True),
        ({"outboundIPRangeExclusionList": ["54.0.0.0/8"]}, fe.tcp("54.9.9.9", 80), False),
        ({"outboundPortExclusionList": [80]}, fe.tcp("54.9.9.9", 80), False),
        ({"outboundPortExclusionList": [80]}, fe.tcp("54.9.9.9", 81), True),
        ({"outboundIPRangeInclusionList": ["54.0.0.0/8"]}, fe.tcp("54.9.9.9", 80), True),
        ({"outboundIPRangeInclusionList": ["54.0.0.0/8"]}, fe.tcp("55.9.9.9", 80), False),
    ],
)
def test_what_is_redirected_to_the_sidecar(
    traffic: dict[str, Any], connection: fe.Connection, *, expected: bool
) -> None:
    policy = fe.resolve(load(config(traffic)), WHO)
    assert intercepted(policy.interception, connection) is expected


def test_a_sidecar_has_a_certificate_unless_the_mesh_has_none() -> None:
    mesh = load(egress("db", "tcp 3306"))
    disabled = load(config(sidecar={"sidecarDisabledMTLS": True}), egress("db", "tcp 3306"))
    assert own_config(mesh, fe.resolve(mesh, WHO)).tree["Certificate"] is not None
    assert own_config(disabled, fe.resolve(disabled, WHO)).tree["Certificate"] is None


def test_the_sides_can_be_asked_one_connection_at_a_time() -> None:
    sides = Sides.of(load(PLAIN, egress("web", "https 443", hosts=["a.com"])), WHO)
    assert sides.compare(fe.tls("54.9.9.9", 443, "a.com")) is None
    found = sides.compare(fe.tls("54.9.9.9", 443, "b.com"))
    assert isinstance(found, Disagreement)
    assert (found.decision.reason, found.outcome.fate) == (Reason.NO_SERVER_NAME, Fate.DIALLED)
    copy: Sides = pickle.loads(pickle.dumps(sides))  # noqa: S301  # because it was pickled a moment ago
    assert copy.compare(fe.tls("54.9.9.9", 443, "a.com")) is None
    assert copy.compare(found.connection) == found
