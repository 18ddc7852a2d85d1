"""What can be said of captures: which are set for sure, and which look-aheads are torn."""

from __future__ import annotations

import re

import pytest
from attrs import evolve

from fsm_egress.patterns import syntax
from fsm_egress.patterns.captures import abandoned, groups_in, torn, unsure, volatile
from fsm_egress.patterns.reader import read_pattern


def tree_of(text: str) -> syntax.Node:
    """The tree of a pattern, also of one that is refused for what it refers to."""
    return _referring(read_pattern(re.sub(r"\\(\d)", r"\\x0\1", text)))


def _referring(node: syntax.Node) -> syntax.Node:
    match node:
        case syntax.Chars(members) if len(members) == 1 and min(members) < 10:
            return syntax.BackReference(min(members))
        case syntax.Sequence():
            return syntax.Sequence(tuple(map(_referring, node.items)))
        case syntax.Alternation():
            return syntax.Alternation(tuple(map(_referring, node.options)))
        case syntax.Repeat() | syntax.Group() | syntax.LookAhead():
            return evolve(node, item=_referring(node.item))
        case _:
            return node


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("(a)((b))", {1, 2, 3}),
        ("(?:a)(?=(b))(?:(c)|d)*", {1, 2}),
        ("ab", set()),
    ],
)
def test_groups_are_found_wherever_they_stand(text: str, groups: set[int]) -> None:
    assert groups_in(tree_of(text)) == groups


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        (r"(a)\1", set()),
        (r"(a)(b)\1\2", set()),
        (r"((a))\2", set()),
        (r"(a)?\1", {1}),
        (r"(?:(a)){0,3}\1", {1}),
        (r"(?:(a))+\1", set()),
        (r"(?:(a)){2,3}\1", set()),
        (r"(?:(a)|b)\1", {1}),
        (r"(?:(a)|b(c))(d)\1\2\3", {1, 2}),
        (r"(a)(?:b|c)\1", set()),
        (r"(a)(?:\1|b)", set()),
        (r"(?:(a)\1)*", set()),
        (r"(?:\1(a))*", {1}),
        (r"\1(a)", {1}),
        # what a look-ahead captured stays, unless it must not hold
        (r"(?=(a))\1", set()),
        (r"(?!(a))\1", {1}),
        (r"(?=(a)\1)", set()),
        (r"(?!(a)\1)", set()),
        (r"(a)(?=\1)", set()),
        (r"(?=b\1)(a)", {1}),
        # in a repetition it may have run again, if there was a choice since
        (r"(?:(?=(a))\1)+", set()),
        (r"(?:(?=(a))b\1)+", set()),
        (r"(?:(?=(a))b?\1)+", {1}),
        (r"(?:(?=(a))(?:b|c)\1)+", {1}),
        (r"(?:(?=(a))(?=b?)\1)+", set()),
        (r"(?:(?=(a))(b?)\1)+", {1}),
        (r"(?:(?=(a))(?:\1|b))+", {1}),
        (r"(?:(?=(a))(\1))+", set()),
        (r"(?:(?=(a))(?:\1)*)+", {1}),
        (r"(?:(?=(a))(?:\1){2})+", {1}),
        (r"(?:(?=(a))b?\1){0,1}", set()),
        (r"(?:(?=(a))b?(?:\1)?)?", set()),
        (r"(?:(?:(?=(a))b?\1)?)+", {1}),
        (r"(?:(a)b?\1)+", set()),
        (r"(?=(a))(?:b?\1)+", set()),
    ],
)
def test_a_reference_is_unsure_where_its_group_need_not_be_set_on_the_way(
    text: str, groups: set[int]
) -> None:
    assert set(unsure(tree_of(text))) == groups


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("(?=(a))b", set()),
        ("b(?=(a))c(?=(d))", set()),
        ("(?=(a))b*", set()),
        ("b*(?=(a))", {1}),
        ("(?:b|c)(?=(a))(?=(d))", {1, 2}),
        ("b{2}(?=(a))", {1}),
        ("(b?)(?=(a))", {2}),
        ("(?=b*)(?=(a))", set()),
        ("(?!b|c)(?=(a))", set()),
        ("(?=b*(?=(a)))", {1}),
        ("((?=(a)))", set()),
        ("(b*(?=(a)))", {2}),
        ("(?=(?=(a)))", set()),
        ("(?:(?=(a))b)*", {1}),
        ("(?:(?=(a))|b)", {1}),
        ("c(?:(?=(a))b)*", {1}),
        ("(a)b*(c)", set()),
    ],
)
def test_a_look_ahead_may_run_again_after_a_choice_before_or_around_it(text: str, groups: set[int]) -> None:
    assert abandoned(tree_of(text)) == groups


