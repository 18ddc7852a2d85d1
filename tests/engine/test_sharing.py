"""Engines shared: pickled small, asked by many threads at once, and by forked and spawned processes."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from hypothesis import given, settings
from small import WHO, egress, load, routes, service, whole
from thoroughness import examples
from traffic import MATCHES

import fsm_egress as fe

if TYPE_CHECKING:
    from collections.abc import Sequence

THREADS = 8
POLICIES = 200


def large() -> fe.Snapshot:
    """A mesh with policies of every kind, a service, and routes that are searched by patterns."""
    policies = [
        egress(f"p{index}", f"{protocol} {80 + index % 40}", **_content(protocol, index))
        for index in range(POLICIES)
        for protocol in (("http", "https", "tcp")[index % 3],)
    ]
    matches = ({"pathRegex": "^/v[0-9]+/"}, {"pathRegex": "^/get", "headers": [{"x-env": "prod"}]})
    return load(*policies, routes("calls", *matches), service("shop", "http-web 80"))


def _content(protocol: str, index: int) -> dict[str, Any]:
    if protocol == "tcp":
        return {"ipAddresses": [f"54.{index}.0.0/16"]}
    return {"hosts": [f"h{index}.com"], **({"matches": MATCHES} if protocol == "http" else {})}


def connections() -> list[fe.Connection]:
    """Connections that policies allow, that they deny, and that nothing claims."""
    made = []
    for index in range(POLICIES):
        port, address = 80 + index % 40, f"54.{index}.9.9"
        made += [
            fe.tcp(address, port),
            fe.tls(address, port, f"h{index}.com"),
            fe.http(address, port, "GET", f"h{index}.com/v{index}/"),
            fe.http("10.96.0.1", 80, "GET", "shop.shop/get"),
        ]
    return made


ENGINE = fe.compile(large(), WHO)
CONNECTIONS = connections()


def verdicts(engine: fe.Engine, asked: Sequence[fe.Connection]) -> list[fe.Decision]:
    """The decisions, one by one and all together."""
    one_by_one = [engine.classify(connection) for connection in asked]
    assert list(map(whole, engine.classify_many(asked))) == list(map(whole, one_by_one))
    return one_by_one


DECISIONS = verdicts(ENGINE, CONNECTIONS)


def test_the_connections_lead_everywhere() -> None:
    assert {decision.verdict for decision in DECISIONS} >= {fe.Verdict.EGRESS_POLICY, fe.Verdict.DENIED}
    assert len(set(map(id, DECISIONS))) > POLICIES / 2


@settings(max_examples=examples(30))
@given(random_meshes.cases(12))
def test_an_engine_decides_the_same_when_it_was_pickled(
    case: tuple[list[dict[str, Any]], str, list[dict[str, Any]]],
) -> None:
    engine = fe.compile(fe.load(case[0]), case[1])
    again: fe.Engine = pickle.loads(pickle.dumps(engine))  # noqa: S301  # because it has just been made here
    asked = list(map(fe.Connection.from_mapping, case[2]))
    found, expected = (list(map(whole, verdicts(it, asked))) for it in (again, engine))
    assert found == expected


def test_a_pickled_engine_is_smaller_than_what_it_was_made_from() -> None:
    policy = fe.resolve(large(), WHO)
    assert len(pickle.dumps(ENGINE)) < len(pickle.dumps(policy))


def test_threads_share_an_engine() -> None:
    fresh = fe.compile(large(), WHO)  # whose patterns have not been searched yet
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(verdicts, fresh, CONNECTIONS) for _ in range(THREADS)]
        expected = list(map(whole, DECISIONS))
        assert all(list(map(whole, answer.result())) == expected for answer in asked)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it is multi-threaded, and may be
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_processes_share_an_engine(start: str) -> None:
    with ProcessPoolExecutor(2, get_context(start)) as pool:
        halves = [CONNECTIONS[::2], CONNECTIONS[1::2]]
        asked = [pool.submit(verdicts, ENGINE, half) for half in halves]
        found = [list(map(whole, answer.result())) for answer in asked]
        assert found == [list(map(whole, half)) for half in (DECISIONS[::2], DECISIONS[1::2])]
