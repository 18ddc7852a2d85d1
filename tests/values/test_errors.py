"""Errors: data first, and a text that says where, what was expected, what was found and what to write."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.values import errors
from fsm_egress.values.errors import (
    FSMEgressError,
    IncompleteMesh,
    InvalidValue,
    LoadError,
    MissingExtra,
    PatchError,
    Problem,
    Severity,
    show,
)
from fsm_egress.values.frozen import FrozenMap
from fsm_egress.values.references import Mark, ResourceRef

EGRESS = ResourceRef("Egress", "curl", "httpbin")
PORT = "a port number from 1 to 65535"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "`null`"),
        (True, "the boolean `true`"),
        (False, "the boolean `false`"),
        (443, "the number `443`"),
        (-0.5, "the number `-0.5`"),
        (1e300, "the number `1e+300`"),
        (10**79, f"the number `1{'0' * 79}`"),
        (10**80, "the number `out of all bounds`"),
        pytest.param(-(10**5000), "the number `out of all bounds`", id="more digits than Python prints"),
        ("443", "the string `443`"),
        ("", "the string ``"),
        ("a\nb", r"the string `'a\nb'`"),
        ("a" * 80, f"the string `{'a' * 80}`"),
        ("a" * 81, f"the string `{'a' * 79}…`"),
        ({"password": "hunter2"}, "a mapping"),
        (FrozenMap({"password": "hunter2"}), "a mapping"),
        ({}, "an empty mapping"),
        (["hunter2"], "a list"),
        (("hunter2",), "a list"),
        ([], "an empty list"),
        (b"hunter2", "a value of type `bytes`"),
        (object(), "a value of type `object`"),
    ],
)
def test_a_found_value_is_shown_by_its_kind(value: Any, shown: str) -> None:
    assert show(value) == shown


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200) | st.lists(st.integers())
)
def test_what_is_shown_is_one_short_line(value: Any) -> None:
    shown = show(value)
    assert shown.isprintable()
    assert len(shown) < 10 * 80 + 20


def test_a_problem_says_where_what_and_what_instead() -> None:
    problem = Problem(
        PORT,
        found=show("443"),
        path="spec.ports[0].number",
        resource=EGRESS,
        document="a.yaml",
        mark=Mark(14, 5),
        proposal="443",
        reason="nothing is coerced",
    )
    assert str(problem) == (
        "a.yaml:14:5: Egress curl/httpbin spec.ports[0].number: expected a port number from 1 to 65535, "
        "found the string `443`; write `443`: nothing is coerced"
    )
    assert problem.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem(PORT), f"expected {PORT}"),
        (Problem(PORT, path="spec"), f"spec: expected {PORT}"),
        (Problem(PORT, resource=EGRESS), f"Egress curl/httpbin: expected {PORT}"),
        (Problem(PORT, document="a.yaml"), f"a.yaml: expected {PORT}"),
        (Problem(PORT, mark=Mark(1, 2)), f"expected {PORT}"),
        (Problem(PORT, proposal=""), f"expected {PORT}; write ``"),
        (Problem(PORT, reason="it is so"), f"expected {PORT}: it is so"),
    ],
)
def test_a_problem_says_no_more_than_is_known(problem: Problem, text: str) -> None:
    assert str(problem) == text


STRANGE = "a\nb\x1b[2J\u202e" + "c" * 5_000


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_law_a_problem_is_one_line_that_prints(
    name: str, path: str, found: str, proposal: str, reason: str
) -> None:
    """Whatever stands in a document, or what its file is called: it reaches terminals and other people."""
    ref = ResourceRef(name, path, found)
    problem = Problem(PORT, found, path, ref, name, Mark(1, 2), proposal=proposal, reason=reason)
    assert str(problem).isprintable()
    assert problem.message.isprintable()


@pytest.mark.parametrize("part", ["expected", "found", "path", "document", "proposal", "reason", "resource"])
def test_no_part_of_a_problem_makes_its_text_long_or_unprintable(part: str) -> None:
    value: Any = ResourceRef("Egress", "curl", STRANGE) if part == "resource" else STRANGE
    problem = evolve(Problem(PORT, "x"), **{part: value})
    for text in (str(problem), str(LoadError([problem])), str(InvalidValue(problem))):
        assert text.isprintable()
        assert r"a\nb\x1b[2J\u202eccc" in text
        assert len(text) < 700
    assert getattr(problem, part) == value  # as data it is whole


@pytest.mark.parametrize(
    ("inner", "outer", "joined"),
    [
        ("", "spec", "spec"),
        ("ports", "spec", "spec.ports"),
        ("[0].number", "ports", "ports[0].number"),
        ("number", "[0]", "[0].number"),
    ],
)
def test_a_problem_is_seen_from_the_object_around_it(inner: str, outer: str, joined: str) -> None:
    problem = Problem(PORT, found="`null`", path=inner)
    assert problem.within(outer) == Problem(PORT, found="`null`", path=joined)
    (seen,) = InvalidValue(problem).at(outer).problems
    assert seen.path == joined


def test_an_invalid_value_holds_all_its_problems() -> None:
    error = InvalidValue(Problem(PORT, path="[0]"), Problem(PORT, path="[2]"))
    assert str(error.at("ports")) == f"ports[0]: expected {PORT}\nports[2]: expected {PORT}"
    assert str(InvalidValue()) == ""


def test_an_invalid_value_is_made_from_what_was_found() -> None:
    error = InvalidValue.of("a boolean", "True", proposal="true", reason="nothing is coerced")
    assert error.problems == (
        Problem("a boolean", found="the string `True`", proposal="true", reason="nothing is coerced"),
    )


def test_a_load_error_keeps_the_order_of_its_problems() -> None:
    problems = [Problem(PORT, document="b.yaml"), Problem(PORT, document="a.yaml")]
    error = LoadError(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == f"b.yaml: expected {PORT}\na.yaml: expected {PORT}"


def test_a_patch_error_has_one_problem() -> None:
    problem = Problem("a JSON object", found="a list")
    error = PatchError(problem)
    assert error.problem == problem
    assert str(error) == "expected a JSON object, found a list"


def test_a_missing_extra_says_what_to_install() -> None:
    error = MissingExtra("reading YAML", "yaml")
    assert str(error) == "reading YAML needs the extra `yaml`: pip install 'fsm-egress[yaml]'"
    assert error.extra == "yaml"


ERRORS: list[FSMEgressError] = [
    InvalidValue(Problem(PORT, found="`null`", path="a", resource=EGRESS), Problem(PORT)),
    LoadError([Problem(PORT, document="a.yaml", mark=Mark(1, 2)), Problem(PORT)]),
    IncompleteMesh([Problem(PORT, document="a.yaml")]),
    PatchError(Problem("a JSON object")),
    MissingExtra("reading YAML", "yaml"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_cross_process_borders(error: FSMEgressError) -> None:
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301  # because the bytes are our own
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert vars(copied) == vars(error)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (InvalidValue, ValueError),
        (PatchError, ValueError),
        (MissingExtra, ImportError),
        (LoadError, Exception),
    ],
)
def test_errors_are_caught_by_the_root_and_by_their_builtin(kind: type, builtin: type) -> None:
    assert issubclass(kind, FSMEgressError)
    assert issubclass(kind, builtin)


def test_every_error_of_the_module_is_of_the_tree() -> None:
    found = {
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)
    }
    assert found == {FSMEgressError, *map(type, ERRORS)}


def test_severities_print_as_words() -> None:
    assert [f"{severity}" for severity in Severity] == ["error", "warning", "info"]
    assert [str(severity) for severity in Severity] == ["error", "warning", "info"]


def test_a_problem_for_machines_has_what_is_known() -> None:
    assert Problem("a port").to_mapping() == {"severity": "error", "message": "expected a port"}
    reference = ResourceRef("Egress", "curl", "a")
    problem = Problem("a port", "`x`", "spec", reference, "a.yaml", Mark(3, 5), "80", "why", Severity.WARNING)
    assert problem.to_mapping() == {
        "severity": "warning",
        "message": "expected a port, found `x`; write `80`: why",
        "resource": "Egress curl/a",
        "path": "spec",
        "document": "a.yaml",
        "line": 3,
        "column": 5,
        "proposal": "80",
    }
