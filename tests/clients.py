"""What real clients did through a real sidecar, and how their requests are described as they were sent.

`vectors/clients.json` has of each exchange the command, the arguments of `fsm-egress decide` with which a
user would describe it, and what was seen. A description that does not say what the client sent is put right
here, by hand, with what makes it so.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsm_egress as fe
from fsm_egress.pipy.sidecar import Sidecar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VECTORS = Path(__file__).parent / "vectors"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "clients.json").read_text(encoding="utf-8"))["cases"]
WHO = "curl.curl"

NAMES = {
    "httpbin.org": "54.77.1.1",
    "open.example": "54.77.1.2",
    "xn--bcher-kva.example": "54.77.1.3",
    "grpc.example": "54.77.1.4",
    "a.example": "54.77.1.5",
    "b.example": "54.77.1.6",
    "rpc.example": "54.77.1.8",
}

_PROXIED = ["--through-proxy"]
_CAPITALS = ["--header", "host: HTTPBIN.org", "--http", "GET", "http://httpbin.org/get"]
_SMALL = ["--http", "GET", "http://httpbin.org/get"]
_GRPC = "grpc://grpc.example:50051/pkg.Svc"

AS_SENT: dict[str, list[list[str]]] = {
    # curl and urllib keep capitals, and so does Go; wget and Node do not
    "curl-upper-host": [_CAPITALS],
    "go-upper": [_CAPITALS],
    "urllib-upper": [_CAPITALS],
    "wget-upper": [_SMALL],
    "node-upper": [_SMALL],
    # Go sends the segments, Node leaves them out
    "go-dots": [[*_SMALL, "--request-target", "/a/../get"]],
    "node-dots": [_SMALL],
    "node-lower-method": [_SMALL],  # fetch writes the usual methods in capitals
    "requests-unicode-path": [["--http", "GET", "http://httpbin.org/%C3%BC"]],
    "requests-space-path": [["--http", "GET", "http://open.example/a%20b"]],
    "encoded-letter": [["--http", "GET", "http://open.example/", "--request-target", "/%61/b"]],
    # the path is the whole URL
    "curl-proxy-absolute": [["--http", "GET", "http://httpbin.org/get", *_PROXIED]],
    "curl-proxy-absolute-open": [["--http", "GET", "http://open.example/get", *_PROXIED]],
    "curl-proxy-3128": [["--http", "GET", "http://open.example/get", *_PROXIED]],
    "curl-options-star": [["--http", "OPTIONS", "http://open.example/", "--request-target", "*"]],
    "grpc": [["--http", "POST", f"{_GRPC}/One"], ["--http", "POST", f"{_GRPC}/Two"]],  # which names its port
    "raw-lf-only": [["--tcp"]],  # no HTTP to the sidecar
    "raw-half-request": [["--tcp"]],  # a request that never ends is none
    "smtp-starttls": [["--server-first"]],  # which is what comes before STARTTLS
}
"""By the id of a case, what its connections send, in place of what the case says."""

BY_HTTP2 = {
    "curl-h2c-prior-two",
    "header-cookie-h2",
    "h2-purge",
    "h2-lower-method",
    "go-h2c-other-authority",
}


def words_of(case: dict[str, Any]) -> Iterator[list[str]]:
    """The arguments that describe each request of a case as it was sent; a value that is cut is whole."""
    better = AS_SENT.get(case["id"])
    for index, words in enumerate(case["connection"]):
        yield [*words[:2], *better[index]] if better else [_whole(word) for word in words]


def _whole(word: str) -> str:
    """A value that the file cuts (`x-a: aaa... (16305 characters)`), with its letters."""
    begin, cut, rest = word.partition("... (")
    return begin.ljust(int(rest.split()[0]), begin[-1]) if cut else word


def connection_of(words: Sequence[str]) -> fe.Connection:
    """The connection that arguments of the command line describe."""
    parser = ArgumentParser()
    parser.add_argument("--to")
    parser.add_argument("--http", nargs=2)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--through-proxy", action="store_true")
    parser.add_argument("--request-target")
    parser.add_argument("--tls")
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--server-first", action="store_true")
    given = parser.parse_args(words)
    host, port = given.to.rsplit(":", 1)
    if given.http:
        method, url = given.http
        pairs = [header.partition(": ") for header in given.header]
        return fe.http(
            host,
            int(port),
            method,
            url,
            [(name, value) for name, _, value in pairs],
            through_proxy=given.through_proxy,
            target=given.request_target,
        )
    if given.tls:
        return fe.tls(host, int(port), given.tls)
    return fe.tcp(host, int(port)) if given.tcp else fe.server_first(host, int(port))


@cache
def sides_of(mesh: str, mode: str) -> fe.Sides:
    """The engine and the model of the sidecar for a mesh of the cases, and a mode such as `stock`."""
    text = (VECTORS / "clients" / mesh).read_text(encoding="utf-8")
    if mode.endswith("-egress"):
        text = text.replace("enableEgress: false", "enableEgress: true")
    loaded = fe.loads(text)
    files = fe.pipy_codebase(loaded, WHO, enforce=mode.startswith("enforce"))
    (config,) = (content for name, content in files.items() if name.startswith("config.json"))
    return fe.Sides.of(loaded, WHO, Sidecar.read(config))
