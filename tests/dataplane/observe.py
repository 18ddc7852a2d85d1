"""Observe what a real Pipy does with a codebase: where each connection of a pod really goes.

A Pipy runs with FSM's scripts, and ours on top of them, in a network namespace of its own, where every IPv4
address is local and outbound TCP is redirected to the sidecar as FSM's init container does. What is dialled
says where it was dialled at.

It needs root, iproute2, iptables, and the environment variables `PIPY_BIN` (Pipy 1.5.14) and `PIPY_CODEBASE`
(FSM's sidecar scripts).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIDECAR_USER = "1500"
OUTBOUND = 15001
WAITED = 4.0  # seconds for an answer
SETTLED = 0.1
HELLO = 43  # bytes of a ClientHello up to the end of its random ones
SILENT = 0.3  # seconds after which a server takes its client for one that waits

Wire = dict[str, Any]


# --- the namespace ---------------------------------------------------------------------------------------


def _run(*command: str, check: bool = True) -> str:
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout  # noqa: S603  # our own


def _name() -> str:
    """The namespace of this process, so that several can observe."""
    return f"fsm-egress-{os.getpid()}"


def _inside(*command: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", _name(), *command)


@contextmanager
def namespace(names: Mapping[str, str]) -> Iterator[None]:
    """A namespace whose outbound TCP is redirected to the sidecar, and in which these names resolve."""
    etc = Path("/etc/netns", _name())
    etc.mkdir(parents=True, exist_ok=True)
    lines = [f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **names}.items()]
    (etc / "hosts").write_text("".join(lines))
    (etc / "resolv.conf").write_text("nameserver 127.0.0.9\noptions timeout:1 attempts:1\n")
    _run("ip", "netns", "del", _name(), check=False)
    _run("ip", "netns", "add", _name())
    rules = (
        ("-N", "OUT"),
        ("-A", "OUTPUT", "-p", "tcp", "-j", "OUT"),
        ("-A", "OUT", "-m", "owner", "--uid-owner", SIDECAR_USER, "-j", "RETURN"),
        ("-A", "OUT", "-d", "127.0.0.1/32", "-j", "RETURN"),
        ("-A", "OUT", "-p", "tcp", "-j", "REDIRECT", "--to-port", str(OUTBOUND)),
    )
    _run(*_inside("ip", "link", "set", "lo", "up"))
    _run(*_inside("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"))
    for rule in rules:
        _run(*_inside("iptables", "-t", "nat", *rule))
    try:
        yield
    finally:
        _run("ip", "netns", "del", _name(), check=False)
        shutil.rmtree(etc)


def observe(
    codebase: Mapping[str, bytes], names: Mapping[str, str], listen: list[int], probes: list[Wire]
) -> list[Wire]:
    """What becomes of each probe: `{"outcome": "dialled", "address", "mtls", …}`, `closed`, `answered`, ….

    Args:
        codebase: files that are laid over FSM's scripts.
        names: the addresses of outside hosts.
        listen: the ports that something listens on, at every address.
        probes: connections in the form of the vectors, each perhaps with `split`, the bytes of a segment,
            `padding`, bytes by which a ClientHello is larger, `records`, the bytes of each TLS record that it
            comes in, `names`, of a ClientHello with several, `data`, bytes in Latin-1 that are sent, or
            `pause`, the seconds between segments.
    """
    with sidecar(codebase, names):
        found: list[Wire] = inside(Path(__file__).name, {"listen": listen, "probes": probes})
        return found


@contextmanager
def sidecar(
    codebase: Mapping[str, bytes], names: Mapping[str, str], output: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A Pipy with FSM's scripts and these files over them, in its namespace, started."""
    with tempfile.TemporaryDirectory() as folder, namespace(names):
        place = Path(folder, "codebase")
        shutil.copytree(os.environ["PIPY_CODEBASE"], place)
        for path, content in codebase.items():
            (place / path).write_bytes(content)
        _run("chmod", "-R", "a+rX", folder)
        as_sidecar = ("setpriv", "--reuid", SIDECAR_USER, "--regid", SIDECAR_USER, "--clear-groups")
        command = _inside(*as_sidecar, os.environ["PIPY_BIN"], str(place / "main.js"), "--threads=1")
        with subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL) as pipy:  # noqa: S603  # our own
            try:
                _wait_for_start()
                yield pipy
            finally:
                pipy.kill()


