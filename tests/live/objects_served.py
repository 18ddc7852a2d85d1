"""A stand-in for an API server: objects by path, in pages, of moments that it forgets; some are forbidden."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from fsm_egress.live.paths import served
from fsm_egress.live.reading import Refusal
from fsm_egress.resources.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Tree = dict[str, Any]
TOKEN = "let-me-in"
NOW = "1000"


class Objects:
    """What an API server has, and what it says of it.

    Attributes:
        denied: what may not be asked for, by plural, or by namespace and plural.
        lacking: kinds that it does not serve.
        page: how many objects it gives at most, whatever it is asked for.
        moments: the revisions that it still knows.
        expires: how many pages it gives until it has forgotten the others.
    """

    def __init__(self, *objects: Tree) -> None:
        self.by_path: dict[str, dict[str, Tree]] = {}
        kept = {document["apiVersion"] for document in objects}
        self.lists = {
            it.path(): it.plural
            for kind in KINDS
            for number, versions in enumerate(served(kind))
            for it in versions
            if number == 0 or it.api_version in kept
        }
        for document in objects:
            (it,) = (
                it
                for kind in KINDS
                for versions in served(kind)
                for it in versions
                if (it.kind, it.api_version) == (document["kind"], document["apiVersion"])
            )
            metadata = document["metadata"]
            name = f"{metadata.get('namespace', '')}/{metadata['name']}"
            self.by_path.setdefault(it.path(), {})[name] = document
        self.denied: set[str] = set()
        self.lacking: set[str] = set()
        self.page = 10**9
        self.moments = {NOW}
        self.expires = 10**9
        self.asked: list[tuple[str, dict[str, str]]] = []

    def __call__(self, path: str, query: Mapping[str, str]) -> Tree:
        self.asked.append((path, dict(query)))
        if path.startswith("/apis/") and path.count("/") == 2:
            if "groups" in self.denied:
                raise Refusal(403, "groups are forbidden")
            if any(it.startswith(f"{path}/") for it in self.lists):
                return {"kind": "APIGroup"}
        root, namespace, name = self.parts(path)
        plural = root.rpartition("/")[2]
        if root not in self.lists or plural in self.lacking or root in self.lacking:
            raise Refusal(404, "the server could not find the requested resource")
        if {plural, f"{namespace or '*'}/{plural}"} & self.denied:
            raise Refusal(403, f'{plural} is forbidden: User "ann" cannot list resource "{plural}"')
        found = [
            value
            for key, value in self.by_path.get(root, {}).items()
            if not namespace or key.startswith(f"{namespace}/")
        ]
        if name:
            for document in found:
                if document["metadata"]["name"] == name:
                    return document
            raise Refusal(404, f'{plural} "{name}" not found')
        return self.listed(found, query)

    def listed(self, found: list[Tree], query: Mapping[str, str]) -> Tree:
        moment = query.get("resourceVersion", NOW)
        if "continue" in query:
            assert "resourceVersion" not in query, "the API refuses both"
            moment, _, start = query["continue"].partition("@")
            self.expires -= 1
            if self.expires < 0:
                raise Refusal(410, "The provided continue parameter is too old")
        elif moment not in self.moments:
            raise Refusal(410 if moment < NOW else 504, "no such moment")
        else:
            start = "0"
        limit = int(query.get("limit", 0)) or 10**9
        end = int(start) + min(limit, self.page) if int(query.get("limit", 0)) else len(found)
        metadata = {"resourceVersion": moment}
        if end < len(found):
            metadata["continue"] = f"{moment}@{end}"
        items = [
            {key: value for key, value in it.items() if key not in {"kind", "apiVersion"}}
            for it in found[int(start) : end]
        ]
        return {"kind": "SomeList", "metadata": metadata, "items": items or None}

    def parts(self, path: str) -> tuple[str, str, str]:
        """The path of the kind, the namespace and the name of a path."""
        head, mark, rest = path.partition("/namespaces/")
        if not mark:
            return path, "", ""
        namespace, plural, *name = rest.split("/")
        return f"{head}/{plural}", namespace, "".join(name)


def refuse(_path: str, _query: Mapping[str, str]) -> Tree:
    raise Refusal(401, "Unauthorized")


class Server:
    """The same over HTTP, or HTTPS with a certificate, for whoever has the token."""

    def __init__(self, objects: Objects, chain: tuple[Path, Path] | None = None) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                split = urlsplit(self.path)
                is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
                asked = objects if is_known else refuse
                try:
                    status, body = 200, asked(split.path, dict(parse_qsl(split.query)))
                except Refusal as refusal:
                    status, body = refusal.status, {"kind": "Status", "message": refusal.message}
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if chain is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*chain)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"{'https' if chain else 'http'}://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
