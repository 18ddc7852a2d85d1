"""What clients make of a URL: what many were seen to send is data, and those of Python send it here again."""

from __future__ import annotations

import http.client
import json
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3.util.connection
from hypothesis import assume, example, given
from hypothesis import strategies as st

import fsm_egress as fe
from fsm_egress.connections.urls import read_url, server_name

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = Path(__file__).parents[1] / "vectors" / "urls.json"
CASES: dict[str, dict[str, list[str] | None]] = {
    case["url"]: case["sent"] for case in json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
}
TO = ("54.9.9.9", 80)


def asked(url: str, method: str = "GET", **more: Any) -> list[str]:
    """The request target and the Host of what a URL is taken for."""
    request = fe.http(*TO, method, url, **more).sends
    assert isinstance(request, fe.HTTPRequest)
    return [request.path, request.host]


def refused(url: Any, method: str = "GET", **more: Any) -> fe.Problem:
    with pytest.raises(fe.InvalidValue) as error:
        fe.http(*TO, method, url, **more)
    (problem,) = error.value.problems
    return problem


def is_known(client: str, url: str, sent: list[str], ours: list[str]) -> bool:
    """Whether a client sends the same, or something else that is known and said in the documentation."""
    (target, host), (path, name) = sent, ours
    if client == "requests" and path.startswith("//") and not target.startswith("//"):
        return is_known(client, url, sent, [f"/{path.lstrip('/')}", name])  # before 2.34
    if sent == ours:
        return True
    if client in {"go", "urllib"} and host in {f"{name}:80", f"{name}:080"}:
        return True  # policies take a host with its port as well
    if client == "urllib" and (host == f"{name}:" or not url.isascii()):
        return True
    if client in {"node", "node-http", "requests", "aiohttp"} and path == f"{target}?":
        return True
    return client in {"requests", "aiohttp"} and name == f"{host}."


@pytest.mark.parametrize("url", CASES)
def test_a_url_is_what_clients_send_for_it_or_is_refused_with_one_that_is(url: str) -> None:
    sent = {client: request for client, request in CASES[url].items() if request is not None}
    try:
        ours = asked(url)
    except fe.InvalidValue as error:
        (problem,) = error.problems
        assert len({tuple(request) for request in sent.values()}) > 1 or len(sent) < len(CASES[url])
        if problem.proposal is not None:
            assert asked(problem.proposal) in sent.values()
            assert asked(problem.proposal) == asked(problem.proposal.removeprefix("http://"))
        return
    others = {client: request for client, request in sent.items() if request != ours}
    assert {client for client, it in others.items() if not is_known(client, url, it, ours)} == set()
    assert "curl" in {*sent} - {*others} or sent == {}


