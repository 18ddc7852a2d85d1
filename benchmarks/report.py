"""Figures as a table on the terminal, as JSON, and as a plot."""

from __future__ import annotations

import json
import platform
from importlib import import_module
from math import inf
from typing import TYPE_CHECKING, Any

from attrs import asdict
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .figures import Figure, Row

__all__ = ["save_json", "save_plot", "table"]

UNITS = {
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")),
    "bytes": ((1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}
RATIOS = (100, 10, 0.1, -inf)  # from which on a ratio has no digits behind its point, one, two, or three
PLOTTED = ("classify", "peers")  # whose figures are times of one decision


def table(row: Row, figures: Sequence[Figure]) -> Table:
    """What was measured of a row: contenders downwards, cases to the right, in each cell value and ratio."""
    cases = list(dict.fromkeys(figure.case for figure in figures))
    made = Table(title=f"{row.name}: {row.title}", caption=f"to reach: {row.aim}", min_width=60)
    made.add_column("")
    for case in cases:
        made.add_column(f"{case:,}" if isinstance(case, int) else case, justify="right")
    is_growing = len(cases) > 1
    if is_growing:
        made.add_column("growth", justify="right")
    for contender in dict.fromkeys(figure.contender for figure in figures):
        own = {figure.case: figure for figure in figures if figure.contender == contender}
        values = [figure.value for figure in own.values()]
        growth = (f"{values[-1] / values[0]:,.2f}",) if is_growing else ()
        made.add_row(contender, *(_cell(own[case]) for case in cases), *growth)
    return made


def _cell(figure: Figure) -> str:
    value = _spoken(figure.value, figure.unit)
    if figure.ratio is None:
        return value
    digits = next(digits for digits, least in enumerate(RATIOS) if figure.ratio >= least)
    return f"{value}\n{figure.ratio:,.{digits}f} x"


def _spoken(value: float, unit: str) -> str:
    """Three digits and a unit."""
    size, name = next(((size, name) for size, name in UNITS[unit] if value >= size), UNITS[unit][-1])
    number = value / size
    return f"{number:#.3g}".removesuffix(".") + f" {name}"


def save_json(path: Path, figures: Sequence[Figure], notes: Sequence[str]) -> None:
    """Everything that was measured, for machines."""
    tree: dict[str, Any] = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "notes": list(notes),
        "figures": [asdict(figure) for figure in figures],
    }
    path.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")


def save_plot(path: Path, figures: Sequence[Figure]) -> None:
    """The time of one decision by the number of policies, as SVG or PNG."""
    lines: dict[str, dict[int, float]] = {}
    for figure in figures:
        if figure.row in PLOTTED and isinstance(figure.case, int):
            lines.setdefault(figure.contender, {}).setdefault(figure.case, figure.value)
    # A font of the reader's, and the same bytes for the same figures.
    with import_module("matplotlib").rc_context({"svg.fonttype": "none", "svg.hashsalt": "benchmarks"}):
        canvas = import_module("matplotlib.figure").Figure(figsize=(8, 5), layout="constrained")
        axes = canvas.add_subplot()
        for contender, values in lines.items():
            axes.loglog([*values], [*values.values()], marker="o", label=contender)
        axes.set_xlabel("Egress policies")
        axes.set_ylabel("nanoseconds for a decision")
        axes.grid(alpha=0.3)
        canvas.legend(loc="outside right upper", frameon=False)
        canvas.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
