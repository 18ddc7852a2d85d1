"""Texts as trees with places: what is read, what is refused, and where."""

from __future__ import annotations

import json
import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fsm_egress import documents
from fsm_egress.documents import (
    MAX_DEPTH,
    MAX_DIGITS,
    Document,
    excess,
    json_items,
    json_places,
    read_at_once,
    read_text,
    yaml_scalars,
)
from fsm_egress.documents.base import Bounds
from fsm_egress.documents.json_places import walk
from fsm_egress.documents.yaml_quickly import read_yaml_quickly
from fsm_egress.documents.yaml_scalars import Doubtful, is_disputed
from fsm_egress.documents.yaml_text import read_yaml_with_care
from fsm_egress.values.errors import MissingExtra
from fsm_egress.values.references import Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    return marks_in(document)


def marks_in(document: Document) -> Mapping[str, Mark]:
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
        ('{"a": 1\n "b": 2}', "a.json:2:2: expected JSON: expecting ',' delimiter"),
        ("{} x", "a.json:1:4: expected JSON: extra data"),
    ],
)
def test_broken_json_is_an_error(text: str, problem: str) -> None:
    found = read(text, "a.json")
    assert found == ([], [problem])


@pytest.mark.parametrize("text", ['{"a": 1,}', "{a: 1}", "{a: 1,\n # one\n}\n"])
def test_yaml_that_looks_like_json_is_read_whatever_its_name(text: str) -> None:
    assert read(text, "a.json") == ([{"a": 1}], [])


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
    for spelled in (word, word.upper(), word.capitalize())
]
OTHERS = [
    "017",
    "-017",
    "+017",
    "-0x1F",
    "0X1F",
    "0O17",
    "+0o7",
    "0b1",
    "0B101",
    "1_000",
    "1_0.5",
    "-_1",
    "1__0.",
]
OTHERS += ["1_0.5e3", "1_0E1_0", "8e+_1", ".1_0", "00_1"]
TEXTS = [
    "=",
    "1:30",
    "-1:30:59",
    "190:20:30.15",
    "2001-01-01",
    "2001-01-01 a day",
    "2001-12-14T21:59:43.10-05:00",
]
SAME = ["0x1f", "0o17", "1e3", "1e+3", "-1.5E3", ".5e3", "08", "00", "443.0"]  # to kubectl and to YAML 1.2
TEXTS += [
    "12e3456",
    "1e400",
    "0x1ffffffffffffffff",
    "0xffffffffffffffffffffff",
    "_1",
    "0o8",
    "._5",
    "yeS",
    "oN",
    "1.5.2",
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
    "text",
    ["yess", "nope", "a", "1", "1.5", "1:99x", "12:3x", "0.17", "1-2-3", "x_1", "true", *SAME, *TEXTS],
)
def test_other_scalars_are_not_disputed(text: str) -> None:
    assert not is_disputed(text)
    assert problems_of(f"a: {text}") == []


def test_quotes_are_not_proposed_where_a_tag_stands() -> None:
    assert problems_of("a: !!int 017") == [
        "a.yaml:1:4: a: expected a scalar of one meaning, found `017`: YAML 1.1 and 1.2 read it differently"
    ]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", TEXTS)
def test_what_kubectl_reads_as_a_text_is_one(text: str) -> None:
    assert read(f"a: {text}") == ([{"a": text}], [])


# --- as kubectl reads ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: |\n  b", "b\n"),
        ("a: |-\n  b", "b"),
        ("a: |+\n  b", "b\n"),
        ("a: >\n  b\n  c", "b c\n"),
        ("a: |\r\n  b", "b\n"),
        ("a: b", "b"),
    ],
)
def test_the_last_line_is_ended(text: str, value: str) -> None:
    assert read(text) == ([{"a": value}], [])
    assert read(text, "<text>") == ([{"a": value}], [])


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{<<: *a, p: 3}", {"p": 3, "q": 2}),
        ("{p: 3, <<: *a}", {"p": 1, "q": 2}),
        ("{<<: {p: 9}}", {"p": 9}),
        ("{p: 3, <<: [{p: 4}, {p: 5, r: 6}]}", {"p": 4, "r": 6}),
        ("{<<: *a, <<: {p: 2}}", {"p": 2, "q": 2}),
        ("{<<: [*a, {p: 0, r: 7}], s: 8}", {"p": 1, "q": 2, "r": 7, "s": 8}),
        ('{"<<": *a}', {"<<": {"p": 1, "q": 2}}),
        ("<<", "<<"),
        ("[<<]", ["<<"]),
    ],
)
def test_merge_keys_are_read_as_kubectl_reads_them(text: str, value: Any) -> None:
    assert read(f"x: &a {{p: 1, q: 2}}\nv: {text}\n") == ([{"x": {"p": 1, "q": 2}, "v": value}], [])


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["{<<: 1}", "{<<: [1]}", "{<<: ~}", "{<<: *a}"])
def test_a_merge_key_stands_for_mappings(text: str) -> None:
    (problem,) = problems_of(f"x: &a b\nv: {text}\n")
    assert "v.<<: expected a mapping or a list of mappings, found" in problem


