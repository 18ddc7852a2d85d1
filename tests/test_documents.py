"""Texts as trees with places: what is read, what is refused, and where."""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fsm_egress import documents
from fsm_egress.documents import MAX_DEPTH, MAX_DIGITS, excess, is_disputed, read_text
from fsm_egress.errors import MissingExtra
from fsm_egress.references import Mark

if TYPE_CHECKING:
    from collections.abc import Mapping

DISPUTED = 'expected a scalar of one meaning, found `{}`; write `"{}"`: YAML 1.1 and 1.2 read it differently'
TRUTH = (
    'expected a scalar of one meaning, found `{}`; write `"{}"`:'
    " or `{}`, as YAML 1.1 and 1.2 read it differently"
)
NO_TAG = "expected no tag, found `{}`: objects are never constructed"
TOO_DEEP = f"expected at most {MAX_DEPTH} levels, found more"
TOO_LONG = f"expected a number of at most {MAX_DIGITS} digits, found one of {{}}"
SURROGATE = "expected a string of Unicode characters, found half of one, a lone surrogate"


@pytest.fixture(params=["C parser", "Python parser"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two parsers of PyYAML."""
    if request.param == "Python parser":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    name: str = request.param
    return name


def read(text: str | bytes, name: str = "a.yaml") -> tuple[list[Any], list[str]]:
    """The values of a text's documents, and all that is wrong with it."""
    found, problems = read_text(text, name)
    inside = [str(problem) for document in found for problem in document.problems]
    return [document.value for document in found], inside + [str(problem) for problem in problems]


def problems_of(text: str | bytes, name: str = "a.yaml") -> list[str]:
    return read(text, name)[1]


def marks_of(text: str, name: str) -> Mapping[str, Mark]:
    ((document,), _) = read_text(text, name)
    return document.marks() if callable(document.marks) else document.marks


# --- what is read ----------------------------------------------------------------------------------------


def test_json_is_read_by_its_name_or_by_its_looks() -> None:
    text = '{"a": [1, 2.5, true, null, "x"]}'
    expected = [{"a": [1, 2.5, True, None, "x"]}]
    assert read(text, "a.json") == read(text, "<text>") == (expected, [])
    assert read(" \n [1]", "<text>") == ([[1]], [])


def test_flow_yaml_that_looks_like_json_is_read_as_yaml() -> None:
    assert read("{a: [b, c]}", "<text>") == ([{"a": ["b", "c"]}], [])


@pytest.mark.usefixtures("parser")
def test_every_document_of_a_yaml_text_is_read() -> None:
    assert read("a: 1\n---\n---\n- b\n...\n---\nc\n") == ([{"a": 1}, None, ["b"], "c"], [])
    assert read("") == read("# nothing\n") == ([], [])


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("0", 0),
        ("-17", -17),
        ("+3", 3),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1.5e+3", 1500.0),
        ("1.0e-07", 1e-07),
        ("'yes'", "yes"),
        ('"017"', "017"),
        ("!!str 1", "1"),
        ("! 12", "12"),
        ('!!int "3"', 3),
        ("!!float 1", 1),
        ("!!float 1.5", 1.5),
        ("!!bool true", True),
        ("!!null ''", None),
        ("!!seq [a]", ["a"]),
        ("!!map {a: b}", {"a": "b"}),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("a:b", "a:b"),
        ("2001:db8::1", "2001:db8::1"),
        ("80:8080", "80:8080"),
        ("|\n   a\n   b\n", "a\nb\n"),
        (">-\n   a\n   b\n", "a b"),
        ("é☃𝄞", "é☃𝄞"),
    ],
)
def test_scalars_of_one_meaning_are_read(text: str, value: Any) -> None:
    values, problems = read(f"x: {text}")
    assert problems == []
    assert values == [{"x": value}]
    assert type(values[0]["x"]) is type(value)


