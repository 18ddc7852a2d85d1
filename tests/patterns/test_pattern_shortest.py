"""The shortest text of a pattern, read off its tree."""

from __future__ import annotations

import pytest

from fsm_egress.patterns import Pattern
from fsm_egress.patterns.shortest import least_length, least_text


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("", b""),
        ("^abc$", b"abc"),
        ("a|bcd", b"a"),
        ("bcd|a", b"a"),
        ("[0-9]{3}x*", b"000"),
        ("(ab)+c?", b"ab"),
        ("(a{3}){4}", b"a" * 12),
        (r"\bx(?=y)", b"x"),
        ("[ ]", b" "),
        (r"[\x02\x01]", b"\x01"),
        ("[b-z9]", b"b"),
    ],
)
def test_the_least_text(text: str, least: bytes) -> None:
    pattern = Pattern(text)
    tree = pattern.tree
    assert pattern.search(least.decode()) or "(?=" in text
    assert (least_text(tree), least_length(tree)) == (least, len(least))


def test_a_long_one_is_told_at_once() -> None:
    assert least_length(Pattern("^(a{1000}){90}$").tree) == 90_000


def test_where_no_byte_may_stand_one_is_given_all_the_same() -> None:
    assert least_text(Pattern("a[]").tree) == b"a\0"
