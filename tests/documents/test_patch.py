"""JSON merge patches: the RFC's examples, texts, bounds and laws."""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

import pytest
from changes import objects, outcome, problem, spoil, values
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.documents import read_text
from fsm_egress.documents.patch import (
    MAX_DEPTH,
    MAX_NUMBER,
    MAX_TEXT,
    differing,
    merge_patch,
    parse_merge_patch,
)
from fsm_egress.values.errors import PatchError, Problem
from fsm_egress.values.frozen import freeze

# Merge patch: RFC 7386

RFC_7386_APPENDIX_A = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7386_APPENDIX_A)
def test_the_examples_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result
    assert merge_patch(freeze(target), freeze(patch)) == result


def test_members_keep_their_order_and_new_ones_follow() -> None:
    merged = merge_patch({"a": 1, "b": 2, "c": 3}, {"d": 4, "b": 5, "a": None})
    assert list(merged.items()) == [("b", 5), ("c", 3), ("d", 4)]


@given(objects)
def test_law_the_empty_patch_changes_nothing(target: dict[str, Any]) -> None:
    assert merge_patch(target, {}) == target


@given(values, values)
def test_law_a_patch_applied_twice_is_applied_once(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


def difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The patch that makes `new` of `old`."""
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        both = isinstance(before, dict) and isinstance(value, dict)
        patch[name] = difference(before, value) if both and before is not None else value
    return patch


def without_nulls(value: Any) -> Any:
    """The value without the members that no patch can make."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return value


@given(objects, objects.map(without_nulls))
def test_law_a_difference_merged_restores_the_target(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merge_patch(old, difference(old, new)) == new


@given(values.map(without_nulls), values.map(without_nulls))
def test_law_what_differs_is_named_and_nothing_else(one: Any, other: Any) -> None:
    assert list(differing(one, one)) == []
    assert bool(list(differing(one, other))) is (one != other)


def test_a_list_that_differs_is_one_value() -> None:
    before = {"a": {"b": 1, "c": [1, {"d": 2}], "gone": 1}}
    after = {"a": {"b": 1, "c": [1, {"d": 3}], "new": {"e": 1}}}
    assert list(differing(before, after)) == ["a.c", "a.gone", "a.new"]


@given(values, values)
def test_law_a_merge_changes_neither_argument_and_shares_nothing(target: Any, patch: Any) -> None:
    before = copy.deepcopy((target, patch))
    spoil(merge_patch(target, patch))
    assert (target, patch) == before


@given(values, values)
def test_law_frozen_arguments_merge_as_plain_ones_do(target: Any, patch: Any) -> None:
    assert merge_patch(freeze(target), freeze(patch)) == merge_patch(target, patch)


# Merge patch: the text


@pytest.mark.parametrize(
    ("text", "patch"),
    [
        (
            '{"spec":{"traffic":{"enableEgress":true}}}',
            {"spec": {"traffic": {"enableEgress": True}}},
        ),
        (' \n{"a": [1, -2.5, 1e3, null, "NaN [[[ {"]}\t', {"a": [1, -2.5, 1000.0, None, "NaN [[[ {"]}),
        (b'{"\xc3\xa4": "\\ud83d\\ude00"}', {"ä": "😀"}),
        (
            '{"a": {"a": {}}, "b": {"a": "a"}, "c": ["a", "a"]}',
            {"a": {"a": {}}, "b": {"a": "a"}, "c": ["a", "a"]},
        ),
        ("{}", {}),
        ("a:\n b: 1", {"a": {"b": 1}}),
        ("---\na: ~\n", {"a": None}),
        ('{"a": [' + "{}, " * MAX_DEPTH + "[]]}", {"a": [{}] * MAX_DEPTH + [[]]}),
    ],
)
def test_patch_texts(text: str | bytes, patch: dict[str, Any]) -> None:
    assert parse_merge_patch(text) == patch


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: expected JSON such as `{…}`, found the end of the text"),
        (" # a", "1:2: expected JSON such as `{…}`, found the string `# a`"),
        ("a: 1\n---\nb: 1", "1:1: expected JSON such as `{…}`, found the string `'a: 1\\n---\\nb: 1'`"),
        ("a: &a b\nc: *d", "1:1: expected JSON such as `{…}`, found the string `'a: &a b\\nc: *d'`"),
        ("a: 1\na: 2", "2:1: a: expected each key once, found it again, after line 1"),
        ('\n @{"a": 1}', '2:2: expected JSON such as `{…}`, found the string `@{"a": 1}`'),
        (
            "'{\"a\": 1}'",
            '1:1: expected JSON such as `{…}`, found the string `\'{"a": 1}\'`; write `{"a": 1}`',
        ),
        (
            '"{\\"a\\": 1}"',
            '1:1: expected a JSON object such as `{…}`, found the string `{"a": 1}`; write `{"a": 1}`',
        ),
        ('"a"', "1:1: expected a JSON object such as `{…}`, found the string `a`"),
        ('[{"op": "add"}]', "1:1: expected a JSON object such as `{…}`, found a list"),
        ("true", "1:1: expected a JSON object such as `{…}`, found the boolean `true`"),
        ("null", "1:1: expected a JSON object such as `{…}`, found `null`"),
        (
            '{"a": 1,\n "b": 2 "c": 3}',
            "2:9: expected JSON, found the string `\"c\": 3}`: expecting ',' delimiter",
        ),
        ('{"a": 1', "1:8: expected JSON, found the end of the text: expecting ',' delimiter"),
        ('{"a": 1}}', "1:9: expected JSON, found the string `}`: extra data"),
        (
            '{"a": 1,\n "b": {"a": 2, "\\u0061": 3}}',
            "2:16: expected each member of an object once, found the string `a` again",
        ),
        ('{"a": NaN}', "1:7: expected a JSON value, found `NaN`"),
        ('{"a": -Infinity}', "1:7: expected a JSON value, found `-Infinity`"),
        ('{"a":\n1e999}', "2:1: expected a number that a double can hold, found the string `1e999`"),
        (b'{\n"\xc3\xa4": "\xff"}', "2:7: expected text in UTF-8, found the byte `0xff`"),
        ('{\n"\ud800": 1}', "2:2: expected text, found half of a surrogate pair, `\\ud800`"),
        ('{"a": ["\\udc00"]}', "1:8: expected text, found half of a surrogate pair, `\\udc00`"),
        ('{"\\ud800": 1}', "1:2: expected text, found half of a surrogate pair, `\\ud800`"),
    ],
)
def test_what_is_no_patch_is_told_where_and_why(text: str | bytes, message: str) -> None:
    example = '{"spec": {"traffic": {"enableEgress": true}}}'
    assert str(problem(parse_merge_patch, text)) == "<patch>:" + message.replace("{…}", example)


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        (
            '{"a": ' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}",
            '{"a": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}",
            "1:106: expected at most 100 objects and lists in each other, found one more",
        ),
        (
            '{"a": 0.' + "1" * (MAX_NUMBER - 2) + "}",
            '{"a": 0.' + "1" * (MAX_NUMBER - 1) + "}",
            f"1:7: expected a number of at most {MAX_NUMBER} characters, found {MAX_NUMBER + 1} characters",
        ),
        (
            '{"a": 1' + "0" * 308 + "}",
            '{"a": 1' + "0" * 309 + "}",
            "1:7: expected a number that a double can hold, found the string `1" + "0" * 78 + "…`",
        ),
        (
            "{}".ljust(MAX_TEXT),
            "{}".ljust(MAX_TEXT + 1),
            f" expected at most {MAX_TEXT} characters, found {MAX_TEXT + 1} characters",
        ),
        (
            b"{}".ljust(MAX_TEXT),
            b"{}".ljust(MAX_TEXT + 1),
            f" expected at most {MAX_TEXT} bytes, found {MAX_TEXT + 1} bytes",
        ),
    ],
    ids=["depth", "number", "double", "characters", "bytes"],
)
def test_the_bounds_of_a_patch(good: str | bytes, bad: str | bytes, message: str) -> None:
    assert isinstance(parse_merge_patch(good), dict)
    assert str(problem(parse_merge_patch, bad)) == f"<patch>:{message}"