@pytest.mark.usefixtures("parser")
def test_anchors_and_aliases_stand_for_their_values() -> None:
    text = "a: &a [1, &s x]\nb: *a\n&k key: *s\n? *k\n: 1\n"
    assert problems_of(text) == ["a.yaml:4:3: key: expected each key once, found it again, after line 3"]
    assert read("a: &a [1, &s x]\nb: *a\n*s : 1\n") == ([{"a": [1, "x"], "b": [1, "x"], "x": 1}], [])


@pytest.mark.usefixtures("parser")
def test_an_anchor_counts_until_its_name_is_given_again() -> None:
    assert read("a: &a 1\nb: *a\nc: &a 2\nd: *a\n")[0] == [{"a": 1, "b": 1, "c": 2, "d": 2}]
    assert problems_of("a: &a 1\nb: &a [*a]\n") == [
        "a.yaml:2:8: expected an alias of a value that is complete, found `*a`"
    ]


@pytest.mark.usefixtures("parser")
def test_a_version_directive_changes_nothing() -> None:
    assert read("%YAML 1.1\n---\na: 017\n") == read("%YAML 1.2\n---\n\na: 017\n".replace("\n\n", "\n"))


# --- places ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parser")
def test_yaml_values_have_their_places() -> None:
    text = "# first\na:\n  b: [x, {c: 1}]\n  d:\n    - e\n    - f: 2\n"
    assert marks_of(text, "a.yaml") == {
        "": Mark(2, 1),
        "a": Mark(2, 1),
        "a.b": Mark(3, 3),
        "a.b[0]": Mark(3, 7),
        "a.b[1]": Mark(3, 10),
        "a.b[1].c": Mark(3, 14),
        "a.d": Mark(4, 3),
        "a.d[0]": Mark(5, 7),
        "a.d[1]": Mark(6, 7),
        "a.d[1].f": Mark(6, 10),
    }


def test_json_values_have_their_places() -> None:
    text = '{"a":\n {"b": [10, {"c": "x,]"}],\r\n  "d\\"": "é\\\\", "e": []}}'
    assert marks_of(text, "a.json") == {
        "": Mark(1, 1),
        "a": Mark(1, 2),
        "a.b": Mark(2, 3),
        "a.b[0]": Mark(2, 9),
        "a.b[1]": Mark(2, 13),
        "a.b[1].c": Mark(2, 19),
        'a.d"': Mark(3, 10),
        "a.e": Mark(3, 17),
    }


def test_a_json_scalar_and_a_json_list_have_places_too() -> None:
    assert marks_of(" 1", "a.json") == {"": Mark(1, 2)}
    assert marks_of("[[], 2]", "a.json") == {"": Mark(1, 1), "[0]": Mark(1, 2), "[1]": Mark(1, 6)}


# --- encodings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a: 1\nb: \xff\n", "a.yaml:2:4: expected UTF-8, found the byte `0xff`"),
        ("é: ".encode() + b"\xe2\x82", "a.yaml:1:4: expected UTF-8, found the byte `0xe2`"),
        (b"\xed\xa0\x80", "a.yaml:1:1: expected UTF-8, found the byte `0xed`"),
        ("a: 1".encode("utf-16"), "a.yaml: expected UTF-8, found UTF-16"),
        ("\ufeffa".encode("utf-16-be"), "a.yaml: expected UTF-8, found UTF-16"),
        ("a: 1\n \udc80", "a.yaml:2:2: expected Unicode, found the lone surrogate `U+DC80`"),
        (
            "a: 1\nb: \0",
            "a.yaml:2:4: expected YAML without control characters, found the character `U+0000`",
        ),
        ("a: \x1b[0m", "a.yaml:1:4: expected YAML without control characters, found the character `U+001B`"),
        (
            b"a: \xef\xbf\xbf",
            "a.yaml:1:4: expected YAML without control characters, found the character `U+FFFF`",
        ),
    ],
)
def test_a_text_is_utf_8_without_control_characters(text: str | bytes, problem: str) -> None:
    assert read(text) == ([], [problem])


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "<text>"])
def test_a_byte_order_mark_is_no_part_of_the_text(name: str) -> None:
    assert read(b'\xef\xbb\xbf{"a": 1}', name) == read('\ufeff{"a": 1}', name) == ([{"a": 1}], [])


