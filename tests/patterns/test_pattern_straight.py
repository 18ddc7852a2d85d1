"""What is read off a tree: literals stand wherever the pattern is found, and the shortest match is that."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from regexes import LINES, LOOKING, REFERRING, REGULAR
from thoroughness import examples

from fsm_egress.patterns import Pattern, PatternError, searchable
from fsm_egress.patterns.automata import Texts, witness
from fsm_egress.patterns.straight import Literals, Match, shortest_match

ANYWHERE, AT_START, AT_END, WHOLE = (False, False), (True, False), (False, True), (True, True)


@pytest.mark.parametrize(
    ("text", "runs", "ends", "suffice"),
    [
        ("/v1/items", ["/v1/items"], ANYWHERE, True),
        ("^/v1/item5/[a-z]+$", ["/v1/item5/"], AT_START, False),
        ("^v5$", ["v5"], WHOLE, True),
        ("a5.*b5", ["a5", "b5"], ANYWHERE, True),
        ("a5[^/]*b5", ["a5", "b5"], ANYWHERE, False),
        ("a5.+b5", ["a5", "b5"], ANYWHERE, False),
        ("^.*/x.*$", ["/x"], ANYWHERE, True),
        ("^a.*b$", ["a", "b"], WHOLE, True),
        ("[a-z]*/x(/.*)?", ["/x"], ANYWHERE, True),
        ("[a-z]*/x(/.*)?$", ["/x"], ANYWHERE, False),
        ("^[a-z]*/x", ["/x"], ANYWHERE, False),
        ("(ab)c(?:d)", ["abcd"], ANYWHERE, True),
        ("xa{3}b?c", ["xaaa", "c"], ANYWHERE, False),
        ("a(b|c)d", ["a", "d"], ANYWHERE, False),
        (r"(a)x\1y", ["ax", "y"], ANYWHERE, False),
        (r"foo\b.bar", ["foo", "bar"], ANYWHERE, False),
        ("a^b$c", ["a", "b", "c"], ANYWHERE, False),
        ("^", [], ANYWHERE, False),
        ("^$", [], ANYWHERE, False),
        (".*", [], ANYWHERE, False),
        ("a|b", [], ANYWHERE, False),
        (r"\x80", ["\x80"], ANYWHERE, True),
        ("a{5000}b", ["a" * 4096], ANYWHERE, False),
    ],
)
def test_the_literals(text: str, runs: list[str], ends: tuple[bool, bool], suffice: bool) -> None:
    found = Pattern(text).literals
    assert (list(found.runs), (found.at_start, found.at_end), found.suffice) == (runs, ends, suffice)


@pytest.mark.parametrize(
    ("narrow", "wide", "is_implied"),
    [
        ("a10.*b10", "a1.*b1", True),
        ("a1.*b1", "a10.*b10", False),
        ("b10.*a10", "a1.*b1", False),
        ("^/v1/items$", "^/v1/", True),
        ("/v1/items$", "^/v1/", False),
        ("/v1/items", "items$", False),
        ("^/v1/items$", "items$", True),
        ("^/v1/items$", "^/v1/items$", True),
        ("^/v1/items$", "^/v1$", False),
        ("^/v1/items$", "^/v1/it.*ems$", True),
        ("^/v1/items$", "^/v1/item.*ms$", False),
        ("ab[cd]ab", "ab.*ab", True),
        ("ab[cd]", "ab.*ab", False),
        ("aba", "ab.*ba", False),
        ("ab", "ab?", True),
        ("ab[cd]", "ab[cd]", False),  # nothing is claimed where literals do not suffice
    ],
)
def test_a_pattern_may_be_found_wherever_another_is(narrow: str, wide: str, is_implied: bool) -> None:
    assert Pattern(narrow).literals.imply(Pattern(wide).literals) is is_implied


@pytest.mark.parametrize(
    ("one", "other", "is_excluded"),
    [
        ("^/v1/item1/[a-z]", "^/v1/item2/[a-z]", True),
        ("^/v1/item1", "^/v1/item10", False),
        ("^/v1/item1", "/v1/item2", False),
        ("^[a-z]*1$", "^[a-z]*2$", True),
        ("1$", "21$", False),
        ("1$", "2", False),
        ("^v1$", "^v10$", True),
        ("^v10$", "^v1$", True),
        ("^v10$", "^v1", False),
        ("^v1$", "[a-z]1", False),
        ("^v1$", "2", True),
        ("^v1$", "[2-9]", False),  # nothing is claimed where no literal is needed
        ("^v.*1$", "2", False),
        ("^v[a-z]", "2", False),
    ],
)
def test_a_pattern_may_be_found_nowhere_where_another_is(one: str, other: str, is_excluded: bool) -> None:
    assert Pattern(one).literals.exclude(Pattern(other).literals) is is_excluded


def read(text: str) -> Pattern:
    """The pattern, if the text is one."""
    try:
        return Pattern(text)
    except PatternError:
        assume(False)
        raise


@given(LOOKING | REFERRING, LINES)
@settings(max_examples=examples(200))
def test_law_literals_stand_in_whatever_the_pattern_is_found_in(text: str, line: str) -> None:
    pattern = read(text)
    stand = pattern.literals.stand_in(searchable(line))
    if pattern.search(line):
        assert stand
    elif pattern.literals.suffice:
        assert not stand


PLAIN = st.lists(st.sampled_from(["a", "b", "ab", ".*", "[ab]", "b?"]), min_size=1, max_size=5).map("".join)
ENDED = st.builds("{}{}{}".format, st.sampled_from(["", "^"]), PLAIN, st.sampled_from(["", "$"]))


@given(ENDED, ENDED, st.lists(LINES, min_size=20, max_size=20))
@settings(max_examples=examples(200))
def test_law_what_is_implied_is_found(narrow: str, wide: str, lines: list[str]) -> None:
    one, other = Pattern(narrow), Pattern(wide)
    if one.literals.imply(other.literals):
        assert all(other.search(line) for line in lines if one.search(line))
        assert witness([(one, True), (other, False)], Texts.VALUE) is None


@given(ENDED, ENDED)
@settings(max_examples=examples(200))
def test_law_what_is_excluded_is_never_found_together(first: str, second: str) -> None:
    one, other = Pattern(first), Pattern(second)
    if one.literals.exclude(other.literals):
        assert witness([(one, True), (other, True)], Texts.VALUE) is None


def test_literals_are_implied_by_those_that_hold_them() -> None:
    assert Literals(("ab",), suffice=True).imply(Literals(("b",), suffice=True))
    assert not Literals(("ab",), suffice=True).imply(Literals(("b",)))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("ab", Match((frozenset(b"a"), frozenset(b"b")), at_start=False)),
        ("^a[bc]$", Match((frozenset(b"a"), frozenset(b"bc")), at_start=True)),
        ("^.*a", Match((frozenset(b"a"),), at_start=False)),
        ("x?a{2}y*", Match((frozenset(b"a"),) * 2, at_start=False)),
        ("^x?a", None),
        ("a|b", None),
        (r"\ba", None),
        ("a(?=b)", None),
        ("^", None),
        (r"[\x80-\xff]", None),
        (r"[\t\x80]", None),
        ("a{5000}", None),
    ],
)
def test_the_shortest_match(text: str, match: Match | None) -> None:
    assert shortest_match(Pattern(text).tree) == match


NOBODY = frozenset(["nobody asks for this"])  # automata are asked where texts are to be avoided
SETS = st.sampled_from(
    ["a", "/", "[/b]", "[^/]", "b?", "[^a]*", ".", "(a/)?", r"[ \t]", "/*", "[]", r"\s", "é"]
)
ROWS = st.lists(SETS, min_size=1, max_size=5).map("".join)
STRAIGHT = st.builds("{}{}{}".format, st.sampled_from(["", "^"]), ROWS, st.sampled_from(["", "$"]))


@given(STRAIGHT | REGULAR, st.sampled_from(Texts))
@settings(max_examples=examples(200))
def test_law_the_smallest_text_is_that_of_automata(text: str, texts: Texts) -> None:
    try:
        pattern = Pattern.of_bytes(text)
    except PatternError:
        assume(False)
        raise
    assert witness([(pattern, True)], texts) == witness([(pattern, True)], texts, NOBODY)


@pytest.mark.parametrize(("texts", "smallest"), [(Texts.PATH, "/"), (Texts.VALUE, ""), (Texts.HOST, "")])
def test_the_smallest_text_for_nothing(texts: Texts, smallest: str) -> None:
    assert witness([], texts) == smallest == witness([], texts, NOBODY)
