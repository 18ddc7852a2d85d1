"""JSON values to change, and what a change that is refused complains about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from fsm_egress.values.errors import PatchError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def problem(call: Callable[..., Any], *arguments: Any) -> Problem:
    """What the call complains about."""
    with pytest.raises(PatchError) as caught:
        call(*arguments)
    assert str(caught.value) == str(caught.value.problem)
    return caught.value.problem


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """What the call returns, or what it complains about."""
    try:
        return call(*arguments)
    except PatchError as error:
        return error.problem


def spoil(value: Any) -> None:
    """Change all that can be changed in the value."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        spoil(item)
    if isinstance(value, (dict, list)):
        value.clear()


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    """What is in `value` at the path."""
    for step in path:
        value = value[step]
    return value