def test_a_control_character_in_a_json_string_is_an_error() -> None:
    assert problems_of('{"a": "\0"}', "a.json") == ["a.json:1:8: expected JSON: invalid control character at"]


@pytest.mark.parametrize("text", ['"\\ud800"', '"x\\udfff"', '{"\\udc00": 1}', '"\\ud83d\\ud83d\\ude00"'])
def test_half_a_character_in_json_is_an_error(text: str) -> None:
    (problem,) = problems_of(text, "a.json")
    assert problem.endswith(SURROGATE)


def test_whole_characters_are_read_from_their_halves() -> None:
    assert read('"\\ud83d\\ude00"', "a.json") == (["😀"], [])
    assert read('"\\\\ud800"', "a.json") == (["\\ud800"], [])


@pytest.mark.usefixtures("parser")
def test_half_a_character_in_yaml_is_an_error() -> None:
    (problem,) = problems_of('a: "\\ud800"')
    assert problem.startswith("a.yaml:1:") or problem == f"a.yaml:1:4: a: {SURROGATE}"


@pytest.mark.usefixtures("parser")
def test_a_character_beyond_all_is_an_error() -> None:
    (problem,) = problems_of('a: "\\UFFFFFFFF"')
    assert "expected YAML: " in problem


def test_the_python_parser_reports_what_it_does_not_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert problems_of('a: "\\UFFFFFFFF"') == [
        "a.yaml: expected YAML: a number in an escape or a directive is out of range"
    ]
    assert problems_of('a: "\\ud800"') == [f"a.yaml:1:4: a: {SURROGATE}"]


# --- grammar ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a.json:1:1: expected JSON: expecting value"),
        ('{"a": 1,}', "a.json:1:9: expected JSON: expecting property name enclosed in double quotes"),
        ('{"a": 1\n "b": 2}', "a.json:2:2: expected JSON: expecting ',' delimiter"),
        ("{} {}", "a.json:1:4: expected JSON: extra data"),
    ],
)
def test_broken_json_is_an_error(text: str, problem: str) -> None:
    found = read(text, "a.json")
    if sys.version_info >= (3, 13) and text == '{"a": 1,}':
        problem = "a.json:1:8: expected JSON: illegal trailing comma before end of object"
    assert found == ([], [problem])


@pytest.mark.usefixtures("parser")
def test_broken_yaml_keeps_the_documents_before_it() -> None:
    values, (problem,) = read("a: 1\n---\nb: [1\nc: 2\n")
    assert values == [{"a": 1}]
    assert problem.startswith("a.yaml:4:")
    assert ": expected YAML: while parsing a flow sequence" in problem


def test_a_yaml_error_without_a_place_names_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise yaml.MarkedYAMLError(problem="no more")

    monkeypatch.setattr(yaml, "parse", broken)
    assert problems_of("a: 1") == ["a.yaml: expected YAML: no more"]


# --- keys ------------------------------------------------------------------------------------------------


def test_a_key_stands_once_in_a_json_object() -> None:
    text = '{"a": {"b": 1,\n "b": {"c": 2}},\n "a": 3, "d": [{"e": 1, "e": 2}]}'
    assert problems_of(text, "a.json") == [
        "a.json:2:2: a.b: expected each key once, found it again, after line 1",
        "a.json:3:2: a: expected each key once, found it again, after line 1",
        "a.json:3:25: d[0].e: expected each key once, found it again, after line 3",
    ]


