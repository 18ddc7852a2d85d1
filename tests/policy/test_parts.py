"""The parts of a policy."""

from __future__ import annotations

import pytest

from fsm_egress.policy.parts import Endpoint, MeshMatch, WeightedCluster
from fsm_egress.resources.words import Protocol


@pytest.mark.parametrize(
    ("protocol", "is_http"),
    [
        (Protocol.HTTP, True),
        (Protocol.GRPC, True),
        (Protocol.HTTPS, False),
        (Protocol.TCP, False),
        (Protocol.TCP_SERVER_FIRST, False),
    ],
)
def test_requests_are_routed_one_by_one_where_http_is_spoken(protocol: Protocol, is_http: bool) -> None:
    assert MeshMatch(80, protocol, owners=()).is_http is is_http


def test_endpoints_and_clusters_have_a_canonical_order() -> None:
    endpoints = [Endpoint("b", 80), Endpoint("a", 443), Endpoint("a", 80, 50), Endpoint("a", 80)]
    assert sorted(endpoints) == [endpoints[2], endpoints[3], endpoints[1], endpoints[0]]
    assert sorted([WeightedCluster("b", 1), WeightedCluster("a")]) == [
        WeightedCluster("a", 100),
        WeightedCluster("b", 1),
    ]