@pytest.mark.usefixtures("parser")
def test_a_mark_of_a_file_behind_another_is_no_part_of_its_document() -> None:
    assert read("\ufeffa: 1\n---\n\ufeffb: 2\n--- # c\r\n\ufeffc: 3\n") == (
        [{"a": 1}, {"b": 2}, {"c": 3}],
        [],
    )
    assert read('a: "\ufeff"\n') == ([{"a": "\ufeff"}], [])


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["a: 1\n...\n# c\n", "--- # words\na: 1\n--- # more\n", "a: 1\n...\n---\n"])
def test_marks_and_comments_around_documents_change_nothing(text: str) -> None:
    assert [value for value in read(text)[0] if value is not None] == [{"a": 1}]
    assert problems_of(text) == []


@pytest.mark.parametrize("text", ["a: 1\n\r---\nb: 2\n", "a: 1\n\x85---\nb: 2\n"])
@pytest.mark.usefixtures("parser")
def test_what_kubectl_would_lose_is_an_error(text: str) -> None:
    values, problems = read(text)
    assert values == [{"a": 1}]
    assert problems == [
        "a.yaml:3:1: expected a line `---` before another document: without it kubectl loses what follows"
    ]


@pytest.mark.usefixtures("parser")
def test_a_document_behind_the_end_of_another_is_an_error() -> None:
    assert len(problems_of("a: 1\n...\nb: 2\n")) == 1


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "<text>"])
@pytest.mark.parametrize("between", ["\n", "", " \r\n\t"])
def test_objects_of_json_may_stand_one_after_another(name: str, between: str) -> None:
    text = between.join([" ", '{"a": 1}', '{"b": [\n{"c": 2}]}', '{"d": "{"}', ""])
    assert read(text, name) == ([{"a": 1}, {"b": [{"c": 2}]}, {"d": "{"}], [])


def test_each_object_of_a_stream_has_its_places() -> None:
    text = '\n {"a": 1} {"b": [\n{"c": NaN}]}\n{"d": 1, "d": 2}\n'
    documents, _ = read_text(text, "a.json")
    assert [dict(marks_in(document)) for document in documents] == [
        {"": Mark(2, 2), "a": Mark(2, 8)},
        {"": Mark(2, 11), "b": Mark(2, 12), "b[0]": Mark(3, 1), "b[0].c": Mark(3, 7)},
        {"": Mark(4, 1), "d": Mark(4, 7)},
    ]
    assert problems_of(text, "a.json") == [
        "a.json:3:7: b[0].c: expected a finite number, found `NaN`",
        "a.json:4:10: d: expected each key once, found it again, after line 4",
    ]


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        ('{"c": [', "3:8: expected JSON: expecting value"),
        ("x", "3:1: expected JSON: extra data"),
        ("[1]", "3:1: expected JSON: extra data"),
        ('{"a":' * 100 + "1" + "}" * 100, f"3:1: expected at most {MAX_DEPTH} levels, found more"),
        ('{"a":' * 65, f"3:1: expected at most {MAX_DEPTH} levels, found more"),
        ('{"a":' * 900, f"3:1: expected at most {MAX_DEPTH} levels, found more"),
        ('{"a":' * 64, "3:321: expected JSON: expecting value"),
        ('{"a":' * 100_000, f"3:1: expected at most {MAX_DEPTH} levels, found more"),
    ],
)
@pytest.mark.parametrize("name", ["a.json", "<text>"])
def test_the_objects_before_a_broken_one_are_read(last: str, problem: str, name: str) -> None:
    assert read('{"a": 1}\n{"b": 2}\n' + last, name) == ([{"a": 1}, {"b": 2}], [f"{name}:{problem}"])


