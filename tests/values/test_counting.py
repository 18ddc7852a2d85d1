"""So many of something, in words."""

from __future__ import annotations

import pytest

from fsm_egress.values.counting import many


@pytest.mark.parametrize(
    ("count", "what", "words"),
    [
        (0, "record", "0 records"),
        (1, "record", "1 record"),
        (2, "record", "2 records"),
        (1, "policy", "1 policy"),
        (3, "policy", "3 policies"),
    ],
)
def test_so_many(count: int, what: str, words: str) -> None:
    assert many(count, what) == words
