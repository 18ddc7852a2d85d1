"""What a search may take for each byte is known before there is a text; nothing that is tried takes more."""

from __future__ import annotations

from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING

import pytest
from backtracking import Engine
from hypothesis import example, given, settings
from regexes import LINES, LOOKING
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.patterns import Pattern, PatternError
from fsm_egress.patterns.core import core
from fsm_egress.patterns.cost import STEPS, cost
from fsm_egress.patterns.machines import AT_ONCE, Automaton, State
from fsm_egress.patterns.places import LEAPS, Places, Undecided, places_of
from fsm_egress.patterns.reader import BUDGET, read_pattern
from fsm_egress.patterns.search import Reading, steps_by_byte

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of 20 to 250 characters, and each takes a path of some hundred bytes seconds where it is read.
TOO_SLOW = {
    r"^(?:a|b)*a(?:a|b){16}(?:(?:\b|a){90}b?){90}c": 291_636,
    r"x(?:(?:(?:\b|a){9}){9}){9}y": 3_650,
    r"^(?:a|b)*a(?:a|b){9}(?:(?:\b|a|-){20}(?:\B|b|-){20}){20}c": 25_632,
    r"^(?:(?=(?:a?){30})b?){300}b": 1_513,
    r"(?:(?=a|(b))c*){6665}!": 133_323,
    "^(?:a?b?c?d?e?f?g?h?i?j?){250}x": 2_010,
}


class TestBudget:
    """Above it, a pattern is refused, with the figure."""

    @pytest.mark.parametrize("text", TOO_SLOW)
    def test_what_may_take_too_many_steps_is_refused_and_says_how_many(self, text: str) -> None:
        with pytest.raises(PatternError) as refused:
            Pattern(text)
        assert refused.value.ours
        assert refused.value.position == 0
        assert refused.value.reason == (
            f"a search may take {TOO_SLOW[text]:,} steps for each byte, more than {BUDGET:,}"
        )

    def test_what_cannot_even_be_counted_is_refused(self) -> None:
        with pytest.raises(
            PatternError, match=f"at position 0, an automaton would have more than {LEAPS}"
        ) as refused:
            Pattern("^(?:a|b)*(?:a?b?c?d?e?f?g?h?i?j?){2000}x")
        assert refused.value.ours

    @pytest.mark.parametrize(
        ("text", "steps"),
        [
            ("/api/.*/users", 4),
            ("(a+)+$", 5),
            (r"^/(v1|v2)/(users|orders)/\d+(\.json)?$", 39),
            ("a{99993}", 50),
            ("(?!.*b)a", 10),
            (r"(?:\b){1000}a", 6),
            (r"(?:(?:\b\B){7}){700}", 12),
        ],
    )
    def test_others_are_far_below_it(self, text: str, steps: int) -> None:
        assert steps_by_byte(Pattern(text).tree) == steps

    def test_a_mesh_in_which_it_stands_loads_without_it_and_says_so(self) -> None:
        slow = r"x(?:(?:(?:\b|a){9}){9}){9}y"
        group = {
            "apiVersion": "specs.smi-spec.io/v1alpha4",
            "kind": "HTTPRouteGroup",
            "metadata": {"name": "g", "namespace": "curl"},
            "spec": {"matches": [{"name": "m", "pathRegex": slow}]},
        }
        (problem,) = fe.load(group, strict=False).problems
        assert "3,650 steps for each byte" in str(problem)
        assert problem.path == "spec.matches[0].pathRegex"


@contextmanager
def counted() -> Iterator[list[int]]:
    """The steps that automata make meanwhile."""
    steps = [0]
    moved, following = Places.after, Automaton.follow

    def after(self: Places, places: int) -> int:
        steps[0] += (1 + len(self.steps) + len(self.leaps)) * (1 + len(self.each) // AT_ONCE)
        return moved(self, places)

    def follow(self: Automaton, state: State, symbol: int) -> State:
        steps[0] += len(self.conditions)
        return following(self, state, symbol)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Places, "after", after)
        patch.setattr(Automaton, "follow", follow)
        yield steps