def inside(script: str, task: Wire) -> Any:
    """What a script prints that is given a task in the namespace, both as JSON."""
    command = _inside(sys.executable, str(Path(__file__).with_name(script)))
    done = subprocess.run(command, input=json.dumps(task), check=True, capture_output=True, text=True)  # noqa: S603  # our own
    return json.loads(done.stdout)


@contextmanager
def aside(script: str, task: Wire) -> Iterator[None]:
    """A script that goes on in the namespace, with a task, until the block ends."""
    command = _inside(sys.executable, str(Path(__file__).with_name(script)))
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as running:  # noqa: S603  # our own
        running.stdin.write(json.dumps(task))  # type: ignore[union-attr]  # because it is a pipe
        running.stdin.close()  # type: ignore[union-attr]  # ditto
        time.sleep(0.5)
        try:
            yield
        finally:
            running.kill()


def connections_held() -> int:
    """How many connections of clients the sidecar has."""
    return len(_run(*_inside("ss", "-Htn", "sport", "=", f":{OUTBOUND}")).splitlines())


def _wait_for_start() -> None:
    for _ in range(100):
        if ":15000" in _run(*_inside("ss", "-lnt")):
            return
        time.sleep(0.05)


# --- inside: what is dialled -----------------------------------------------------------------------------


class Upstream:
    """Listens on ports, at every address, and keeps in mind how it was dialled."""

    def __init__(self, ports: list[int]) -> None:
        self.dialled: list[Wire] = []
        for port in ports:
            listener = socket.create_server(("0.0.0.0", port), backlog=64)  # in a namespace of its own
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            address = "{}:{}".format(*connection.getsockname())
            connection.settimeout(SILENT)
            try:
                data = connection.recv(65536)
            except TimeoutError:
                data = b""
            self.dialled.append({"address": address, **_first(data)})
            connection.sendall(_answer(data))
            time.sleep(0.05)


def _first(data: bytes) -> Wire:
    """What a server can tell from the first bytes."""
    if data[:1] == b"\x16":
        return {"first": "tls", "hello": data[:HELLO].decode("latin-1")}
    if b" HTTP/1." in data.partition(b"\r\n")[0]:
        return {"first": "http", "identity": b"serviceidentity" in data.lower()}
    return {"first": {b"\x05": "socks5", b"P": "http2"}.get(data[:1], "bytes") if data else "nothing"}


def _answer(data: bytes) -> bytes:
    if b" HTTP/1." not in data.partition(b"\r\n")[0]:
        return b"hello\n"
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


# --- inside: what is sent --------------------------------------------------------------------------------


