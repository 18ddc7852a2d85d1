"""A text in which patterns are found as wanted: it is given if there is one, and else proved not to be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import TypeAlias

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from thoroughness import examples

from fsm_egress.connections.payloads import HTTPRequest
from fsm_egress.patterns import Pattern, PatternError
from fsm_egress.patterns.automata import TRIED, Effort, Texts, Undecided, witness
from fsm_egress.patterns.core import core
from fsm_egress.patterns.search import Reading
from fsm_egress.values.errors import FSMEgressError, InvalidValue

Wanted: TypeAlias = list[tuple[Pattern, bool]]

PATH, VALUE, HOST = Texts
SMALL = {PATH: "/ab1_é", VALUE: "/ab1_ \té", HOST: "/ab1_é"}
LENGTHS = {PATH: range(1, 5), VALUE: range(5), HOST: range(5)}


def size(text: str, texts: Texts) -> tuple[bool, int, list[int]]:
    """By what texts of the small alphabet are compared."""
    return (
        texts is PATH and not text.startswith("/"),
        len(text.encode()),
        [SMALL[texts].index(char) for char in text],
    )


BRUTE_FORCE = {
    texts: sorted(
        ("".join(chars) for length in LENGTHS[texts] for chars in product(SMALL[texts], repeat=length)),
        key=lambda text: size(text, texts),
    )
    for texts in Texts
}


def pairs(*texts: str) -> Wanted:
    """Patterns that are wanted, and after a `!`, that are not."""
    return [(Pattern(text.removeprefix("!")), not text.startswith("!")) for text in texts]


def comes_out(text: str, wanted: Wanted) -> bool:
    return all(pattern.search(text) is found for pattern, found in wanted)


def request(text: str, texts: Texts) -> HTTPRequest:
    if texts is PATH:
        return HTTPRequest(path=text)
    return HTTPRequest(host=text) if texts is HOST else HTTPRequest(headers={"x": text})


class TestPaths:
    """Paths in which patterns are found as wanted."""

    @pytest.mark.parametrize(
        ("wanted", "path"),
        [
            ([], "/"),
            (["/get"], "/get"),
            (["get"], "/get"),
            (["^get"], "get"),
            (["/get", "!/get/x"], "/get"),
            (["/get/x", "!/get"], None),
            (["^/get$", "!get"], None),
            (["/get", "!^/get$"], "//get"),
            (["/get$", "!/get$"], None),
            (["^a|b$"], "/b"),
            (["^(?:a|b)$"], "a"),
            ([r"\bfoo\b"], "/foo"),
            ([r"\bfoo\b", "!/foo"], "/-foo"),
            ([r"\Ba"], "/aa"),
            ([r"a\Bb$", r"!/\ba"], "/bab"),
            ([r"\B$", r"\B[ab]"], "/aa/"),
            ([r"[^\x00-\x7f]"], "/é"),
            ([r"^[^\x00-\x7f]"], "é"),
            ([r"\x80"], "/À"),
            ([r"^\x80"], None),
            (["[[:alpha:]]"], "/a"),
            (["a{2,3}"], "/aa"),
            (["a{2,3}$", "!a{3}"], "/aa"),
            (["(?:ab){2,}", "!^/"], "abab"),
            (["/[a-z]+$", "!^/[a-y]*$"], "/z"),
            (["(?:){3}a*?$", "!a|/$"], "/b"),
            (["$^"], None),
            ([" "], None),
            ([r"\t|\x7f|\x00"], None),
            (["[]"], None),
            (["a[]|b"], "/b"),
            (["!^/"], "a"),
            ([".*", "!(?:)", "a"], None),
            (["!^", "a"], None),
            (["^", "!."], None),
            ([r"!\W"], "a"),
        ],
    )
    def test_are_the_smallest(self, wanted: list[str], path: str | None) -> None:
        assert witness(pairs(*wanted), PATH) == path

    def test_may_be_asked_for_with_a_pattern_twice(self) -> None:
        assert witness(pairs("a", "a"), PATH) == "/a"
        assert witness(pairs("a", "!a"), PATH) is None

    def test_are_found_among_a_hundred_routes(self) -> None:
        others = [f"!/a{number * 7919 % 1000}x{number}" for number in range(100)]
        assert witness(pairs(*others, "/zip"), PATH) == "/zip"
        assert witness(pairs(*others, "^/a[0-9]+x9$"), PATH) == "/a0x9"
        assert witness(pairs(*others, "^/a271x9"), PATH) is None

    def test_are_the_same_for_all_threads(self) -> None:
        wanted = pairs(r"^/(?:a|b)*a(?:a|b){5}\b", "!bb", "!/aaa", "c(?:d|e){3}d$")
        with ThreadPoolExecutor(4) as threads:
            paths = set(threads.map(lambda _: witness(wanted, PATH), range(8)))
        assert paths == {"/aabaaa/cdddd"}


class TestValuesAndHosts:
    """Header values and hosts."""

    @pytest.mark.parametrize(
        ("wanted", "texts", "text"),
        [
            ([], VALUE, ""),
            ([], HOST, ""),
            (["$^"], VALUE, ""),
            ([r"^\B$"], VALUE, ""),
            ([r"\b"], VALUE, "a"),
            (["."], HOST, "/"),
            (["[ ]a"], VALUE, " a"),
            ([r"\s", "!^[ ]"], VALUE, "\t"),
            (["[ ]"], HOST, None),
            ([r"\n"], VALUE, None),
            (["^[a-z]+$", "!a"], VALUE, "b"),
        ],
    )
    def test_are_the_smallest(self, wanted: list[str], texts: Texts, text: str | None) -> None:
        assert witness(pairs(*wanted), texts) == text

    @pytest.mark.parametrize(
        ("wanted", "avoid", "host"),
        [
            ([], {"a.com"}, ""),
            ([], {"", "/", "a"}, "b"),
            (["^[ab]$"], {"a"}, "b"),
            (["^[ab]$"], {"a", "B"}, None),
            (["^[aA]$"], {"a"}, None),
            (["^[a-zA-Z]{3}[.]com$"], {"aaa.com", "AAB.com"}, "aac.com"),
            (["é"], {"é"}, "/é"),
            (["^é"], {"é", "É"}, "é/"),
        ],
    )
    def test_that_are_listed_do_not_count(self, wanted: list[str], avoid: set[str], host: str | None) -> None:
        spelled = [text.replace("é", r"\xc3\xa9") for text in wanted]
        assert witness(pairs(*spelled), HOST, frozenset(avoid)) == host

    def test_that_are_listed_in_other_letters_do_not_count(self) -> None:
        kelvin = pairs(r"^\xe2\x84\xaa$")
        assert witness(kelvin, HOST) == "\N{KELVIN SIGN}"
        assert witness(kelvin, HOST, frozenset({"k"})) is None
        assert witness(pairs(r"^\xe2\x84"), HOST, frozenset({"\u2129"})) == "\u2100"


class TestLooksAndReferences:
    """What is not regular."""

    @pytest.mark.parametrize(
        ("wanted", "path"),
        [
            (["^/(?!get)", "get"], "//get"),
            (["^/(?!get)", "^/get"], None),
            (["(^/(?!get))", "^/ge"], "/ge"),
            (["!^/(?!get)", "^/"], "/get"),
            (["^(?=.*foo)(?=.*bar)/"], "/barfoo"),
            (["^/[a-z]{2}(?=x)(?!.y)", "y"], "/ayx"),
            (["!^/a(?!b)", "!^/b(?!c)", "^/.", "!//"], "/c"),
            (["!^/a(?!b)", "!^/b(?!c)", "^/[ab]"], "/ab"),
            # there is more than one place from which these look: their texts are tried
            (["a(?!b)", "^a"], "a"),
            (["a(?!b)b"], Undecided),
            (["a(?=b)"], "/ab"),
            (["^/?(?!/)", "^//"], Undecided),
            (["!^/?(?!/)", "^/"], "//"),
            (["!^/?(?!/)", "!^/"], Undecided),
            (["^(?:a|b)(?=c)$"], None),
            (["^(?:a|b)(?=b)."], "ab"),
            (["(?=a)^"], "a"),
            (["^(?=(a)b)", "b"], "ab"),
            (["^a(?=^b)", "b"], "ab"),
            (["^(.)(?!.?x)(?!\\1).$"], "/a"),
            ([r"(a|b)\1$", "!aa"], "/bb"),
            ([r"(^a)/\1"], "a/a"),
            ([r"((a)\2)\1b", "!aaaaa"], "/aaaab"),
            ([r"(?=(a))\1b$", "!/ab"], "/aab"),
            ([r"^(?=(a|b))c\1$"], None),
            ([r"^(a|b)\1$", "b"], "bb"),
            ([r"!(a)\1", "^a"], "a"),
        ],
    )
    def test_is_asked_of_texts_where_automata_cannot_tell(
        self, wanted: list[str], path: str | type[Undecided] | None
    ) -> None:
        if path is Undecided:
            with pytest.raises(Undecided, match="stand against all texts tried"):
                witness(pairs(*wanted), PATH)
        else:
            assert witness(pairs(*wanted), PATH) == path

    def test_is_only_tried_where_it_comes_out_in_too_many_ways(self) -> None:
        missed = [f"!^/{letter}(?!x)" for letter in "abcdefg"]
        assert witness(pairs(*missed, "^/[a-g]"), PATH) == "/ax"
        assert witness(pairs(*missed, "!^"), PATH) is None


# 2**15 states, 2**14, and what it takes to have two more than are allowed: the last is that of the answer.
MANY_STATES = "^(?:x(?:a|b)*a(?:a|b){14}|y(?:a|b)*a(?:a|b){13})c{849}$"


class TestBounds:
    """What takes too long is not decided."""

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (MANY_STATES, "the patterns have too many states together"),
            (r"a{3000}\B", "the patterns have too many states together"),
        ],
    )
    def test_are_named(self, text: str, reason: str) -> None:
        with pytest.raises(FSMEgressError) as caught:
            witness(pairs(text), VALUE)
        assert (type(caught.value), str(caught.value)) == (Undecided, reason)

    @pytest.mark.parametrize("look", ["(?=.*", "(?!.*"])
    def test_hold_for_the_steps_of_all_texts_that_are_tried(
        self, look: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pattern = Pattern(look * 60 + "a" + ")" * 60)
        tried: list[int] = []
        reading = Reading.of(core(pattern.tree))
        monkeypatch.setattr(Pattern, "search", lambda _, text: tried.append(len(text.encode()) + 1))
        with pytest.raises(Undecided, match="to try texts takes too many steps"):
            witness([(pattern, True), (Pattern("b"), False)], PATH)
        assert 1 < len(tried) < 600
        assert sum(tried) * reading.steps < TRIED

    def test_may_be_for_several_questions_together(self) -> None:
        effort = Effort(50)
        wanted = pairs("^/[a-z]+$", "!^/a")
        found: list[object] = []
        with pytest.raises(Undecided, match="too many states for all questions about them"):
            found.extend(iter(lambda: witness(wanted, PATH, effort=effort), None))
        assert set(found) == {"/b"}
        assert 1 < len(found) < 10
        assert effort.left <= 0
        assert witness(wanted, PATH) == "/b"

    def test_do_not_stand_against_large_patterns(self) -> None:
        assert witness(pairs("a{1000}"), VALUE) == "a" * 1000
        assert witness(pairs("a{1000}", "!b"), VALUE) == "a" * 1000
        assert witness(pairs("(?:a?){5000}[xy]", "!x", "!y"), VALUE) is None

    def test_leave_the_next_question_as_it_is(self) -> None:
        large = pairs("(?:a|b)*a(?:a|b){11}$", "!a{4}|b{4}", "c")
        assert [witness(large, HOST) for _ in range(2)] == ["caaabaaabaaab"] * 2


def regular_texts() -> st.SearchStrategy[str]:
    atoms = st.sampled_from(
        ["a", "b", "/", ".", "[ab]", "[^a]", r"\d", r"\w", r"\W", r"[^\x00-\x7f]", r"\xa9"]
    )
    places = st.sampled_from(["^", "$", r"\b", r"\B", ""])
    signs = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "{0}"])
    return st.recursive(
        atoms | atoms | places,
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=3).map("".join),
            st.lists(inner, min_size=2, max_size=3).map("|".join).map("({})".format),
            st.builds("(?:{}){}".format, inner, signs),
        ),
        max_leaves=6,
    )


SIGNS = st.sampled_from("=!")
REGULAR = regular_texts()
LOOKING_ONCE = st.builds("^{}(?{}a{}){}".format, st.sampled_from(["", "a", "[ab]/"]), SIGNS, REGULAR, REGULAR)
IRREGULAR = st.one_of(
    st.builds("{}(?{}{}){}".format, REGULAR, SIGNS, REGULAR, REGULAR),
    st.builds("({}){}\\1{}".format, REGULAR, REGULAR, REGULAR),
    st.builds(r"({}(a|b)\2|{})".format, st.sampled_from(["", "^", "b"]), REGULAR),
)


@st.composite
def questions(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> Wanted:
    wanted: dict[Pattern, bool] = {}
    for text in draw(st.lists(texts, min_size=1, max_size=3)):
        try:
            wanted[Pattern(text)] = draw(st.booleans())
        except PatternError:
            assume(False)
    return list(wanted.items())


class TestLaws:
    """What holds for all patterns, judged by all short texts of a small alphabet."""

    @given(questions(REGULAR | LOOKING_ONCE), st.sampled_from(Texts))
    @settings(max_examples=examples(200))
    def test_the_smallest_text_is_found_if_there_is_one(self, wanted: Wanted, texts: Texts) -> None:
        text = witness(wanted, texts)
        smallest = next((text for text in BRUTE_FORCE[texts] if comes_out(text, wanted)), None)
        if text is None:
            assert smallest is None
        else:
            assert request(text, texts)
            assert comes_out(text, wanted)
            assert smallest is None or size_of(text, texts) <= size_of(smallest, texts)
            assert text == smallest or text not in BRUTE_FORCE[texts]

    @given(questions(REGULAR | LOOKING_ONCE | IRREGULAR), st.sampled_from(Texts))
    @settings(max_examples=examples(80))
    @example(pairs(r"(^a)b\1"), VALUE)
    @example(pairs(r"^(a\b/)\1", "!aa"), VALUE)
    def test_nothing_is_proved_that_is_not_so(self, wanted: Wanted, texts: Texts) -> None:
        try:
            text = witness(wanted, texts)
        except Undecided:
            return
        if text is None:
            assert not any(comes_out(text, wanted) for text in BRUTE_FORCE[texts])
        else:
            assert request(text, texts)
            assert comes_out(text, wanted)

    @given(st.sets(st.sampled_from(BRUTE_FORCE[HOST][:300])), questions(REGULAR))
    def test_texts_to_avoid_are_none_of_the_texts(self, avoid: set[str], wanted: Wanted) -> None:
        text = witness(wanted, HOST, frozenset(avoid))
        others = (text for text in BRUTE_FORCE[HOST] if text not in avoid)
        smallest = next((text for text in others if comes_out(text, wanted)), None)
        assert text not in avoid
        assert text == smallest or text not in BRUTE_FORCE[HOST]

    @given(st.text(alphabet="aAbBéÉK", max_size=4))
    def test_texts_to_avoid_are_compared_in_lower_case(self, text: str) -> None:
        whole = "".join(rf"\x{byte:02x}" for byte in text.encode())
        for avoid in (text, text.lower(), text.swapcase()):
            expected = None if avoid.lower() == text.lower() else text
            assert witness(pairs(f"^{whole}$"), HOST, frozenset({avoid})) == expected

    @given(st.one_of(st.binary(min_size=1, max_size=4), st.text(max_size=2).map(str.encode)))
    @example(b"\xed\xa0\x80")
    @example(b"\xf4\x90\x80\x80")
    @example(b"\xe0\x9f\x80")
    @example("\ud7ff\U0010ffff".encode())
    def test_exactly_unicode_texts_count_that_requests_may_have(self, content: bytes) -> None:
        whole = pairs("^" + "".join(rf"\x{byte:02x}" for byte in content) + "$")
        for texts in Texts:
            assert witness(whole, texts) == readable(content, texts)

    @pytest.mark.parametrize("first", [0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF])
    @pytest.mark.parametrize("last", [0x7F, 0x80, 0xBF, 0xC0])
    def test_exactly_the_bytes_of_one_character_come_together(self, first: int, last: int) -> None:
        for second in (0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xC0):
            for content in ([first, second], [first, second, last]):
                whole = pairs("^" + "".join(rf"\x{byte:02x}" for byte in content) + "$")
                assert witness(whole, PATH) == readable(bytes(content), PATH)

    @pytest.mark.parametrize("first", [0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF])
    @pytest.mark.parametrize("last", [0x7F, 0x80, 0xBF, 0xC0])
    def test_so_do_those_of_one_beyond_all_planes_but_the_first(self, first: int, last: int) -> None:
        for second in (0x7F, 0x80, 0x8F, 0x90, 0xBF, 0xC0):
            for content in ([first, second, last], [first, second, 0x80, last], [first, second, last, 0xBF]):
                whole = pairs("^" + "".join(rf"\x{byte:02x}" for byte in content) + "$")
                assert witness(whole, PATH) == readable(bytes(content), PATH)

    @pytest.mark.parametrize("texts", Texts)
    def test_exactly_ascii_characters_count_that_requests_may_have(self, texts: Texts) -> None:
        for byte in range(128):
            assert witness(pairs(rf"^\x{byte:02x}$"), texts) == readable(bytes([byte]), texts)


def size_of(text: str, texts: Texts) -> tuple[bool, int]:
    return texts is PATH and not text.startswith("/"), len(text.encode())


def readable(content: bytes, texts: Texts) -> str | None:
    try:
        text = content.decode()
        request(text, texts)
    except (UnicodeDecodeError, InvalidValue):
        return None
    return text