@pytest.mark.parametrize("text", ["a: 1\n", '{"a": 1}\n---\n{"a": 1}\n', "# c\na: 1\n---\n"])
def test_yaml_is_read_whatever_its_file_is_called(text: str) -> None:
    values, problems = read(text, "a.json")
    assert problems == []
    assert {"a": 1} in values


@pytest.mark.parametrize("text", ['{"a": 1', "[{}] []", "x", "a: [", "\0"])
def test_what_is_neither_json_nor_yaml_is_no_json(text: str) -> None:
    (problem,) = problems_of(text, "a.json")
    assert "expected JSON: " in problem


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
@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", ".NAN"])
def test_yaml_numbers_are_finite(text: str) -> None:
    assert problems_of(f"a: {text}") == [f"a.yaml:1:4: a: expected a finite number, found `{text}`"]


@pytest.mark.parametrize("digits", [MAX_DIGITS + 1, 5_000, 100_000])
def test_enormous_numbers_are_refused_at_once(digits: int) -> None:
    text = "9" * digits
    problem = f"expected a number of at most {MAX_DIGITS} digits, found one of {digits}"
    assert problems_of(f'{{"a": {text}}}', "a.json") == [f"a.json:1:7: a: {problem}"]
    assert problems_of(f'{{"a": 0.{text[2:]}}}', "a.json") == [f"a.json:1:7: a: {problem}"]
    assert problems_of(f"a: {text}") == [f"a.yaml:1:4: a: {problem}"]


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


@pytest.mark.parametrize(
    "text", [nested(500), "[" * 65, "[" * 900, "[" * 100_000, '{"a":' * 100_000, '[{"a":' * 30_000]
)
@pytest.mark.parametrize("name", ["a.json", "<text>"])
def test_nesting_without_end_is_refused_at_once(text: str, name: str) -> None:
    (problem,) = problems_of(text, name)
    assert problem.startswith(f"{name}:1:")
    assert problem.endswith(TOO_DEEP)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "a: {" * 10_000, "? " * 10_000])
def test_nesting_yaml_without_end_is_refused_at_once(text: str) -> None:
    (problem,) = problems_of(text)
    assert "levels" in problem or "expected YAML: " in problem


@pytest.mark.usefixtures("parser")
def test_aliases_count_with_their_levels() -> None:
    text = "- &a0 [x]\n" + "".join(f"- &a{i} [*a{i - 1}]\n" for i in range(1, MAX_DEPTH - 1))
    assert problems_of(text) == []
    line = MAX_DEPTH
    text += f"- &a{line - 1} [*a{line - 2}]\n"
    assert problems_of(text) == [f"a.yaml:{line}:9: {TOO_DEEP}"]


@pytest.mark.usefixtures("parser")
def test_a_billion_laughs_are_refused_at_once() -> None:
    bomb = "- &a0 [x]\n" + "".join(f"- &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20))
    (problem,) = problems_of(bomb)
    assert problem.endswith(
        "expected at most 4194304 values and characters that aliases stand for, found more"
    )
    assert problem.startswith("a.yaml:8:")


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("{a: &a xxxxxxxx, b: [*a, *a, *a]}", 3 * 9),
        ("{a: &a [xx, xxx, x], b: [*a, *a, *a]}", 3 * 10),
        ("{a: &a {k: [xxxxx]}, b: [*a, *a, *a]}", 3 * 9),
        ("{a: &a {k: [xxxxx]}, b: {<<: [*a, *a, *a]}}", 3 * 9),
        ("{a: &a xxxxxxxx, ? *a : 1, b: {? *a : 1, c: *a}}", 3 * 9),
        ("{a: &a xxxxxxxx, b: &b [*a], c: *b, d: *a}", 2 * 9 + 10),
    ],
)
def test_what_aliases_stand_for_is_counted_with_its_characters(
    monkeypatch: pytest.MonkeyPatch, text: str, weight: int
) -> None:
    monkeypatch.setattr(documents, "MAX_ALIASED", weight)
    assert problems_of(text) == []
    monkeypatch.setattr(documents, "MAX_ALIASED", weight - 1)
    (problem,) = problems_of(text)
    told = f"expected at most {weight - 1} values and characters that aliases stand for, found more"
    assert problem.startswith("a.yaml:1:")
    assert problem.endswith(told)


@pytest.mark.usefixtures("parser")
def test_values_are_counted_each_alias_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "{a: &a [v, w], b: *a}"
    monkeypatch.setattr(documents, "MAX_NODES", 7)
    assert problems_of(text) == []
    monkeypatch.setattr(documents, "MAX_NODES", 6)
    assert problems_of(text) == [
        "a.yaml:1:19: expected at most 6 values, aliases counted in full, found more"
    ]