@pytest.mark.usefixtures("parser")
def test_a_key_stands_once_in_a_yaml_mapping() -> None:
    text = 'a:\n  b: 1\n  b: {c: 2}\n"a": 3\nd: [{e: 1, e: 2}]\n'
    assert problems_of(text) == [
        "a.yaml:3:3: a.b: expected each key once, found it again, after line 2",
        "a.yaml:4:1: a: expected each key once, found it again, after line 1",
        "a.yaml:5:12: d[0].e: expected each key once, found it again, after line 5",
    ]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: {1: x}", 'a.yaml:1:5: a.1: expected a key that is a string, found the number `1`; write `"1"`'),
        (
            "true: x",
            'a.yaml:1:1: true: expected a key that is a string, found the boolean `true`; write `"true"`',
        ),
        ("~: x", 'a.yaml:1:1: ~: expected a key that is a string, found `null`; write `"~"`'),
        ("?\n: x", "a.yaml:1:2: expected a key that is a string, found `null`"),
        ("a: {? [b] : c, d: e}", "a.yaml:1:7: a: expected a key that is a string, found a list"),
        ("{? {b: c} : d}", "a.yaml:1:4: expected a key that is a string, found a mapping"),
        ("a: &a [b]\n? *a\n: c\n", "a.yaml:2:3: expected a key that is a string, found a list"),
        (
            "<<: {a: 1}",
            (
                "a.yaml:1:1: <<: expected a scalar of one meaning, found `<<`:"
                " merge keys are not part of YAML 1.2"
            ),
        ),
        ("on: x", "a.yaml:1:1: on: " + TRUTH.format("on", "on", "true")),
        ("!foo a: x", "a.yaml:1:1: a: " + NO_TAG.format("!foo")),
    ],
)
def test_keys_are_strings(text: str, problem: str) -> None:
    assert problems_of(text) == [problem]


# --- disputed scalars ------------------------------------------------------------------------------------

TRUTHS = [
    (spelled, truth)
    for word, truth in [
        ("y", "true"),
        ("yes", "true"),
        ("on", "true"),
        ("n", "false"),
        ("no", "false"),
        ("off", "false"),
    ]
    for spelled in (word, word.upper(), word.capitalize(), word[:-1] + word[-1].upper())
]
OTHERS = [
    *(
        "=",
        "017",
        "-017",
        "08",
        "00",
        "0o17",
        "0x1f",
        "-0x1F",
        "0b1",
        "0b101",
        "1_000",
        "1_0.5",
    ),
    *("1:30", "-1:30:59", "190:20:30.15", "2001-01-01", "2001-1-1 12:00:00", "2001-12-14T21:59:43.10-05:00"),
    *("1e3", "1E3", "1.5e3", ".5e3", "1e+3", "1e-3", "-1e3", "1_0.5e3"),
]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(("text", "truth"), TRUTHS)
def test_words_that_are_truths_to_some_need_quotes(text: str, truth: str) -> None:
    assert problems_of(f"a: {text}") == ["a.yaml:1:4: a: " + TRUTH.format(text, text, truth)]
    assert is_disputed(text)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", OTHERS)
def test_scalars_on_which_yaml_versions_disagree_need_quotes(text: str) -> None:
    assert problems_of(f"a: [{text}]") == ["a.yaml:1:5: a[0]: " + DISPUTED.format(text, text)]
    assert read(f"a: ['{text}', \"{text}\"]") == ([{"a": [text, text]}], [])
    assert is_disputed(text)


@pytest.mark.parametrize(
    "text", ["yess", "nope", "a", "1", "1.5", "1:99x", "12:3x", "0.17", "1-2-3", "x_1", "_1", "true"]
)
def test_other_scalars_are_not_disputed(text: str) -> None:
    assert not is_disputed(text)
    assert problems_of(f"a: {text}") == []


def test_quotes_are_not_proposed_where_a_tag_stands() -> None:
    assert problems_of("a: !!int 017") == [
        "a.yaml:1:4: a: expected a scalar of one meaning, found `017`: YAML 1.1 and 1.2 read it differently"
    ]


