"""Host names as clients send them; the package `idna`, which requests and httpx use, is the oracle."""

from __future__ import annotations

import unicodedata

import idna
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fsm_egress.values.hostnames import Spelling, spelling


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("a.com", "a.com"),
        ("a_b.example", "a_b.example"),
        ("a.com.", "a.com."),
        ("x_y!.a.com", "x_y!.a.com"),
        ("54.9.9.9", "54.9.9.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("日本.example", "xn--wgv71a.example"),
        ("пример.example", "xn--e1afmkfd.example"),
        ("אבג.example", "xn--4dbcd.example"),
    ],
)
def test_what_all_clients_send_alike(host: str, text: str) -> None:
    assert spelling(host) == Spelling(text)


@pytest.mark.parametrize(
    ("host", "text", "reason"),
    [
        ("A.com", "a.com", "FSM then answers 403"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example", "curl, Go and urllib"),
        ("BÜCHER.example", "xn--bcher-kva.example", "Go"),
        ("\uff21\uff22\uff23.example", "abc.example", "Go"),
        ("a。example", "a.example", "Go"),
        ("☃.example", "xn--n3h.example", "requests"),
        ("\u06271.example", "xn--1-ymc.example", "requests"),
        ("-ü.example", "xn----eha.example", "requests"),
        ("\u0301a.example", "xn--a-wbb.example", "requests"),
        ("a%2ecom", "a.com", "Go refuses escapes"),
        ("127.1", "127.0.0.1", "curl and Node"),
        ("0x7f000001", "127.0.0.1", "curl and Node"),
        ("127.0.0.01", "127.0.0.1", "curl and Node"),
        ("2001:DB8::1", "2001:db8::1", "capitals"),
        ("2001:db8:0:0::1", "2001:db8::1", "curl and Node"),
    ],
)
def test_in_what_clients_differ(host: str, text: str, reason: str) -> None:
    found = spelling(host)
    assert found is not None
    assert found.text == text
    assert reason in "; ".join(found.reasons)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b.com",
        "a\\b",
        "*.a.com",
        "1.2.3.4.5",
        "256.0.0.1",
        "::1::2",
        "ü" * 60,
        "ü b",
        "a" * 2000,
        "a%ff",
    ],
)
def test_what_is_no_host(host: str) -> None:
    assert spelling(host) is None


LETTERS = st.characters(categories=("Ll", "Lo", "Lm", "Mn", "Mc", "Nd", "So", "Lu"))


@given(st.text(st.sampled_from("abz09-") | LETTERS, min_size=1, max_size=8))
@example("ⴀ")
@example("ꟹ")
@example("ʰ")
def test_law_a_name_that_is_taken_as_it_stands_is_the_one_of_idna_2008_and_of_uts_46(label: str) -> None:
    assume(not label.isascii())
    found = spelling(f"{label}.example")
    if found is None or found.reasons:
        return
    assume(all(unicodedata.category(letter) != "Cn" for letter in label))
    assert idna.encode(f"{label}.example").decode() == found.text
    assert idna.encode(f"{label}.example", uts46=True).decode() == found.text


@given(st.from_regex(r"[a-z][a-z0-9-]{0,5}(\.[a-z][a-z0-9]{0,4}){0,2}", fullmatch=True))
def test_law_a_name_in_small_letters_stays_as_it_is(host: str) -> None:
    assert spelling(host) == Spelling(host)
