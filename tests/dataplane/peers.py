"""Clients that come and go, and a server for them; run in the namespace of `observe.py`, with a task."""

from __future__ import annotations

import json
import selectors
import socket
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from observe import client_hello

if TYPE_CHECKING:
    from collections.abc import Callable

Wire = dict[str, Any]

ABREAST = 200
CALLS = 1_500
MEGABYTES = 200
MEBIBYTE = 2**20


def leave(task: Wire) -> Wire:
    """So many clients connect, say something, and leave after a while."""
    clients = [socket.create_connection(tuple(task["place"]), timeout=10) for _ in range(task["count"])]
    for client in clients:
        client.sendall(task["data"].encode("latin-1"))
    time.sleep(task["seconds"])
    for client in clients:
        client.close()
    return {"connected": len(clients)}


def come_and_go(task: Wire) -> Wire:
    """Many clients, so many at a time: a third says nothing, a third half a ClientHello, a third all."""
    hello = client_hello(task["name"], 0)
    said = (b"", hello[:100], hello)
    for _ in range(0, task["count"], ABREAST):
        clients = [socket.create_connection(tuple(task["place"]), timeout=10) for _ in range(ABREAST)]
        for index, client in enumerate(clients):
            client.sendall(said[index % 3])
        for client in clients:
            client.close()
    return {}


def call(task: Wire) -> Wire:
    """New connections, one after another: milliseconds from the dial to the first byte of the answer."""
    hello = client_hello(task["name"], 0)
    took = []
    for _ in range(CALLS):
        started = time.perf_counter()
        with socket.create_connection(tuple(task["place"]), timeout=10) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(hello)
            client.recv(1)
        took.append((time.perf_counter() - started) * 1000)
    return {"quick": statistics.quantiles(took, n=10)[0], "median": statistics.median(took), "count": CALLS}


def download(task: Wire) -> Wire:
    """Megabytes a second of one long answer."""
    with socket.create_connection(tuple(task["place"]), timeout=10) as client:
        client.sendall(client_hello(task["name"], 0))
        client.recv(1)
        client.sendall(b"more")
        started, got = time.perf_counter(), 0
        while got < MEGABYTES * MEBIBYTE:
            got += len(client.recv(MEBIBYTE))
        return {"MB/s": got / 10**6 / (time.perf_counter() - started)}


def talk(task: Wire) -> Wire:
    """One connection on which each text is sent once the one before has been answered."""
    answered = 0
    with socket.create_connection(tuple(task["place"]), timeout=10) as client:
        for text in task["say"]:
            client.sendall(text.encode("latin-1"))
            answered += len(client.recv(65536)) > 0
            time.sleep(0.1)
    return {"answered": answered}


def collect(task: Wire) -> Wire:
    """An endpoint that answers posts with these statuses in turn, the last for ever, and keeps them."""
    statuses = list(task["statuses"])
    with socket.create_server(("127.0.0.1", task["port"]), backlog=64) as listener:
        kept = []
        while True:
            connection = listener.accept()[0]
            if not statuses:
                kept.append(connection)  # and is silent
                continue
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            with connection:
                body = _post(connection)
                answer = f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n" if status else "what?\n" * 99
                connection.sendall(answer.encode())
            line = json.dumps({"status": status, "body": body})
            with open(task["file"], "a", encoding="utf-8") as file:  # noqa: PTH123  # because it is given as text
                file.write(f"{line}\n")


def _post(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])
    while len(body) < int(lines["content-length"]):
        body += connection.recv(65536)
    return body.decode()


def serve(task: Wire) -> Wire:
    """Answer requests, a first word with a byte, and `more` with many, until ended."""
    ready = selectors.DefaultSelector()
    listener = socket.create_server(("0.0.0.0", task["port"]), backlog=1024)  # in a namespace of its own
    ready.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                ready.register(listener.accept()[0], selectors.EVENT_READ, key.data)
            else:
                _answer(ready, key.fileobj)


def _answer(ready: selectors.DefaultSelector, connection: Any) -> None:
    try:
        data = connection.recv(65536)
        requests = data.count(b" HTTP/1.1\r\n")
        if requests:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * requests)
        elif data:
            connection.sendall(bytes(MEBIBYTE * MEGABYTES) if data == b"more" else b"!")
    except OSError:
        data = b""
    if not data:
        ready.unregister(connection)
        connection.close()


TASKS: dict[str, Callable[[Wire], Wire]] = {
    "leave": leave,
    "come and go": come_and_go,
    "call": call,
    "download": download,
    "serve": serve,
    "talk": talk,
    "collect": collect,
}


def main() -> None:
    """Do what the task says, and print what came of it."""
    task = json.load(sys.stdin)
    json.dump(TASKS[task["do"]](task), sys.stdout)


if __name__ == "__main__":
    main()
