"""Patterns mean here what they mean to the sidecar, or are refused with the place and the reason."""

from __future__ import annotations

import copy
import json
import pickle
import re
import warnings
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from thoroughness import examples

from fsm_egress.patterns import Pattern, PatternError, escaped, parse_pattern, searchable, syntax
from fsm_egress.values.errors import InvalidValue

VECTORS = Path(__file__).parents[1] / "vectors"
OBSERVED = [json.loads((VECTORS / name).read_text()) for name in ("patterns.json", "patterns-fuzzed.json")]
CASES = [
    pytest.param(case, vectors["texts"], id=case["pattern"][:30])
    for vectors in OBSERVED
    for case in vectors["cases"]
]

# Refused although Python finds the same in all observed texts: the rules that keep out what captures unlike
# Python ask whether a capture that only the sidecar keeps could matter, not whether it does.
CAUTIOUS = {
    r"a*(?!(b))\1",
    r"(?:(?!(a))|\1)",
    r"a*(?=(b)|a)\1",
    r"(?:()|\1b)*$",
    r"(?:(a)|(?=(b)))*\2a$",
    r"(?:(a?)|^b)*\1a",
}

# Refused although it means the same: how long a search may take cannot be bounded, as it refers to a group.
COSTLY = {
    r"(a)*\1",
    r"(a*)\1$",
    r"^(a*)\1$",
    r"(?:(a)|(b))*\1\2",
    r"((a)|b)*\2$",
    r"(?:(a)|b\1)*$",
    r"(a?)*\1",
    r"^(a*)*\1$",
    r"(?=(a+))\1",
    r"(?=(a+))\1a",
    r"(?:(?=(a+))\1b)+$",
    r"(?:(a*)|.)*\1b",
    r"(?=(\w*?))[ab]\b(\1)",
}


def refusal(text: str) -> PatternError:
    with pytest.raises(PatternError) as caught:
        parse_pattern(text)
    return caught.value


def proposal(text: str) -> str | None:
    return refusal(text).problems[0].proposal


def found_by_python(text: str, texts: list[str]) -> list[str] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of sets that it may read differently one day
        try:
            return [item for item in texts if re.search(text, item)]
        except (re.error, OverflowError):
            return None


def char(letter: str) -> syntax.Chars:
    return syntax.Chars(frozenset({ord(letter)}))


class TestObservedSidecar:
    """What the sidecar's engine was seen to do."""

    @pytest.mark.parametrize(("case", "texts"), CASES)
    def test_found_where_the_sidecar_finds_it_or_refused(
        self, case: dict[str, Any], texts: list[str]
    ) -> None:
        outcome = pattern_or_error(case["pattern"])
        if isinstance(outcome, Pattern):
            assert case["compiles"]
            assert [text for text in texts if outcome.search(text)] == case["found"]
        else:
            agree = case["compiles"] and found_by_python(case["pattern"], texts) == case["found"]
            assert not agree or not case["pattern"].isascii() or case["pattern"] in CAUTIOUS | COSTLY

    def test_only_what_refers_to_groups_is_refused_of_what_the_sidecar_compiles(self) -> None:
        compiled = [case["pattern"] for vectors in OBSERVED for case in vectors["cases"] if case["compiles"]]
        refused = {text for text in compiled if text.isascii() and not reads(text)}
        assert refused == CAUTIOUS | COSTLY | {
            r"(?:(?!(a))b|a)\1",
            r"(?:(?=(a))b|a)\1",
            r"(?:()|(\1))*\2",
            r"^(?:()|\1a)*$",
            r"^(?:(a*)|(b*))+\1\2$",
            r"(?:(\b)|.)*\1b",
        }


