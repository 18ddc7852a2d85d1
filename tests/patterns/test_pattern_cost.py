"""The bound of a search's steps is low for most patterns, and never below the steps of an engine."""

from __future__ import annotations

from math import inf

import pytest
from backtracking import Engine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from regexes import ATOMS, LOOKING, REGULAR
from thoroughness import examples

from fsm_egress.patterns import PatternError, parse_pattern, syntax
from fsm_egress.patterns.cost import ONE, UNBOUNDED, Cost, cost
from fsm_egress.patterns.reader import read_pattern


def degree(text: str) -> float:
    return cost(parse_pattern(text).tree).degree


class TestDegrees:
    """How the time grows with the text."""

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "/get",
            "/status.*",
            "/v[0-9]+/items/[0-9]+",
            "^/v[0-9]+/items/.*$",
            r"/api/(users|orders)/\d+",
            "^/(get|put|post)(/.*)?$",
            "^/api/.*/users",
            r"^.*\.json$",
            r"^[^/]+/[^/]+/[^/]+$",
            "^(?:/[a-z]+)+$",
            "^(?:[a-z]+/)*[0-9]+$",
            "^(/(user|users|units))+$",
            "/items(/[a-z]+)*",
            r"^/[a-z0-9-]+/v\d+(\.\d+)*/x$",
            "^(?!.*admin).*$",
            "^(?=.*a)(?=.*b)",
            r"^(a+)b\1$",
            r"/(\w+)/\1",
            r"(a|b)\1",
            "(?:a?){9}b",
            "(^a|^b*)c",
            "^(a|ab)*$",
            "a(?:.*foo)?",
            "a(?:[]|b)*c",
        ],
    )
    def test_most_are_one(self, text: str) -> None:
        assert degree(text) == 1

    @pytest.mark.parametrize(
        ("text", "grows"),
        [
            (".*foo", 2),
            ("/api/.*/users", 2),
            ("foo.*bar.*baz", 3),
            ("[a-z]+@", 2),
            ("(?!.*b)a", 2),
            ("^(?:(?=.*b)a)*c", 2),
            ("a(?:(?=.*b)c)*", 2),
            (r"^a(?=.*\ba)b", 2),  # an attempt at the start of the text compares the rest of it, in Python
        ],
    )
    def test_some_are_powers(self, text: str, grows: int) -> None:
        assert degree(text) == grows

    @pytest.mark.parametrize(
        "text",
        [
            "(a+)+$",
            "(a|a)*b",
            "(.*)*x",
            "(x+x+)+y",
            "^(([a-z])+.)+[A-Z]([a-z])+$",
            "^(a|aa)*$",
            "^(a?)*$",
            "(?:a|aa){70}b",
            "^(?:(?:a|b|ab)*c)?",
            "^(?=(?:a|a)*b)",
        ],
    )
    def test_some_are_infinite(self, text: str) -> None:
        assert degree(text) == inf

    @pytest.mark.parametrize(("alike", "grows"), [(1, 1), (32, 1), (33, inf)])
    def test_options_are_told_apart_by_what_comes_behind_32_bytes_at_most(
        self, alike: int, grows: float
    ) -> None:
        assert degree(f"^(?:{'a' * alike}b|{'a' * alike}c)*d") == grows

    @pytest.mark.parametrize(
        ("middle", "grows"),
        [("", 2), ("b", 1), ("b*", 3), ("[ab]*b", 3), ("(?:a|a)*b", inf)],
    )
    def test_references_take_as_long_as_what_they_refer_to(self, middle: str, grows: float) -> None:
        before, end = read_pattern(f"^(a+)(?:{middle})"), syntax.Assertion(syntax.AssertionKind.END)
        assert cost(syntax.Sequence((before, syntax.BackReference(1), end))).degree == grows


