"""Paths as anchored patterns: what stays, what varies, and which pattern lets all of another through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thoroughness import examples

from fsm_egress.learning.paths import covers, shape_of
from fsm_egress.patterns import parse_pattern

WORDS = ("users", "v2", "facade", "a.b", "x+y", "(z)", "", "%7Eme")
IDS = (
    "7",
    "0042",
    "deadbeef01",
    "5f3a9c2e-1b4d-4e6f-8a9b-0c1d2e3f4a5b",
    "AKIA12345example67890",
    "cafe12345678",
)
SEGMENTS = st.sampled_from([*WORDS, *IDS]) | st.from_regex(r"[0-9a-z._~-]{1,24}", fullmatch=True)
QUERIES = st.sampled_from(["", "?", "?q=", "?q=a b", "?page=2&size=10", "?flag", "?next=/a?b=c"])
PATHS = st.builds(
    lambda segments, query: "/" + "/".join(segments) + query.replace(" ", "+"),
    st.lists(SEGMENTS, max_size=4),
    QUERIES,
)


def found(shape: str, path: str) -> bool:
    return parse_pattern(shape).search(path)


@given(PATHS)
def test_law_a_path_is_found_by_its_own_pattern(path: str) -> None:
    assert found(shape_of(path), path)


@given(PATHS, PATHS)
@settings(max_examples=examples(200))
def test_law_a_pattern_that_covers_another_finds_its_paths(one: str, other: str) -> None:
    if covers(shape_of(one), shape_of(other)):
        assert found(shape_of(one), other)


@given(
    st.lists(st.sampled_from([*WORDS, *IDS]), max_size=3),
    st.lists(st.sampled_from([*WORDS, *IDS]), max_size=3),
)
@settings(max_examples=examples(200))
def test_law_a_pattern_that_finds_a_path_covers_its_pattern(one: list[str], other: list[str]) -> None:
    wide, path = shape_of("/" + "/".join(one)), "/" + "/".join(other)
    assert found(wide, path) == covers(wide, shape_of(path))


@given(PATHS)
def test_law_no_pattern_is_open_at_an_end_or_stands_for_everything(path: str) -> None:
    shape = shape_of(path)
    assert shape[0] == "^"
    assert shape[-1] == "$"
    assert ".*" not in shape.replace(r"\.*", "")
    assert not found(shape, f"/more{path}")
    assert not found(shape, f"{path.partition('?')[0]}/more/segments")


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/", "^/$"),
        ("/users/42/orders", "^/users/[0-9]+/orders$"),
        ("/v2/a.b", r"^/v2/a\.b$"),
        ("/x/deadbeef01", "^/x/[0-9a-fA-F]+$"),
        ("/x/deadbeefcafe", "^/x/deadbeefcafe$"),
        ("/x/AKIA12345example67890", "^/x/[^/?]+$"),
        ("/x/a-readable-name-of-a-page", "^/x/a-readable-name-of-a-page$"),
        ("/search?q=egress&page=2", r"^/search\?q=[^&]*&page=[^&]*$"),
        ("/search?", r"^/search\?$"),
        ("/search?flag", r"^/search\?flag$"),
        ("http://user:key@a.com/x", r"^http://[^/?]+@a\.com/x$"),
        ("http://a.com/x@y", r"^http://a\.com/x@y$"),
        ("//user:key@a.com/", r"^//user:key@a\.com/$"),
    ],
)
def test_a_path(path: str, shape: str) -> None:
    assert shape_of(path) == shape


def test_a_uuid_is_a_segment_of_its_kind() -> None:
    shape = shape_of("/x/5f3a9c2e-1b4d-4e6f-8a9b-0c1d2e3f4a5b")
    assert found(shape, "/x/00000000-0000-0000-0000-000000000000")
    assert not found(shape, "/x/00000000-0000-0000-0000-00000000000")


@pytest.mark.parametrize(
    ("wide", "narrow", "does"),
    [
        ("/x/deadbeef01", "/x/7", True),
        ("/x/7", "/x/deadbeef01", False),
        ("/x/deadbeef01", "/x/cafe", True),
        ("/x/7", "/x/cafe", False),
        ("/x/AKIA12345example67890", "/x/a.b", True),
        ("/x/7", "/x/7/y", False),
        ("/x/7?a=1", "/x/7", False),
        ("/x/y", "/x/z", False),
    ],
)
def test_which_pattern_covers_which(wide: str, narrow: str, *, does: bool) -> None:
    assert covers(shape_of(wide), shape_of(narrow)) is does