# --- the clients of Python, asked again ------------------------------------------------------------------

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def on_the_wire(ask: Callable[[], object]) -> list[str]:
    """The request target and the Host that a client sends, whatever host it thinks it talks to."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.MonkeyPatch.context() as patch:
        client = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
        with peer, client:
            peer.sendall(ANSWER)
            patch.setattr(socket, "create_connection", lambda *_, **__: client)
            patch.setattr(urllib3.util.connection, "create_connection", lambda *_, **__: client)
            ask()
            head = peer.recv(65_536).decode("latin-1").split("\r\n")
    hosts = [line.partition(": ")[2] for line in head if line.lower().startswith("host:")]
    return [head[0].split(" ", 1)[1].rsplit(" ", 1)[0], *hosts]


def by_urllib(url: str) -> list[str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask() -> None:
        with opener.open(url, timeout=5):
            pass

    return on_the_wire(ask)


def by_requests(url: str) -> list[str]:
    def ask() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.get(url, timeout=5).close()

    return on_the_wire(ask)


def by_http_client(url: str) -> list[str]:
    """As a caller does who takes the URL apart: the host, the port, and what comes behind."""
    host, slash, path = url.removeprefix("http://").partition("/")

    def ask() -> None:
        connection = http.client.HTTPConnection(host, timeout=5)
        connection.request("GET", slash + path)
        connection.getresponse().close()
        connection.close()

    return on_the_wire(ask)


LABELS = st.from_regex(r"[a-z][a-z0-9]{0,4}", fullmatch=True)
HOSTS = st.lists(LABELS | st.sampled_from(["bücher", "Ab", "xn--bcher-kva", "日本"]), min_size=1, max_size=3)
PARTS = st.sampled_from(
    [
        "/",
        "/a",
        "/..",
        "/.",
        "/b.",
        "//",
        "%20",
        "%2f",
        "%2F",
        "%61",
        "%",
        "'",
        " ",
        "ü",
        '"',
        "|",
        "[",
        "&",
        "=",
        ";",
    ]
)
URLS = st.builds(
    lambda host, port, path, query, fragment: f"http://{'.'.join(host)}{port}/{path}{query}{fragment}",
    HOSTS,
    st.sampled_from(["", "", ":80", ":", ":080", ":8080", ":08080"]),
    st.lists(PARTS, max_size=4).map("".join),
    st.just("") | st.lists(PARTS | st.just("?"), max_size=4).map(lambda parts: "?" + "".join(parts)),
    st.sampled_from(["", "", "#", "#top"]),
)


@given(URLS)
@example("http://a:8080/?x")
@example("http://a//b")
def test_law_what_is_not_refused_is_what_urllib_and_requests_send(url: str) -> None:
    try:
        ours = asked(url)
    except fe.InvalidValue as error:
        (problem,) = error.problems
        assert problem.proposal is not None
        assert refused_again(problem.proposal) is None
        return
    for client, send in (("requests", by_requests), ("urllib", by_urllib)):
        if client == "requests" or url.isascii():
            sent = send(url)
            assert is_known(client, url, sent, ours)


def refused_again(proposal: str) -> str | None:
    """What is wrong with a proposal: nothing, as nothing else has to be tried after it."""
    try:
        asked(proposal)
    except fe.InvalidValue as error:
        return str(error)
    return None


@given(URLS)
def test_law_http_client_sends_the_same_to_a_host_that_it_is_given(url: str) -> None:
    assume("?" in url or "#" not in url)
    try:
        ours = asked(url.partition("#")[0])
    except fe.InvalidValue:
        return
    assume(url.isascii() and "/" in url.removeprefix("http://"))
    assert by_http_client(url.partition("#")[0]) == ours


LETTERS = ["a", "b-1", "x_y", "A", "1", "10", "256", "0x1", "com", "10.0.0.1", "010.0.0.1"]
SIGNS = [".", ".", "..", "/", "/", ":80", ":8080", ":0", "?", "'", "-", "%2f", "@", "http://"]
LIKE_A_URL = st.lists(st.sampled_from([*LETTERS, *SIGNS]), min_size=1, max_size=7).map("".join)


@given(LIKE_A_URL)
@example("10.96.0.1:9000/a.b/c")
@example("a..b/c")
@example("a/.b")
@example("a/?b'c")
def test_law_a_url_is_read_alike_whether_it_is_plain_or_not(url: str) -> None:
    try:
        sent = read_url("GET", url)
        connection = fe.Connection(*TO, fe.HTTPRequest("GET", sent.host, sent.path, sent.headers))
    except fe.InvalidValue as error:
        problem = error.problems[0]
    else:
        assert fe.http(*TO, "GET", url) == connection
        assert fe.http(*TO, "GET", url, {"X-A": "b"}) == fe.http(*TO, "GET", url, [("x-a", "b")])
        return
    assert refused(url) == problem


@given(LIKE_A_URL)
def test_law_a_server_name_is_read_alike_whether_it_is_usual_or_not(name: str) -> None:
    try:
        sent = server_name(name)
    except fe.InvalidValue as error:
        with pytest.raises(fe.InvalidValue, match=re.escape(error.problems[0].expected)):
            fe.tls(*TO, name)
        return
    assert fe.tls(*TO, name) == fe.Connection(*TO, fe.TLSClientHello(sent))


# --- in words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "proposal", "word"),
    [
        (
            "http://HTTPBIN.org/get",
            "http://httpbin.org/get",
            "curl, Go and urllib keep capitals, and FSM then answers 403",
        ),
        ("HTTPBIN.org", "httpbin.org/", "403"),
        ("http://httpbin.org/a/../get", "http://httpbin.org/get", "Go and urllib send them"),
        ("http://httpbin.org/a b?c d", "http://httpbin.org/a%20b?c%20d", "escape"),
        ("httpbin.org?u=http://a/../b c", "httpbin.org/?u=http://a/../b%20c", "escape"),
        ("http://httpbin.org:08080/", "http://httpbin.org:8080/", "zeros"),
        ("ws://a.example/%2f", "ws://a.example/%2F", "capitals"),
        ("http:/httpbin.org/get", "http://httpbin.org/get", ""),
        ("https:httpbin.org/get", "https://httpbin.org/get", ""),
    ],
)
def test_a_url_of_which_clients_send_different_things_is_refused(url: str, proposal: str, word: str) -> None:
    problem = refused(url)
    assert problem.proposal == proposal
    assert word in (problem.reason or "")


@pytest.mark.parametrize(
    ("url", "proposal", "reason"),
    [
        ("https://a.example/x", "--tls a.example", "HTTPS is `tls` to the sidecar"),
        ("https://user:s3cret@bücher.example/", "--tls xn--bcher-kva.example", "HTTPS"),
        ("https://54.9.9.9/", "--tls", "HTTPS"),
        ("https://[2001:db8::1]/", "--tls", "HTTPS"),
        ("wss://a.example/ws", "--tls a.example", "WSS is `tls` to the sidecar"),
        ("grpcs://a.example:443/pkg.Svc/M", "--tls a.example", "GRPCS"),
        ("tcp://a.example:9000", "--tcp", "TCP"),
        ("redis://a.example:6379/0", "--tcp", "REDIS"),
        ("rediss://a.example:6379/0", "--tls a.example", "REDISS"),
        ("postgres://user:s3cret@a.example/db", "--tcp", "also where it asks for TLS with them"),
        ("mysql://a.example:3306/db", "--server-first", "greeting"),
        ("smtp://a.example:25", "--server-first", "greeting"),
        ("UDP://a.example:53", "--udp", "never sees it"),
    ],
)
def test_a_url_of_no_http_says_what_the_sidecar_sees(url: str, proposal: str, reason: str) -> None:
    problem = refused(url)
    assert problem.expected == "a URL with the scheme `http`"
    assert problem.proposal == proposal
    assert reason in (problem.reason or "")
    assert "s3cret" not in str(problem)


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    assert refused("gopher://a.example/").message == (
        "expected a URL with the scheme `http`, found the string `gopher://a.example/`"
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://a.com:0/",
        "http://a.com:65536/",
        "http://a.com:" + "9" * 5000,
        "a.com/\t",
        "//a.com/",
        "http://a:b/",
    ],
)
def test_what_is_no_url(url: str) -> None:
    assert refused(url).proposal is None


@pytest.mark.parametrize("url", [None, 1, b"http://a.com/"])
def test_what_is_no_text(url: Any) -> None:
    assert refused(url).expected == "a URL"


def test_a_wildcard_is_no_host() -> None:
    assert "compared to the letter" in (refused("http://*.a.com/").reason or "")


def test_a_request_without_a_host() -> None:
    assert asked("/get") == ["/get", ""]


def test_a_websocket_is_a_request_that_asks_for_an_upgrade() -> None:
    request = fe.http(*TO, "GET", "ws://a.example:80/chat").sends
    assert request == fe.HTTPRequest(
        "GET",
        "a.example",
        "/chat",
        {"connection": "Upgrade", "sec-websocket-version": "13", "upgrade": "websocket"},
    )
    assert refused("ws://a.example/", "POST").message == (
        "expected the method that goes with `ws`, found the string `POST`; write `GET`"
    )


def test_grpc_is_a_post_that_names_its_port() -> None:
    request = fe.http(*TO, "POST", "grpc://a.example:80/pkg.Svc/M", {"te": "trailers, deflate"}).sends
    assert request == fe.HTTPRequest(
        "POST",
        "a.example:80",
        "/pkg.Svc/M",
        {"content-type": "application/grpc", "te": "trailers, deflate"},
    )
    assert refused("grpc://a.example/pkg.Svc/M", "GET").proposal == "POST"


# --- proxies ---------------------------------------------------------------------------------------------


def test_a_proxy_is_sent_the_whole_url() -> None:
    assert asked("http://user:pw@a.example/x?y#z", through_proxy=True) == [
        "http://a.example/x?y",
        "a.example",
    ]
    assert asked("a.example:8080", through_proxy=True) == ["http://a.example:8080/", "a.example:8080"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.example/x", "a.example:443"),
        ("https://a.example:8443/x", "a.example:8443"),
        ("wss://a.example/x", "a.example:443"),
        ("ws://a.example/x", "a.example:80"),
    ],
)
def test_a_proxy_is_asked_to_connect_for_anything_else(url: str, host: str) -> None:
    request = fe.http(*TO, "GET", url, through_proxy=True).sends
    assert request == fe.HTTPRequest("CONNECT", host, host)


def test_what_goes_through_no_http_proxy_is_refused() -> None:
    assert refused("mysql://a.example/", through_proxy=True).proposal == "--server-first"


def test_connect_is_asked_of_a_host_and_its_port() -> None:
    for url in ("a.example:80", "http://a.example:80", "http://a.example:80/"):
        assert asked(url, "CONNECT") == ["a.example:80", "a.example:80"]


@pytest.mark.parametrize(
    ("url", "proposal"),
    [
        ("a.example", "a.example:443"),
        ("http://a.example:80/x", "a.example:80"),
        ("A.example:443", "a.example:443"),
        ("user:pw@a.example", "a.example:443"),
    ],
)
def test_connect_of_anything_else_is_refused(url: str, proposal: str) -> None:
    assert refused(url, "CONNECT").proposal == proposal


# --- server names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("a.example", "a.example"),
        ("A.Example", "A.Example"),
        ("a.example.", "a.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("bücher.example.", "xn--bcher-kva.example"),
        ("x_y!.a.com", "x_y!.a.com"),
    ],
)
def test_a_server_name_is_sent_without_a_dot_at_its_end_in_ascii(name: str, sent: str) -> None:
    assert server_name(name) == sent
    assert fe.tls("54.9.9.9", 443, name) == fe.Connection("54.9.9.9", 443, fe.TLSClientHello(sent))


@pytest.mark.parametrize(
    ("name", "expected", "proposal"),
    [
        ("https://a.example", "a server name, not a URL", "a.example"),
        ("https://user:s3cret@a.example/x", "a server name, not a URL", "a.example"),
        ("a.example/x", "a server name, not a URL", "a.example"),
        ("a.example:443", "a server name without a port", "a.example"),
        ("a.example:", "a server name without a port", "a.example"),
        ("BÜCHER.example", "a server name that all clients send alike", "xn--bcher-kva.example"),
        ("54.9.9.9", "a server name, not an address", None),
        ("[2001:db8::1]", "a server name, not an address", None),
        ("*.a.example", "a server name that a client asks for, not a wildcard", None),
        ("a b", "a server name that a client asks for", None),
        ("a:b:c", "a server name that a client asks for", None),
        ("", "a server name that a client asks for", None),
    ],
)
def test_what_no_client_asks_for_is_refused(name: str, expected: str, proposal: str | None) -> None:
    with pytest.raises(fe.InvalidValue) as error:
        fe.tls("54.9.9.9", 443, name)
    (problem,) = error.value.problems
    assert (problem.path, problem.expected, problem.proposal) == ("server_name", expected, proposal)
    assert "s3cret" not in str(problem)


# --- headers ---------------------------------------------------------------------------------------------


def test_of_equal_headers_the_last_counts() -> None:
    pairs = [("X-Env", "test"), ("accept", "*/*"), ("x-env", "prod")]
    request = fe.http(*TO, "GET", "a.com/", pairs).sends
    assert request == fe.HTTPRequest("GET", "a.com", "/", {"x-env": "prod", "accept": "*/*"})


def test_a_host_header_takes_the_place_of_the_urls_host() -> None:
    assert asked("http://a.com:8080/x", headers={"Host": "B.com"}) == ["/x", "B.com"]


def test_several_cookies_are_refused() -> None:
    """Seen with a real sidecar, by HTTP/1.1 and HTTP/2: `cookies` in `ways.json`."""
    twice = refused("a.com/", headers=[("Cookie", "a=1"), ("cookie", "b=2")])
    assert (twice.found, twice.proposal) == ("2", "cookie: a=1; b=2")
    assert refused("a.com/", headers=[("set-cookie", "a=1"), ("set-cookie", "a=1")]).proposal is None
    assert asked("http://a.com/", headers=[("cookie", "a=1; b=2")])


@pytest.mark.parametrize("headers", ["x-env: prod", 3, [("x-env",)], [(1, "prod")]])
def test_headers_that_cannot_be(headers: Any) -> None:
    assert refused("a.com/", headers=headers).path == "headers"
