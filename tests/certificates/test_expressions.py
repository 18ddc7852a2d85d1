"""The sidecar's patterns as regular expressions: what was observed of it, asked of a solver."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regexes import LINES, LOOKING, REFERRING
from solving import ASKED, many, solved

from fsm_egress.certificates.expressions import EVERYTHING, Irregular, anyway_cased, found_in, utf8
from fsm_egress.certificates.terms import literal
from fsm_egress.patterns import Pattern, PatternError, syntax

if TYPE_CHECKING:
    from collections.abc import Iterable

VECTORS = Path(__file__).parents[1] / "vectors"
OBSERVED = [json.loads((VECTORS / name).read_text()) for name in ("patterns.json", "patterns-fuzzed.json")]


def asked(expression: str, found: Iterable[str], missed: Iterable[str], name: str = "p") -> str:
    """A script that asks whether these texts are of an expression, and those are not."""
    has = (f"(str.in_re {literal(text.encode())} {name})" for text in found)
    lacks = (f"(not (str.in_re {literal(text.encode())} {name}))" for text in missed)
    return f"(define-fun {name} () RegLan {expression})\n(assert (and true {' '.join([*has, *lacks])}))\n"


def agrees(pattern: Pattern, found: Iterable[str], missed: Iterable[str]) -> bool:
    """Whether the solver finds the pattern in just these of the texts."""
    return solved(asked(found_in(pattern), found, missed)) == "sat"


def observed() -> Iterable[tuple[Pattern, list[str], list[str]]]:
    """Each pattern that is one of ours, with the texts in which it was found, and not."""
    for vectors in OBSERVED:
        for case in vectors["cases"]:
            try:
                pattern = Pattern.of_bytes(case["pattern"])
            except PatternError:
                continue
            assert case["compiles"]
            missed = [text for text in vectors["texts"] if text not in case["found"]]
            yield pattern, case["found"], missed


def test_what_the_sidecar_was_seen_to_find_the_solver_finds() -> None:
    irregular: Counter[str] = Counter()
    scripts: list[str] = []
    texts = 0
    for pattern, found, missed in observed():
        try:
            scripts.append(asked(found_in(pattern), found, missed, f"p{len(scripts)}"))
            texts += len(found) + len(missed)
        except Irregular as why:
            irregular[str(why)] += 1
    assert solved("".join(scripts)) == "sat" or [it for it in scripts if solved(it) != "sat"] == []
    assert (len(scripts), texts) == (465, 27_534)
    assert irregular == {"it refers to a group": 30, "a repetition without end has a condition in it": 17}
    ASKED["patterns of the vectors"] += len(scripts)
    ASKED["patterns of the vectors: texts"] += texts


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
