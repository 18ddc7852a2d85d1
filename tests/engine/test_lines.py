"""One line of addresses over another: what it leaves open is the other's."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from fsm_egress.engine.lines import cut, over
from fsm_egress.values.net import LAST_KEY, Prefix
from fsm_egress.values.prefix_table import PrefixTable

if TYPE_CHECKING:
    from fsm_egress.values.segments import Segments

LAST = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
LAST_BUT_ONE = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"


def line(default: str | None, **ranges: str) -> Segments[str | None]:
    return cut(PrefixTable([(Prefix(text), value) for value, text in ranges.items()], default))


@pytest.mark.parametrize(
    ("top", "bottom"),
    [
        ({}, {"x": "54.0.0.0/8"}),
        ({"a": "54.0.0.0/8"}, {}),
        ({"a": "54.9.0.0/16"}, {"x": "54.0.0.0/8"}),
        ({"a": "54.0.0.0/8"}, {"x": "54.9.0.0/16", "y": "55.0.0.0/8"}),
        ({"a": "0.0.0.0/0"}, {"x": "54.0.0.0/8", "y": "2001:db8::/32"}),
        ({"a": "10.0.0.0/8"}, {"x": f"{LAST}/128"}),
        ({"a": "10.0.0.0/8"}, {"x": f"{LAST_BUT_ONE}/128"}),
        ({"a": f"{LAST}/128"}, {"x": f"{LAST_BUT_ONE}/127"}),
        ({"a": f"{LAST_BUT_ONE}/128"}, {"x": f"{LAST_BUT_ONE}/127", "y": "0.0.0.0/32"}),
    ],
)
def test_at_each_place_the_upper_one_counts_where_it_says_anything(
    top: dict[str, str], bottom: dict[str, str]
) -> None:
    upper, lower = line(None, **top), line("none", **bottom)
    both = over(upper, lower)
    edges = {0, LAST_KEY, *upper.starts, *lower.starts}
    for key in {max(0, min(LAST_KEY, edge + step)) for edge in edges for step in (-1, 0, 1)}:
        assert both.at(key) == (lower.at(key) if upper.at(key) is None else upper.at(key))
    assert both.starts[0] == 0
    assert all(one is not other for one, other in pairwise(both.values))
    assert list(both.starts) == sorted(set(both.starts))