def client_hello(server_name: str | None, padding: int) -> bytes:
    """What a client sends to begin TLS, larger by so many bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if padding:
        context.set_alpn_protocols([f"{index:04d}" + "x" * 200 for index in range(padding // 205)])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=server_name).do_handshake()
    return outgoing.read()


def _http2(request: Wire) -> bytes:
    """A request by HTTP/2 with prior knowledge: preface, empty settings, one HEADERS frame (RFC 9113)."""

    def literal(name: str, value: str) -> bytes:
        return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    fields = {":method": request["method"], ":scheme": "http", ":authority": request["host"]}
    block = b"".join(literal(*entry) for entry in {**fields, ":path": request["path"]}.items())
    frame = struct.pack(">I", len(block))[1:] + b"\x01\x05\x00\x00\x00\x01" + block
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + frame


def _with_names(names: list[str]) -> bytes:
    """A ClientHello with nothing but these server names, as RFC 8446 and RFC 6066 write it."""

    def sized(form: str, content: bytes) -> bytes:
        return struct.pack(form, len(content)) + content

    listed = b"".join(b"\x00" + sized(">H", name.encode()) for name in names)
    extensions = b"\x00\x00" + sized(">H", sized(">H", listed))
    hello = (
        b"\x03\x03" + bytes(32) + b"\x00" + sized(">H", b"\x13\x01") + b"\x01\x00" + sized(">H", extensions)
    )
    return b"\x16\x03\x01" + sized(">H", b"\x01\x00" + sized(">H", hello))


def _in_records(record: bytes, size: int) -> bytes:
    """What one record of TLS holds, in several."""
    head, content = record[:3], record[5:]
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(head + struct.pack(">H", len(piece)) + piece for piece in pieces)


def _sent(probe: Wire) -> bytes:
    connection = probe["connection"]
    if "data" in probe:
        return str(probe["data"]).encode("latin-1")
    if connection["sends"] == "tls":
        names = probe.get("names")
        hello = _with_names(names) if names else client_hello(connection.get("sni"), probe.get("padding", 0))
        return _in_records(hello, probe["records"]) if "records" in probe else hello
    if connection["sends"] == "http":
        request = connection["request"]
        if probe.get("http2"):
            return _http2(request)
        headers = "".join(f"{name}: {value}\r\n" for name, value in (request.get("headers") or {}).items())
        line = f"{request['method']} {request['path']} HTTP/1.1\r\nHost: {request['host']}\r\n"
        return f"{line}{headers}Content-Length: 0\r\n\r\n".encode()
    return b"\x01\x02PING\n" if connection["sends"] == "bytes" else b""


def _probe(probe: Wire, upstream: Upstream) -> Wire:
    """One connection, and what became of it."""
    upstream.dialled.clear()
    sent = _sent(probe)
    started = time.monotonic()
    try:
        answer, held = _exchange(probe, sent)
    except ConnectionRefusedError:
        return {"outcome": "refused"}
    if not answer or probe.get("http2"):
        time.sleep(SETTLED)  # what is dialled is dialled by now; HTTP/2 has answered before
    if upstream.dialled:
        return _dialled(sent, upstream.dialled[0])
    if answer.startswith(b"HTTP/1."):
        return {"outcome": "answered", "status": int(answer.split(b" ")[1])}
    if probe.get("http2") and answer:
        return {"outcome": "answered", "status": None}  # which is not looked into
    if answer:
        return {"outcome": "echoed"}
    return {"outcome": "held" if held else "closed", "seconds": round(time.monotonic() - started, 1)}


def _exchange(probe: Wire, sent: bytes) -> tuple[bytes, bool]:
    """The answer to what is sent, and whether the connection was still open without one."""
    place = probe["connection"]["destination"], probe["connection"]["port"]
    step = probe.get("split") or len(sent) or 1
    with socket.create_connection(place, timeout=WAITED) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for at in range(0, len(sent), step):
                client.sendall(sent[at : at + step])
                if step < len(sent):
                    time.sleep(probe.get("pause", 0.002))
            return client.recv(65536), False
        except TimeoutError:
            return b"", True
        except OSError:
            return b"", False


def _dialled(sent: bytes, how: Wire) -> Wire:
    """How it was dialled: with TLS of the sidecar's own where the client's own is not what arrives."""
    own = how["first"] == "tls" and not sent.startswith(how["hello"].encode("latin-1"))
    through = {"through": how["first"]} if how["first"] in {"http2", "socks5"} else {}
    revealed = {"identity": True} if how.get("identity") else {}
    return {"outcome": "dialled", "address": how["address"], "mtls": own, **through, **revealed}


def main() -> None:
    """Inside the namespace: read the task, print what became of its probes."""
    task = json.load(sys.stdin)
    upstream = Upstream(task["listen"])
    time.sleep(0.05)
    json.dump([_probe(probe, upstream) for probe in task["probes"]], sys.stdout)


if __name__ == "__main__":
    main()