@pytest.mark.parametrize(
    ("text", "doubtful", "groups"),
    [
        ("(?:(a?)|(b?))*", {1, 2}, {1, 2}),
        ("(?:(a?)|(b?))*", {1, 2, 3}, {1, 2}),
        ("(?:(a?)|^)*", {1}, {1}),
        ("(?:(a?)|(?=b))*", {1}, {1}),
        ("(?:(a?)|(?!b))*", {1}, {1}),
        (r"(?:(a?)|\1)*", {1}, {1}),
        (r"(?:(a?)|\1)*", {2}, set()),
        (r"(?:(a?)|\1|b)*", {1}, {1}),
        ("(?:((?:a?){2})|^)*", {1}, {1}),
        ("(?:(a?)|^){2,3}", {1}, {1}),
        ("(?:(a?)|^){0,2}", {1}, {1}),
        # every iteration sets all of them anew
        ("(?:(a?)(b?))*", {1, 2}, set()),
        ("(?:(a?)^)*", {1}, set()),
        ("(?:(a?)(?:b|^))*", {1}, set()),
        # there is a single one, for which nothing asks
        ("(a?)*", {1}, set()),
        ("(?:(a?)|b)*", {1}, set()),
        ("(?:(a?)|(b))*", {1, 2}, set()),
        ("(?:(a?)|(b?))*", {1}, set()),
        # no iteration can match nothing, or not two
        ("(?:(a?)b|c^)*", {1}, set()),
        ("(?:(a)|^)*", {1}, set()),
        ("(?:(a?)|^)?", {1}, set()),
        ("(?:(a?)|^){3}", {1}, set()),
        ("(?:(a?)|^)", {1}, set()),
    ],
)
def test_groups_hang_on_the_number_of_iterations_that_match_nothing(
    text: str, doubtful: set[int], groups: set[int]
) -> None:
    assert volatile(tree_of(text), frozenset(doubtful)) == groups


@pytest.mark.parametrize(
    ("text", "is_torn"),
    [
        ("a(?=^b)", True),
        (r"a(?=\bb)", True),
        (r"a(?=\Bb)", True),
        ("a(?=$)", False),
        ("(?=^b)", False),
        ("^(?=^b)", False),
        (r"\b(?=\ba)", False),
        ("a(?=b^)", False),
        ("a(?=b*^)", True),
        ("a(?=(?:b|^))", True),
        ("a(?=$^)", True),
        ("a(?=(?=c)^)", True),
        ("a(?=bc*^)", False),
        ("a^(?=b)", False),
        ("a^(?=^b)", True),
        ("a(?=(?=^b))", True),
        ("(?=a(?=^b))", True),
        ("(?=a)(?=^b)", False),
        ("(?!a)(?!^b)", False),
        ("a?(?=^b)", True),
        ("(a)(?!^b)", True),
        (r"(?=(a))\1(?=^b)", True),
        ("(?:a|b)(?=^c)", True),
        ("(?:a|(?=^b))", False),
        ("(?:(?=^a)a)*", True),
        ("(?:(?=^a)a){2}", True),
        ("(?:(?=^a)a)?", False),
        ("(?:(?=^a))*", False),
        ("(?:a(?=^b))?", True),
        ("a(?=(?:^b)*)", True),
        ("a(?:(?=^b))?", True),
        ("a(b(?=c))", False),
    ],
)
def test_a_look_ahead_is_torn_that_asks_after_some_bytes_where_the_text_begins(
    text: str, *, is_torn: bool
) -> None:
    assert torn(tree_of(text)) is is_torn
