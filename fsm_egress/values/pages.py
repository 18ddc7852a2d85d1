"""Pages for a browser, each in one file: no script, nothing from elsewhere, readable on light and dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .notebook import COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["curve", "page", "section", "table"]

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } nav a { margin-right: 1rem; } .soft { opacity: .7; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
th { font-weight: 600; } td b { white-space: nowrap; }
@media (max-width: 45rem) {
  thead { display: none; } tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  td { display: flex; gap: .75rem; border: 0; padding: .1rem 0; }
  td::before { content: attr(data-name); flex: 0 0 6rem; opacity: .7; }
  td > span { min-width: 0; overflow-wrap: anywhere; }
}
""".strip()

WIDTH, HEIGHT = 640, 120  # of a curve, in pixels before it is scaled


def page(title: str, heading: str, headline: str, *parts: str) -> str:
    """A page of these parts, which are HTML; those that are empty are left out.

    Args:
        title: of the browser's window.
        heading: above everything.
        headline: below it, in a line.
        parts: what follows.
    """
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f'<h1>{escape(heading)}</h1><p class="soft">{escape(headline)}</p>',
        *parts,
        "</body></html>",
    ]
    return "\n".join(filter(None, lines)) + "\n"


def section(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A heading and a table; nothing where there are no rows."""
    return f"<h2>{escape(title)}</h2>{table(columns, rows)}" if rows else ""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts below their columns."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(_cell(name, text) for name, text in zip(columns, row, strict=True))}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(name: str, text: str) -> str:
    colour = COLOURS.get(text)
    shown = f'<b style="color:{colour}">{escape(text)}</b>' if colour else escape(text)
    return f'<td data-name="{escape(name)}"><span>{shown}</span></td>'


def curve(points: Sequence[tuple[float, float]], label: str) -> str:
    """A rising line as an SVG picture, from the left edge at nothing to its last point at the top right.

    Args:
        points: where it passes, in order; at least two are needed for a line, else nothing is drawn.
        label: what it shows, for those who do not see it.
    """
    if len(points) < 2:  # noqa: PLR2004  # because a line has two ends
        return ""
    (left, _), (right, _) = points[0], points[-1]
    top = max(*(value for _, value in points), 1)
    across = max(right - left, 1)
    places = " ".join(
        f"{(at - left) / across * WIDTH:.1f},{HEIGHT - value / top * HEIGHT:.1f}" for at, value in points
    )
    line = f'<polyline fill="none" stroke="#0891b2" stroke-width="2" points="{places}"/>'
    size = f'viewBox="0 -4 {WIDTH} {HEIGHT + 8}" style="max-width:100%;height:auto" width="{WIDTH}"'
    return f'<svg role="img" aria-label="{escape(label)}" {size}><title>{escape(label)}</title>{line}</svg>'
