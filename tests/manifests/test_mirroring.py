"""EndpointSlices where the Endpoints are missing, read as the Endpoints that a cluster would have."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_egress.manifests.loader import load_resources
from fsm_egress.manifests.writing import to_mapping
from fsm_egress.resources.core import Endpoints
from fsm_egress.values.errors import LoadError, Severity

PORT = {"name": "http", "port": 8080, "protocol": "TCP"}


def a_slice(
    name: str, *addresses: str, family: str = "IPv4", service: str | None = "web", **more: Any
) -> Any:
    labels = {} if not service else {"kubernetes.io/service-name": service}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "addressType": family,
        "endpoints": [{"addresses": list(addresses), "conditions": {"ready": True, "serving": True}}],
        "ports": [PORT],
        **more,
    }


def a_service(address: str) -> Any:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"clusterIP": address, "ports": [{"port": 80}]},
    }


def endpoints_of(*sources: Any) -> list[Any]:
    """`subsets` of all Endpoints of a load."""
    loaded = load_resources(*sources)
    found = [resource for resource in loaded.resources if isinstance(resource, Endpoints)]
    assert list(loaded.tables[Endpoints].values()) == found
    return [to_mapping(it).get("subsets", []) for it in found]


def test_slices_are_read_as_endpoints_and_that_is_said() -> None:
    loaded = load_resources(a_slice("a", "10.0.0.1"), a_slice("b", "10.0.0.2"))
    (found,) = loaded.resources
    assert to_mapping(found) == {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "web", "namespace": "shop"},
        "subsets": [
            {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 8080, "name": "http"}]},
            {"addresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 8080, "name": "http"}]},
        ],
    }
    (problem,) = loaded.problems
    assert problem.severity is Severity.INFO
    assert str(problem) == (
        "Endpoints shop/web: expected the Endpoints of a service,"
        " found none, and its EndpointSlices are read in their place"
    )


def test_where_there_are_endpoints_no_slice_counts() -> None:
    known = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web", "namespace": "shop"}}
    for sources in ([known, a_slice("a", "10.0.0.1")], [a_slice("a", "10.0.0.1"), known]):
        assert endpoints_of(*sources) == [[]]
        assert load_resources(*sources).problems == ()


@pytest.mark.parametrize("more", [{"service": ""}, {"family": "FQDN"}])
def test_a_slice_without_a_service_or_an_address_counts_for_nothing(more: Any) -> None:
    assert (
        load_resources(a_slice("a", "web.example.com" if "family" in more else "10.0.0.1", **more)).resources
        == ()
    )


@pytest.mark.parametrize(
    ("service", "family"),
    [
        ([], "10.0.0.1"),
        ([a_service("10.96.0.1")], "10.0.0.1"),
        ([a_service("fd00::9")], "fd00::1"),
        ([a_service("None")], "10.0.0.1"),
    ],
)
def test_endpoints_have_the_family_of_their_service(service: list[Any], family: str) -> None:
    slices = [a_slice("b", "fd00::1", family="IPv6"), a_slice("a", "10.0.0.1")]
    ((subset,),) = endpoints_of(*service, *slices)
    assert subset["addresses"] == [{"ip": family}]


def test_only_an_endpoint_that_says_so_is_not_ready() -> None:
    endpoints = [
        {"addresses": ["10.0.0.1"]},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": None}, "hostname": "h", "zone": "z"},
        {"addresses": ["10.0.0.3"], "conditions": {"ready": False}},
    ]
    ((subset,),) = endpoints_of(a_slice("a", endpoints=endpoints, ports=[PORT, {"name": "any"}]))
    assert subset == {
        "addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2", "hostname": "h"}],
        "notReadyAddresses": [{"ip": "10.0.0.3"}],
        "ports": [{"port": 8080, "name": "http"}],
    }


def test_an_address_of_a_slice_is_one() -> None:
    with pytest.raises(
        LoadError, match=r"EndpointSlice shop/a endpoints\[0\].addresses\[0\]: expected an IP"
    ):
        load_resources(a_slice("a", "web"))