@pytest.mark.usefixtures("parser")
def test_and_for_all_documents_of_a_text_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_ALIASED", 28)
    one = "{a: &a xxxxxxxx, b: [*a, *a]}\n"
    told = "expected at most 28 values and characters that aliases stand for, found more"
    assert problems_of(one) == []
    assert problems_of(f"{one}---\n{one}") == [f"a.yaml:3:26: {told}"]


@pytest.mark.parametrize(
    "form", ["---", "--- {}", "--- {a: &a 1}", "{}"], ids=["empty", "mappings", "with care", "JSON"]
)
def test_a_text_has_so_many_documents(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 20)
    assert problems_of(f"{form}\n" * 20) == []
    told = "a.yaml:21:1: expected at most 20 documents, found more"
    assert problems_of(f"{form}\n" * 40_000) == [told]


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
    marks = marks_of('{"items": [{"x": 1}, {}]}', "a.json")
    assert [path in marks for path in ("items", "items[0]", "items[0].x")] == [True, False, False]
    assert dict(marks) == {"": Mark(1, 1), "items": Mark(1, 2)}


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
    (problem,) = problems_of("a: 0" + "_" * 200 + "17")
    assert problem == (
        f"a.yaml:1:4: a: expected a scalar of one meaning, found `0{'_' * 78}…`:"
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


# --- at once ---------------------------------------------------------------------------------------------


def at_once(text: str | bytes, name: str = "a.json") -> Any:
    """What a text is that is read at once; `None` if it is left to be read with care."""
    items: list[Any] = []
    found = read_at_once(text, name, lambda item, _: items.append(item))
    if found is None:
        return None
    value, strings = found
    whole = {**value, "items": items} if "items" in value else value
    return whole if strings_of(value) + strings == strings_of(whole) else None


def strings_of(value: Any) -> int:
    """How many strings a tree holds, keys among them."""
    if isinstance(value, dict):
        return sum(1 + strings_of(item) for item in value.values())
    if isinstance(value, list):
        return sum(map(strings_of, value))
    return int(isinstance(value, str))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "b"}',
        '{"items": []}',
        ' {"kind" :"List",\n"items" : [ ] , "a": {"b": [1, -2.5, null]} } \n',
        '{"items": [{"a": "b"}]}',
        '{"items":[1,2,3],"kind":"List"}',
        '{\n "items": [\n  {\n   "a": 1\n  },\n  {}\n ],\n "kind": "List"\n}\n',
        '{"items": [[], "x", {"items": [{}]}, "a\\\\", "\\"b\\"", "\\\\\\"", "\\u00e9"], "é": "\\n"}',
    ],
)
def test_a_text_without_flaws_is_read_at_once(text: str) -> None:
    assert at_once(text) == at_once(text, "<text>") == at_once(text.encode()) == json.loads(text)


def test_the_items_come_with_their_places() -> None:
    text = '{"kind": "List", "items": [{"a": 1},\n {"b": 2}, 3]}'
    taken: list[tuple[Any, str]] = []
    read_at_once(text, "a.json", lambda item, place: taken.append((item, text[place:])))
    assert [(item, rest[0]) for item, rest in taken] == [({"a": 1}, "{"), ({"b": 2}, "{"), (3, "3")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '"x"',
        "{",
        '{"a"}',
        '{"a": 1,}',
        '{"a": 1} {}',
        "{1: 2}",
        "{[1]: 2}",
        '{"a": 1 "b": 2}',
        '{"items": [1, 2}',
        '{"items": [1, 2',
        '{"items": [1 2]}',
        '{"items": [1,]}',
        '{"items": [,]}',
        '{"items": [1], "items": [2]}',
        '{"a": 1, "a": 1}',
        '{"items": [{"a": NaN}]}',
        '{"items": [1e999]}',
        '{"a": -Infinity}',
        '{"a": ' + "9" * (MAX_DIGITS + 1) + "}",
        '{"items": ["\\ud800"]}',
        '{"a": "\0"}',
        '{"a": ' * 70 + "1" + "}" * 70,
        '{"a": ' * 100_000,
        '{"items": [' * 100_000,
        "a: 1",
        b'{"a": "\xff"}',
        "{'a': 1}",
    ],
    ids=lambda text: repr(text)[:30],
)
def test_any_other_text_is_left_to_be_read_with_care(text: str | bytes) -> None:
    assert at_once(text) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"items": [{"a": 1, "a": 1}]}',
        '{"items": [{"a": "x", "b": [{"c": {}, "c": "y"}]}]}',
        '{"items": [{"a": "\\\\", "a": "\\""}]}',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": {"b": 1, "\\u0062": 2}, "items": []}',
    ],
)
def test_what_is_read_at_once_lacks_strings_if_a_key_stands_twice(text: str) -> None:
    assert at_once(text) is None
    assert len(problems_of(text, "a.json")) == 1


