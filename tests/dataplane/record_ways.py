"""Random sequences of requests to one host and port by matches that lead there in unlike ways.

`python tests/dataplane/record_ways.py SEQUENCES` observes, for each pair of ways, by which connection each
request went, and how that one was opened, and keeps it in `tests/vectors/ways.json`. It needs what
`record.py` needs. The egress gateway is another Pipy, which goes on from an address of its own.
"""

from __future__ import annotations

import json
import os
import random
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from record_shared import asked  # noqa: E402  # because the folder is to be found first

Wire = dict[str, Any]

KEPT = TESTS / "vectors" / "ways.json"
HOST = "a.com"
NAMES = {HOST: "54.1.1.2"}
RANGE, OTHER_RANGE = "54.0.0.0/8", "55.0.0.0/8"
BY = {"ranged": "54.9.9.9", "other range": "55.9.9.9", "anywhere": "9.9.9.9"}  # where clients dial
GATEWAY = "10.9.9.9:1080"
GATEWAYS_OWN = "127.0.0.77"
TUNNEL = f"""pipy({{ _target: '' }})
.listen(1080)
.demuxHTTP().to($=>$
  .acceptHTTPTunnel(msg => (_target = msg.head.path, new Message({{ status: 200 }})))
  .to($=>$.connect(() => _target, {{ bind: '{GATEWAYS_OWN}' }}))
)
"""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ABOUT = (
    "pairs of ways to one host and port, as a config: sequences of requests, each on a connection of a client"
    " by number, and the connection to the outside that each went by: its number, its HTTP, the name in the"
    " certificate that was shown if it is TLS of the sidecar's own, and whether it came through the gateway;"
    " observed with Pipy 1.5.14 and the scripts of fsm f1b55bd8, without this library's module, by"
    " record_ways.py; certificates stand by their names. And what became of requests with a header twice, by"
    " what a route asks of it; by HTTP/2 the status of the answer"
)


# --- inside ----------------------------------------------------------------------------------------------


class Keeping:
    """A server of HTTP/1.1 and HTTP/2, in the clear and by TLS, that says how each connection was opened."""

    def __init__(self, port: int, pem: str, authorities: str) -> None:
        self.numbers = count()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.context.load_verify_locations(authorities)
        self.context.verify_mode = ssl.CERT_OPTIONAL
        listener = socket.create_server(("0.0.0.0", port), backlog=64)  # in a namespace of its own
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener: socket.socket) -> None:
        while True:
            connection, (source, _) = listener.accept()
            way = {"number": next(self.numbers), "gateway": source == GATEWAYS_OWN, "certificate": None}
            threading.Thread(target=self.serve, args=(connection, way), daemon=True).start()

    def serve(self, connection: socket.socket, way: Wire) -> None:
        with suppress(OSError):
            if connection.recv(1, socket.MSG_PEEK) == b"\x16":
                wrapped = self.context.wrap_socket(connection, server_side=True)
                named: Any = (wrapped.getpeercert() or {}).get("subject", ())
                subject = dict(part[0] for part in named)
                way["certificate"] = subject.get("commonName", "none")
                connection = wrapped
            data = connection.recv(65536)
            if data.startswith(b"PRI"):
                _answer_http2(connection, data, json.dumps({**way, "http": 2}).encode())
            while data:
                body = json.dumps({**way, "http": 1})
                answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                connection.sendall(answer.encode() * data.count(b"\r\n\r\n"))
                data = connection.recv(65536)


def _frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


def _answer_http2(connection: socket.socket, data: bytes, body: bytes) -> None:
    """200 with a body for each stream that ends (RFC 9113); no header of a request is looked at."""
    connection.sendall(_frame(4, 0, 0))
    data = data.removeprefix(PREFACE)
    while True:
        while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
            size = int.from_bytes(data[:3], "big")
            kind, flags, stream = data[3], data[4], int.from_bytes(data[5:9], "big")
            data = data[9 + size :]
            if kind == 4 and not flags & 1:
                connection.sendall(_frame(4, 1, 0))
            if kind in (0, 1) and flags & 1:
                connection.sendall(_frame(1, 4, stream, b"\x88") + _frame(0, 1, stream, body))
        more = connection.recv(65536)
        if not more:
            raise OSError
        data += more


