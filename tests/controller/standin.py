"""A Pipy repo over real HTTP: it keeps what it is sent, answers as the real one, and writes down who asks."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Tree = dict[str, Any]
API = "/api/v1/"


class Codebase:
    """What one codebase holds: committed, edited and erased files by name."""

    def __init__(self, version: str, base: str = "") -> None:
        self.version, self.base = version, base
        self.files: dict[str, bytes] = {} if base else {"/main.js": b""}
        self.edits: dict[str, bytes] = {}
        self.erased: set[str] = set()

    def commit(self, version: str) -> None:
        self.files = {**self.files, **self.edits}
        self.files = {name: content for name, content in self.files.items() if name not in self.erased}
        self.version, self.edits, self.erased = version, {}, set()

    def info(self, path: str) -> Tree:
        base = {"base": self.base} if self.base else {}
        return {
            "version": self.version,
            "path": path,
            "main": "/main.js",
            "files": sorted(self.files),
            "editFiles": sorted(self.edits),
            "erasedFiles": sorted(self.erased),
            "baseFiles": [],
            "derived": [],
            "instances": {},
            **base,
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # of the usual 5 who comes too many waits for a second, or for three


class StandIn:
    """The repo; it can go away and come back, with or without what it knew."""

    def __init__(self) -> None:
        self.codebases: dict[str, Codebase] = {}
        self.asked: list[tuple[str, str]] = []
        self.refuses: set[str] = set()
        self.instead: dict[str, bytes] = {}
        self.port = 0
        self.start()

    def start(self) -> None:
        self.server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.is_up = True

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.is_up = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def changes(self) -> list[tuple[str, str]]:
        """What was asked for that changes something."""
        return [(method, path) for method, path in self.asked if method != "GET"]

    def config(self, identity: str, prefix: str = "fsm-egress") -> Tree | None:
        """What a sidecar reads."""
        codebase = self.codebases.get(f"/{prefix}/{identity}")
        files = codebase.files if codebase else {}
        content = files.get("/config.json") or gzip.decompress(files.get("/config.json.gz", b""))
        return json.loads(content) if content else None

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append((method, path))
        if any(part in path for part in self.refuses):
            return 500, b"out of order"
        if method == "GET" and path in self.instead:
            return 200, self.instead[path]
        kind, _, rest = path.removeprefix(API).partition("/")
        if kind == "repo" and not rest:
            return 200, "".join(f"{name}\n" for name in sorted(self.codebases)).encode()
        if kind == "repo":
            return self.codebase(method, f"/{rest}", body)
        return self.file(method, f"/{rest}", body)

    def codebase(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        found = self.codebases.get(path)
        if method == "POST":
            if found:
                return 400, b"Codebase already exists"
            given = json.loads(body)
            if "base" in given and given["base"] not in self.codebases:
                return 400, b"Base codebase not found"
            self.codebases[path] = Codebase(given["version"], given.get("base", ""))
            return 201, b""
        if found is None:
            return 404, b""
        if method == "PATCH":
            found.commit(json.loads(body)["version"])
            return 201, b""
        if method == "DELETE":
            del self.codebases[path]
            return 204, b""
        return 200, json.dumps(found.info(path)).encode()

    def file(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        owner = next((name for name in self.codebases if path.startswith(f"{name}/")), None)
        if owner is None:
            return 404, b"Codebase not found"
        name, codebase = path.removeprefix(owner), self.codebases[owner]
        if method == "POST":
            codebase.edits[name] = body
            codebase.erased.discard(name)
            return 201, b""
        codebase.erased.add(name)
        return 204, b""


def _handler(repo: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = repo.answer(self.command, self.path, body)
            self.send_response(status, HTTPStatus(status).phrase)
            if status != HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            with suppress(OSError):  # who asked may not have waited
                self.end_headers()
                self.wfile.write(content if status != HTTPStatus.NO_CONTENT else b"")

        do_GET = do_POST = do_PATCH = do_DELETE = reply  # noqa: N815  # because http.server says it

        def log_message(self, *_: object) -> None:
            """Say nothing: what was asked is kept."""

    return Handler