def test_a_proposal_that_would_flood_the_terminal_is_not_made() -> None:
    assert problem(parse_merge_patch, json.dumps('{"a": "' + "x" * 80 + '"}')).proposal is None


@given(objects)
def test_law_what_json_writes_is_read_back(patch: dict[str, Any]) -> None:
    assert parse_merge_patch(json.dumps(patch)) == patch
    assert parse_merge_patch(json.dumps(patch, indent=1, ensure_ascii=False).encode()) == patch


@given(st.text() | st.binary() | st.text(alphabet='{}[]:,"\\a1-.e \nuNaInfityd8'))
def test_law_any_text_is_a_patch_or_a_patch_error(text: str | bytes) -> None:
    patch = outcome(parse_merge_patch, text)
    if isinstance(patch, Problem):
        assert patch.document == "<patch>"
    else:
        (found,) = (it.value for it in read_text(text, "<patch>")[0] if it.value is not None)
        assert patch == found


@pytest.mark.parametrize(
    ("text", "patch"),
    [
        ("{spec: {traffic: {enableEgress: true}}}", {"spec": {"traffic": {"enableEgress": True}}}),
        ("{a: {b: [1, x]},}", {"a": {"b": [1, "x"]}}),
        ('{"a": 1,}', {"a": 1}),
        ("a: yes\nb: 0x1F\nc: 1_0\n", {"a": True, "b": 31, "c": 10}),
        ("a:\n  b: |\n    c", {"a": {"b": "c\n"}}),
    ],
)
def test_a_patch_in_yaml_is_read_as_kubectl_reads_it(text: str, patch: object) -> None:
    assert parse_merge_patch(text) == patch


def test_what_is_wrong_with_a_patch_in_yaml_is_said() -> None:
    assert str(problem(parse_merge_patch, "a: 1\na: 2\n")).startswith("<patch>:2:1: ")


def test_without_pyyaml_a_patch_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(PatchError, match=r"expected JSON such as"):
        parse_merge_patch("a: 1")
