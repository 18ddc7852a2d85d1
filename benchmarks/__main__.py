"""`python -m benchmarks`: measures the rows that are named, or all of them."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from rich.console import Console

from .beside import against
from .building import BUILDING
from .cliffs import SHAPES, rows_of
from .deciding import DECIDING
from .figures import Figure, Options
from .logs import LOGS
from .report import save_json, save_plot, table
from .workload import SIZES

LIMIT = 10  # seconds, beyond which no greater mesh is tried
ROWS = {row.name: row for row in (*DECIDING, *BUILDING, *LOGS)}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, save."""
    parser = ArgumentParser(
        prog="python -m benchmarks", description="How fast the engine is, and against what."
    )
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help=(
            f"what to measure: {', '.join(ROWS)}; all of these by default. Or cliffs, or beside and "
            "the folder of another build"
        ),
    )
    parser.add_argument("--sizes", metavar="N,…", help="numbers of Egress policies")
    parser.add_argument("--rounds", type=int, metavar="N", help="as many as there is time for, at most these")
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save all figures")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save a plot, SVG or PNG")
    asked = parser.parse_args(arguments)
    if asked.rows == ["cliffs"]:
        return _cliffs(int((asked.sizes or "50").split(",")[0]))
    if asked.rows[:1] == ["beside"] and len(asked.rows) in {2, 3}:
        return _beside(*asked.rows[1:], rounds=asked.rounds or 3)
    unknown = [name for name in asked.rows if name not in ROWS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(ROWS)}")
    default = Options((10,), 1, 90, 100) if asked.quick else Options(SIZES, 41)
    sizes = tuple(map(int, asked.sizes.split(","))) if asked.sizes else default.sizes
    options = Options(sizes, asked.rounds or default.rounds, default.calls, default.crowd)
    console = Console()
    figures: list[Figure] = []
    notes: list[str] = []
    for name in asked.rows or ROWS:
        found = list(ROWS[name].run(options))
        own = [item for item in found if isinstance(item, Figure)]
        said = [item for item in found if isinstance(item, str)]
        console.print(table(ROWS[name], own))
        for note in said:
            console.print(note)
        figures += own
        notes += said
    if asked.json:
        save_json(asked.json, figures, notes)
    if asked.plot:
        save_plot(asked.plot, figures)
    return 0


def _beside(folder: str, only: str = "", *, rounds: int) -> int:
    for line in against(Path(folder), rounds, only):
        print(line, flush=True)  # noqa: T201  # ditto
    return 0


def _cliffs(count: int) -> int:
    for shape in SHAPES:
        for row in rows_of(shape, count, LIMIT):
            print(row, flush=True)  # noqa: T201  # because that is what the command is for
    return 0


if __name__ == "__main__":
    sys.exit(main())
