"""Of many routes few are looked at, and the first that matches decides as if all were."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from small import ROUTES, WHO, egress, load, routes
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.engine import tables

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PATTERNS = st.sampled_from(
    ["^/a", "/b$", "a.*b", "ab", "^/ab$", "[ab]c", "a|c", "^/$", "/b[a-c]+", "c", ".*", r"\xc3\xa9"]
)


def matches() -> SearchStrategy[dict[str, Any]]:
    """What a route asks for."""
    headers = st.dictionaries(st.sampled_from(["x", "y", "host"]), PATTERNS, max_size=2)
    entries = headers.map(lambda it: [{name: text} for name, text in it.items()])
    methods = st.sampled_from([["GET"], ["GET", "PUT"], ["PUT"]])
    return st.fixed_dictionaries({"headers": entries}, optional={"pathRegex": PATTERNS, "methods": methods})


def requests() -> SearchStrategy[fe.Connection]:
    """Requests that some of them take."""
    headers = st.dictionaries(st.sampled_from("xy"), st.sampled_from(["", "a", "b", "ab", "cab", "é"]))
    paths = st.text(alphabet="abcé/", max_size=4).map("/{}".format)
    return st.builds(
        lambda *asked: fe.Connection("54.9.9.9", 80, fe.HTTPRequest(*asked)),
        st.sampled_from(["GET", "PUT"]),
        st.just("a.com"),
        paths,
        headers,
    )


@given(st.lists(matches(), min_size=16, max_size=24), st.lists(requests(), min_size=8, max_size=8))
@settings(max_examples=examples(40))
def test_law_many_routes_decide_as_they_do_one_by_one(
    asked: list[dict[str, Any]], connections: list[fe.Connection]
) -> None:
    named = {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": "r"}
    mesh = load(egress("a", "http 80", hosts=["a.com"], matches=[named]), routes("r", *asked))
    engine = fe.compile(mesh, WHO)
    with patch.object(tables, "MANY", 1_000):
        one_by_one = fe.compile(mesh, WHO)
        expected = list(map(one_by_one.classify, connections))
    found = list(map(engine.classify, connections))
    copy: fe.Engine = pickle.loads(pickle.dumps(engine))  # noqa: S301  # because it was pickled a moment ago
    assert found == list(map(copy.classify, connections)) == expected
    assert [it.route for it in found] == [it.route for it in expected]
