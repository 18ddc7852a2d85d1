"""The sidecar's patterns as regular expressions: what was observed of it, asked of a solver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regexes import LINES, LOOKING, REFERRING
from solving import many, solved

from fsm_egress.certificates.expressions import EVERYTHING, Irregular, anyway_cased, found_in, utf8
from fsm_egress.certificates.terms import literal
from fsm_egress.patterns import Pattern, PatternError, syntax

if TYPE_CHECKING:
    from collections.abc import Iterable

VECTORS = Path(__file__).parents[1] / "vectors"
OBSERVED = [json.loads((VECTORS / name).read_text()) for name in ("patterns.json", "patterns-fuzzed.json")]
TEXTS = many(3, 1_000).max_examples  # of those observed for each pattern, others for the next


def agrees(pattern: Pattern, found: Iterable[str], missed: Iterable[str]) -> bool:
    """Whether the solver finds the pattern in just these of the texts."""
    has = (f"(str.in_re {literal(text.encode())} p)" for text in found)
    lacks = (f"(not (str.in_re {literal(text.encode())} p))" for text in missed)
    asked = f"(assert (and true {' '.join([*has, *lacks])}))"
    return solved(f"(define-fun p () RegLan {found_in(pattern)})\n{asked}") == "sat"


def observed() -> Iterable[tuple[Pattern, list[str], list[str]]]:
    """Each pattern that is one of ours, with texts in which it was found, and not."""
    at = 0
    for vectors in OBSERVED:
        for case in vectors["cases"]:
            try:
                pattern = Pattern.of_bytes(case["pattern"])
            except PatternError:
                continue
            assert case["compiles"]
            at += 1
            texts = vectors["texts"]
            some = {texts[(at + step) % len(texts)] for step in range(min(TEXTS, len(texts)))}
            here = [text for text in some if text in case["found"]]
            yield pattern, here, [text for text in some if text not in case["found"]]


def test_what_the_sidecar_was_seen_to_find_the_solver_finds() -> None:
    irregular: dict[str, str] = {}
    wrong: list[str] = []
    count = 0
    for pattern, found, missed in observed():
        try:
            if not agrees(pattern, found, missed):
                wrong.append(pattern.text)
        except Irregular as why:
            irregular[pattern.text] = str(why)
        count += 1
    assert wrong == []
    assert count > 500
    assert set(irregular.values()) == {
        "it refers to a group",
        "a repetition without end has a condition in it",
    }
    assert all("\\" in text or "(?" in text for text in irregular)
    assert len(irregular) < count // 10


@given(LOOKING, st.lists(LINES, min_size=4, max_size=4))
@many(40, 10_000)
def test_law_the_solver_finds_what_a_search_finds(text: str, lines: list[str]) -> None:
    try:
        pattern = Pattern(text)
        found = [line for line in lines if pattern.search(line)]
        assert agrees(pattern, found, [line for line in lines if line not in found])
    except (Irregular, PatternError):
        pass


@given(REFERRING)
@many(10, 1_000)
def test_law_no_expression_is_made_of_a_reference(text: str) -> None:
    try:
        pattern = Pattern(text)
    except PatternError:
        return
    with pytest.raises(Irregular):
        found_in(pattern)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        (".*", EVERYTHING),
        ("", EVERYTHING),
        ("a?b*", EVERYTHING),
        ("/get", '(re.++ re.all (str.to_re "/get") re.all)'),
        (".*/get.*", '(re.++ re.all (str.to_re "/get") re.all)'),
        ("^/get", '(re.++ (str.to_re "/get") re.all)'),
        ("get$", '(re.++ re.all (str.to_re "get"))'),
        ("^/get$", '(str.to_re "/get")'),
        ("^$", '(str.to_re "")'),
        ("^(?:a|bc)+$", '(re.+ (re.union (str.to_re "a") (str.to_re "bc")))'),
        ("^a{2,}$", '(re.++ ((_ re.^ 2) (str.to_re "a")) (re.* (str.to_re "a")))'),
        ("^a{2,3}b{0}$", '((_ re.loop 2 3) (str.to_re "a"))'),
        ("^[]{0}$", '(str.to_re "")'),
        ("[]", "re.none"),
        ("^[^]$", "re.allchar"),
        ("^(?!/admin)", '(re.comp (re.++ (str.to_re "/admin") re.all))'),
        ("^(?=a)(?=ab)", '(re.inter (re.++ (str.to_re "a") re.all) (re.++ (str.to_re "ab") re.all))'),
        ("(?=)^a", '(re.++ (str.to_re "a") re.all)'),
        ("(?!)a", "re.none"),
    ],
)
def test_expressions_are_short(text: str, expression: str) -> None:
    assert found_in(Pattern(text)) == expression


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (r"(a)\1", "it refers to a group"),
        (r"(?:\ba)*b", "a repetition without end has a condition in it"),
        (r"(?:\b[ab]|\B[bc]){12}", "its expression is too long"),
    ],
)
def test_of_some_patterns_no_expression_is_made(text: str, why: str) -> None:
    with pytest.raises(Irregular, match=why):
        found_in(Pattern(text))


def holding(expression: str, text: str) -> bool:
    return (
        solved(f"(assert (str.in_re {literal(text.encode('utf-8', 'surrogatepass'))} {expression}))") == "sat"
    )


@pytest.mark.parametrize("letter", ["a", "~", "é", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff"])
def test_a_character_is_its_bytes(letter: str) -> None:
    assert holding(utf8(syntax.CLASSES["graph"]), letter)


@pytest.mark.parametrize("text", [" ", "\x7f", "\ud800", "ab", "\x00", ""])
def test_no_other_text_is_a_character(text: str) -> None:
    assert not holding(utf8(syntax.CLASSES["graph"]), text)


@pytest.mark.parametrize(("text", "other", "same"), [
    ("kiosk:80", "KIoSK:80", True),
    ("kiosk:80", "\u212aiosk:80", True),  # the sign for kelvin is a `k` in lower case
    ("kiosk:80", "kiosks:80", False),
    ("", "", True),
    ("", "a", False),
])  # fmt: skip
def test_hosts_in_any_letter_case(text: str, other: str, same: bool) -> None:
    assert (other.lower() == text) is same
    assert holding(anyway_cased(text), other) is same


def test_only_kelvin_becomes_a_letter_of_ascii() -> None:
    beyond = map(chr, range(128, 0x110000))
    assert [letter for letter in beyond if letter.lower().isascii()] == ["\u212a"]