def status_by_http2(lines: list[str]) -> int:
    """What a request with these headers is answered with by HTTP/2 (RFC 9113, RFC 7541)."""
    fields = {":method": "GET", ":scheme": "http", ":authority": HOST, ":path": "/"}
    sent = [*fields.items(), *(tuple(line.split(": ", 1)) for line in lines)]
    pairs = [(name.lower().encode(), value.encode()) for name, value in sent]
    block = b"".join(b"\0%c%b%c%b" % (len(name), name, len(value), value) for name, value in pairs)
    with socket.create_connection((BY["anywhere"], 80), timeout=10) as client:
        client.sendall(PREFACE + _frame(4, 0, 0) + _frame(1, 5, 1, block))
        data = b""
        while True:
            while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
                end = 9 + int.from_bytes(data[:3], "big")
                if data[3] == 1:  # `:status` stands first: 200 by its number in the table, others as text
                    return 200 if data[9] == 0x88 else int(data[11:14])
                data = data[end:]
            more = client.recv(65536)
            if not more:
                raise OSError
            data += more


def inside() -> None:
    """Serve, ask, print."""
    task = json.load(sys.stdin)
    if "headers" in task:
        from observe import Upstream  # noqa: PLC0415  # because else nothing of it is needed

        Upstream([80])
        time.sleep(0.1)
        json.dump(status_by_http2(task["headers"]), sys.stdout)
        return
    with tempfile.TemporaryDirectory() as folder:
        pem, authorities = Path(folder, "server.pem"), Path(folder, "authorities.pem")
        pem.write_text(task["server"])
        authorities.write_text(task["authorities"])
        Keeping(80, str(pem), str(authorities))
    json.dump(asked(task["sequence"], lambda step: (BY[step["by"]], HOST)), sys.stdout)


# --- outside ---------------------------------------------------------------------------------------------


def match(ranges: Wire | None, **more: Any) -> Wire:
    rule = {"Path": ".*", "Type": "Regex", "TargetClusters": {f"{HOST}:80": 100}}
    return {
        "DestinationIPRanges": ranges,
        "Port": 80,
        "Protocol": "http",
        "HttpHostPort2Service": {HOST: {"RuleName": HOST}},
        "HttpServiceRouteRules": {HOST: {"RouteRules": [rule]}},
        **more,
    }


def config(*matches: Wire, **more: Any) -> Wire:
    chains = {
        name: [f"modules/outbound-{kind}-{part}.js" for part in ("routing", "load-balancing", "default")]
        for name, kind in (("outbound-tcp", "tcp"), ("outbound-http", "http"))
    }
    return {
        "Spec": {"SidecarTimeout": 60, "Traffic": {}, "Probes": {}, "Observability": {}},
        "Outbound": {
            "TrafficMatches": {"80": list(matches)},
            "ClustersConfigs": {f"{HOST}:80": {"Endpoints": {f"{HOST}:80": {"Weight": 100}}}},
        },
        "Chains": chains,
        **more,
    }


def shown(name: str) -> Wire:
    """A certificate, by its name."""
    return {"CertChain": name, "PrivateKey": name, "IssuingCA": name}


FORWARD = {
    "ForwardMatches": {"*": {"fsm/egress": 100}},
    "EgressGateways": {"fsm/egress": {"Mode": "http2tunnel", "Endpoints": {GATEWAY: {"Weight": 100}}}},
}
COOKIES: list[tuple[Wire, list[str]]] = [
    ({}, ["cookie: a=1", "cookie: b=2"]),
    ({"cookie": "a=1"}, ["cookie: a=1"]),
    ({"cookie": "a=1"}, ["cookie: a=1", "cookie: b=2"]),
    ({"cookie": "b=2"}, ["cookie: a=1", "cookie: b=2"]),
    ({"cookie": "a=1"}, ["Cookie: a=1", "COOKIE: a=1"]),
    ({"cookie": "a=1"}, ["cookie: a=1; b=2"]),
    ({"set-cookie": "a=1"}, ["set-cookie: a=1", "set-cookie: b=2"]),
    ({"x-env": "^a$"}, ["x-env: a", "x-env: b"]),
    ({"x-env": "^b$"}, ["x-env: a", "x-env: b"]),
]
OTHER = {"SourceCert": shown("other")}
CASES: dict[str, Wire] = {
    "gateway or none": config(match({RANGE: None}), match(None), Forward=FORWARD),
    "certificate or none": config(match({RANGE: None}), match(None), Certificate=shown("own")),
    "one certificate or another": config(
        match({RANGE: None}), match({OTHER_RANGE: OTHER}), Certificate=shown("own")
    ),
    "certificate or gateway": config(match({RANGE: OTHER}), match(None), Forward=FORWARD),
    "HTTP/1.1 or gRPC": config(match({RANGE: None}, Protocol="grpc"), match(None)),
    "ranges of one match": config(match({RANGE: None, OTHER_RANGE: OTHER})),
}


