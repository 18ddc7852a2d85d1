"""No text makes a search long: what is not quick by backtracking is read byte by byte, to the same end."""

from __future__ import annotations

import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from regexes import LINES, LOOKING
from thoroughness import examples

from fsm_egress.patterns import Pattern, parse_pattern
from fsm_egress.patterns.core import core
from fsm_egress.patterns.cost import cost
from fsm_egress.patterns.machines import SYMBOLS, Automaton, State
from fsm_egress.patterns.places import Places, Undecided
from fsm_egress.patterns.python import rendered
from fsm_egress.patterns.reader import read_pattern
from fsm_egress.patterns.search import STATES, Reading

KIB = 1024
LONG = 100 * KIB
CHANCE = "".join(Random(7).choices("ab", k=LONG))  # noqa: S311  # because any letters would do


def filled(unit: str, length: int, ending: str) -> str:
    """A text of that length that repeats the unit up to the ending."""
    return (unit * (length // len(unit) + 1))[: length - len(ending)] + ending


# Patterns that would take an engine that backtracks for ever or too long: with what a text repeats, an ending
# with which the pattern is found if there is one, and an ending with which it is not.
NASTY = [
    ("(a+)+$", "a", "", "!"),
    ("^(a+)+$", "a", "", "!"),
    ("^(a|a)*$", "a", "", "!"),
    ("^(a|aa)+$", "a", "", "!"),
    ("(a|a)*b", "a", "b", "a"),
    ("(.*)*x", "a", "x", "a"),
    ("^(.*)*$", "a", "a", "\n"),
    (".*.*.*x", "a", "x", "a"),
    ("(x+x+)+y", "x", "xxy", "x"),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "a", "Aa", "a"),
    (r"^(\w+\s?)*$", "word ", "word", "!"),
    (r"^(\d+\.)*\d+$", "1.", "1", "."),
    ("^(?:a?){30}a{30}$", "a", None, "a"),
    ("/api/.*/users", "/api/", "/users", "/user"),
    ("a.*a.*a.*b", "a", "b", "a"),
    ("(?:a|b)*a(?:a|b){16}$", "b", "a" + "b" * 16, "a" + "b" * 17),
    ("x(?:a|b)*a(?:a|b){40}!", "xab", "xa" + "b" * 40 + "!", "xa" + "b" * 39 + "!"),
    ("(?!.*b)a", "a", "", "b"),
    ("a(?=.*b)(?=.*c)x", "a", "axbc", "b"),
    ("(?:(?!aaaa).)+!$", "aaa-", "!", "-"),
    (r"(?:a(?=\bb)|b)+$", "ab", "b", "!"),
    (r"^(?:a(?=\bb)|b)+$", "ab", "ab", "a"),
    ("a{5000}", "-", "a" * 5000, "a" * 4999),
    ("(?:ab|cd){500}!", "ab", "!-", "a!"),
]


@pytest.mark.parametrize("length", [8 * KIB, LONG])
@pytest.mark.parametrize(("text", "unit", "found", "missed"), NASTY, ids=[text for text, *_ in NASTY])
def test_nasty_patterns_are_searched_at_once(
    text: str, unit: str, found: str | None, missed: str, length: int
) -> None:
    pattern = Pattern(text)
    assert found is None or pattern.search(filled(unit, length, found))
    assert not pattern.search(filled(unit, length, missed))


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("a{99993}", "a" * 8 * KIB, False),
        ("x{0,49996}y", "x" * LONG, False),
        ("(?:a|b){14283}$", CHANCE[:14_283], True),
        ("(?:a|b){14283}$", CHANCE[:14_282], False),
        ("(?:(?:a{3}){2,5}b?){2220}", "a" * 14_000, True),
        ("(?:(?=a|(b))c*){160}!", "a" * LONG, False),
    ],
)
def test_the_largest_patterns_are_too(text: str, line: str, found: bool) -> None:
    assert Pattern(text).search(line) is found


