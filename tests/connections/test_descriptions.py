"""Connections as people describe them; `test_connection.py` makes them, this reads what stands in a text."""

from __future__ import annotations

from typing import Any

import pytest

import fsm_egress as fe
from fsm_egress.connections.descriptions import split_socket_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("54.9.9.9:443", ("54.9.9.9", 443)),
        ("[2001:db8::5]:443", ("2001:db8::5", 443)),
        ("2001:db8::5:443", None),
        ("54.9.9.9", None),
        ("54.9.9.9:http", None),
    ],
)
def test_socket_addresses(text: str, expected: tuple[str, int] | None) -> None:
    assert split_socket_address(text) == expected


@pytest.mark.parametrize("user", ["user:s3cret@", "s3cret@", "user:s3@cret@", ":s3cret@"])
def test_user_and_password_are_left_out_of_what_is_sent_and_of_errors(user: str) -> None:
    sent = fe.http("54.9.9.9", 80, "GET", f"http://{user}httpbin.org/get")
    assert sent == fe.http("54.9.9.9", 80, "GET", f"{user}httpbin.org/get")
    assert sent == fe.http("54.9.9.9", 80, "GET", "httpbin.org/get")
    with pytest.raises(fe.InvalidValue, match="`http`") as error:
        fe.http("54.9.9.9", 80, "GET", f"https://{user}httpbin.org/get")
    assert "s3" not in str(error.value)


def test_an_at_in_a_path_is_no_user() -> None:
    for url in ("httpbin.org/@me", "httpbin.org?to=a@b.com", "http://httpbin.org/a?b=c@d"):
        assert "@" in fe.http("54.9.9.9", 80, "GET", url).to_mapping()["request"]["path"]


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("httpbin.org/get?", "httpbin.org", "/get?"),
        ("httpbin.org?", "httpbin.org", "/?"),
        ("httpbin.org/get?#top", "httpbin.org", "/get?"),
        ("httpbin.org/get#a?", "httpbin.org", "/get"),
        ("http://httpbin.org:/get", "httpbin.org", "/get"),
    ],
)
def test_what_a_url_says_beside_its_parts_is_sent_as_clients_send_it(url: str, host: str, path: str) -> None:
    request = fe.http("54.9.9.9", 80, "GET", url).to_mapping()["request"]
    assert (request["host"], request["path"]) == (host, path)


# --- several requests of one connection ------------------------------------------------------------------


def test_the_requests_of_a_connection_are_connections_that_are_decided_on_their_own() -> None:
    sent = fe.requests("54.9.9.9", 80, ("GET", "a.com/get"), ("POST", "b.com/x", {"X-Env": "prod"}))
    assert isinstance(sent, fe.Requests)
    assert sent == (
        fe.http("54.9.9.9", 80, "GET", "a.com/get"),
        fe.http("54.9.9.9", 80, "POST", "b.com/x", {"x-env": "prod"}),
    )
    assert repr(sent) == ("<Requests 54.9.9.9:80 GET http://a.com/get, 54.9.9.9:80 POST http://b.com/x>")
    assert hash(sent) == hash(fe.Requests(sent))


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ([("GET", "a.com/"), ("GET", "A.com/")], "sent[1].url"),
        ([("GET",)], "sent[0]"),
        (["GET a.com/"], "sent[0]"),
        ([("GET", "a.com/", {}, 1)], "sent[0]"),
    ],
)
def test_a_request_that_cannot_be_is_named_by_its_place(sent: list[Any], path: str) -> None:
    with pytest.raises(fe.InvalidValue) as error:
        fe.requests("54.9.9.9", 80, *sent)
    assert error.value.problems[0].path == path
