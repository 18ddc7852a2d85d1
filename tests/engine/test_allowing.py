"""What claims on one place allow: laid out at once where they are few, and by which match it was taken."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from small import WHO, egress, load, whole

import fsm_egress as fe
from fsm_egress.connections.payloads import KINDS, Sends
from fsm_egress.engine.allowing import FEW, Allowed, Later, allowed_leaf

if TYPE_CHECKING:
    from fsm_egress.engine.tables import Leaf


def leaf_of(own: int, around: int) -> Leaf:
    """The leaf of a range that so many claims cover, and that lies within what others cover."""
    ranges = ["54.0.0.0/8"]
    claims = [
        egress(f"a{number:02}", "https 443", hosts=[f"a{number}.com"], ipAddresses=ranges)
        for number in range(own)
    ]
    others = [egress(f"b{number:02}", "https 443", hosts=[f"b{number}.com"]) for number in range(around)]
    (port,) = fe.resolve(load(*claims, *others), WHO).ports
    return allowed_leaf(port.groups[0], (), has_default=False)


@pytest.mark.parametrize(
    ("own", "around", "is_later"),
    [(1, 0, False), (FEW + 8, 0, False), (1, 31, False), (1, 32, True), (FEW + 8, 1, True)],
)
def test_many_claims_are_laid_out_later_where_others_share_what_lies_around(
    own: int, around: int, *, is_later: bool
) -> None:
    assert {isinstance(cell, Later) for cell in leaf_of(own, around)} == {is_later}


@pytest.mark.parametrize(("around", "is_held"), [(0, False), (31, False), (32, True)])
def test_pickled_it_holds_what_it_is_made_of_only_where_that_is_less(around: int, *, is_held: bool) -> None:
    cell: Any = leaf_of(1, around)[KINDS.index(Sends.TLS)]
    again = pickle.loads(pickle.dumps(cell))  # noqa: S301  # because it is ours
    assert (again.allowed is not None) is is_held
    assert again.decide(("a0.com", None)).allowed
    assert again.decide(("a1.com", None)).reason is fe.Reason.NO_SERVER_NAME


def test_pickled_it_decides_about_names_and_hosts_alike() -> None:
    mesh = load(
        egress("a", "https 443", "http 443", hosts=["a.com"]),
        egress("b", "http 443", hosts=["b.com"]),
        egress("c", "https 443", hosts=["c.com"]),
    )
    engine = fe.compile(mesh, WHO)
    again = pickle.loads(pickle.dumps(engine))  # noqa: S301  # because it is ours
    hosts = ("a.com", "b.com", "c.com", "d.com")
    asked = [fe.tls("54.9.9.9", 443, host) for host in hosts]
    asked += [fe.http("54.9.9.9", 443, "GET", f"{host}{end}/") for host in hosts for end in ("", ":443")]
    for connection in asked:
        assert whole(again.classify(connection)) == whole(engine.classify(connection))


@pytest.mark.parametrize(("around", "is_held"), [(31, False), (32, True)])
def test_so_do_requests(around: int, *, is_held: bool) -> None:
    ranged = egress("a", "http 443", hosts=["a.com"], ipAddresses=["54.0.0.0/8"])
    others = [egress(f"b{number:02}", "http 443", hosts=[f"b{number}.com"]) for number in range(around)]
    (port,) = fe.resolve(load(ranged, *others), WHO).ports
    leaf: Any = Allowed(port.groups[0], (), has_default=False).leaf
    again = pickle.loads(pickle.dumps(leaf[KINDS.index(Sends.HTTP)]))  # noqa: S301  # because it is ours
    assert (again.later is not None) is is_held


def test_pickled_its_hosts_come_by_name() -> None:
    names = [f"h{number}.com" for number in range(9)]
    (port,) = fe.resolve(load(egress("a", "http 443", hosts=names)), WHO).ports
    cell: Any = allowed_leaf(port.groups[0], (), has_default=False)[KINDS.index(Sends.HTTP)]
    again = pickle.loads(pickle.dumps(cell))  # noqa: S301  # because it is ours
    assert list(again.by_host) == [host for name in names for host in (name, f"{name}:443")]


@pytest.mark.parametrize(
    ("protocols", "taken"),
    [
        (["tcp 443", "http 443"], "tcp"),
        (["tcp-server-first 443"], "tcp"),
        (["https 443", "http 443"], "http"),
        (["https 443"], "https"),
    ],
)
def test_connections_are_taken_by_the_match_of_a_stream_else_of_requests_else_of_tls(
    protocols: list[str], taken: str
) -> None:
    decision = fe.compile(load(egress("a", *protocols, hosts=["a.com"])), WHO).classify(
        fe.tcp("54.9.9.9", 443)
    )
    assert str(decision.match) == f"{taken} port 443, any address"
