"""A mesh with traffic for the tests of replaying, and logs of that traffic in every format."""

from __future__ import annotations

import csv
import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet
from small import config, egress, load, routes

from fsm_egress.replaying.dialects import Format
from fsm_egress.replaying.logs import Log

if TYPE_CHECKING:
    from collections.abc import Sequence

    import fsm_egress as fe

Record = dict[str, Any]

FIELDS = ("identity", "destination", "port", "sends", "host", "server_name", "method", "path", "headers")
MATCHES = [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "calls"}]


def mesh(*, enable_egress: bool = False) -> fe.Snapshot:
    """HTTP to `a.com` by two routes, TLS to `b.com`, and a database that nobody asks for."""
    return load(
        config({"enableEgress": enable_egress}),
        egress("web", "http 80", hosts=["a.com"], matches=MATCHES),
        egress("tls", "https 443", "https 8443", hosts=["b.com"]),
        egress("db", "tcp 3306", ipAddresses=["54.0.0.0/8"]),
        routes("calls", {"pathRegex": "^/get"}, {"pathRegex": "^/post", "methods": ["POST"]}),
    )


GET = {"identity": "curl.curl", "destination": "54.9.9.9", "port": 80, "host": "a.com", "path": "/get"}
TLS = {"identity": "curl.curl", "destination": "54.9.9.9", "port": 443, "server_name": "b.com"}
OTHER_TLS = {"identity": "curl.curl", "destination": "54.9.9.9", "port": 443, "server_name": "c.com"}
PLAIN = {"identity": "wget.shop", "destination": "54.9.9.9", "port": 9000}
NOWHERE = {"identity": "curl.curl", "destination": "54.9.9", "port": 80}
RECORDS: tuple[Record, ...] = (GET, TLS, PLAIN, OTHER_TLS, NOWHERE, GET, PLAIN)


def as_json(records: Sequence[Record]) -> bytes:
    return "".join(f"{json.dumps(record)}\n" for record in records).encode()


def as_csv(records: Sequence[Record]) -> bytes:
    text = StringIO(newline="")
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        headers = {"headers": json.dumps(record["headers"])} if "headers" in record else {}
        writer.writerow({**record, **headers})
    return text.getvalue().encode()


def as_parquet(records: Sequence[Record]) -> bytes:
    content = BytesIO()
    types = {"port": pa.int32(), "headers": pa.map_(pa.string(), pa.string())}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in FIELDS])
    parquet.write_table(pa.Table.from_pylist(list(records), schema), content)
    return content.getvalue()


WRITERS = {Format.JSON: as_json, Format.CSV: as_csv, Format.PARQUET: as_parquet}


def log(content: bytes, written: Format | str = Format.JSON, name: str = "access") -> Log:
    """A log of this content."""
    return Log(BytesIO(content), name, written)


def log_of(*records: Record, written: Format = Format.JSON) -> Log:
    """A log of these records."""
    return log(WRITERS[written](records), written)


# --- records of other programs ---------------------------------------------------------------------------

# As `logs.md` tells of FSM's remote log, and as Istio names the keys of Envoy's.
ENTRY: dict[str, Any] = {
    "type": "outbound",
    "reqTime": 1790000061123,
    "resTime": 1790000061160,
    "endTime": 1790000061161,
    "remoteAddr": "203.0.113.10",
    "remotePort": 80,
    "localAddr": "10.244.1.7",
    "localPort": 41234,
    "pod": {"ns": "shop", "ip": "10.244.1.7", "name": "checkout-0"},
    "node": {"ip": "192.0.2.4", "name": "node-1"},
    "meshName": "fsm",
    "req": {
        "method": "POST",
        "path": "/v1/charges?limit=3",
        "protocol": "HTTP/1.1",
        "headers": {
            "host": "api.payments.example",
            "x-env": "prod",
            "fsm-stats-namespace": "shop",
            "fsm-stats-pod": "checkout-0",
            "x-b3-traceid": "1",
            "x-request-id": "2",
            "x-forwarded-proto": "http",
            "serviceidentity": "checkout.shop",
        },
        "headerNames": {"host": "Host"},
        "reqSize": 0,
        "body": "",
    },
    "service": {"name": "api", "target": "203.0.113.10:80", "ingressMode": False, "egressMode": True},
    "res": {"status": 200},
    "trace": {"id": "1", "span": "2", "parent": "3", "sampled": "1"},
}

ISTIO: dict[str, Any] = {
    "authority": "api.payments.example",
    "bytes_received": 0,
    "bytes_sent": 12,
    "downstream_local_address": "203.0.113.10:80",
    "downstream_remote_address": "10.244.1.7:41234",
    "duration": 4,
    "method": "GET",
    "path": "/v1/charges",
    "protocol": "HTTP/1.1",
    "request_id": "1",
    "requested_server_name": None,
    "response_code": 200,
    "response_flags": "-",
    "route_name": "allow_any",
    "start_time": "2026-09-21T14:14:21.123Z",
    "upstream_cluster": "PassthroughCluster",
    "upstream_host": "203.0.113.10:80",
    "user_agent": "curl/8.5.0",
    "x_forwarded_for": None,
}

EVENTS: dict[str, list[Any]] = json.loads(
    (Path(__file__).parent / "vectors" / "hubble-events.json").read_text(encoding="utf-8")
)["events"]
