"""How long imports take, each in new interpreters."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING

from .figures import Figure
from .timing import rounds_within

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec

__all__ = ["import_times", "standard_modules"]

ROOT = Path(__file__).parent.parent
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "curl"}}
BARE = "pass"


def import_times(rounds: int, seconds: float) -> Iterator[Figure]:
    """Against attrs, cattrs and the modules of the standard library that the package itself imports."""
    codes = {
        "attrs, cattrs, standard library": f"import attrs, cattrs, {', '.join(standard_modules())}",
        "import fsm_egress": "import fsm_egress",
        "what decides": "from fsm_egress import compile, http",
        "what loads": "from fsm_egress import load",
        "a first resource loaded": f"import fsm_egress; fsm_egress.load({NAMESPACE!r})",
        "everything, import *": "from fsm_egress import *",
    }
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in rounds_within(seconds, rounds):
        bare = _run(BARE)
        for name, code in codes.items():
            times[name].append(_run(code) - bare)
    base = next(iter(times.values()))
    for name, own in times.items():
        ratio = None if own is base else median(mine / its for mine, its in zip(own, base, strict=True))
        yield Figure("import", name, "", median(own), "ns", ratio)


def standard_modules() -> list[str]:
    """What the modules behind the public names import from the standard library when they are imported."""
    code = "from sys import modules; from fsm_egress import *; print(*modules)"
    found: set[str] = set()
    for name in _run_for_text(code).split():
        if name.partition(".")[0] == "fsm_egress":
            found |= _imported(find_spec(name))
    return sorted(name for name in found if name.partition(".")[0] in sys.stdlib_module_names)


def _imported(spec: ModuleSpec | None) -> set[str]:
    """What a module imports at its top, by absolute names."""
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body if spec and spec.origin else []
    names = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    froms = (node for node in body if isinstance(node, ast.ImportFrom) and not node.level)
    return names | {node.module for node in froms if node.module}


def _run_for_text(code: str) -> str:
    return subprocess.run(_command(code), cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _run(code: str) -> float:
    """The nanoseconds of a new interpreter that runs some code."""
    begin = perf_counter_ns()
    subprocess.run(_command(code), cwd=ROOT, check=True)
    return float(perf_counter_ns() - begin)


def _command(code: str) -> list[str]:
    return [sys.executable, "-c", code]
