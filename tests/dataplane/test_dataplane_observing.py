"""A real sidecar that logs what it sees: what it says, and that no connection waits for it."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from load import memory
from observe import aside, inside, sidecar
from small import WHO, config, egress, load, service

import fsm_egress as fe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Wire = dict[str, Any]

PLAIN = {"compressConfig": False, "sidecarTimeout": 60}
TODAY = load(
    config({"enableEgress": True}, sidecar=PLAIN),
    egress("web", "http 8081", hosts=["a.com"]),
    *service("shop", "http-x 80"),
)
AFTER = load(config(), egress("web", "http 80", "https 443", hosts=["a.com"]), egress("db", "tcp 5432"))
NAMES = {"a.com": "54.1.1.2"}
LISTEN = [80, 443, 5432, 8081]
OUTSIDE = "54.9.9.9"
ENDPOINT = 9999


@contextmanager
def logging(**options: Any) -> Iterator[list[Wire]]:
    """A sidecar that logs; its records are there when the block has ended."""
    records: list[Wire] = []
    read, write = os.pipe()
    try:
        with sidecar(fe.pipy_codebase(TODAY, WHO, **options), NAMES, write):
            yield records
            time.sleep(2.5)  # in which a batch is written
    finally:
        os.close(write)
    with os.fdopen(read, "rb") as stream:
        records.extend(json.loads(line) for line in stream)


def told(records: list[Wire]) -> list[tuple[Any, ...]]:
    """What records say, but for time, identity and destination."""
    for record in records:
        assert record.pop("time") > 1_600_000_000_000
        assert record.pop("identity") == WHO
    return [tuple(value for key, value in record.items() if key != "destination") for record in records]


PASS, ALLOW, DENY, MESH = "PASSTHROUGH", "EGRESS_POLICY", "DENIED", "IN_MESH"
SEEN: list[tuple[fe.Connection, Wire, tuple[Any, ...]]] = [
    (fe.tls(OUTSIDE, 443, "a.com"), {}, (443, "tls", "a.com", PASS, ALLOW)),
    (fe.tls(OUTSIDE, 443, "b.com"), {"records": 40}, (443, "tls", "b.com", PASS, DENY)),
    (fe.tls(OUTSIDE, 443), {}, (443, "tls", PASS, DENY)),
    (fe.tcp(OUTSIDE, 5432), {}, (5432, "bytes", PASS, ALLOW)),
    (fe.server_first(OUTSIDE, 5432), {}, (5432, "nothing", PASS, ALLOW)),
    (fe.tcp(OUTSIDE, 443), {}, (443, "bytes", PASS, DENY)),
    (fe.http(OUTSIDE, 80, "GET", "a.com/x?y=1"), {}, (80, "http", "a.com", "GET", "/x?y=1", PASS, ALLOW)),
    (fe.http(OUTSIDE, 80, "GET", "b.com/"), {"http2": True}, (80, "http", "b.com", "GET", "/", PASS, DENY)),
    (fe.http(OUTSIDE, 8081, "PUT", "a.com/"), {}, (8081, "http", "a.com", "PUT", "/", ALLOW, DENY)),
    (fe.http(OUTSIDE, 8081, "GET", "b.com/"), {}, (8081, "http", "b.com", "GET", "/", DENY, DENY)),
    (fe.tls(OUTSIDE, 8081, "a.com"), {}, (8081, "tls", "a.com", DENY, DENY)),
    (
        fe.http("10.96.0.1", 80, "GET", "shop.shop/"),
        {},
        (80, "http", "shop.shop", "GET", "/", MESH, DENY),
    ),
]


def test_each_connection_is_logged_with_what_became_of_it() -> None:
    with logging(shadow=AFTER, observe=True) as records:
        probes = [{"connection": connection.to_mapping(), **how} for connection, how, _ in SEEN]
        inside("observe.py", {"listen": LISTEN, "probes": probes})
    assert [record["destination"] for record in records] == [str(it.destination) for it, _, _ in SEEN]
    assert told(records) == [expected for _, _, expected in SEEN]


def test_a_shadow_says_only_what_would_be_refused() -> None:
    with logging(shadow=AFTER) as records:
        probes = [{"connection": connection.to_mapping(), **how} for connection, how, _ in SEEN]
        inside("observe.py", {"listen": LISTEN, "probes": probes})
    refused = [expected for _, _, expected in SEEN if expected[-1] == DENY and expected[-2] != DENY]
    assert told(records) == refused


@pytest.mark.parametrize(("port", "host"), [(80, "b.com"), (8081, "a.com")])
def test_each_request_of_a_kept_connection_is_logged(port: int, host: str) -> None:
    def request(path: str) -> str:
        return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"

    say = [request("/1"), request("/2") + request("/3"), request("/4")]
    with (
        logging(observe=True) as records,
        aside("peers.py", {"do": "serve", "port": port}),
    ):
        task = {"do": "talk", "place": [OUTSIDE, port], "say": say}
        assert inside("peers.py", task) == {"answered": 3}
    assert [record["path"] for record in records] == ["/1", "/2", "/3", "/4"]
    assert {record["host"] for record in records} == {host}


def test_what_follows_an_upgrade_is_no_request() -> None:
    upgrade = "GET /chat HTTP/1.1\r\nHost: b.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    with (
        logging(observe=True) as records,
        aside("peers.py", {"do": "serve", "port": 80}),
    ):
        say = [upgrade, "GET /no HTTP/1.1\r\nHost: x\r\n\r\n"]
        inside("peers.py", {"do": "talk", "place": [OUTSIDE, 80], "say": say})
    assert [record["path"] for record in records] == ["/chat"]


def test_a_share_of_the_connections_is_looked_at() -> None:
    probes = [{"connection": fe.tls(OUTSIDE, 443, "a.com").to_mapping()}] * 120
    with logging(observe=True, log_sample=0.5) as records:
        found = inside("observe.py", {"listen": [443], "probes": probes})
    assert {what["outcome"] for what in found} == {"dialled"}
    assert 30 < len(records) < 90  # what chance leaves out of is one in a hundred million


@pytest.mark.parametrize(
    "statuses",
    [[200], [404, 200], [503, 200], [0, 200], [503], [], None],
    ids=["taken", "wrong, then right", "busy, then right", "nonsense, then right", "busy", "silent", "away"],
)
def test_an_endpoint_takes_what_it_takes_and_nothing_waits_for_it(
    statuses: list[int] | None, tmp_path: Path
) -> None:
    taken = tmp_path / "posts.jsonl"
    collecting = {"do": "collect", "port": ENDPOINT, "statuses": statuses, "file": str(taken)}
    batches = 3
    probes = [{"connection": fe.tls(OUTSIDE, 443 + turn, "a.com").to_mapping()} for turn in range(batches)]
    files = fe.pipy_codebase(TODAY, WHO, observe=True, log_to=f"http://127.0.0.1:{ENDPOINT}/x")
    with sidecar(files, NAMES):
        if statuses is None:
            _all_dialled(probes)
            return
        with aside("peers.py", collecting):
            _all_dialled(probes)
            time.sleep(1 if statuses[-1:] != [200] or statuses == [200] else 7)
    posts = [json.loads(line) for line in taken.read_text().splitlines()] if taken.exists() else []
    records = [
        json.loads(line) for post in posts if post["status"] == 200 for line in post["body"].splitlines()
    ]
    lost = sum(record.get("lost", 0) for record in records)
    if 200 in statuses:
        assert len(records) + lost == batches * 10
        assert bool(lost) is (404 in statuses)
    else:
        assert records == []


def _all_dialled(probes: list[Wire]) -> None:
    for probe in probes:
        started = time.monotonic()
        found = inside("observe.py", {"listen": [probe["connection"]["port"]], "probes": [probe] * 10})
        assert {what["outcome"] for what in found} == {"dialled"}
        assert time.monotonic() - started < 5
        time.sleep(1.2)


def test_standard_output_that_nobody_reads_holds_nobody_up() -> None:
    read, write = os.pipe()
    with sidecar(fe.pipy_codebase(TODAY, WHO, observe=True), NAMES, write):
        for turn in range(5):
            task = {"do": "leave", "place": [OUTSIDE, 443], "count": 200, "data": "hello" * 8, "seconds": 0.1}
            assert inside("peers.py", task) == {"connected": 200}
            probe = {"connection": fe.tls(OUTSIDE, 443, "a.com").to_mapping()}
            (found,) = inside("observe.py", {"listen": [443], "probes": [probe]})
            assert found["outcome"] == "dialled", turn
    os.close(write)
    os.close(read)


def test_what_nobody_reads_is_bounded_and_what_is_left_out_is_counted() -> None:
    request = f"GET /{'x' * 8_000} HTTP/1.1\r\nHost: b.com\r\n\r\n"
    turns, at_once = 150, 8
    read, write = os.pipe()
    lines: list[bytes] = []
    reading = Thread(target=_read, args=(read, lines), daemon=True)
    with (
        sidecar(fe.pipy_codebase(TODAY, WHO, observe=True), NAMES, write) as pipy,
        aside("peers.py", {"do": "serve", "port": 80}),
    ):
        before = memory(pipy.pid)
        task = {"do": "talk", "place": [OUTSIDE, 80], "say": [request * at_once] * turns}
        assert inside("peers.py", task) == {"answered": turns}
        time.sleep(3)
        assert memory(pipy.pid) - before < 10  # MB, which is what was logged
        reading.start()
        time.sleep(4)
        inside("peers.py", {**task, "say": [request]})
        time.sleep(2.5)
    os.close(write)
    reading.join()
    records = [json.loads(line) for line in lines]
    left_out = sum(record.get("lost", 0) for record in records)
    assert left_out > 20
    assert len(records) + left_out == turns * at_once + 1


def _read(stream: int, lines: list[bytes]) -> None:
    with os.fdopen(stream, "rb") as file:
        lines.extend(file)
