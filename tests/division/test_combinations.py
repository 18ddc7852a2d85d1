"""Combinations of first conditions: the smallest texts, however many patterns there are, in bounded time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readings import GET
from regexes import REGULAR
from thoroughness import examples

from fsm_egress.division import combinations
from fsm_egress.division.classes import Condition
from fsm_egress.division.combinations import _Place, ways_of
from fsm_egress.patterns import Pattern
from fsm_egress.patterns.automata import Effort, Texts, Undecided, witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PARTS = st.lists(st.sampled_from(["/", "a", "b", ".*", "[ab]", "ab"]), min_size=1, max_size=4).map("".join)


def asked(*paths: str) -> tuple[Condition, ...]:
    """Conditions that ask for these paths, one after the other."""
    return tuple(Condition(GET, Pattern(path)) for path in paths)


def shown(*lists: tuple[Condition, ...]) -> list[str]:
    return [way.path for way in ways_of(lists) if not way.undecided]


def undecided(*lists: tuple[Condition, ...]) -> list[str]:
    return [way.undecided for way in ways_of(lists) if way.undecided]


def judged(name: str, read: dict[Pattern, bool]) -> Callable[[str], str | None]:
    """What is said to be the smallest text for some patterns, where that for all but the last is known."""

    def smallest(known: str) -> str | None:
        *others, last = read
        place = _Place.of(name, tuple(read), Effort())
        for pattern in others:
            place.decide(pattern, found=read[pattern])
        return place.smallest(last, known, found=read[last])

    return smallest


@given(st.dictionaries(REGULAR, st.booleans(), min_size=1, max_size=5), st.sampled_from(("", "x")))
@settings(max_examples=examples(50))
def test_law_the_smallest_text_for_those_that_decide_is_that_for_all(
    wanted: dict[str, bool], name: str
) -> None:
    read = {Pattern(text): found for text, found in wanted.items()}
    *_, last = read
    texts = Texts.VALUE if name else Texts.PATH
    smallest = witness(read.items(), texts)
    known = witness([(pattern, found) for pattern, found in read.items() if pattern is not last], texts)
    assert known is None or judged(name, read)(known) == smallest


@given(
    st.lists(
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["^", ""]),
            st.lists(st.sampled_from(["/", "a", "b", ".*", "[ab]", "ab"]), min_size=1, max_size=4).map(
                "".join
            ),
            st.sampled_from(["$", ""]),
        ),
        min_size=20,
        max_size=30,
        unique=True,
    )
)
@settings(max_examples=examples(20))
def test_law_many_patterns_have_the_ways_that_automata_find_one_by_one(texts: list[str]) -> None:
    patterns = list(map(Pattern, texts))
    expected = [witness([(it, False) for it in patterns], Texts.PATH)]
    for at in reversed(range(len(patterns))):
        wanted = [*((it, False) for it in patterns[:at]), (patterns[at], True)]
        expected.append(witness(wanted, Texts.PATH))
    assert shown(asked(*texts)) == [path for path in expected if path is not None]


def test_of_hundreds_of_patterns_each_is_searched_a_few_times() -> None:
    conditions = asked(*(f"^/v1/thing{number}/[a-z]+$" for number in range(200)))
    searches = 0

    def count(_: object, event: str, called: object) -> None:
        nonlocal searches
        searches += event == "c_call" and getattr(called, "__name__", "") == "search"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        assert len(shown(conditions)) == 201
    finally:
        sys.setprofile(before)
    assert 200 <= searches <= 1_000


def test_of_hundreds_of_patterns_no_automata_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combinations, "STATES", 1)
    count = 400
    anchored = asked(*(f"^/v1/item{number}/[a-z]+$" for number in range(count)))
    assert shown(anchored) == ["/", *(f"/v1/item{number}/a" for number in reversed(range(count)))]
    unanchored = asked(*(f"a{number}.*b{number}" for number in range(count)))
    assert shown(unanchored) == ["/", *(f"/a{number}b{number}" for number in reversed(range(10)))]
    assert undecided(anchored) == undecided(unanchored) == []


@pytest.mark.parametrize("pattern", ["^/v1/item{}/[a-z]+$", "^/v1/item{}$"])
def test_hundreds_of_patterns_may_be_in_any_order(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that exclude each other not every pair is a step."""
    monkeypatch.setattr(combinations, "EFFORT", 1_000)
    monkeypatch.setattr(combinations, "STATES", 1)
    one = asked(*map(pattern.format, range(100, 400)))
    assert len(shown(one, one[::-1])) == 301
    assert undecided(one, one[::-1]) == []


def test_conditions_of_several_lists_are_missing_once_and_in_order() -> None:
    first, second, third = asked("^/a", "^/b", "^/c")
    (way, *_) = ways_of(((first, second), (third, first)))
    assert [literal[1].text for ((literal),) in way.missing] == ["^/a", "^/b", "^/c"]


def test_nothing_is_asked_for_in_one_way() -> None:
    (way,) = ways_of(())
    assert (way.path, dict(way.headers), way.found, way.missing, way.undecided) == ("/", {}, (), (), "")


# --- what takes too much ---------------------------------------------------------------------------------


def test_beyond_the_bound_of_effort_what_is_left_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combinations, "EFFORT", 3)
    conditions = asked(*(f"^/effort/{letter}" for letter in "abc"))
    assert shown(conditions) == []
    assert undecided(conditions) == ["more than 3 steps would be needed for all requests to a host"]


def test_where_automata_take_too_much_all_is_decided_without_them_that_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(combinations, "STATES", 10)
    conditions = asked("^/states/b", r"^/states/\ba", "^/states/d")
    assert shown(conditions) == ["/", "/states/d", "/states/b"]
    assert undecided(conditions) == ["the patterns have too many states for all questions about them"]


def test_few_patterns_that_are_too_much_are_asked_about_with_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of them may have fewer states than some."""
    known = witness
    asked_about: list[int] = []

    def hard(wanted: Iterable[tuple[Pattern, bool]], texts: Texts, effort: Effort) -> str | None:
        listed = list(wanted)
        asked_about.append(len(listed))
        if len(listed) < 3:
            raise Undecided("too few")
        return known(listed, texts, effort=effort)

    monkeypatch.setattr(combinations, "witness", hard)
    read = {Pattern("^/[ab]"): True, Pattern("^/a"): False, Pattern("c$"): True}
    assert judged("", read)("/b") == "/bc"
    assert asked_about == [2, 3]
    monkeypatch.setattr(combinations, "WHOLE", 2)
    with pytest.raises(Undecided, match="too few"):
        judged("", read)("/b")
