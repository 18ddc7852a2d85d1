"""What notebooks show: a headline and a small table, as HTML without scripts, readable on light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .construction import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["COLOURS", "Shown", "Table", "as_html", "listed"]

MOST = 20  # rows that a notebook shows before it counts the rest

# What is coloured by its word, in tones that stand out from white and from black.
COLOURS = {
    "IN_MESH": "#0891b2",
    "EGRESS_POLICY": "#16a34a",
    "PASSTHROUGH": "#ca8a04",
    "DENIED": "#dc2626",
    "allowed": "#16a34a",
    "denied": "#dc2626",
    "re-routed": "#ca8a04",
    "refused otherwise": "#ca8a04",
    "error": "#dc2626",
    "warning": "#ca8a04",
    "passed": "#16a34a",
    "failed": "#dc2626",
}
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0;overflow-wrap:break-word"


@frozen
class Table:
    """A headline and rows of texts below their columns; without columns, the rows are lines of text."""

    headline: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Shown:
    """What a notebook shows as a table."""

    __slots__ = ()

    def table(self) -> Table:
        """What is shown of it."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return as_html(self.table())


def as_html(table: Table, most: int = MOST) -> str:
    """A table as HTML, with at most so many rows; the others are counted."""
    head = "".join(f'<th style="{_CELL}">{name.translate(_ESCAPED)}</th>' for name in table.columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows[:most])
    rest = len(table.rows) - most
    more = f'<div style="opacity:0.7">and {rest} more</div>' if rest > 0 else ""
    rows = f'<table style="border-collapse:collapse">{_head(head)}<tbody>{body}</tbody></table>'
    shown = f"<div>{_coloured(table.headline)}</div>{rows if table.rows else ''}{more}"
    return f'<div style="overflow-x:auto">{shown}</div>'


def _head(cells: str) -> str:
    return f"<thead><tr>{cells}</tr></thead>" if cells else ""


def _cell(text: str) -> str:
    colour = COLOURS.get(text)
    style = f"{_CELL};color:{colour};font-weight:600" if colour else _CELL
    return f'<td style="{style}">{text.translate(_ESCAPED)}</td>'


def _coloured(text: str) -> str:
    """A headline, whose first word has a colour if it is known."""
    first, space, rest = text.partition(" ")
    colour = COLOURS.get(first.rstrip(":"))
    word = first.translate(_ESCAPED)
    mark = f'<b style="color:{colour}">{word}</b>' if colour else f"<b>{word}</b>"
    return f"{mark}{space}{rest.translate(_ESCAPED)}"


def listed(values: Iterable[object]) -> str:
    """Values with commas between them; a dash for none."""
    return ", ".join(map(str, values)) or "-"