class TestWays:
    """Which way a text is searched."""

    @pytest.mark.parametrize(
        "text", ["/get", "^/v[0-9]+/.*$", "(a+)+", ".*foo", r"^/(\w+)/\1$", "^(?=.*a)(?=.*b)"]
    )
    def test_most_patterns_are_left_to_python(self, text: str) -> None:
        compiled = re.compile(rendered(core(parse_pattern(text).tree)))
        assert Pattern(text).find == compiled.search

    def test_short_texts_are_left_to_python_and_others_are_read(self) -> None:
        pattern = Pattern("/api/.*/users")
        longest = int(cost(pattern.tree).longest)
        assert 200 < longest < 2000
        for length in (longest, longest + 1):
            assert pattern.search(filled("/api/", length, "/users"))
            assert not pattern.search(filled("/api/", length, "/user"))

    def test_what_refers_to_a_group_cannot_be_read(self) -> None:
        with pytest.raises(Undecided, match="cannot refer"):
            Reading.of(read_pattern(r"(a)\1"))


class TestReading:
    """What a reading keeps for the next text."""

    def test_is_bounded_in_states(self) -> None:
        tree = read_pattern("x(?:a|b)*a(?:a|b){40}!")
        reading = Reading.of(tree)
        bounded, unbounded = reading.attempts[0].automaton, Automaton.of(tree)
        content = b"x" + CHANCE[: 2 * KIB].encode()
        state = unbounded.start
        for length, symbol in enumerate(unbounded.spelled(content)):
            state = unbounded.follow(state, symbol)
            if length % 100 == 0:
                assert not reading.finds(content[:length].decode())
                assert len(bounded.states) <= STATES
        assert len(unbounded.states) > 4 * STATES

    def test_is_bounded_in_what_a_state_remembers(self) -> None:
        looks = "|".join(f"(?=.{{{distance}}}a)" for distance in range(12))
        reading = Reading.of(read_pattern(f"^(?:(?:{looks})[ab])*!"))
        automaton = reading.attempts[0].automaton
        assert not reading.finds(CHANCE[: 8 * KIB])
        assert max(len(state.following) for state in automaton.states.values()) <= SYMBOLS

    def test_is_shared_by_threads(self) -> None:
        pattern = Pattern("x(?:a|b)*a(?:a|b){40}!")
        texts = ["x" + CHANCE[at : at + 2 * KIB] + "!" * (at % 2) for at in range(40)]
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(pattern.search, texts))
        assert found == [text[-42:-41] == "a" and text[-1] == "!" for text in texts]
        assert set(found) == {True, False}

    def test_stays_behind_when_a_pattern_travels(self) -> None:
        pattern = Pattern("^(a+)+$")
        assert pattern.search("a" * KIB)
        assert len(pickle.dumps(pattern)) < 100
        assert pickle.loads(pickle.dumps(pattern)).search("a" * KIB)  # noqa: S301  # made in this line


class TestLaws:
    """What holds for all patterns, judged by Python's search of short texts."""

    @given(LOOKING, st.lists(LINES, max_size=5))
    @settings(max_examples=examples(400))
    @example(r"(?:(?!a(?=b)).)*b", ["ab", "aab", ""])
    @example(r"a(?=\b(?=^b))", ["ab", "-ab", "aab"])
    @example(r"(?=(?=^a)|\Bb)", ["a", "-a", "-ab", "ab"])
    @example(r"a(?!$|\B)-", ["a-", "-a-"])
    def test_a_reading_finds_what_backtracking_finds(self, text: str, lines: list[str]) -> None:
        tree = read_pattern(text)
        reading = Reading.of(tree)
        for line in lines:
            assert reading.finds(line) is (re.search(rendered(tree), line) is not None)

    @given(LOOKING, LINES)
    def test_so_does_that_of_its_core(self, text: str, line: str) -> None:
        tree = read_pattern(text)
        assert Reading.of(core(tree)).finds(line) is Reading.of(tree).finds(line)

    @given(st.sampled_from([text for text, *_ in NASTY]), st.text(alphabet="ab-x!1.\n", max_size=9))
    def test_nasty_patterns_mean_to_both_the_same(self, text: str, line: str) -> None:
        tree = read_pattern(text)
        assert Reading.of(tree).finds(line) is (re.search(rendered(tree), line) is not None)


@pytest.mark.parametrize("made", [Automaton, Places, Reading, State])
def test_what_reads_a_text_equals_nothing_but_itself(made: type) -> None:
    """Comparing automata place by place would cost as much as making them."""
    assert not {"__eq__", "__hash__"} & vars(made).keys()