class TestAnyConfig:
    """Patterns of any config, also those that the loader refuses."""

    @pytest.mark.parametrize(("case", "texts"), CASES)
    def test_every_pattern_is_read_as_the_sidecar_reads_it_or_said_to_be_beyond_us(
        self, case: dict[str, Any], texts: list[str]
    ) -> None:
        read = of_bytes(case["pattern"])
        if isinstance(read, Pattern):
            assert case["compiles"]
            assert [text for text in texts if read.search(text)] == case["found"]
        else:
            assert read.ours is case["compiles"]

    def test_all_of_the_first_observations_are_read(self) -> None:
        compiled = [case["pattern"] for case in OBSERVED[0]["cases"] if case["compiles"]]
        assert [text for text in compiled if not isinstance(of_bytes(text), Pattern)] == []

    @pytest.mark.parametrize(
        ("text", "ours"),
        [
            ("(", False),
            ("a{1,0}", False),
            ("(?<=a)b", False),
            ("a" * 5000, True),
            ("(" * 101 + ")" * 101, True),
            (r"(?:(?=(a))b|a)\1", True),
        ],
    )
    def test_whose_refusal_it_is(self, text: str, *, ours: bool) -> None:
        with pytest.raises(PatternError) as caught:
            Pattern.of_bytes(text)
        assert caught.value.ours is ours

    def test_the_loader_alone_refuses_what_is_not_ascii(self) -> None:
        assert refusal("é").ours
        assert Pattern.of_bytes("é").search("/café")

    def test_bytes_are_no_letters(self) -> None:
        assert Pattern.of_bytes("é") != Pattern.of_bytes("Ã©")
        assert pickle.loads(pickle.dumps(Pattern.of_bytes("é"))) == Pattern.of_bytes("é")  # noqa: S301  # our own
        assert copy.copy(Pattern.of_bytes("é")).any_byte


def of_bytes(text: str) -> Pattern | PatternError:
    try:
        return Pattern.of_bytes(text)
    except PatternError as error:
        return error


def pattern_or_error(text: str) -> Pattern | PatternError:
    try:
        return parse_pattern(text)
    except PatternError as error:
        return error


def reads(text: str) -> bool:
    return isinstance(pattern_or_error(text), Pattern)


class TestTree:
    """What a pattern is read into."""

    @pytest.mark.parametrize(
        ("text", "tree"),
        [
            ("", syntax.Sequence(())),
            ("a", char("a")),
            ("ab", syntax.Sequence((char("a"), char("b")))),
            (".", syntax.Chars(frozenset(range(256)) - {10, 13})),
            ("[]", syntax.Chars(frozenset())),
            ("[^]", syntax.Chars(frozenset(range(256)))),
            ("[a-c]", syntax.Chars(frozenset(b"abc"))),
            ("a|b|", syntax.Alternation((char("a"), char("b"), syntax.Sequence(())))),
            ("a*", syntax.Repeat(char("a"), 0, None)),
            ("a+?", syntax.Repeat(char("a"), 1, None, greedy=False)),
            ("a?", syntax.Repeat(char("a"), 0, 1)),
            ("a{2,}", syntax.Repeat(char("a"), 2, None)),
            ("a{2}{3}", syntax.Repeat(syntax.Repeat(char("a"), 2, 2), 3, 3)),
            ("(a)", syntax.Group(char("a"), 1)),
            ("(?:a)", char("a")),
            (
                r"((?:a)(b))\2",
                syntax.Sequence(
                    (
                        syntax.Group(syntax.Sequence((char("a"), syntax.Group(char("b"), 2))), 1),
                        syntax.BackReference(2),
                    )
                ),
            ),
            ("^", syntax.Assertion(syntax.AssertionKind.START)),
            ("$", syntax.Assertion(syntax.AssertionKind.END)),
            (r"\b", syntax.Assertion(syntax.AssertionKind.WORD_BOUNDARY)),
            (r"\B", syntax.Assertion(syntax.AssertionKind.NO_WORD_BOUNDARY)),
            ("(?=a)", syntax.LookAhead(char("a"))),
            ("(?!a)", syntax.LookAhead(char("a"), negative=True)),
        ],
    )
    def test_of_each_construct(self, text: str, tree: syntax.Node) -> None:
        assert parse_pattern(text).tree == tree

    def test_is_walked_in_the_order_of_the_text(self) -> None:
        tree = parse_pattern("(a|b)c*(?=d)").tree
        assert [node.members for node in syntax.walk(tree) if isinstance(node, syntax.Chars)] == [
            {97},
            {98},
            {99},
            {100},
        ]
        assert syntax.children(tree) == (
            syntax.Group(syntax.Alternation((char("a"), char("b"))), 1),
            syntax.Repeat(char("c"), 0, None),
            syntax.LookAhead(char("d")),
        )

    def test_can_be_hashed(self) -> None:
        assert len({parse_pattern(text).tree for text in ("(?:a)b", "ab", "[a]b", "a(b)")}) == 2