def test_numbers_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [1, 2, 3, -3, 2, 1, 3, 3, 10**30]
    for known in (json_items.Integers(), yaml_scalars.Scalars()):
        monkeypatch.setattr(sys.modules[type(known).__module__], "_REMEMBERED", 2)
        assert [known[str(number)] for number in numbers] == numbers
        assert [*known.items()] == [("1", 1), ("2", 2)]
    assert at_once(json.dumps({"a": numbers})) == {"a": numbers}
    assert read(yaml.dump(numbers)) == ([numbers], [])


def test_at_once_or_not_a_text_has_so_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_NODES", 6)
    for numbers, items in ((2, [1, [2, "345"]]), (3, [1, [2, 3], "45"]), (3, [1, [], {}, 2, 3])):
        text = json.dumps({"items": items, "n": list(range(numbers))})
        careful = read(text, "a.json")[0]
        assert at_once(text) in ([None, *careful] if careful else [None])
    assert at_once('{"items": [1, 2, 3]}') == {"items": [1, 2, 3]}
    assert at_once('{"items": [1, 2, 3, 4, 5, 6, 7]}') is None


# --- places that are looked for -------------------------------------------------------------------------


BOUNDS = Bounds(
    depth=64, nodes=5_000_000, problems=1_000, path=1_024, places=2**20, documents=1_000, aliased=2**20
)


def all_marks_of(text: str) -> dict[str, Mark]:
    """The place of each value of a JSON text, on one walk through the whole of it."""
    marks: dict[str, Mark] = {}
    for path, place, *_ in walk(text, BOUNDS):
        marks.setdefault(path, Mark(text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)))
    return marks


def test_the_places_of_an_item_are_those_of_the_whole_text() -> None:
    text = '{"kind": "List", "é": {"a": 1},\n "items": [{"a": {"b": [1, {}]}},\n {"a": "x"}, 5, []]}'
    marks = marks_of(text, "a.json")
    asked = ["items[1].a", "items[0].a.b[1]", "items[3]", "items[2]", "é.a", "items", "", "items[0]"]
    assert [marks[path] for path in asked] == [all_marks_of(text)[path] for path in asked]
    assert [path in marks for path in ("items[1].a", "items[1].b", "items[4]", "items[01]", "x", 5)] == [
        *(True, False, False, False, False, False)
    ]
    assert len(marks) == 14
    with pytest.raises(KeyError):
        marks["items[1].b"]


@pytest.mark.parametrize(
    "text",
    [
        '{"items[0]": {"a": 1},\n "items": [{"a": 2}]}',
        '{"items[1]x": {"a": 1}, "items": [{}, {"a": 2}]}',
        '{"items": [{"a": 1}],\n "items": [{"a": 2}, {}]}',
        '{"items": [{"a": NaN},\n {"b": 1}]}',
        '{"items": {"a": 1}}',
        "[[1]]",
    ],
)
def test_of_equal_paths_the_first_counts_whatever_the_text(text: str) -> None:
    marks = all_marks_of(text)
    assert dict(marks_of(text, "a.json")) == marks
    assert all(mark.line == 1 for path, mark in marks.items() if path.startswith("items[0]"))


def test_where_there_is_no_value_there_is_no_place() -> None:
    assert all_marks_of(" \n") == {}


def test_places_are_pickled_without_the_text() -> None:
    marks = marks_of('{"items": [{"a": 1}]}', "a.json")
    copied = pickle.loads(pickle.dumps(marks))  # noqa: S301  # because the bytes are our own
    assert type(copied) is dict
    assert copied == marks


def test_for_the_place_of_an_item_no_other_item_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[str] = []

    def noted(text: str, bounds: Bounds, at: int, path: str) -> Iterator[Any]:
        walked.append(path)
        return walk(text, bounds, at, path)

    monkeypatch.setattr(json_places, "walk", noted)
    marks = marks_of(json.dumps({"items": [{"a": [{"b": index}]} for index in range(9)]}, indent=1), "a.json")
    assert [marks[path].line for path in ("items[7].a[0].b", "items[7]", "items[0].a")] == [55, 52, 4]
    assert walked == ["items[7]", "items[0]"]
    assert marks["items"].line == 2
    assert walked == ["items[7]", "items[0]", ""]


