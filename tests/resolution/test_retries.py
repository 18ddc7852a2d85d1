"""Which service an outside cluster is taken for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.resolution.retries import service_called


@pytest.mark.parametrize(
    ("cluster", "service"),
    [
        ("web.shop:80", ("web", "shop")),
        ("web.shop.svc:80", ("web", "shop")),
        ("web.shop.svc.cluster.local:80", ("web", "shop")),
        ("api.example.com:443", ("api", "example")),
        ("web:80", ("web", "80")),
        ("a.b.c.d:80", ("a", "b")),
        ("a.b.c.svc:80", None),
        ("a.b.c.SVC.d:80", None),
        ("a.b.c.svc", ("a", "b")),
        ("..web..shop:80", ("web", "shop")),
        ("2001:db8::1:80", ("2001", "db8")),
    ],
)
def test_the_first_two_parts_are_read_as_a_service(cluster: str, service: tuple[str, str] | None) -> None:
    assert service_called(cluster) == service


@given(st.lists(st.from_regex("[a-z]{1,5}", fullmatch=True), min_size=1, max_size=6), st.integers(1, 65535))
def test_law_a_host_is_read_as_a_service_by_nothing_but_its_first_two_parts(
    labels: list[str], port: int
) -> None:
    cluster = f"{'.'.join(labels)}:{port}"
    found = service_called(cluster)
    assert found in (None, (labels[0], labels[1] if len(labels) > 1 else str(port)))
    assert (found is None) is (len(labels) > 3 and labels[3] == "svc")
