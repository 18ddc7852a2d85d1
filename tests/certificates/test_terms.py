"""Terms of SMT-LIB: they simplify to what means the same, and no name or remark is more than one."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solving import holds, many, solved

from fsm_egress.certificates.terms import (
    Definitions,
    all_of,
    any_of,
    choice,
    is_text,
    literal,
    no,
    remark,
    symbol,
    symbols_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BUILT: dict[str, Callable[..., str]] = {"not": no, "and": all_of, "or": any_of, "ite": choice}
DECLARED = [f"(declare-const {name} Bool)" for name in "abc"]


@st.composite
def terms(draw: st.DrawFn, depth: int = 3) -> tuple[str, str]:
    """A term as it is built here, and the same without any simplification."""
    if depth == 0 or draw(st.booleans()):
        name = draw(st.sampled_from(("a", "b", "c", "true", "false")))
        return name, name
    plain = draw(st.sampled_from(tuple(BUILT)))
    parts = [draw(terms(depth - 1)) for _ in range({"not": 1, "ite": 3}.get(plain, 2))]
    return BUILT[plain](*(it for it, _ in parts)), f"({plain} {' '.join(it for _, it in parts)})"


@given(terms())
@many(20, 5_000)
def test_law_a_term_means_what_it_was_built_of(pair: tuple[str, str]) -> None:
    built, plain = pair
    assert not holds(DECLARED, f"(distinct {built} {plain})")


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (all_of(), "true"),
        (any_of(), "false"),
        (all_of("a", "true", "a"), "a"),
        (all_of("a", "false"), "false"),
        (any_of("a", "b", "a"), "(or a b)"),
        (no("(not a)"), "a"),
        (no("false"), "true"),
        (choice("a", "b", "b"), "b"),
        (choice("true", "a", "b"), "a"),
        (choice("false", "a", "b"), "b"),
        (choice("a", "true", "b"), "(or a b)"),
        (choice("a", "false", "b"), "(and (not a) b)"),
        (choice("a", "b", "true"), "(or (not a) b)"),
        (choice("a", "b", "false"), "(and a b)"),
        (choice("a", "b", "c"), "(ite a b c)"),
    ],
)
def test_terms_are_short(built: str, expected: str) -> None:
    assert built == expected


@given(st.binary(max_size=4), st.binary(max_size=4))
@many(20, 2_000)
def test_law_a_literal_is_its_bytes(one: bytes, other: bytes) -> None:
    equal = f"(= (str.++ {literal(one)} {literal(other)}) {literal(one + other)})"
    assert holds([], all_of(equal, f"(= (str.len {literal(one)}) {len(one)})"))


def test_a_literal_is_of_printable_characters() -> None:
    assert literal(b'a"b\\|\x00\xe9') == r'"a\u{22}b\u{5c}\u{7c}\u{0}\u{e9}"'
    assert is_text("path", "é") == r'(= path "\u{c3}\u{a9}")'


@pytest.mark.parametrize("hostile", ["a\n(assert false)", "a|b", "a\\b", 'quote"', "é\u2028x", "\x00"])
def test_no_name_and_no_remark_ends_where_it_should_not(hostile: str) -> None:
    name = symbol(f"header {hostile}")
    assert solved(f"; {remark(hostile)}\n(declare-const {name} Bool)\n(assert {name})") == "sat"
    assert "\n" not in remark(hostile)


def test_a_name_has_one_body() -> None:
    words = Definitions()
    first = words.name("x", "(not a)")
    assert words.name("x", "(not a)") == first == "|x|"
    assert words.name("x", "(not b)") == "|x (2)|"
    assert words.name("x", "(not c)") == "|x (3)|"
    assert words.name("x", '(str.to_re "a")', "RegLan") == "|x (4)|"
    assert words.name("y", "a") == "|y|"
    assert words.name("y", "true") == "true"
    both = words.name("z", all_of("|x|", "|x (3)|"))
    needed = words.needed_by(both)
    assert {"|x|", "|x (3)|", "|z|", "a", "c"} <= needed
    assert [line.split("()")[0] for line in words.lines(needed)] == [
        "(define-fun |x| ",
        "(define-fun |x (3)| ",
        "(define-fun |z| ",
    ]


def test_names_are_told_from_texts() -> None:
    assert list(symbols_in('(and |a b| (= host "c") (str.in_re path |d|))')) == [
        "and", "|a b|", "host", "str.in_re", "path", "|d|",
    ]  # fmt: skip


def test_the_solver_agrees_with_itself() -> None:
    assert [holds([], f"(= {a} {b})") for a, b in product(("true", "false"), repeat=2)] == [
        True, False, False, True,
    ]  # fmt: skip
