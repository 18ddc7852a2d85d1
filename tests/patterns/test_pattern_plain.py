"""Plain patterns are patterns: what is said of them unread holds when they are read."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from thoroughness import examples

from fsm_egress.patterns import Pattern
from fsm_egress.patterns.captures import matches_empty
from fsm_egress.patterns.plain import is_plain
from fsm_egress.patterns.reader import BUDGET, read_pattern
from fsm_egress.patterns.search import steps_by_byte
from fsm_egress.patterns.syntax import BackReference, LookAhead, walk


@pytest.mark.parametrize(
    "text",
    [
        "/get",
        "/status.*",
        "^/v[0-9]+/items/.*$",
        r"/api/(users|orders)/\d+",
        r"^/(?:v1|v2)/[a-z0-9_-]+\.json$",
        "^prod",
        "xa{3}b{1,2}c{0,9}?d{2,}e+?f??",
        r"^\.\*\\",
        "[^/]+/x",
        "^a+$",
        "x(ab|[cd]+)*",
        "a" * 1024,
    ],
)
def test_are_what_people_write(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "^",
        "^$",
        ".*",
        "a*",
        "a{2}",
        "a|b",
        "a**",
        "a{2}{3}",
        "a{3,2}",
        "a{10}",
        "a*{2}",
        "*a",
        "a(b",
        "ab)",
        "a(|b)",
        "a()",
        "a((b))",
        "a(?=b)",
        r"(a)\1",
        r"\bget",
        "a^b",
        "a$b",
        r"a\x41",
        "[z-a]",
        r"[\w-.]",
        "[[:alpha:]]",
        "a]",
        "café",
        "a\n",
        "a" * 1025,
    ],
)
def test_are_no_others(text: str) -> None:
    assert not is_plain(text)


def hold_what_is_said(text: str) -> None:
    tree = read_pattern(text)
    assert steps_by_byte(tree) <= BUDGET  # as is not asked of plain patterns when they are read
    assert not any(isinstance(node, (BackReference, LookAhead)) for node in walk(tree))
    assert not matches_empty(tree, lambda _: True)


ATOMS = st.sampled_from(
    [*"ab/_-~ <", ".", r"\d", r"\.", r"\W", "[a-z]", "[^/]", r"[\w.-]", "[0-9a-f_]", "[^$(|)*-]"]
)
TIMES = st.sampled_from(["", "", "*", "+", "?", "{2}", "{0,9}", "{1,}", "*?", "{3}?", "??"])
ROWS = st.tuples(ATOMS, st.lists(st.builds("{}{}".format, ATOMS, TIMES), max_size=3).map("".join)).map(
    "".join
)
GROUPS = st.lists(ROWS, min_size=1, max_size=3).map("|".join)
PLAIN = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "^"]),
    ROWS,
    st.lists(ROWS | st.builds("({}{}){}".format, st.sampled_from(["", "?:"]), GROUPS, TIMES)).map("".join),
    st.sampled_from(["", "$"]),
)
TOKENS = st.sampled_from(
    [*r"ab01-,^$.*+?()[]{}|/", "\\", "a{", "{2}", "{1,2}", "[a", "[^", "(?", r"\d", "a-z"]
)


@given(PLAIN)
@settings(max_examples=examples(200))
def test_law_plain_patterns_match_some_byte(text: str) -> None:
    assert is_plain(text)
    hold_what_is_said(text)


@given(st.lists(TOKENS, min_size=1, max_size=7).map("".join))
@settings(max_examples=examples(500))
@example("a{2}{2}")
@example("[a-z-a]")
def test_law_what_is_plain_is_a_pattern(text: str) -> None:
    if is_plain(text):
        hold_what_is_said(text)
    if is_plain("a" + text):
        hold_what_is_said("a" + text)


@given(PLAIN)
@example(r"\\\.a\[")
@example(r"/a[.]b")
@example(r"/a\.b[.-]")
@example("a(?:a)")
@example("a(a)")
def test_law_they_are_literals_where_their_trees_are(text: str) -> None:
    assert Pattern(text).literal == Pattern(f"(?:{text})").literal


@given(PLAIN, st.text(alphabet="ab0/_-. ~<$|é", max_size=7))
@settings(max_examples=examples(200))
def test_law_they_mean_the_same_to_python(text: str, line: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of sets that it may read differently one day
        expected = re.search(text, line, re.ASCII) is not None
    assert Pattern(text).search(line) is expected


@pytest.mark.parametrize("row", ["a{1,9}", "a{9}", "a?|b?|", "a|", r"\d+?|"])
def test_none_reaches_the_bounds_of_the_sidecar(row: str) -> None:
    text = f"x({row * (1014 // len(row))}a){{1,9}}"
    assert is_plain(text)
    hold_what_is_said(text)