class TestLongest:
    """The length up to which every text is searched quickly."""

    @pytest.mark.parametrize(
        ("factor", "degree", "longest"),
        [
            (1, 1, inf),
            (500, 1, inf),
            (501, 1, 1_996),
            (10, 2, 316.2),
            (10, 3, 46.42),
            (inf, 2, 0),
            (inf, inf, 1),
        ],
    )
    def test_falls_with_the_degree(self, factor: float, degree: float, longest: float) -> None:
        assert Cost(factor, degree).longest == pytest.approx(longest, rel=1e-3)


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        (Cost(12.0, 1), "12 steps for each byte"),
        (Cost(123456, 1), "123456 steps for each byte"),
        (Cost(3, 2), "time that grows with the power 2 of the length"),
        (UNBOUNDED, "exponential time"),
        (Cost(inf, 2), "more steps than can be counted"),
    ],
)
def test_a_bound_reads_as_a_phrase(bound: Cost, text: str) -> None:
    assert str(bound) == text


def test_powers_of_one_are_one_and_those_of_more_have_a_limit() -> None:
    assert ONE**100_000 == ONE
    assert Cost(2, 1) ** 3 == Cost(8, 3)
    assert Cost(2, 0) ** 64 == Cost(2**64, 0)
    assert Cost(2, 0) ** 65 == UNBOUNDED


CHAIN = f"{'(?:' * 30}a{')?' * 30}"


@pytest.mark.parametrize(
    "text",
    [
        f"(?:a|a)*b(?:{CHAIN}){{60}}x",
        f"^(?:{CHAIN}){{60}}(?:a|a)*b",
    ],
)
def test_a_bound_that_no_number_can_hold_is_infinite(text: str) -> None:
    bound = cost(read_pattern(text))
    assert bound.factor == inf
    assert bound.longest <= 1
    assert str(bound)


def test_a_reference_may_be_to_more_than_a_number_can_hold() -> None:
    groups = "".join(f"(\\{index}{{10}})" for index in range(1, 400))
    with pytest.raises(PatternError, match="a search may take more steps than can be counted"):
        read_pattern(f"^(a){groups}")


UNITS = st.text(alphabet="ab-", min_size=1, max_size=3)
CONTENTS = st.builds(
    "{}{}{}".format,
    st.builds(str.__mul__, UNITS, st.integers(1, 25)),
    st.text(alphabet="ab-", max_size=20),
    st.sampled_from(["", "c"]),
)


def hold_the_bound(tree: syntax.Node, content: str) -> None:
    bound = cost(tree)
    limit = 2 * bound.factor * (len(content) + 1) ** bound.degree
    if limit < COUNTED:
        assert Engine(content.encode(), limit).search(tree) < limit


COUNTED = 100_000  # steps: bounds above are not held against any engine


class TestLaws:
    """What holds for all patterns and texts."""

    @given(LOOKING, CONTENTS)
    @settings(max_examples=examples(400))
    @example("(?:(?:a|a)*b)?", "a" * 20)
    @example("(?:(?:[ab]*)+^)?", "ab" * 10)
    @example("a*(?=.*-)b", "a" * 30)
    @example("a*(?:b?)?(?:b?)?(?:b?)?(?:b?)?(?:b?)?-", "a" * 30)
    @example("(?:a*-|a)*b", "a" * 30)
    @example("(?:a*-|a)*", "a" * 30)
    @example("-a*b", "-a" * 20)
    def test_no_search_makes_more_steps(self, text: str, content: str) -> None:
        hold_the_bound(read_pattern(text), content)

    @given(st.tuples(REGULAR, ATOMS, REGULAR, REGULAR), st.booleans(), CONTENTS)
    @settings(max_examples=examples(200))
    @example(("^", "a*", "", "$"), False, "a" * 30)
    @example(("", "a", "b?", "a"), True, "a" * 30)
    def test_nor_does_one_with_references(
        self, texts: tuple[str, str, str, str], again: bool, content: str
    ) -> None:
        before, kept, between, after = map(read_pattern, texts)
        tree: syntax.Node = syntax.Sequence(
            (before, syntax.Group(kept, 99), between, syntax.BackReference(99), after)
        )
        hold_the_bound(syntax.Repeat(tree, 0, None) if again else tree, content)
