"""The core of a pattern is found where the pattern is, and is no longer than that needs."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from regexes import LINES, LOOKING, REFERRING
from thoroughness import examples

from fsm_egress.patterns import PatternError
from fsm_egress.patterns.core import core, tails, without_tails
from fsm_egress.patterns.python import rendered
from fsm_egress.patterns.reader import read_pattern


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/status.*", "/status"),
        (".*/v1/[a-z]+", "/v1/[a-z]"),
        ("^.*foo.*$", r"\A[^\x0a\x0d]*foo[^\x0a\x0d]*\Z"),
        ("^.*foo.*", r"\A[^\x0a\x0d]*foo"),
        (".*.*", ""),
        ("(a+)+$", r"(?:a)\Z"),
        ("(?:a*b)+", "b"),
        ("(ab*){2,5}", "(?:ab*){2}"),
        (".*a|b.*|(?:c*d)", "a|b|d"),
        ("a(?:b|c*)", "a"),
        ("a(?:b|c|)$", r"a(?:b|c|)\Z"),
        (r"\b.*a", r"(?a:\b)[^\x0a\x0d]*a"),
        (r"a*(?=b*c*)d", "(?=b*c*)d"),
        # the last attempt at the start of the text sees it begin where the look-ahead stands
        ("a*(?=^b)", r"\A(?:a*(?=(?=(?P<e1>[\x00-\xff]*))(?=(?P=e1))b))|(?!\A)(?:a*(?=\Ab))"),
        # what is referred to has to be captured, and what refers to it is no longer regular
        (r"^(a)(\1*)", r"\A(?P<g1>a)(?:(?P=g1)*)"),
    ],
)
def test_is_what_is_needed(text: str, kept: str) -> None:
    assert rendered(core(read_pattern(text))) == kept


@pytest.mark.parametrize(("text", "kept"), [("a.*", "a"), (".*(ab)c?", "(ab)"), ("(?:.*a)+", "a")])
def test_is_nothing_around_what_is_needed(text: str, kept: str) -> None:
    assert core(read_pattern(text)) == read_pattern(kept)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a", []),
        ("a*", ["a*"]),
        ("ab*c?", ["b*", "c?"]),
        ("a+", ["a*"]),
        ("(ab+){1,4}", ["(?:ab+){0,3}", "b*"]),
        ("(ab+){2,4}", ["(?:ab+){0,2}"]),
        ("(ab+){2,}", ["(?:ab+)*"]),
        ("(ab*|c*d|ef?)", ["b*", "f?"]),
        ("a*$", []),
    ],
)
def test_tails_are_what_can_match_nothing_at_the_end(text: str, left: list[str]) -> None:
    assert [rendered(tail) for tail in tails(read_pattern(text))] == left


@given(LOOKING, LINES)
@settings(max_examples=examples(400))
@example("(?:|a)*^b", "ab")
@example("(?:^a|b)+-", "ab-")
@example(r"a*(?=\bb)", "ab")
def test_law_the_core_is_found_where_the_tree_is(text: str, line: str) -> None:
    tree = read_pattern(text)
    found = re.search(rendered(tree), line) is not None
    assert (re.search(rendered(core(tree)), line) is not None) is found
    assert (re.search(rendered(without_tails(tree)), line) is not None) is found


@given(st.one_of(LOOKING, REFERRING))
def test_law_the_core_has_no_core_but_itself(text: str) -> None:
    try:
        tree = core(read_pattern(text))
    except PatternError:
        return
    assert core(tree) == tree