# --- tags ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "tag", "column"),
    [
        ("!!python/object/apply:os.system [x]", "tag:yaml.org,2002:python/object/apply:os.system", 4),
        ("!!python/name:os.system x", "tag:yaml.org,2002:python/name:os.system", 4),
        ("!foo x", "!foo", 4),
        ("!foo {b: c}", "!foo", 4),
        ("!!binary aGk=", "tag:yaml.org,2002:binary", 4),
        ("!!timestamp 2001-01-01", "tag:yaml.org,2002:timestamp", 4),
        ("!!set {b}", "tag:yaml.org,2002:set", 4),
        ("!!omap [b: c]", "tag:yaml.org,2002:omap", 4),
        ("!!map [b]", "tag:yaml.org,2002:map", 4),
        ("!!seq {b: c}", "tag:yaml.org,2002:seq", 4),
    ],
)
def test_nothing_is_constructed_from_a_tag(text: str, tag: str, column: int) -> None:
    assert problems_of(f"a: {text}") == [f"a.yaml:1:{column}: a: {NO_TAG.format(tag)}"]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "tag", "found"),
    [
        ("!!int true", "int", "the string `true`"),
        ("!!int 1.5", "int", "the string `1.5`"),
        ("!!float x", "float", "the string `x`"),
        ("!!bool 1", "bool", "the string `1`"),
        ("!!null x", "null", "the string `x`"),
    ],
)
def test_a_value_is_one_of_its_tag(text: str, tag: str, found: str) -> None:
    assert problems_of(f"a: {text}") == [f"a.yaml:1:4: a: expected a value of its tag `{tag}`, found {found}"]


# --- numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["1e999", "-1e999", "NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", ["a.json", "<text>"])
def test_json_numbers_are_finite(text: str, name: str) -> None:
    assert problems_of(f'{{"a": [0, {text}]}}', name) == [
        f"{name}:1:11: a[1]: expected a finite number, found `{text}`"
    ]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["1.0e+999", "-1.0e+999", ".inf", "-.INF", "+.Inf", ".nan", ".NaN", ".NAN"])
def test_yaml_numbers_are_finite(text: str) -> None:
    assert problems_of(f"a: {text}") == [f"a.yaml:1:4: a: expected a finite number, found `{text}`"]


@pytest.mark.parametrize("digits", [MAX_DIGITS + 1, 5_000, 100_000])
def test_enormous_numbers_are_refused_at_once(digits: int) -> None:
    start = perf_counter()
    text = "9" * digits
    problem = f"expected a number of at most {MAX_DIGITS} digits, found one of {digits}"
    assert problems_of(f'{{"a": {text}}}', "a.json") == [f"a.json:1:7: a: {problem}"]
    assert problems_of(f'{{"a": 0.{text[2:]}}}', "a.json") == [f"a.json:1:7: a: {problem}"]
    assert problems_of(f"a: {text}") == [f"a.yaml:1:4: a: {problem}"]
    assert perf_counter() - start < 2


def test_the_longest_number_is_read() -> None:
    text = "9" * MAX_DIGITS
    assert read(f'{{"a": {text}}}', "a.json") == read(f"a: {text}") == ([{"a": int(text)}], [])


def test_the_good_numbers_of_a_flawed_text_stay_numbers() -> None:
    assert read('{"a": 1, "b": 1.5, "c": NaN}', "a.json")[0] == [{"a": 1, "b": 1.5, "c": "NaN"}]


# --- depth and size --------------------------------------------------------------------------------------


def nested(levels: int) -> str:
    """Lists in lists, so many of them."""
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "<text>"])
@pytest.mark.usefixtures("parser")
def test_a_tree_has_so_many_levels(name: str) -> None:
    assert problems_of(nested(MAX_DEPTH), name) == []
    assert problems_of(nested(MAX_DEPTH + 1), name) == [f"{name}:1:{MAX_DEPTH + 1}: {TOO_DEEP}"]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("item", ["- ", "? "])