class TestPython:
    """The Python pattern that a tree is rendered to."""

    @pytest.mark.parametrize(
        ("text", "python"),
        [
            ("/get", "/get"),
            ("^/v[0-9]+/.*$", r"\A/v[0-9]+/[^\x0a\x0d]*\Z"),
            (r"\w\d\s", r"[0-9A-Z_a-z][0-9][\x09-\x0d\ ]"),
            (r"\W", r"[^0-9A-Z_a-z]"),
            ("[ab][^]", r"[ab][\x00-\xff]"),
            (r"[\x00-c]", r"[\x00-c]"),
            (r"[\x00-\x7f]", r"[\x00-\x7f]"),
            ("[]", r"[^\x00-\xff]"),
            ("(a)(b)c|d", r"(?:a)(?:b)c|d"),
            ("(?:a|b)c", "(?:a|b)c"),
            (r"(a)(b)\2", r"(?:a)(?P<g2>b)(?P=g2)"),
            (r"^(a)+?\1", r"\A(?P<g1>a)+(?P=g1)"),
            (r"^(?=(?:(a))+?\1)", r"\A(?=(?P<g1>a)+?(?P=g1))"),
            (r"(?!(a))\1", r"(?!(?P<g1>a))[^\x00-\xff]"),
            ("a*?b??c{2}d{2,}e{2,3}", "a*?b??c{2}d{2,}e{2,3}"),
            ("(?:ab)*", "(?:ab)*"),
            (r"\bget\B", r"(?a:\b)get(?!(?a:\b))"),
            (r"^(?=.*\ba)/", r"\A(?=[^\x0a\x0d]*(?a:\b)a)/"),
            (r"/(?=a\b)", r"/(?=a(?a:\b))"),
            ("a(?=b$)", r"a(?=b\Z)"),
        ],
    )
    def test_of_each_construct(self, text: str, python: str) -> None:
        assert parse_pattern(text).python == python

    def test_lets_the_text_begin_where_a_look_ahead_stands_in_the_first_attempt_only(self) -> None:
        boundary = parse_pattern(r"a(?=\bb)")
        assert boundary.search("ab")
        assert not boundary.search("xab")
        assert parse_pattern("a(?=^b)").search("ab")
        assert not parse_pattern("a(?=^b)").search(" ab")
        assert parse_pattern("(?:a(?=^b)|b)+c").python.startswith(r"\A(?:")


class TestMeaning:
    """Points in which dialects differ."""

    @pytest.mark.parametrize(
        ("text", "found", "missed"),
        [
            ("a$", "a", "a\n"),
            ("^a", "a", "\na"),
            ("a.b", "a\tb", "a\nb"),
            ("a.b", "a\x00b", "a\rb"),
            (r"^\w$", "_", "é"),
            (r"^\d$", "1", "\u0661"),
            (r"\s", "\v", "\u00a0"),
            ("^..$", "é", "e"),
            (r"\cA", "A", "\x01"),
            (r"\u0141", "A", "Ł"),
            (r"\u00e9", "\u9000", "é"),  # the byte E9 begins U+9000, while é is C3 A9
            (r"[\x80-a]", "é", "b"),
            (r"^(?:(a)|b)*\1", "aba", "ab"),
            (r"^(?:(a)|b)\1$", "aa", "b"),
            (r"\B", "", "a"),
        ],
    )
    def test_where_dialects_differ(self, text: str, found: str, missed: str) -> None:
        pattern = parse_pattern(text)
        assert pattern.search(found)
        assert not pattern.search(missed)


