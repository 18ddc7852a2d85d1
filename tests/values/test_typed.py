"""Wrong types in Python: an error of ours says which argument it is, and what it should have been."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress
from enum import EnumMeta
from typing import Any

import pytest
from small import load

import fsm_egress as fe
from fsm_egress.values.typed import takes

MESH = fe.load({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "curl"}})
WHO = "curl.curl"
GOOD: dict[str, Any] = {
    **dict.fromkeys(("mesh", "snapshot", "before", "after", "a", "b", "resources"), MESH),
    "account": WHO,
    "address": "54.9.9.9",
    "certificate": "(check-sat)",
    "connection": fe.tcp("54.9.9.9", 25),
    "content": "{}",
    "destination": "54.9.9.9",
    "files": (),
    "found": fe.reachable(MESH),
    "identity": WHO,
    "logs": (),
    "method": "GET",
    "partial": fe.Partial(),
    "port": 25,
    "report": fe.run_tests(()),
    "resource": next(iter(MESH)),
    "text": "{}",
    "url": "http://httpbin.org/",
    "where": fe.Where.allowed(),
}
POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
# What any value may be given to is left out, and what has tests of its own for every kind of value.
OWN_TESTS = {"apply_set", "frame", "helm_set", "merge_patch", "rows", "sarif_log"}
FUNCTIONS = [
    getattr(fe, name)
    for name in fe.__all__
    if inspect.isfunction(getattr(fe, name)) and name not in OWN_TESTS
]
ASKED = [
    (function, parameter.name)
    for function in FUNCTIONS
    for parameter in inspect.signature(function).parameters.values()
    if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
]


def required(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {
        it.name: GOOD[it.name]
        for it in parameters
        if it.default is it.empty and it.kind is it.POSITIONAL_OR_KEYWORD
    }


@pytest.mark.parametrize(("function", "name"), ASKED, ids=lambda it: getattr(it, "__name__", it))
def test_a_wrong_type_is_an_error_of_ours(function: Any, name: str) -> None:
    assert len(ASKED) > 30
    for wrong in (object(), None, 7.5):
        with pytest.raises(fe.FSMEgressError):
            function(**{**required(function), name: wrong})


class Odd:
    """Of no type that anything takes."""


ODD: list[Any] = [5, None, "text", Odd(), [Odd()], b"x", {1: 2}, 7.5, True]
# An enumeration is looked up by Python itself, which raises `ValueError`.
CALLABLES = [
    it
    for name in fe.__all__
    if callable(it := getattr(fe, name))
    and not isinstance(it, EnumMeta)
    and it is not fe.FSMEgressError  # which is made of anything
]


@pytest.mark.parametrize("called", CALLABLES, ids=lambda it: it.__name__)
@pytest.mark.parametrize("value", ODD, ids=lambda it: type(it).__name__)
def test_law_nothing_public_breaks_on_a_wrong_type(called: Any, value: Any) -> None:
    parameters = inspect.signature(called).parameters.values()
    needed = sum(it.default is it.empty and it.kind in POSITIONAL for it in parameters)
    with suppress(fe.FSMEgressError):
        found = called(*[value] * needed)
        list(found if isinstance(found, Iterator) else ())


def test_the_error_names_the_argument_and_what_it_should_be() -> None:
    with pytest.raises(fe.InvalidValue) as caught:
        fe.compile("mesh.yaml", WHO)  # type: ignore[arg-type]  # because that is what is tested
    assert str(caught.value) == "mesh: expected a value of type `Snapshot`, found the string `mesh.yaml`"
    with pytest.raises(fe.InvalidValue) as caught:
        fe.pipy_config(MESH, WHO, carried=7)  # type: ignore[arg-type]  # because that is what is tested
    assert str(caught.value) == "carried: expected a value of type `Mapping`, found the number `7`"
    with pytest.raises(fe.InvalidValue, match=r"^identities: expected identities `name.namespace`"):
        fe.diff(MESH, MESH, 7)  # type: ignore[arg-type]  # because that is what is tested


def test_one_identity_is_linted_by_its_name() -> None:
    mesh = load()
    assert fe.lint(mesh, identities=WHO, sidecar=False) == fe.lint(mesh, identities=[WHO], sidecar=False)


def test_what_is_no_connection_is_not_decided_about() -> None:
    engine = fe.compile(MESH, WHO)
    with pytest.raises(fe.InvalidValue, match="expected a value of type `Connection`, found the string"):
        engine.classify("54.9.9.9:25")  # type: ignore[arg-type]  # because that is what is tested
    with pytest.raises(fe.InvalidValue, match="expected a value of type `Connection`, found the number `7`"):
        engine.classify_many([fe.tcp("54.9.9.9", 25), 7])  # type: ignore[list-item]  # ditto


def test_a_function_keeps_its_name_and_its_words() -> None:
    @takes(count=(int, str), text=str)
    def shown(count: int | str, text: str = "a") -> str:
        """What is shown."""
        return f"{count} {text}"

    assert (shown.__name__, shown.__doc__, shown(1), shown("b", text="c")) == (
        "shown",
        "What is shown.",
        "1 a",
        "b c",
    )
    with pytest.raises(fe.InvalidValue, match=r"^count: .* type `int` or `str`, found `null`"):
        shown(None)  # type: ignore[arg-type]  # because that is what is tested