def test_a_block_has_so_many_levels(item: str) -> None:
    assert TOO_DEEP in problems_of(item * (MAX_DEPTH + 1) + "x")[0]
    assert problems_of("- " * MAX_DEPTH + "x") == []


@pytest.mark.parametrize("text", [nested(500), "[" * 100_000, '{"a":' * 100_000, '[{"a":' * 30_000])
@pytest.mark.parametrize("name", ["a.json", "<text>"])
def test_nesting_without_end_is_refused_at_once(text: str, name: str) -> None:
    start = perf_counter()
    (problem,) = problems_of(text, name)
    assert problem.startswith(f"{name}:1:")
    assert problem.endswith(TOO_DEEP)
    assert perf_counter() - start < 2


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "a: {" * 10_000, "? " * 10_000])
def test_nesting_yaml_without_end_is_refused_at_once(text: str) -> None:
    start = perf_counter()
    (problem,) = problems_of(text)
    assert "levels" in problem or "expected YAML: " in problem
    assert perf_counter() - start < 4


@pytest.mark.usefixtures("parser")
def test_aliases_count_with_their_levels() -> None:
    text = "- &a0 [x]\n" + "".join(f"- &a{i} [*a{i - 1}]\n" for i in range(1, MAX_DEPTH - 1))
    assert problems_of(text) == []
    line = MAX_DEPTH
    text += f"- &a{line - 1} [*a{line - 2}]\n"
    assert problems_of(text) == [f"a.yaml:{line}:9: {TOO_DEEP}"]


@pytest.mark.usefixtures("parser")
def test_a_billion_laughs_are_refused_at_once() -> None:
    start = perf_counter()
    bomb = "- &a0 [x]\n" + "".join(f"- &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20))
    (problem,) = problems_of(bomb)
    assert problem.endswith("expected at most 5000000 values, aliases counted in full, found more")
    assert problem.startswith("a.yaml:8:")
    assert perf_counter() - start < 2


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["&a [*a]", "&a {b: *a}", "- &a [&b [*a]]", "*a", "a: *b"])
def test_an_alias_holds_neither_itself_nor_nothing(text: str) -> None:
    (problem,) = problems_of(text)
    assert "expected an alias of a value that is complete, found `*" in problem


def test_a_document_holds_no_alias_of_another() -> None:
    assert problems_of("&a x\n---\n*a\n") == [
        "a.yaml:3:1: expected an alias of a value that is complete, found `*a`"
    ]


def test_a_json_text_has_so_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_NODES", 4)
    assert problems_of("[1, 2, 3]", "a.json") == []
    assert problems_of("[1, [2, 3]]", "a.json") == ["a.json: expected at most 4 values, found more"]


def test_a_text_has_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_TEXT", 2**20)
    assert problems_of(b"#" * 2**20) == []
    assert problems_of(b"#" * (2**20 + 1)) == ["a.yaml: expected at most 1 MiB, found more"]


def test_excess_finds_what_holds_itself() -> None:
    ring: dict[str, Any] = {}
    ring["ring"] = ring
    assert excess(ring) == f"at most {MAX_DEPTH} levels"
    assert excess("x") is None
    assert excess({"a": ([1], {"b": 2})}) is None


def test_excess_finds_a_wide_ring_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_NODES", 10_000)
    ring: list[Any] = []
    ring.extend([ring] * 1_000)
    assert excess(ring) == "at most 10000 values"