# --- laws of both ways -----------------------------------------------------------------------------------


def spelled(tree: Any, pick: Callable[[list[str]], str]) -> str:
    """A JSON text of a tree, with any space between its tokens, and perhaps with keys that stand twice."""
    if isinstance(tree, dict):
        pairs = [
            f"{json.dumps(key)}{pick(SPACE)}:{pick(SPACE)}{spelled(item, pick)}" for key, item in tree.items()
        ]
        pairs += [pair for pair in pairs[:1] if pick(TWICE)]
        return f"{{{pick(SPACE)}" + f"{pick(SPACE)},{pick(SPACE)}".join(pairs) + f"{pick(SPACE)}}}"
    if isinstance(tree, list):
        items = [spelled(item, pick) for item in tree]
        return f"[{pick(SPACE)}" + f"{pick(SPACE)},{pick(SPACE)}".join(items) + f"{pick(SPACE)}]"
    return json.dumps(tree)


SPACE = ["", "", " ", "\n  ", "\t\r\n"]
TWICE = ["", "", "", "", "", "", "", "", "x"]
lists = st.builds(
    lambda items, more, last: {
        **({} if last else {"items": items}),
        **more,
        **({"items": items} if last else {}),
    },
    st.lists(trees, max_size=4),
    st.dictionaries(st.sampled_from(["kind", "a", "items[0]"]), trees, max_size=2),
    st.booleans(),
)


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@given(lists | trees, st.data())
def test_law_what_is_read_at_once_is_what_is_read_with_care(tree: Any, data: st.DataObject) -> None:
    text = spelled(tree, lambda choices: data.draw(st.sampled_from(choices)))
    if data.draw(st.integers(0, 3)) == 0:
        place = data.draw(st.integers(0, len(text)))
        text = (
            text[:place]
            + data.draw(st.sampled_from(["", ",", '"', "]", "{", "1", "\\", "x"]))
            + text[place + 1 :]
        )
    quick = at_once(text)
    ((*values,), problems) = read(text, "a.json")
    if quick is not None:
        assert ([quick], []) == (values, problems)
    if len(values) == 1 and not problems and is_json(text):  # else it is YAML, as kubectl takes it
        assert dict(marks_of(text, "a.json")) == all_marks_of(text)


@given(lists)
def test_law_every_list_that_is_written_plainly_is_read_at_once(tree: Any) -> None:
    for indent in (None, 1):
        assert at_once(json.dumps(tree, indent=indent, ensure_ascii=False)) == tree


@given(hostile_texts | trees.map(lambda tree: yaml.safe_dump(tree, allow_unicode=True)))
@example("a: {? b : [c, d], e: }\nf:\n- 1\n- - x\n")
@example("? ''\n: {'': [a]}\n---\n- k: v\n")
@example("abcdef: [{x: 1}, {}]\nb: {c: 2}\n")
def test_law_yaml_that_is_read_quickly_is_what_is_read_with_care(text: str) -> None:
    for bounds in (
        Bounds(64, 5_000, 1_000, 1_024, 2**20, 1_000, 2**20),
        Bounds(3, 9, 1_000, 4, 20, 1_000, 2**20),
    ):
        try:
            quick = read_yaml_quickly(yaml, text, "a.yaml", bounds)
        except (Doubtful, yaml.YAMLError, ValueError, OverflowError):
            continue
        careful, problems = read_yaml_with_care(yaml, text, "a.yaml", bounds)
        assert problems == ()
        assert [document.problems for document in careful] == [()] * len(quick)
        assert [document.value for document in quick] == [document.value for document in careful]
        assert [document.marks() for document in quick] == [document.marks for document in careful]  # type: ignore[operator]  # because they are made when they are asked for


@given(st.text(st.sampled_from("0123456789+-._:eExXob~ynoftNTF=<aT "), max_size=6) | scalars.map(str))
def test_law_a_scalar_is_remembered_as_what_it_is(text: str) -> None:
    value, flaw = yaml_scalars.resolved(text)
    known = yaml_scalars.Scalars()
    for _ in range(2):
        if flaw or is_disputed(text):
            with pytest.raises(Doubtful):
                known[text]
        else:
            assert known[text] == value
            assert type(known[text]) is type(value)
