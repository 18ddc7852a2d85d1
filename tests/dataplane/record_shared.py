"""Random sequences of requests, to which the sidecar lends connections to the outside that it keeps.

`python tests/dataplane/record_shared.py SEQUENCES` observes by which connection each request went, with
servers that keep theirs, and keeps it in `tests/vectors/shared.json`. It needs what `record.py` needs.

Two policies lead to one host and port: one without addresses, which goes out in the clear, and one with, for
which the sidecar opens the mesh's own mTLS while it holds a certificate.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import sys
import tempfile
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

Wire = dict[str, Any]

KEPT = TESTS / "vectors" / "shared.json"
HOSTS = {"a.com": "54.1.1.2", "b.com": "54.1.1.3"}
CLEAR, OWN_TLS = "9.9.9.9", "54.9.9.9"  # what no range holds, and what one does
ABOUT = (
    "sequences of requests, each on a connection of a client by number, and the connection to the outside"
    " that each went by: its number, whether it is TLS of the sidecar's own, and its address; observed with"
    " Pipy 1.5.14 and the scripts of fsm f1b55bd8, without this library's module, by record_shared.py"
)


# --- inside ----------------------------------------------------------------------------------------------


class Keeping:
    """A server that keeps connections, with TLS and without, and says in each answer which one it came by."""

    def __init__(self, port: int, certificate: str) -> None:
        self.numbers = count()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        listener = socket.create_server(("0.0.0.0", port), backlog=64)  # in a namespace of its own
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener: socket.socket) -> None:
        while True:
            connection = listener.accept()[0]
            threading.Thread(target=self.serve, args=(connection, next(self.numbers)), daemon=True).start()

    def serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError):
            address = connection.getsockname()[0]
            has_tls = connection.recv(1, socket.MSG_PEEK) == b"\x16"
            if has_tls:
                connection = self.context.wrap_socket(connection, server_side=True)
            way = json.dumps({"number": number, "mtls": has_tls, "address": address})
            while data := connection.recv(65536):
                answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(way)}\r\n\r\n{way}"
                connection.sendall(answer.encode() * data.count(b"\r\n\r\n"))


def asked(sequence: list[Wire], place: Callable[[Wire], tuple[str, str]]) -> list[Wire]:
    """The way of each request of a sequence; a connection of a client is opened when it is first used.

    `place` says of a request where its client dials, and the Host.
    """
    clients: dict[int, socket.socket] = {}
    ways = []
    for step in sequence:
        number = step["client"]
        destination, host = place(step)
        if number not in clients:
            clients[number] = socket.create_connection((destination, 80), timeout=10)
        clients[number].sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        ways.append(_said(clients[number]))
        if step["closes"]:
            clients.pop(number).close()
    for client in clients.values():
        client.close()
    return ways


def _said(client: socket.socket) -> Wire:
    """What the server says of the way, which may come in pieces."""
    data = client.recv(65536)
    while b"}" not in data and b" 200 " in data[:20]:
        data += client.recv(65536)
    if b" 200 " not in data[:20]:
        return {"status": int(data.split(b" ")[1])}
    text = data[data.index(b"{") : data.index(b"}") + 1]
    way: Wire = json.loads(text)
    return way


def inside() -> None:
    """Serve, ask, print."""
    task = json.load(sys.stdin)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(task["certificate"])
        file.flush()
        Keeping(80, file.name)
    ways = [asked(steps, lambda step: (step["destination"], step["host"])) for steps in task["sequences"]]
    json.dump(ways, sys.stdout)


# --- outside ---------------------------------------------------------------------------------------------


def sequence(chance: random.Random) -> list[Wire]:
    """Some requests on up to three connections at a time, each of which stays with its destination."""
    steps: list[Wire] = []
    opened: dict[int, str] = {}
    numbers = count()
    for _ in range(chance.randint(3, 9)):
        if not opened or (len(opened) < 3 and chance.random() < 0.5):
            opened[next(numbers)] = chance.choice((CLEAR, OWN_TLS))
        client = chance.choice(list(opened))
        closes = chance.random() < 0.3
        host = chance.choice(list(HOSTS))
        steps.append({"client": client, "destination": opened[client], "host": host, "closes": closes})
        if closes:
            del opened[client]
    return steps


def main(number_of_them: int, number: int = 1) -> None:
    """Observe, and keep."""
    from observe import inside as run_inside  # noqa: PLC0415  # because inside nothing of it is needed
    from observe import sidecar  # noqa: PLC0415  # ditto
    from record import certificate  # noqa: PLC0415  # ditto
    from small import WHO, config, egress, load  # noqa: PLC0415  # ditto

    import fsm_egress as fe  # noqa: PLC0415  # ditto

    documents = [
        config({"outboundIPRangeInclusionList": ["0.0.0.0/0"]}, sidecar={"compressConfig": False}),
        egress("clear", "http 80", hosts=list(HOSTS)),
        egress("ranged", "http 80", hosts=list(HOSTS), ipAddresses=["54.0.0.0/8"]),
    ]
    real = certificate()
    files = fe.pipy_codebase(load(*documents), WHO, {"Certificate": real})
    chance = random.Random(number)  # noqa: S311  # because it is to be the same each time
    sequences = [sequence(chance) for _ in range(number_of_them)]
    kept = []
    for steps in sequences:  # each with a sidecar of its own, which has no connections yet
        with sidecar(files, HOSTS):
            task = {"certificate": real["CertChain"] + real["PrivateKey"], "sequences": [steps]}
            (ways,) = run_inside("record_shared.py", task)
        kept.append([{**step, "way": way} for step, way in zip(steps, ways, strict=True)])
    content = {"about": ABOUT, "documents": documents, "identity": WHO, "sequences": kept}
    KEPT.write_text(json.dumps(content, separators=(",", ":")))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:])) if len(sys.argv) > 1 else inside()
