"""Of many conditions those are left that may hold: never fewer, and hardly ever more than do."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from regexes import LINES, LOOKING
from thoroughness import examples

from fsm_egress.patterns import Pattern, PatternError, searchable
from fsm_egress.patterns.prefilter import Prefilter, needs


def filtered(*patterns: str) -> Prefilter:
    """The filter of some patterns, all searched in one place."""
    return Prefilter.of(needs("", Pattern(text)) for text in patterns)


def left(prefilter: Prefilter, text: str) -> list[int]:
    return list(prefilter.left([("", searchable(text))]))


def test_what_needs_a_text_that_is_not_there_is_left_out() -> None:
    prefilter = filtered(*(f"^/v1/item{number}/[a-z]+$" for number in range(100)))
    assert left(prefilter, "/v1/item7/abc") == [7]
    assert left(prefilter, "x/v1/item7/abc") == []
    assert left(prefilter, "") == []


def test_that_is_looked_up_which_few_need() -> None:
    prefilter = filtered(*(f"/a/long/text/that/all/need/.*/x{number}y" for number in range(100)))
    assert left(prefilter, "/a/long/text/that/all/need/x/x42y") == [42]
    assert left(prefilter, "/x42y") == [42]


def test_of_a_long_text_the_end_is_looked_up() -> None:
    prefilter = filtered(*("/a" * 40 + f"/{number}" for number in range(100)))
    assert left(prefilter, "/a" * 40 + "/4") == [4]


def test_of_alternatives_one_is_needed() -> None:
    prefilter = filtered(
        *(f"^/(?:item{number}|thing{number})$" for number in range(100)), "x|", "y|zz|z[0-9]"
    )
    assert left(prefilter, "/thing7") == [7, 100]
    assert left(prefilter, "/item7") == [7, 100]
    assert left(prefilter, "z") == [100, 101]


def test_what_needs_nothing_is_always_left_and_all_are_in_order() -> None:
    assert left(filtered("b", "[a-z]", "ab", "a|b", "z"), "ab") == [0, 1, 2, 3]
    assert left(filtered("aa"), "aaaa") == [0]  # once, though it stands there three times


def test_each_text_is_looked_up_where_it_is_needed() -> None:
    conditions = [[*needs("", Pattern("^/a")), *needs("x", Pattern("^v$"))], needs("x", Pattern("w"))]
    prefilter = Prefilter.of(conditions)
    assert prefilter.left([("", "/a"), ("x", "w"), ("y", "v")]) == [0, 1]
    assert prefilter.left([("x", "/a"), ("", "w")]) == []
    assert prefilter.left([]) == []


@given(st.lists(LOOKING, max_size=30), LINES)
@settings(max_examples=examples(100))
def test_law_whatever_is_found_is_left(texts: list[str], line: str) -> None:
    try:
        patterns = list(map(Pattern, texts))
    except PatternError:
        assume(False)
        raise
    found = left(Prefilter.of(needs("", pattern) for pattern in patterns), line)
    assert found == sorted(set(found))
    assert {at for at, pattern in enumerate(patterns) if pattern.search(line)} <= set(found)