def steps_of_reading(tree: object, content: str) -> tuple[int, int]:
    """The steps of a new reading for each byte of a text, and those that are promised."""
    reading = Reading.of(tree)  # type: ignore[arg-type]  # because it is one
    with counted() as steps:
        reading.finds(content)
    return -(-steps[0] // (len(content) + 1)), reading.steps


class TestLaws:
    """What holds for all patterns and texts."""

    @given(LOOKING, LINES)
    @settings(max_examples=examples(300))
    @example(r"^(?:\b|a|(?=b)){5}c", "ab-ab-")
    @example(r"(?:(?:\b|a){3}b?){3}c", "abab")
    @example(r"(?:$|a|^)*-", "a-a")
    @example(r"(?:a|^\b){2,}(?:(?!b)|b)*", "aab")
    def test_a_reading_makes_no_more_steps_for_a_byte_than_is_known(self, text: str, content: str) -> None:
        made, known = steps_of_reading(read_pattern(text), content)
        assert made <= known


@pytest.mark.parametrize(
    ("times", "places", "may_be_none"),
    [("{7}", 2, False), ("{0,7}", 2, True), ("{3,}", 2, False), ("*", 2, True), ("{0}", 0, True)],
)
def test_conditions_that_hold_once_hold_again(times: str, places: int, may_be_none: bool) -> None:
    found = places_of(read_pattern(rf"(?:\b(?=a)){times}"))
    assert (len(found.each), found.empty) == (places, may_be_none)


PARTS = [
    *["a", "b", "-", ".", "[ab]", "(?:a|b)*", "^", "$", r"\b", r"\B", "(?=a)", "(?!b)", "(?=.*b)", "|", "a?"],
    *["*", "+", "?", "{2}", "{0,3}", "{9}", "{2,}", "{40}", "{0,200}", "{999}"],
]
WRAPS = ["(?:{})", "(?:{})?", "(?:{})*", "(?:{}|a)", "(?={})", "(?!{})", "(?:{}){{9}}", "(?:{}){{0,30}}"]
LONGEST = 60  # bytes of a text
RESTARTS = 25  # pairs after which the climb begins anew
COUNTED = 20_000  # steps by backtracking; few texts of that length are promised fewer


class Climb:
    """Patterns and texts, each a little changed from the one that took the most steps so far."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311  # because any would do

    def pairs(self) -> Iterator[tuple[list[str], str]]:
        """Pairs to try; `rise` says how many steps the last one took."""
        while True:
            self.best, self.pair = -1.0, ([self.chance.choice(PARTS) for _ in range(5)], "a")
            for _ in range(RESTARTS):
                self.tried = self.changed(*self.pair)
                yield self.tried

    def rise(self, steps: float) -> None:
        if steps >= self.best:
            self.best, self.pair = steps, self.tried

    def changed(self, parts: list[str], content: str) -> tuple[list[str], str]:
        if self.chance.random() < 0.4:
            at = self.chance.randrange(len(content) + 1)
            units = [*"ab-c", content[:at], content[at:], ""]
            return parts, (content[:at] + self.chance.choice(units) + content[at + 1 :])[:LONGEST]
        start, end = sorted(self.chance.choices(range(len(parts) + 1), k=2))
        kept = "".join(parts[start:end])
        middle = self.chance.choice(
            [[self.chance.choice(PARTS)], [self.chance.choice(WRAPS).format(kept)], [kept, kept], []]
        )
        return [*parts[:start], *middle, *parts[end:]], content


def steps_of(text: str, content: str) -> tuple[float, float] | None:
    """The steps for each byte of the search that a text gets, and those promised; none if too deep."""
    try:
        tree = core(Pattern(text).tree)
    except PatternError:
        return None
    bound = cost(tree)
    if len(content) > bound.longest:
        made, known = steps_of_reading(tree, content)
        assert made <= known <= BUDGET
        return made, known
    promised = min(2 * bound.factor * (len(content) + 1) ** bound.degree, 2 * STEPS + 2 * BUDGET)
    try:
        taken = Engine(content.encode(), min(promised, COUNTED)).search(tree)
    except RecursionError:
        return None  # the engine of the tests goes as deep as the ways are long
    assert taken < promised or taken == COUNTED
    return taken / (len(content) + 1), promised / (len(content) + 1)


def test_no_pattern_and_text_that_a_climb_comes_to_take_more_steps_than_are_promised() -> None:
    """The long profile tries 126,000 pairs."""
    pairs = examples(300)
    climb, tried, read = Climb(pairs), 0, 0
    for parts, content in climb.pairs():
        steps = steps_of("".join(parts), content)
        climb.rise(-1.0 if steps is None else steps[0])
        tried += steps is not None
        read += steps is not None and steps[1] <= BUDGET
        if tried == pairs:
            break
    assert read > pairs / 50


def test_undecided_is_an_error_of_the_library() -> None:
    assert issubclass(Undecided, fe.FSMEgressError)
