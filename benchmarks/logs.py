"""The row about logs: records of each format, read and decided, against the JSON of the same lines."""

from __future__ import annotations

import json
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fsm_egress as fe

from .figures import Row, figures
from .timing import Contender

if TYPE_CHECKING:
    from collections.abc import Callable

    from .figures import Measured, Options

__all__ = ["LOGS"]

RECORDS = 4_000  # lines of each log, of which 400 are different
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "client-0", "namespace": "shop"},
    "spec": {"serviceAccountName": "client"},
    "status": {"podIP": "10.244.1.7", "podIPs": [{"ip": "10.244.1.7"}]},
}
MESH = {
    "apiVersion": "config.flomesh.io/v1alpha3",
    "kind": "MeshConfig",
    "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
    "spec": {"traffic": {"enableEgress": True}},
}


def _own(number: int) -> dict[str, Any]:
    host = f"host-{number}.example"
    return {"identity": "client.shop", "destination": "203.0.113.10", "port": 80, "host": host, "path": "/"}


def _fsm(number: int) -> dict[str, Any]:
    headers = {"host": f"host-{number}.example", "serviceidentity": "client.shop", "x-request-id": "1"}
    return {
        "type": "outbound",
        "reqTime": 1_790_000_061_123,
        "remoteAddr": "203.0.113.10",
        "remotePort": 80,
        "localAddr": "10.244.1.7",
        "pod": {"ns": "shop", "ip": "10.244.1.7", "name": "client-0"},
        "req": {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "headers": headers},
        "res": {"status": 200, "headers": {"content-type": "application/json"}},
    }


def _hubble(number: int) -> dict[str, Any]:
    segment = {"source_port": 40_000 + number, "destination_port": 443, "flags": {"SYN": True}}
    return {
        "flow": {
            "time": "2026-09-21T14:14:21.123456789Z",
            "verdict": "FORWARDED",
            "IP": {"source": "10.244.1.7", "destination": "203.0.113.10", "ipVersion": "IPv4"},
            "l4": {"TCP": segment},
            "source": {"namespace": "shop", "pod_name": "client-0", "labels": ["k8s:app=client"]},
            "destination": {"labels": ["reserved:world"]},
            "destination_names": [f"host-{number}.example"],
            "traffic_direction": "EGRESS",
            "is_reply": False,
        },
        "node_name": "node-1",
    }


def _envoy(number: int) -> dict[str, Any]:
    return {
        "authority": f"host-{number}.example",
        "downstream_local_address": "203.0.113.10:80",
        "downstream_remote_address": "10.244.1.7:41234",
        "method": "GET",
        "path": "/",
        "protocol": "HTTP/1.1",
        "start_time": "2026-09-21T14:14:21.123Z",
        "upstream_cluster": "PassthroughCluster",
        "user_agent": "curl/8.5.0",
    }


_WRITTEN: dict[str, Callable[[int], dict[str, Any]]] = {
    "json": _own,
    "fsm": _fsm,
    "hubble": _hubble,
    "envoy": _envoy,
}


def logs(options: Options) -> Measured:
    """Each format beside `json.loads` of the same lines."""
    mesh = fe.load(MESH, POD)
    for written, record in _WRITTEN.items():
        lines = [json.dumps(record(number % 400)) for number in range(RECORDS)]
        content = "".join(f"{line}\n" for line in lines).encode()
        contenders = [
            Contender("json.loads", partial(_loaded, lines)),
            Contender("replay", partial(_replayed, mesh, content, written)),
        ]
        yield from figures("logs", written, contenders, options)


def _loaded(lines: list[str]) -> object:
    return list(map(json.loads, lines))


def _replayed(mesh: fe.Snapshot, content: bytes, written: str) -> object:
    summary = fe.replay(mesh, [fe.Log(BytesIO(content), "log", fe.Format(written))])
    if summary.connections != RECORDS:
        raise RuntimeError(f"{summary.connections} of {RECORDS} records are decided about")
    return summary


LOGS = (Row("logs", "Logs are replayed", "4 x json.loads of the same lines", logs),)
