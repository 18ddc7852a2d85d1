"""Regions of connections: what they hold, how they are joined, and in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from universe import ADDRESSES, UNIVERSE, drawn

import fsm_egress as fe
from fsm_egress.answers.regions import TCP, Region, Unproven, aligned, differing, joined
from fsm_egress.connections.payloads import HTTPRequest, Sends, TLSClientHello
from fsm_egress.division.classes import EVERY, Among, Class, Sent
from fsm_egress.patterns import Pattern
from fsm_egress.resources.words import KNOWN_METHODS
from fsm_egress.values.net import GAP_END, GAP_START, IPV6_START, LAST_KEY, Address

ANYWHERE = ((0, IPV6_START - 1), (IPV6_START, LAST_KEY))
GET = HTTPRequest("GET", "a.com", "/")
ANY_PORT = ((1, 65_535),)
REQUEST = Sent(Sends.HTTP)


def only(*words: str) -> Among:
    return Among(frozenset(words), but=False)


def region(*sent: Sent, ports: Any = ANY_PORT, spans: Any = ANYWHERE) -> Region:
    return Region(ports, spans, sent or tuple(map(Sent, Sends)), fe.tcp("0.0.0.0", 1))


def keys(first: str, last: str) -> tuple[int, int]:
    return Address(first).key, Address(last).key


# --- words among others ----------------------------------------------------------------------------------

WORDS = ("a", "b", "c", "d")
AMONG = st.builds(Among, st.frozensets(st.sampled_from(WORDS[:3])), st.booleans())


@given(AMONG, AMONG, st.sampled_from(WORDS))
def test_law_the_words_of_either(one: Among, other: Among, word: str) -> None:
    assert (word in one | other) is (word in one or word in other)


def test_by_default_every_word_is_among_them() -> None:
    assert EVERY.every
    assert "anything" in EVERY
    assert not only("a").every


# --- what a region holds ---------------------------------------------------------------------------------


def test_the_ports_that_nobody_names() -> None:
    sent = Sent(Sends.BYTES)
    part = Class(None, ANYWHERE, fe.tcp("0.0.0.0", 1), "", sent)
    assert Region.of(part, {80, 443, 65_535}).ports == ((1, 79), (81, 442), (444, 65_534))
    assert Region.of(part, {1, 2}).ports == ((3, 65_535),)
    named = Class(80, ANYWHERE, fe.tcp("0.0.0.0", 80), "", sent)
    assert Region.of(named, {80}).ports == ((80, 80),)


def test_how_many_addresses_there_are() -> None:
    assert region().addresses == 2**128
    assert region(spans=(ANYWHERE[0],)).addresses == 2**32
    assert region(spans=((GAP_START - 3, GAP_END + 1),)).addresses == 5
    assert [str(it) for it in region(spans=(keys("10.0.0.0", "10.0.0.9"),)).prefixes] == [
        "10.0.0.0/29",
        "10.0.0.8/31",
    ]


@pytest.mark.parametrize(
    ("sent", "inside", "outside"),
    [
        (Sent(Sends.TLS, only("a.com")), TLSClientHello("a.com"), TLSClientHello("b.com")),
        (Sent(Sends.TLS, only("")), TLSClientHello(None), TLSClientHello("a.com")),
        (Sent(Sends.BYTES), Sends.BYTES, Sends.NOTHING),
        (Sent(Sends.HTTP, only("a.com")), HTTPRequest("GET", "A.com"), HTTPRequest("GET", "b.com")),
        (
            Sent(Sends.HTTP, only("a.com"), only("A.com")),
            HTTPRequest("GET", "A.com"),
            HTTPRequest("GET", "a.com"),
        ),
        (Sent(Sends.HTTP, methods=only("GET")), GET, HTTPRequest("PUT", "a.com", "/")),
        (Sent(Sends.HTTP, found=(("", Pattern("/x")),)), HTTPRequest("GET", "a", "/x"), GET),
        (
            Sent(Sends.HTTP, found=(("x-env", Pattern("p")),)),
            HTTPRequest("GET", "a", "/", {"X-Env": "prod"}),
            GET,
        ),
        (Sent(Sends.HTTP, missing=((("", Pattern("/x")),),)), GET, HTTPRequest("GET", "a", "/x")),
        (Sent(Sends.HTTP, hosts=((Pattern("^A"), True),)), HTTPRequest("GET", "A.com"), GET),
        (Sent(Sends.HTTP, hosts=((Pattern("^A"), False),)), GET, HTTPRequest("GET", "A.com")),
    ],
)
def test_what_is_sent(sent: Sent, inside: Any, outside: Any) -> None:
    assert fe.Connection("9.9.9.9", 80, inside) in sent
    assert fe.Connection("9.9.9.9", 80, outside) not in sent


# --- joining ---------------------------------------------------------------------------------------------


@given(drawn(12), st.lists(st.sampled_from("xyz"), min_size=12, max_size=12))
def test_law_joining_loses_nothing_and_adds_nothing(some: list[fe.Connection], things: list[str]) -> None:
    by_region = {(it.port, it.key, exactly(it)): (thing, it) for it, thing in zip(some, things, strict=True)}
    pieces = [
        (thing, Region.of(Class(port, ((key, key),), it, "", sent), {port}))
        for (port, key, sent), (thing, it) in by_region.items()
    ]
    found = joined(pieces, str)
    for connection in (*some, *UNIVERSE[::37]):
        before = [thing for thing, part in pieces if connection in part]
        after = [thing for thing, part in found if connection in part]
        assert before == after
        assert len(after) <= 1
    sizes = [(part.witness.port, part.witness.key) for _, part in found]
    assert sizes == sorted(sizes)
    assert all(part.witness in part for _, part in found)


def exactly(connection: fe.Connection) -> Sent:
    """What a connection sends, as far as regions tell it."""
    sent = connection.sends
    if isinstance(sent, TLSClientHello):
        return Sent(Sends.TLS, only(sent.name or ""))
    if isinstance(sent, HTTPRequest):
        return Sent(Sends.HTTP, only(sent.authority), EVERY, only(sent.method))
    return Sent(sent)


def test_addresses_that_touch_are_joined_but_not_over_the_families() -> None:
    parts = [
        (None, region(Sent(Sends.BYTES), spans=(span,)))
        for span in ((0, 9), (10, 19), (30, IPV6_START - 1), (IPV6_START, LAST_KEY))
    ]
    ((_, found),) = joined(parts, str)
    assert found.spans == ((0, 19), (30, IPV6_START - 1), (IPV6_START, LAST_KEY))


# --- words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        (ANY_PORT, "any"),
        (((80, 80),), "80"),
        (((80, 81), (90, 90)), "80-81, 90"),
        (((1, 79), (81, 65_535)), "any but 80"),
        (((1, 79), (91, 442), (444, 65_535)), "any but 80-90, 443"),
        (((1, 1), (3, 3), (5, 5), (7, 7)), "1, 3, 5, 7"),
        (((1, 1), (3, 3), (5, 5), (7, 7), (9, 9)), "1, 3, 5, 2 more"),
        (((2, 65_535),), "any but 1"),
        (((1, 1),), "1"),
        (((1, 1), (80, 80)), "1, 80"),
    ],
)
def test_ports_in_words(ports: Any, text: str) -> None:
    assert region(ports=ports).words[0] == text


@pytest.mark.parametrize(
    ("spans", "text"),
    [
        (ANYWHERE, "any address"),
        (ANYWHERE[:1], "all IPv4"),
        (ANYWHERE[1:], "all IPv6"),
        (((0, IPV6_START - 2),), "all IPv4 except 255.255.255.255"),
        (((1, IPV6_START - 1),), "all IPv4 except 0.0.0.0"),
        ((keys("54.0.0.0", "54.255.255.255"),), "54.0.0.0/8 (16,777,216)"),
        ((keys("54.9.9.9", "54.9.9.9"),), "54.9.9.9"),
        ((keys("54.9.9.8", "54.9.9.9"),), "54.9.9.8/31"),
        ((keys("54.9.9.8", "54.9.9.10"),), "54.9.9.8/31, 54.9.9.10"),
        ((keys("54.9.9.8", "54.9.9.11"),), "54.9.9.8/30 (4)"),
        (((Address("::fffe:0:0").key, GAP_END - 1),), "::fffe:0:0/95 (4,294,967,296)"),
        ((keys("0.0.0.0", "127.255.255.255"),), "0.0.0.0/1 (2,147,483,648)"),
        ((keys("2001:db8::", "2001:db8::ffff:ffff"),), "2001:db8::/96 (4,294,967,296)"),
        ((keys("2001:db8::", "2001:db8::1:ffff:ffff"),), "2001:db8::/95 (2^33 and more)"),
        (
            (keys("0.0.0.0", "53.255.255.255"), keys("55.0.0.0", "255.255.255.255")),
            "all IPv4 except 54.0.0.0/8",
        ),
        (
            (keys("54.0.0.0", "54.0.0.255"), keys("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")),
            "54.0.0.0/24 (256) and 2001:db8::/32 (2^96 and more)",
        ),
    ],
)
def test_addresses_in_words(spans: Any, text: str) -> None:
    assert region(spans=spans).words[1] == text


P = Pattern("^/v1/")
Q = Pattern("q")


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (tuple(map(Sent, Sends)), "anything"),
        (tuple(map(Sent, TCP)), "any TCP"),
        ((Sent(Sends.BYTES), Sent(Sends.NOTHING)), "bytes"),
        ((Sent(Sends.BYTES),), "bytes of the client first"),
        ((Sent(Sends.NOTHING),), "bytes of the server first"),
        ((Sent(Sends.DATAGRAM), Sent(Sends.TLS)), "UDP; any TLS"),
        ((REQUEST,), "any request"),
        ((Sent(Sends.TLS, only("a.com")),), "TLS to `a.com`"),
        ((Sent(Sends.TLS, only("")),), "TLS without name"),
        ((Sent(Sends.TLS, only("", "a.com")),), "TLS to `a.com` or without"),
        ((Sent(Sends.TLS, Among(frozenset(["a.com"]))),), "TLS to any name but `a.com` or without"),
        ((Sent(Sends.TLS, Among(frozenset(["", "a.com"]))),), "TLS to any name but `a.com`"),
        ((Sent(Sends.TLS, Among(frozenset([""]))),), "TLS to any name"),
        ((Sent(Sends.HTTP, only("a.com"), methods=only("GET")),), "GET to `a.com`"),
        ((Sent(Sends.HTTP, Among(frozenset(["a"])), methods=only("PUT")),), "PUT to any host but `a`"),
        ((Sent(Sends.HTTP, methods=only("GET", "PURGE")),), "GET/PURGE to any host"),
        ((Sent(Sends.HTTP, methods=only(*"zGyfxe", "GET")),), "GET/G/e/f/x/y/z to any host"),
        ((Sent(Sends.TLS, only(*"dbac")),), "TLS to `a`, `b`, `c`, `d`"),
        (
            (Sent(Sends.HTTP, methods=Among(frozenset(KNOWN_METHODS))),),
            "unknown methods to any host",
        ),
        ((Sent(Sends.HTTP, found=(("", P),)),), "any request to any host with `^/v1/` in the path"),
        (
            (Sent(Sends.HTTP, found=(("x-env", Q),), missing=((("", P),),)),),
            "any request to any host with `q` in `x-env` and no `^/v1/` in the path",
        ),
        (
            (Sent(Sends.HTTP, found=(("", P),), missing=((("", P), ("x-env", Q)),)),),
            "any request to any host with `^/v1/` in the path and no `q` in `x-env`",
        ),
        (
            (Sent(Sends.HTTP, missing=((("", P), ("x-env", Q)),)),),
            "any request to any host with not `^/v1/` in the path together with `q` in `x-env`",
        ),
        (
            (Sent(Sends.HTTP, missing=((("", P),), (("", P), ("x-env", Q)))),),
            "any request to any host with no `^/v1/` in the path",
        ),
        ((Sent(Sends.HTTP, hosts=((Q, True),)),), "any request to any host with `q` in the Host"),
        ((Sent(Sends.HTTP, hosts=((Q, False),)),), "any request to any host with no `q` in the Host"),
    ],
)
def test_what_is_sent_in_words(sent: tuple[Sent, ...], text: str) -> None:
    assert region(*sent).words[2] == text
    assert str(region(*sent, ports=((80, 80),))) == f"{text} to any address, port 80"


def test_a_region_for_machines() -> None:
    sent = Sent(
        Sends.HTTP, only("a.com"), only("A.com"), only("GET"), ((Q, True),), (("", P),), ((("h", Q),),)
    )
    mapping = region(sent, ports=((80, 80),), spans=(keys("9.9.9.9", "9.9.9.9"),)).to_mapping()
    assert mapping["ports"] == [[80, 80]]
    assert mapping["ranges"] == [["9.9.9.9", "9.9.9.9"]]
    assert mapping["sends"] == [
        {
            "kind": "http",
            "host": {"anyOf": ["a.com"]},
            "spelling": {"anyOf": ["A.com"]},
            "method": {"anyOf": ["GET"]},
            "hostPatterns": [{"pattern": "q", "found": True}],
            "found": [{"path": "^/v1/"}],
            "missing": [[{"header": "h", "pattern": "q"}]],
        }
    ]
    but = region(Sent(Sends.TLS, Among(frozenset("fbdaec")))).to_mapping()["sends"]
    assert but == [{"kind": "tls", "name": {"anyBut": [*"abcdef"]}}]
    assert repr(region()) == "<Region anything to any address, port any>"


def test_in_what_regions_differ() -> None:
    plain = Sent(Sends.HTTP, only("a"), methods=only("GET"))
    other = Sent(Sends.HTTP, only("a"), methods=only("PUT"), found=(("", P),), missing=((("x-env", Q),),))
    assert differing([region(plain), region(other)]) == ("method", "path", "header `x-env`")
    assert differing([region(Sent(Sends.TLS, only("a"))), region(Sent(Sends.TLS, only("b")))]) == (
        "server name",
    )
    assert differing([region(ports=((80, 80),)), region(spans=ANYWHERE[:1])]) == ("address", "port")
    assert differing([region()]) == ()


def test_rows_stand_one_below_the_other() -> None:
    assert aligned([("a", "bb", "c"), ("aaa", "b", "")]) == "a    bb  c\naaa  b"


def test_what_is_unproven_in_words() -> None:
    who = fe.ServiceIdentity("curl", "curl")
    told = Unproven((who,), region(REQUEST, spans=(keys(str(ADDRESSES[0]), str(ADDRESSES[0])),)), "too much")
    assert str(told) == "curl.curl: any request to 9.9.9.9, port any: not decided for some: too much"
    assert told.to_mapping()["reason"] == "too much"
