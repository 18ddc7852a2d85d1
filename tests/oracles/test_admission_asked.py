"""A real API server with FSM's own CRDs, asked about what is kept of it and about documents made up anew."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from admission import Server, asked_anew, known
from as_server import flaw
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES: list[Any] = [None, 0, 1, 80.5, 443, -1, True, "", "a", "A b", "10.0.0.0/8", "1m", [], {}]
VALUES += [[None], ["a"], [1], {"a": "b"}, {"name": "a"}, [{}], [{"name": "a"}]]
# Of pods and slices a server knows more than is said without one.
OF_OTHERS = {"Pod", "EndpointSlice"}
DOCUMENTS = [it["document"] for it in known() if it["taken"] and it["document"]["kind"] not in OF_OTHERS]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    asked = Server(tmp_path_factory.mktemp("server"), Path(os.environ["FSM_CRDS"]))
    try:
        asked.start()
        yield asked
    finally:
        asked.stop()


def test_what_is_kept_is_what_is_answered_today(server: Server) -> None:
    assert asked_anew(server, [it["document"] for it in known()]) == known()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@st.composite
def altered(draw: st.DrawFn) -> dict[str, Any]:
    """A document that is taken, with one or two values left out or replaced."""
    document: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(1, 2))):
        inside = [path for path in places(document) if path[0] not in {"apiVersion", "kind", "metadata"}]
        if not inside:
            continue
        *above, last = draw(st.sampled_from(inside))
        holder: Any = document
        for key in above:
            holder = holder[key]
        if draw(st.booleans()):
            del holder[last]
        else:
            holder[last] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return document


@given(st.data())
def test_law_a_document_is_judged_as_the_server_judges_it(server: Server, data: st.DataObject) -> None:
    document = data.draw(altered())
    assert flaw(document, server.taken(document)) is None