class TestRefusals:
    """Where, why, and what to write instead."""

    @pytest.mark.parametrize(
        ("text", "position", "reason"),
        [
            ("a(b", 1, "the group is not closed"),
            ("ab)", 2, "`)` closes no group"),
            ("a[b", 1, "the bracket is not closed"),
            ("a\\", 1, "the backslash escapes nothing"),
            ("*a", 0, "`*` has nothing to repeat"),
            ("(|+)", 2, "`+` has nothing to repeat"),
            ("a^*", 2, "`*` cannot repeat an assertion"),
            ("(?!a)?", 5, "`?` cannot repeat an assertion"),
            ("a{,3}", 1, "`{` starts no repetition"),
            ("a{1", 1, "`{` starts no repetition"),
            ("a{3,1}", 1, "the repetition ends below its beginning"),
            ("a{100000}", 1, "its automaton would have more than 100000 states"),
            ("(a{60000}b{60000})", 10, "its automaton would have more than 100000 states"),
            ("(?<=a)b", 0, "it cannot look behind"),
            ("b(?<!a)", 1, "it cannot look behind"),
            ("(?P<x>a)", 0, "named groups are unknown to it"),
            ("(?P=x)", 0, "named references are unknown to it"),
            ("(?i)a", 0, "inline flags are unknown to it"),
            ("(?i-m:a)", 0, "inline flags are unknown to it"),
            ("(?#a)", 0, "comments are unknown to it"),
            ("(?>a)", 0, "atomic groups are unknown to it"),
            ("a(?", 1, "`(?` is followed by none of `:`, `=` and `!`"),
            (r"a\1", 1, "no group of that number is closed before it"),
            (r"(a\1)", 2, "no group of that number is closed before it"),
            (r"\x4g", 0, r"`\x` is followed by too few hex digits"),
            (r"\u004", 0, r"`\u` is followed by too few hex digits"),
            (r"a\c", 1, r"`\c` needs a character"),
            ("[z-a]", 2, "the range ends before its beginning"),
            (r"[a-\xff]", 2, "the range ends before its beginning"),
            (r"[\w-.]", 3, "a range cannot start with a class"),
            (r"[a-\d]", 2, "a range cannot end with a class or a name"),
            ("[a-[.b.]]", 2, "a range cannot end with a class or a name"),
            (r"[a\B]", 2, r"`\B` has no meaning between brackets"),
            (r"(a)[\1]", 4, r"`\1` has no meaning between brackets"),
            ("[[:word:]]", 1, "there is no class `word`"),
            ("[[.dot.]]", 1, "there is no character named `dot`"),
            ("[[=ab=]]", 1, "there is no character named `ab`"),
            ("[[:alpha]", 1, "`[:` is not closed by `:]`"),
            ("]a[[:", 3, "`[:` is not closed by `:]`"),
            ("/é", 1, "U+00E9 is not ASCII, as paths and header values are"),
            (
                r"(?:(?=(a))b|a)\1",
                14,
                "what a look-ahead captured in group 1 may stem from a way that was given up",
            ),
            (r"^(?:()|\1a)*$", 7, "group 1 may be set by an iteration that matches nothing"),
            (
                r"^(a*)\1$",
                5,
                "with such a reference, a search may take time that grows with the power 2 of the length",
            ),
            (r"^((a)*)*\2", 8, "with such a reference, a search may take exponential time"),
            (
                r"(a{300})\1",
                8,
                "with such a reference, a search may take 1504 steps for each byte",
            ),
        ],
    )
    def test_name_the_place_and_the_reason(self, text: str, position: int, reason: str) -> None:
        error = refusal(text)
        assert (error.position, error.reason) == (position, reason)

    @pytest.mark.parametrize(
        ("text", "better"),
        [
            ("(?P<x>a)b", "(a)b"),
            ("(?<x>a)(?P<y>b)", "(a)(b)"),
            ("a(?#why)b", "ab"),
            ("a{,3}", "a{0,3}"),
            ("a{", r"a\{"),
            ("{a}/{b}", r"\{a}/\{b}"),
            ("*", ".*"),
            ("*.html", ".*.html"),
            ("?q=1", r"\?q=1"),
            ("a)", r"a\)"),
            ("a\\", r"a\\"),
            (r"[\w-.]", r"[\w\-.]"),
            (r"[a-\d]", r"[a\-\d]"),
            ("[[:]", r"[\[:]"),
            ("/é", "/%C3%A9"),
            ("é+中{2}", "(?:%C3%A9)+(?:%E4%B8%AD){2}"),
        ],
    )
    def test_propose_what_is_obvious(self, text: str, better: str) -> None:
        assert proposal(text) == better

    @pytest.mark.parametrize(
        "text",
        [
            "(?i)a",
            "(?<=a)b",
            "[é]",  # the encoded form is more than one character
            "(?P<x>a)(?P=x)",  # the reference has no number yet
            r"(?<x>a)\k<x>",  # which would then mean the letters
            "{(",
            "*(?i)",
            "{" * 17,  # more mistakes than one would mend
        ],
    )
    def test_propose_nothing_else(self, text: str) -> None:
        assert proposal(text) is None

    def test_read_as_one_line(self) -> None:
        assert str(refusal("a(?P<x>b)")) == (
            "expected a regular expression of the sidecar's dialect, found the string `a(?P<x>b)`; "
            "write `a(b)`: at position 1, named groups are unknown to it"
        )

    def test_can_be_pickled_with_their_data(self) -> None:
        error = pickle.loads(pickle.dumps(refusal("a(")))  # noqa: S301  # made in this line
        assert (error.position, error.reason, str(error)) == (
            1,
            "the group is not closed",
            str(refusal("a(")),
        )

    @pytest.mark.parametrize("value", [None, 5, b"/get", ["/get"]])
    def test_of_what_is_no_text_are_plain(self, value: Any) -> None:
        with pytest.raises(InvalidValue, match="expected a regular expression as a string, found"):
            parse_pattern(value)


