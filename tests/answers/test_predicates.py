"""What may be asked of connections and of what is decided about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import fsm_egress as fe
from fsm_egress.answers.predicates import read_range

if TYPE_CHECKING:
    from collections.abc import Callable

Where = fe.Where
DENIED = fe.Decision(fe.Verdict.DENIED, fe.Reason.EGRESS_DISABLED)
PASSED = fe.Decision(fe.Verdict.PASSTHROUGH, fe.Reason.EGRESS_ENABLED)
BESIDE = fe.Decision(fe.Verdict.PASSTHROUGH, fe.Reason.NOT_INTERCEPTED)
GET = fe.http("54.9.9.9", 80, "GET", "/x", {"Host": "A.com"})
TLS = fe.tls("54.9.9.9", 443, "a.com")
RAW = fe.tcp("9.9.9.9", 3306)


@pytest.mark.parametrize(
    ("where", "yes", "no"),
    [
        (Where.allowed(), (GET, PASSED), (GET, DENIED)),
        (Where.outside(), (GET, PASSED), (GET, DENIED)),
        (Where.outside(), (GET, BESIDE), (fe.tcp("127.0.0.2", 80), BESIDE)),
        (Where.governed(), (GET, DENIED), (GET, BESIDE)),
        (Where.governed(), (GET, PASSED), (fe.tcp("2001:db8::5", 80), PASSED)),
        (Where.verdict("DENIED"), (GET, DENIED), (GET, PASSED)),
        (
            Where.verdict(fe.Verdict.DENIED, "PASSTHROUGH"),
            (GET, PASSED),
            (GET, fe.Decision(fe.Verdict.IN_MESH, fe.Reason.TCP_SERVICE)),
        ),
        (Where.reason("egress_enabled"), (GET, PASSED), (GET, BESIDE)),
        (Where.port(80, 81), (GET, DENIED), (TLS, DENIED)),
        (Where.to("54.0.0.0/8"), (GET, DENIED), (RAW, DENIED)),
        (Where.to("9.9.9.9", fe.Prefix("10.0.0.0/8")), (RAW, DENIED), (GET, DENIED)),
        (Where.host("A.com"), (GET, DENIED), (RAW, DENIED)),
        (Where.host("a.com"), (TLS, DENIED), (fe.tls("54.9.9.9", 443), DENIED)),
        (Where.origin("a.com", 443), (TLS, DENIED), (GET, DENIED)),
        (Where.origin("a.com", 80), (fe.http("9.9.9.9", 80, "GET", "a.com:80/"), DENIED), (TLS, DENIED)),
        (Where.sends("tls"), (TLS, DENIED), (GET, DENIED)),
        (Where.method("GET"), (GET, DENIED), (TLS, DENIED)),
        (Where.method("PUT") | Where.port(443), (TLS, DENIED), (GET, DENIED)),
        (Where.allowed() & Where.port(80), (GET, PASSED), (GET, DENIED)),
        (~Where.allowed(), (GET, DENIED), (GET, PASSED)),
    ],
)
def test_what_holds(where: fe.Where, yes: tuple[Any, Any], no: tuple[Any, Any]) -> None:
    assert where.holds(*yes)
    assert not where.holds(*no)
    assert not (~where).holds(*yes)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (Where.allowed(), "allowed"),
        (Where.port(80, 443), "port `80` or `443`"),
        (~Where.to("54.9.9.9"), "not destination `54.9.9.9/32`"),
        (Where.port(1) & Where.port(2) & Where.port(3), "(port `1` and port `2` and port `3`)"),
        (Where.port(1) | (Where.port(2) & ~Where.host("a")), "(port `1` or (port `2` and not host `a`))"),
        (Where.to("10.0.0.0/8", "10.0.0.0/8"), "destination `10.0.0.0/8`"),
    ],
)
def test_in_words(where: fe.Where, text: str) -> None:
    assert str(where) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Where.verdict("MAYBE"), "found the string `MAYBE`"),
        (lambda: Where.reason("luck"), "found the string `luck`"),
        (lambda: Where.port(0), "expected a port number from 1 to 65535, found the number `0`"),
        (lambda: Where.to("54.9.9"), "found the string `54.9.9`"),
        (lambda: Where.to("54.9.9.9/33"), "found the string `54.9.9.9/33`"),
        (lambda: Where.host("a b"), "expected a Host header"),
        (lambda: Where.sends("smoke"), "found the string `smoke`"),
        (
            lambda: Where.method("get"),
            "`PATCH`, `OPTIONS`, `TRACE`, `CONNECT`, found the string `get`",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(make: Callable[[], fe.Where], text: str) -> None:
    with pytest.raises(fe.InvalidValue) as caught:
        make()
    assert text in str(caught.value)


def test_an_address_is_the_range_that_holds_it_alone() -> None:
    assert read_range("54.9.9.9") == read_range(fe.Address("54.9.9.9")) == fe.Prefix("54.9.9.9/32")
    assert read_range(fe.Prefix("54.0.0.0/8")) is not read_range("54.0.0.0/8")