def sequence(chance: random.Random, by: list[str]) -> list[Wire]:
    """Some requests on up to three connections at a time, each of which stays with its destination."""
    steps: list[Wire] = []
    opened: dict[int, str] = {}
    numbers = count()
    for _ in range(chance.randint(3, 8)):
        if not opened or (len(opened) < 3 and chance.random() < 0.5):
            opened[next(numbers)] = chance.choice(by)
        client = chance.choice(list(opened))
        closes = chance.random() < 0.3
        steps.append({"client": client, "by": opened[client], "closes": closes})
        if closes:
            del opened[client]
    return steps


def certificate(folder: str, name: str) -> Wire:
    key, cert = Path(folder, f"{name}.key"), Path(folder, f"{name}.pem")
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 300 -subj /CN={name} -keyout {key} -out {cert}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)  # noqa: S603  # our own
    return {"CertChain": cert.read_text(), "PrivateKey": key.read_text(), "IssuingCA": cert.read_text()}


def with_real(value: Any, real: dict[str, Wire]) -> Any:
    """A config with real certificates in the place of their names."""
    if isinstance(value, dict):
        name = value.get("CertChain")
        return {key: with_real(item, real) for key, item in value.items()} | (real[name] if name else {})
    return [with_real(item, real) for item in value] if isinstance(value, list) else value


def cookies() -> list[Wire]:
    """What becomes of a request with headers that are sent twice, by what a route asks of them."""
    from observe import inside as run_inside  # noqa: PLC0415  # because inside nothing of it is needed
    from observe import observe, sidecar  # noqa: PLC0415  # ditto

    found = []
    for asks, sent in COOKIES:
        tree = config(match(None))
        tree["Outbound"]["TrafficMatches"]["80"][0]["HttpServiceRouteRules"][HOST]["RouteRules"][0][
            "Headers"
        ] = asks
        lines = "".join(f"{line}\r\n" for line in sent)
        probe = {
            "connection": {"destination": BY["anywhere"], "port": 80, "sends": "http"},
            "data": f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n",
        }
        files = {"config.json": json.dumps(tree).encode()}
        (seen,) = observe(files, NAMES, [80], [probe])
        with sidecar(files, NAMES):
            by_http2 = run_inside(Path(__file__).name, {"headers": sent})
        outcome = {"outcome": seen["outcome"], "status": seen.get("status"), "by HTTP/2": by_http2}
        found.append({"route": asks, "sent": sent, **outcome})
    return found


@contextmanager
def gateway(folder: str) -> Iterator[None]:
    """The egress gateway, in the namespace of the sidecar."""
    from observe import SETTLED, SIDECAR_USER, _inside, _run  # noqa: PLC0415  # because inside nothing of it is needed

    script = Path(folder, "tunnel.js")
    script.write_text(TUNNEL)
    as_sidecar = ("setpriv", "--reuid", SIDECAR_USER, "--regid", SIDECAR_USER, "--clear-groups")
    command = _inside(*as_sidecar, os.environ["PIPY_BIN"], str(script), "--threads=1")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:  # noqa: S603  # our own
        try:
            while ":1080" not in _run(*_inside("ss", "-lnt")):
                time.sleep(0.05)
            time.sleep(SETTLED)
            yield
        finally:
            running.kill()


def main(number_of_them: int, number: int = 1) -> None:
    """Observe, and keep."""
    from observe import inside as run_inside  # noqa: PLC0415  # because inside nothing of it is needed
    from observe import sidecar  # noqa: PLC0415  # ditto

    chance = random.Random(number)  # noqa: S311  # because it is to be the same each time
    kept = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        real = {name: certificate(folder, name) for name in ("own", "other", "server")}
        authorities = "".join(it["CertChain"] for it in real.values())
        server = real["server"]["CertChain"] + real["server"]["PrivateKey"]
        real = {name: {**it, "IssuingCA": real["server"]["CertChain"]} for name, it in real.items()}
        for name, tree in CASES.items():
            ranges = [
                text
                for it in tree["Outbound"]["TrafficMatches"]["80"]
                for text in it["DestinationIPRanges"] or ("",)
            ]
            by = [{RANGE: "ranged", OTHER_RANGE: "other range", "": "anywhere"}[text] for text in ranges]
            files = {"config.json": json.dumps(with_real(tree, real)).encode()}
            sequences = []
            for _ in range(number_of_them):  # each with a sidecar of its own, which has no connections yet
                steps = sequence(chance, by)
                with sidecar(files, NAMES), gateway(folder):
                    task = {"server": server, "authorities": authorities, "sequence": steps}
                    ways = run_inside(Path(__file__).name, task)
                sequences.append([{**step, "way": way} for step, way in zip(steps, ways, strict=True)])
            kept.append({"name": name, "config": tree, "sequences": sequences})
    content = {"about": ABOUT, "dialled": BY, "cases": kept, "cookies": cookies()}
    KEPT.write_text(json.dumps(content, separators=(",", ":")))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:])) if len(sys.argv) > 1 else inside()