class TestBounds:
    """No pattern is too much for the library; the bounds on size are the sidecar's where it has one."""

    def test_of_length(self) -> None:
        assert parse_pattern("a" * 4096).literal == "a" * 4096
        assert refusal("a" * 4097).position == 4096

    @pytest.mark.parametrize(("before", "after"), [("(", ")"), ("(?:a|", ")"), ("(?=", ")"), ("", "*")])
    def test_of_depth(self, before: str, after: str) -> None:
        assert parse_pattern(before * 100 + "a" + after * 100).search("aaa")
        assert "more than 100 groups and repetitions" in refusal(before * 101 + "a" + after * 101).reason

    def test_of_depth_where_every_level_is_composed(self) -> None:
        assert parse_pattern("(a|b(c" * 50 + "))" * 50).search("a")
        assert parse_pattern(r"(?:x(?=\ba|" * 50 + "b" + "))" * 50).search("x" * 50 + "b")

    @pytest.mark.parametrize(
        ("text", "limit"),
        [
            ("a{%d}", 99_993),
            ("(?:a|b){%d}", 14_283),
            ("x{0,%d}", 49_996),
            ("(a+?){%d,}", 19_996),
            ("(?:(?:a{3}){2,5}b?){%d}", 2_220),
        ],
    )
    def test_of_states_are_those_of_the_sidecar(self, text: str, limit: int) -> None:
        assert reads(text % limit)
        assert "states" in refusal(text % (limit + 1)).reason

    def test_of_states_come_before_those_of_steps(self) -> None:
        text = "(?:(?=a|(b))c*){%d}"
        assert "steps" in refusal(text % 6_665).reason
        assert "states" in refusal(text % 6_666).reason

    @pytest.mark.parametrize("opening", ["(", "[", "(?=", "(?:a|", "[[:", r"\x", "*", "{", "(?P<x>", "é"])
    def test_hold_for_any_number_of_mistakes(self, opening: str) -> None:
        assert not reads(opening * (4096 // len(opening)))


def is_read(pattern: Pattern) -> bool:
    try:
        object.__getattribute__(pattern, "tree")
    except AttributeError:
        return False
    return True


class TestPattern:
    """A pattern as a value."""

    def test_is_its_text(self) -> None:
        assert parse_pattern("/get") == Pattern("/get")
        assert hash(parse_pattern("/get")) == hash(Pattern("/get"))
        assert parse_pattern("a") != parse_pattern("(?:a)")
        assert repr(parse_pattern("/get")) == "Pattern('/get')"

    def test_never_changes(self) -> None:
        with pytest.raises(AttributeError):
            parse_pattern("/get").text = "/put"  # type: ignore[misc]  # that is the point

    def test_is_made_once(self) -> None:
        pattern = parse_pattern("/get/.*")
        assert parse_pattern("/get/.*") is pattern
        for part in ("tree", "python", "cost", "find"):
            assert getattr(pattern, part) is getattr(pattern, part)

    def test_is_read_when_it_is_needed_unless_it_is_plain(self) -> None:
        assert not is_read(Pattern("^/v[0-9]+/.*$"))
        assert is_read(Pattern("a|b"))

    def test_finds_what_it_searches(self) -> None:
        assert parse_pattern("/get").find("/get?x=1")
        assert not parse_pattern("/get").find("/put")
        assert Pattern.of_bytes("é").find(searchable("/café"))

    def test_knows_what_it_costs_the_sidecar(self) -> None:
        assert parse_pattern("^/v[0-9]+/.*$").cost.degree == 1
        assert parse_pattern("/api/.*/users").cost.degree == 2
        assert parse_pattern("(a+)+$").cost.degree == inf

    @pytest.mark.parametrize("used", [False, True])
    def test_survives_copies(self, used: bool) -> None:
        pattern = parse_pattern("(" * 100 + "a" + ")" * 100)
        assert pattern.search("a") or not used
        for other in (pickle.loads(pickle.dumps(pattern)), copy.copy(pattern), copy.deepcopy(pattern)):  # noqa: S301  # made in this line
            assert other == pattern
            assert other.tree == pattern.tree
            assert other.search("a")

    @pytest.mark.parametrize(
        ("text", "everything"),
        [
            ("", True),
            (".*", True),
            ("/*", True),
            ("^.*", True),
            (".*$", True),
            ("a|(b?)", True),
            ("(?:^)(x*)", True),
            ("^$", False),
            ("^.*$", False),  # not found in a text of two lines
            (".", False),
            (r"\b", False),
            ("(?!a)", False),
            (r"()\1", False),
            ("a{2,}", False),
        ],
    )
    def test_knows_when_it_is_found_everywhere(self, text: str, everything: bool) -> None:
        assert parse_pattern(text).matches_everything is everything

    @pytest.mark.parametrize(
        ("text", "literal"),
        [
            ("", ""),
            ("a", "a"),
            (r"/get\?x=1", "/get?x=1"),
            (r"[.]\x41\n", ".A\n"),
            (r"\xe9", None),
            ("a.", None),
            ("^a", None),
            ("(a)", None),
            ("ab*", None),
        ],
    )
    def test_knows_when_it_is_a_literal(self, text: str, literal: str | None) -> None:
        assert parse_pattern(text).literal == literal


def test_searchable_texts_are_bytes() -> None:
    assert searchable("/get") == "/get"
    assert searchable("é") == "Ã©"
    assert searchable("\ud800") == "í\xa0\x80"


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Patterns of the subset that Python and the sidecar read alike, but for newlines and characters."""
    atoms = st.sampled_from(["a", "b", "/", ".", r"\.", "[ab]", "[^a]", "[a-c]", r"\d", r"\w"])
    lines = st.sampled_from(["^", "$"])
    grown = st.recursive(
        atoms | lines,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map("".join),
            st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
            st.builds(
                "(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"])
            ),
            st.builds("(?{}{})".format, st.sampled_from("=!"), atoms),
        ),
        max_leaves=6,
    )
    return draw(grown)


LINES = st.text(alphabet="abc/.1_- ", max_size=8)
TEXTS = st.text(alphabet="ab/1 \n\ré中\x00", max_size=6)
SYNTAX = st.text(alphabet=r"ab01,^$\.*+?()[]{}|:=!<>P-dwBbxuc", max_size=12)


class TestLaws:
    """What holds for all patterns and all texts."""

    @given(st.one_of(st.text(), SYNTAX))
    @settings(max_examples=examples(300))
    @example("[a-\\")
    def test_any_text_is_a_pattern_or_refused_at_a_place_inside(self, text: str) -> None:
        outcome = pattern_or_error(text)
        if isinstance(outcome, PatternError):
            assert 0 <= outcome.position < len(text)
            assert f"at position {outcome.position}, {outcome.reason}" in str(outcome)
        else:
            assert outcome.search("a/b") == bool(re.search(outcome.python, "a/b"))

    @given(SYNTAX)
    @settings(max_examples=examples(300))
    @example("(?P<x>a){,3}*{")
    def test_what_is_proposed_is_a_pattern(self, text: str) -> None:
        outcome = pattern_or_error(text)
        better = outcome.problems[0].proposal if isinstance(outcome, PatternError) else None
        assert better is None or reads(better)

    @given(patterns(), LINES)
    @settings(max_examples=examples(200))
    def test_common_patterns_mean_the_same_to_python(self, text: str, line: str) -> None:
        assert parse_pattern(text).search(line) == bool(re.search(text, line))

    @given(patterns())
    def test_rendering_is_a_function_of_the_text(self, text: str) -> None:
        first, second = Pattern(text), Pattern(text)
        assert (first.tree, first.python) == (second.tree, second.python)

    @given(patterns())
    def test_a_repr_can_be_read_back(self, text: str) -> None:
        assert eval(repr(Pattern(text))) == Pattern(text)  # noqa: S307  # that is what the law says

    @given(patterns(), TEXTS)
    def test_a_group_changes_nothing(self, text: str, line: str) -> None:
        found = Pattern(text).search(line)
        assert Pattern(f"(?:{text})").search(line) == found
        assert Pattern(f"({text})").search(line) == found

    @given(patterns(), patterns(), TEXTS)
    def test_an_alternation_is_found_where_one_option_is(self, left: str, right: str, line: str) -> None:
        found = Pattern(left).search(line) or Pattern(right).search(line)
        assert Pattern(f"{left}|{right}").search(line) == found

    @given(st.binary(min_size=1, max_size=6), TEXTS)
    def test_escaped_bytes_are_found_as_bytes(self, needle: bytes, line: str) -> None:
        pattern = Pattern("".join(rf"\x{byte:02x}" for byte in needle))
        assert pattern.search(line) == (needle in line.encode())

    @given(st.text())
    def test_any_byte_counts_bytes(self, line: str) -> None:
        size = len(line.encode("utf-8", "surrogatepass"))
        assert Pattern(f"^[^]{{{size}}}$").search(line)
        assert not Pattern(f"^[^]{{{size + 1}}}").search(line)

    @given(st.sets(st.sampled_from("abc019-]^\\[ ")), st.characters(max_codepoint=127))
    def test_a_negated_class_is_the_complement(self, members: set[str], letter: str) -> None:
        inside = "".join(f"\\{member}" if member in "]^-[\\" else member for member in members)
        assert Pattern(f"[{inside}]").search(letter) == (letter in members)
        assert Pattern(f"[^{inside}]").search(letter) == (letter not in members)

    @given(patterns(), st.text())
    @example("^.*", "\n")
    def test_what_matches_everything_is_found_in_every_text(self, text: str, line: str) -> None:
        pattern = Pattern(text)
        assert pattern.search(line) or not pattern.matches_everything

    @given(st.text(alphabet="ab1^$.*{}[](|)?+\\/", max_size=3), TEXTS)
    def test_an_escaped_text_is_found_where_it_is_contained(self, text: str, line: str) -> None:
        pattern = Pattern(escaped(text))
        assert pattern.search(line) == (text in line)
        assert pattern.search(f"{line}{text}")

    @given(st.text(alphabet="ab/", max_size=3), TEXTS)
    def test_a_literal_is_found_where_it_is_contained(self, text: str, line: str) -> None:
        pattern = Pattern(text)
        assert pattern.literal == text
        assert pattern.search(line) == (text in line)
