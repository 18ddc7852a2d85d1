"""Helm's `--set` grammar."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from changes import at, objects, outcome, problem, spoil
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.documents.chart import helm_set
from fsm_egress.documents.helm import (
    MAX_INDEX,
    MAX_LEVELS,
    MAX_PLACES,
    SetOperation,
    apply_set,
    parse_set,
)
from fsm_egress.documents.patch import MAX_TEXT, parse_merge_patch
from fsm_egress.values.errors import Problem
from fsm_egress.values.frozen import freeze, thaw
from fsm_egress.values.references import Mark

if TYPE_CHECKING:
    from collections.abc import Callable

# Helm's --set: the grammar

# What Helm 3 and 4 make of these texts, starting from nothing.
HELM = [
    ("", {}),
    ("a=b", {"a": "b"}),
    ("a=b,c=d", {"a": "b", "c": "d"}),
    ("a=b,c=d,", {"a": "b", "c": "d"}),
    ("a=,b=c", {"a": "", "b": "c"}),
    ("a=", {"a": ""}),
    ("a.b=", {"a": {"b": ""}}),
    ("a=1,a=2", {"a": 2}),
    # types
    ("a=true,b=false,c=null", {"a": True, "b": False, "c": None}),
    ("a=TRUE,b=False,c=nUll", {"a": True, "b": False, "c": None}),
    ("a=0,b=1234567890,c=-5,d=+7", {"a": 0, "b": 1234567890, "c": -5, "d": 7}),
    ("a=00009,b=012,c=00", {"a": "00009", "b": "012", "c": "00"}),
    ("a=-0,b=-012,c=+00", {"a": 0, "b": -12, "c": 0}),
    ("a=9223372036854775807,b=-9223372036854775808", {"a": 2**63 - 1, "b": -(2**63)}),
    ("a=9223372036854775808,b=-9223372036854775809", {"a": str(2**63), "b": str(-(2**63) - 1)}),
    ("a=" + "9" * 5000, {"a": "9" * 5000}),
    ("a=-" + "0" * 5000 + "7", {"a": -7}),
    (
        "a=1.5,b=1e3,c=0x10,d=1_000,e=-,f=\u0661",
        {"a": "1.5", "b": "1e3", "c": "0x10", "d": "1_000", "e": "-", "f": "\u0661"},
    ),
    ("a= 1,b=true ,c=yes", {"a": " 1", "b": "true ", "c": "yes"}),
    ("a=one two,b c=d", {"a": "one two", "b c": "d"}),
    ("a=b=c,d=]e}", {"a": "b=c", "d": "]e}"}),
    ("a=[],b=b{c}", {"a": "[]", "b": "b{c}"}),
    # backslashes
    (r"a=one\,two,b=three\,four", {"a": "one,two", "b": "three,four"}),
    (r"a=one\=two,b=\{c\}", {"a": "one=two", "b": "{c}"}),
    (r"a\.b.c\=d\[0].e\,=\\", {"a.b": {"c=d[0]": {"e,": "\\"}}}),
    (r"a=\t\rue,b={\1\2}", {"a": True, "b": [12]}),
    ("a=b\\\nc", {"a": "b\nc"}),
    # names inside names
    ("a.b=c", {"a": {"b": "c"}}),
    ("a.b.c=d", {"a": {"b": {"c": "d"}}}),
    ("a.b=c,a.d=e", {"a": {"b": "c", "d": "e"}}),
    ("a.b=c,a.d.e=f", {"a": {"b": "c", "d": {"e": "f"}}}),
    # lists
    ("a={b,c}", {"a": ["b", "c"]}),
    ("a={b,c},d={1021,902}", {"a": ["b", "c"], "d": [1021, 902]}),
    ("a.b={c,d}", {"a": {"b": ["c", "d"]}}),
    ("a={true,null,0,01,}", {"a": [True, None, 0, "01", ""]}),
    ("a={}", {"a": [""]}),
    (r"a={b\,c,d\}e,{f}", {"a": ["b,c", "d}e", "{f"]}),
    ("a={b},", {"a": ["b"]}),
    # indexes
    ("a[0]=b", {"a": ["b"]}),
    ("a[0]=", {"a": [""]}),
    ("a[0]=b,a[1]=c", {"a": ["b", "c"]}),
    ("a[0]=b,a[3]=c", {"a": ["b", None, None, "c"]}),
    ("a[+1]=b,a[00]=c", {"a": ["c", "b"]}),
    ("a[0].b=c", {"a": [{"b": "c"}]}),
    ("a[0].b=c,a[0].d=e", {"a": [{"b": "c", "d": "e"}]}),
    ("a[0][0]=1", {"a": [[1]]}),
    ("a[1][1]=1", {"a": [None, [None, 1]]}),
    ("a[0]={b,c}", {"a": [["b", "c"]]}),
    ("a.b[0].c=d,a.b[1].c=e", {"a": {"b": [{"c": "d"}, {"c": "e"}]}}),
    ("a.b[1].c=d,a.b[0].c=e", {"a": {"b": [{"c": "e"}, {"c": "d"}]}}),
    ("a.b[1].c=d", {"a": {"b": [None, {"c": "d"}]}}),
    ("a[1][0].b=c,a[0][1]=d", {"a": [[None, "d"], [{"b": "c"}]]}),
]


@pytest.mark.parametrize(("text", "result"), HELM)
def test_what_helm_makes_of_a_text(text: str, result: dict[str, Any]) -> None:
    made = apply_set({}, text)
    assert made == result
    assert json.dumps(made) == json.dumps(result)  # so that 1 is not true


HELM_INTO = [
    (
        {"a": {"b": "old", "c": "kept"}},
        "a.b=new,a.d=3,a.e=4",
        {"a": {"b": "new", "c": "kept", "d": 3, "e": 4}},
    ),
    ({"a": [1, 2, 3]}, "a={4}", {"a": [4]}),
    ({"a": [1, 2, 3]}, "a[1]=4", {"a": [1, 4, 3]}),
    ({"a": [1]}, "a[2]=3", {"a": [1, None, 3]}),
    ({"a": [1]}, "a[0]=null", {"a": [None]}),
    ({"a": [{"b": 1, "c": 2}]}, "a[0].b=3", {"a": [{"b": 3, "c": 2}]}),
    ({"a": [None]}, "a[0].b=3", {"a": [{"b": 3}]}),
    ({"a": {"b": 1}}, "a=null", {"a": None}),
    ({"a": {"b": 1}}, "a=c", {"a": "c"}),
    (
        {"a": [[[{"b": "old"}]]]},
        "a[0][1][0].c=d,a[0][0][1].e=f",
        {"a": [[[{"b": "old"}, {"e": "f"}], [{"c": "d"}]]]},
    ),
]


@pytest.mark.parametrize(("existing", "text", "result"), HELM_INTO)
def test_what_helm_makes_of_values_that_are_there(existing: Any, text: str, result: Any) -> None:
    assert apply_set(existing, text) == result
    assert apply_set(freeze(existing), text) == result


def test_a_key_leads_through_null_as_if_nothing_were_there() -> None:
    assert apply_set({"a": None, "b": [None]}, "a.x=1,b[0][1]=2") == {"a": {"x": 1}, "b": [[None, 2]]}


# Helm's own complaints, in our words.
REFUSED_BY_HELM = [
    ("a", "1:2: a: expected `=` and a value, found the end of the text"),
    ("a,b=", "1:2: a: expected `=` and a value, found the string `,b=`"),
    ("a.b", "1:4: a.b: expected `=` and a value, found the end of the text"),
    ("a.b,a.c", "1:4: a.b: expected `=` and a value, found the string `,a.c`"),
    ("a=b,,,,c=d,", "1:5: expected a name, found the string `,,,c=d,`"),
    ("a.=b", "1:3: a: expected a name, found the string `=b`"),
    ("a.,b", "1:3: a: expected a name, found the string `,b`"),
    ("a={1021,902", "1:12: a: expected `}` at the end of the list, found the end of the text"),
    ("a={b\\", "1:5: a: expected `}` at the end of the list, found the string `\\`"),
    (
        "a[0].b=c,a[-30].d=e",
        "1:12: a: expected an index from 0 to 65536 and `]`, found the string `-30].d=e`",
    ),
    ("a[65537]=b", "1:3: a: expected an index from 0 to 65536 and `]`, found the string `65537]=b`"),
    ("a[b]=c", "1:3: a: expected an index from 0 to 65536 and `]`, found the string `b]=c`"),
    ("a[]=c", "1:3: a: expected an index from 0 to 65536 and `]`, found the string `]=c`"),
    ("a[\u0661]=c", "1:3: a: expected an index from 0 to 65536 and `]`, found the string `\u0661]=c`"),
    ("a[0]b.c=d", "1:5: a[0]: expected `=` and a value, found the string `b.c=d`"),
    ("a[0],b=c", "1:5: a[0]: expected `=` and a value, found the string `,b=c`"),
    ("]={}].", "1:5: ]: expected a comma after the list, found the string `].`"),
    ("a={b}c", "1:6: a: expected a comma after the list, found the string `c`"),
    ("a={b,{c}}", "1:9: a: expected a comma after the list, found the string `}`"),
    ("a=b,a.c=d", "1:5: a: expected a mapping, found the string `b`"),
    ("a.b=c,a[0]=d", "1:7: a: expected a list, found a mapping"),
    ("a[0]=b,a[0][0]=c", "1:8: a[0]: expected a list, found the string `b`"),
    ("a={b},a.c=d", "1:7: a: expected a mapping, found a list"),
]

# What Helm lets pass, and loses at least in part.
REFUSED_BY_US = [
    ("=a", "1:1: expected a name, found the string `=a`"),
    (".a=b", "1:1: expected a name, found the string `.a=b`"),
    ("a=b,[0]=c", "1:5: expected a name, found the string `[0]=c`"),
    ("a.b=c,a..b=d", "1:9: a: expected a name, found the string `.b=d`"),
    ("a.", "1:3: a: expected a name, found the end of the text"),
    ("a[", "1:3: a: expected an index from 0 to 65536 and `]`, found the end of the text"),
    ("a[0]", "1:5: a[0]: expected `=` and a value, found the end of the text"),
    ("a=b\\", "1:4: a: expected a sign after the `\\`, found the end of the text"),
    ("\\", "1:1: expected a name, found the string `\\`"),
    ("a={b}c=d", "1:6: a: expected a comma after the list, found the string `c=d`"),
    ("a={b},a[0].c=d", "1:7: a[0]: expected a mapping, found the string `b`"),
    ("a=\ud800", "1:3: expected text, found half of a surrogate pair, `\\ud800`"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED_BY_HELM + REFUSED_BY_US)
def test_what_is_no_set_text_is_told_where_and_why(text: str, message: str) -> None:
    assert str(problem(apply_set, {}, text)) == f"--set:{message}"


NAMES = ".".join("n" * (MAX_LEVELS + 1))


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        (
            NAMES + "=1",
            NAMES + ".n=1",
            f"expected at most {MAX_LEVELS} dots in a key, found {MAX_LEVELS + 1}",
        ),
        (
            "a" + "[0]" * MAX_LEVELS + "=1",
            "a" + "[0]" * (MAX_LEVELS + 1) + "=1",
            f"expected at most {MAX_LEVELS} indexes in a key, found {MAX_LEVELS + 1}",
        ),
        (
            f"a[{MAX_INDEX}]=1",
            f"a[{MAX_INDEX + 1}]=1",
            f"expected an index from 0 to {MAX_INDEX} and `]`, found the string `{MAX_INDEX + 1}]=1`",
        ),
        (
            f"a[{MAX_INDEX}]=," * (MAX_PLACES // MAX_INDEX),
            f"a[{MAX_INDEX}]=," * (MAX_PLACES // MAX_INDEX) + "b[1]=",
            f"expected indexes that add up to at most {MAX_PLACES}, found {MAX_PLACES + 1}",
        ),
        (
            "a=".ljust(MAX_TEXT),
            "a=".ljust(MAX_TEXT + 1),
            f"expected at most {MAX_TEXT} characters, found {MAX_TEXT + 1} characters",
        ),
    ],
    ids=["dots", "indexes", "index", "places", "text"],
)
def test_the_bounds_of_a_set_text(good: str, bad: str, message: str) -> None:
    assert parse_set(good)
    assert problem(parse_set, bad).message == message


def test_an_operation_knows_its_key_value_and_place() -> None:
    operations = parse_set(r"a\.b.c[0].d=1,e={x,null}")
    assert operations == (
        SetOperation(("a.b", "c", 0, "d"), 1, Mark(1, 1)),
        SetOperation(("e",), ("x", None), Mark(1, 15)),
    )
    assert [operation.key for operation in operations] == [r"a\.b.c[0].d", "e"]


def test_a_key_in_an_error_is_short_and_printable() -> None:
    assert problem(parse_set, "a" * 100).path == "a" * 79 + "…"
    assert problem(parse_set, "a\x1b[0]").path == r"a\x1b[0]"


def escaped(text: str, special: str) -> str:
    """The text with a backslash before each sign that would mean something."""
    return re.sub(f"([{re.escape(special)}])", r"\\\1", text)


def written(value: Any) -> str:
    """A value of an operation as one writes it after the `=`."""
    if isinstance(value, tuple):
        return "{" + ",".join(map(written, value)) + "}"
    return json.dumps(value) if value is None or isinstance(value, int) else escaped(value, "\\,{}")


texts = st.text(max_size=6) | st.text(alphabet="\\.=[]{},a0 ", max_size=6)
names = texts.filter(bool)
strings = texts.filter(lambda text: not re.fullmatch("[+-]?[0-9]+|true|false|null", text.casefold()))
words = strings | st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
paths = st.builds(lambda first, rest: (first, *rest), names, st.lists(names | st.integers(0, 50), max_size=5))
operations = st.builds(
    SetOperation, paths, words | st.lists(words, min_size=1, max_size=3).map(tuple), st.just(Mark(1, 1))
)


@given(st.lists(operations, max_size=4))
def test_law_what_is_written_is_parsed_back(wanted: list[SetOperation]) -> None:
    text = ",".join(f"{operation.key}={written(operation.value)}" for operation in wanted)
    parsed = parse_set(text)
    assert [(o.path, o.value) for o in parsed] == [(o.path, o.value) for o in wanted]
    assert [type(o.value) for o in parsed] == [type(o.value) for o in wanted]
    for operation in parsed:
        assert text.startswith(f"{operation.key}=", operation.mark.column - 1)


@given(objects, operations)
def test_law_an_operation_sets_its_place(existing: dict[str, Any], operation: SetOperation) -> None:
    text = f"new.{operation.key}={written(operation.value)}"
    result = apply_set(existing, text)
    assert at(result["new"], operation.path) == thaw(operation.value)
    assert {name: value for name, value in result.items() if name != "new"} == existing


pieces = st.sampled_from(["a", "b", "fsm.enableEgress", ".", "=", "[0]", "{x}", ",", "a=1,", "b.a=", "null"])
set_texts = st.text() | st.text(alphabet=".=[]{},\\ab01-\n") | st.lists(pieces).map("".join)


@given(objects, set_texts)
def test_law_any_text_is_applied_or_a_patch_error_and_changes_no_argument(existing: Any, text: str) -> None:
    before = copy.deepcopy(existing)
    for call in (apply_set, helm_set):
        result = outcome(call, existing, text)
        assert isinstance(result, dict) or result.document == "--set"
        spoil(result)
        assert existing == before


colliding = st.builds(
    lambda first, rest, value: f"{first}{''.join(rest)}={value}",
    st.sampled_from("ab"),
    st.lists(st.sampled_from([".a", ".b", "[0]", "[1]"]), max_size=2),
    st.sampled_from(["1", "null", "{x,y}", ""]),
)


@given(objects, st.lists(colliding), st.lists(colliding))
def test_law_a_text_is_applied_whole_or_not_at_all(
    existing: Any, first: list[str], second: list[str]
) -> None:
    def both(values: Any) -> Any:
        return apply_set(apply_set(values, ",".join(first)), ",".join(second))

    stepwise, joined = outcome(both, existing), outcome(apply_set, existing, ",".join(first + second))
    assert joined == stepwise or (isinstance(joined, Problem) and isinstance(stepwise, Problem))


# Bounded time

ENORMOUS = MAX_TEXT // 8  # so that the tests are fast; in quadratic time they would take an hour


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (parse_merge_patch, "[" * ENORMOUS),
        (parse_merge_patch, '"' * ENORMOUS),
        (parse_merge_patch, '"' + '\\"' * (ENORMOUS // 2 - 1)),
        (parse_merge_patch, "9" * ENORMOUS),
        (parse_merge_patch, '{"a"' + " " * (ENORMOUS - 5) + "x"),
        (parse_set, "\\" * ENORMOUS),
        (parse_set, "a." * (ENORMOUS // 2)),
        (parse_set, "a" + "[0]" * (ENORMOUS // 3 - 1) + "="),
        (parse_set, "a[" + "0" * (ENORMOUS - 2)),
        (parse_set, "a={" + "," * (ENORMOUS - 3)),
    ],
    ids=lambda value: value[:6] if isinstance(value, str) else value.__name__,
)
def test_an_enormous_text_is_refused_in_a_time_that_is_linear_in_it(
    call: Callable[..., Any], text: str
) -> None:
    assert problem(call, text).expected
