"""What is read off a tree: literals stand wherever the pattern is found, and the shortest match is that."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from regexes import LINES, LOOKING, REFERRING, REGULAR
from thoroughness import examples

from fsm_egress.patterns import Pattern, PatternError, searchable
from fsm_egress.patterns.automata import Texts, witness
from fsm_egress.patterns.straight import Literals, Match, exclude, imply, shortest_matches

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
        (r"(a)x\1y", ["ax", "y"], ANYWHERE, False),
        (r"foo\b.bar", ["foo", "bar"], ANYWHERE, False),
        ("a^b$c", ["a", "b", "c"], ANYWHERE, False),
        ("^", [], ANYWHERE, False),
        ("^$", [], ANYWHERE, False),
        (".*", [], ANYWHERE, False),
        (r"\x80", ["\x80"], ANYWHERE, True),
        ("a{5000}b", ["a" * 4096], ANYWHERE, False),
    ],
)
def test_the_literals(text: str, runs: list[str], ends: tuple[bool, bool], suffice: bool) -> None:
    (found,) = Pattern(text).literals
    assert (list(found.runs), (found.at_start, found.at_end), found.suffice) == (runs, ends, suffice)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("a(b|c)d", ["abd", "acd"]),
        ("^a|b$|", ["a", "b", ""]),
        ("(?:a|b){2}c", ["aac", "abc", "bac", "bbc"]),
        ("(?:a|b)*c", ["c"]),
        ("[a-p](a|b){4}", ["".join(chars) for chars in product("ab", repeat=4)]),
        ("(a|b){4}x(c|d)y", [f"{''.join(chars)}x y" for chars in product("ab", repeat=4)]),
        ("|".join("abcdefghijklmnopq"), [""]),
        ("a(?:b{5000}|c)", ["a" + "b" * 4095, "ac"]),
    ],
)
def test_the_literals_of_alternatives(text: str, runs: list[str]) -> None:
    assert [" ".join(it.runs) for it in Pattern(text).literals] == runs


@pytest.mark.parametrize(
    ("narrow", "wide", "is_implied"),
    [
        ("ab|ac", "a", True),
        ("ab|c", "a", False),
        ("ab", "a|c", True),
        ("ab|dc", "a|c", True),
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
    assert imply(Pattern(narrow).literals, Pattern(wide).literals) is is_implied


@pytest.mark.parametrize(
    ("one", "other", "is_excluded"),
    [
        ("^/(?:a|b)", "^/(?:c|d)", True),
        ("^/(?:a|b)", "^/(?:b|c)", False),
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
    assert exclude(Pattern(one).literals, Pattern(other).literals) is is_excluded


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
    standing = [it for it in pattern.literals if it.stand_in(searchable(line))]
    if pattern.search(line):
        assert standing
    else:
        assert not any(it.suffice for it in standing)


PLAIN = st.lists(st.sampled_from(["a", "b", "ab", ".*", "[ab]", "b?", "(a|b)"]), min_size=1, max_size=5).map(
    "".join
)
ENDED = st.builds("{}{}{}".format, st.sampled_from(["", "^"]), PLAIN, st.sampled_from(["", "$"]))


@given(ENDED, ENDED, st.lists(LINES, min_size=20, max_size=20))
@settings(max_examples=examples(200))
def test_law_what_is_implied_is_found(narrow: str, wide: str, lines: list[str]) -> None:
    one, other = Pattern(narrow), Pattern(wide)
    if imply(one.literals, other.literals):
        assert all(other.search(line) for line in lines if one.search(line))
        assert witness([(one, True), (other, False)], Texts.VALUE) is None


@given(ENDED, ENDED)
@settings(max_examples=examples(200))
def test_law_what_is_excluded_is_never_found_together(first: str, second: str) -> None:
    one, other = Pattern(first), Pattern(second)
    if exclude(one.literals, other.literals):
        assert witness([(one, True), (other, True)], Texts.VALUE) is None


def test_literals_are_implied_by_those_that_hold_them() -> None:
    assert Literals(("ab",), suffice=True).imply(Literals(("b",), suffice=True))
    assert not Literals(("ab",), suffice=True).imply(Literals(("b",)))


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("ab", (Match((frozenset(b"a"), frozenset(b"b")), at_start=False),)),
        ("^a[bc]$", (Match((frozenset(b"a"), frozenset(b"bc")), at_start=True),)),
        ("^.*a", (Match((frozenset(b"a"),), at_start=False),)),
        ("x?a{2}y*", (Match((frozenset(b"a"),) * 2, at_start=False),)),
        ("a|^b", (Match((frozenset(b"a"),), at_start=False), Match((frozenset(b"b"),), at_start=True))),
        ("^x?a", None),
        ("a|^x?b", None),
        ("a|", None),
        (r"\ba", None),
        ("a(?=b)", None),
        ("^", None),
        (r"[\x80-\xff]", None),
        (r"[\t\x80]", None),
        ("a{5000}", None),
    ],
)
def test_the_shortest_matches(text: str, matches: tuple[Match, ...] | None) -> None:
    assert shortest_matches(Pattern(text).tree) == matches


NOBODY = frozenset(["nobody asks for this"])  # automata are asked where texts are to be avoided
SETS = st.sampled_from(
    ["a", "/", "[/b]", "[^/]", "b?", "[^a]*", ".", "(a/)?", r"[ \t]", "/*", "[]", r"\s", "é"]
)
ROWS = st.lists(SETS, min_size=1, max_size=5).map("".join)
STRAIGHT = st.builds("{}{}{}".format, st.sampled_from(["", "^"]), ROWS, st.sampled_from(["", "$"]))
ALTERNATIVES = st.lists(STRAIGHT, min_size=2, max_size=3).map("|".join)


@given(STRAIGHT | ALTERNATIVES | REGULAR, st.sampled_from(Texts))
@example("^/b|^a", Texts.PATH)
@example("^/b|^a", Texts.VALUE)
@example("^b|^a|^ca", Texts.PATH)
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