def test_a_key_without_end_makes_no_path_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_PATH", 4)
    text = '{"abcdef": [{"x": 1}, {}],   "b": {"c": 2}}'
    for name in ("a.json", "a.yaml"):
        assert marks_of(text, name) == {
            "": Mark(1, 1),
            "abcdef": Mark(1, 2),
            "b": Mark(1, 30),
            "b.c": Mark(1, 41),
        }


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_places_are_kept_while_their_paths_are_not_too_many(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_PLACES", 5)
    assert list(marks_of('{"a": [1, 2, 3, 4, 5, 6]}', name)) == ["", "a", "a[0]", "a[1]"]


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_a_long_key_over_many_values_takes_bounded_memory(name: str) -> None:
    text = '{? "' + "k" * 100_000 + '" : [' + "1, " * 10_000 + "1]}"
    ((document,), _) = read_text(text.replace("? ", "") if name == "a.json" else text, name)
    marks = document.marks() if callable(document.marks) else document.marks
    assert sum(map(len, marks)) < 2_000_000


@pytest.mark.parametrize(
    ("text", "name"), [("[" + "NaN, " * 5 + "1]", "a.json"), ("[" + "yes, " * 5 + "1]", "a.yaml")]
)
def test_of_a_document_with_too_many_mistakes_nothing_counts(
    text: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_PROBLEMS", 5)
    assert len(problems_of(text, name)) == 5
    assert read(text, name)[0] != []
    monkeypatch.setattr(documents, "MAX_PROBLEMS", 2)
    values, problems = read(text, name)
    assert values == []
    assert [problem.partition(": ")[2] for problem in problems[-1:]] == [
        "expected at most 2 mistakes, found more"
    ]
    assert len(problems) == 3
    assert not any("NaN" in problem or "yes" in problem for problem in problems)


def test_a_long_scalar_is_shown_short() -> None:
    (problem,) = problems_of("a: 0" + "1" * 200)
    assert problem == (
        f"a.yaml:1:4: a: expected a scalar of one meaning, found `0{'1' * 78}…`:"
        " YAML 1.1 and 1.2 read it differently"
    )


# --- without PyYAML --------------------------------------------------------------------------------------


def test_without_pyyaml_json_is_read_and_yaml_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert read('{"a": 1}', "<text>") == read('{"a": 1}', "a.json") == ([{"a": 1}], [])
    with pytest.raises(MissingExtra) as caught:
        read("a: 1")
    assert str(caught.value) == (
        "reading YAML (`a.yaml`) needs the extra `yaml`: pip install 'fsm-egress[yaml]'"
    )
    assert caught.value.extra == "yaml"


# --- laws ------------------------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abé☃ ", max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(trees, st.sampled_from([None, 1]))
def test_law_json_that_is_written_is_read_as_it_was(tree: Any, indent: int | None) -> None:
    assert read(json.dumps(tree, indent=indent), "a.json") == ([tree], [])
    assert read(json.dumps(tree, ensure_ascii=False), "a.json") == ([tree], [])


@given(trees)
def test_law_every_json_value_has_the_place_where_it_stands(tree: Any) -> None:
    text = json.dumps(tree, indent=1)
    lines = text.split("\n")
    for mark in marks_of(text, "a.json").values():
        assert lines[mark.line - 1][: mark.column - 1].strip() == "" or ": " in lines[mark.line - 1]
        assert lines[mark.line - 1][mark.column - 1] not in " \n,:]}"


hostile_texts = st.lists(
    st.sampled_from(
        [
            *"{}[]:,-?&*!|>%@`'\"#~=<\n\t \\",
            "a",
            "b: ",
            "- ",
            "&a ",
            "*a ",
            "!!int ",
            "1",
            "<<: ",
            "---\n",
            "0x",
            "\n  ",
        ]
    ),
    max_size=25,
).map("".join)


@given(hostile_texts | st.text(max_size=30) | st.binary(max_size=30))
@example("{? a")
@example("? [a\n: b")
def test_law_any_text_is_read_or_refused(text: str | bytes) -> None:
    for name in ("a.yaml", "a.json", "<text>"):
        found, problems = read_text(text, name)
        assert all(problem.document == name for problem in problems)
        assert all(excess(document.value) is None for document in found)


@given(hostile_texts)
def test_law_what_both_yaml_parsers_read_is_the_same(text: str) -> None:
    values, problems = read(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader", raising=False)
        again, others = read(text)
    if not problems and not others:
        assert again == values
