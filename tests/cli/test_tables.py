"""Tables on terminals: no word is cut, and what is too wide stands below each other."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from fsm_egress.cli import output
from fsm_egress.cli.output import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = st.text(st.sampled_from("abc/.`äÖ界"), min_size=1, max_size=12)
CELLS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
NAMES = ("port", "rule", "sends")


def shown(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """What a terminal of this width shows."""
    with pytest.MonkeyPatch.context() as patch:
        console = Console(
            file=StringIO(), width=width, force_terminal=True, color_system=None, highlight=False
        )
        patch.setattr(output, "terminal", lambda: console)
        print_table(tuple(columns), [tuple(row) for row in rows])
        text: Any = console.file
    return [line.rstrip() for line in text.getvalue().splitlines()]


@given(st.lists(st.tuples(WORDS, CELLS, CELLS), min_size=1, max_size=4), st.integers(32, 90))
def test_law_no_word_is_cut_and_no_line_is_too_wide(rows: list[tuple[str, ...]], width: int) -> None:
    lines = shown(NAMES, rows, width)
    assert max(map(cell_len, lines)) <= width
    told = " ".join(lines).split()
    for row in rows:
        for cell in row:
            for word in cell.split(" "):
                assert word in told


WIDE = [("any but 80", "Egress curl/httpbin-80 spec.ports[0] (policies/http.yaml:15)", "bytes; any TLS")]


def test_a_table_that_fits_is_one() -> None:
    assert shown(NAMES, WIDE, 100) == [
        "port        rule                                                          sends",
        "any but 80  Egress curl/httpbin-80 spec.ports[0] (policies/http.yaml:15)  bytes; any TLS",
    ]


def test_cells_are_broken_between_words() -> None:
    assert shown(NAMES, WIDE, 70) == [
        "port        rule                                      sends",
        "any but 80  Egress curl/httpbin-80 spec.ports[0]      bytes; any TLS",
        "            (policies/http.yaml:15)",
    ]


def test_what_has_no_room_side_by_side_stands_below_each_other() -> None:
    assert shown(NAMES, [*WIDE, ("80", "-", "UDP")], 40) == [
        "port   any but 80",
        "rule   Egress curl/httpbin-80",
        "       spec.ports[0]",
        "       (policies/http.yaml:15)",
        "sends  bytes; any TLS",
        "",
        "port   80",
        "rule   -",
        "sends  UDP",
    ]
