"""Are the tests worth anything? Small faults are put into the package one by one, and they are to find them.

    python tests/mutants.py 600 --seconds 14400 --into mutants.jsonl

So many mutants are drawn evenly over the wings, and the tests that mirror the changed module are run in a
copy of the project. Each line of the output is a mutant and how it ended: `killed` by a failing test, `slow`
where the tests took too long, `survived` where all passed. Mutants that the file has are not run again. Of
the survivors, those that mean the same are no fault; the others want a test.
"""

from __future__ import annotations

import argparse
import ast
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT = Path(__file__).parents[1]
PACKAGE = "fsm_egress"

# The wings: their modules, and the tests that mirror them, the quickest to find a fault first.
WINGS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "engine": (
        ("engine/*.py",),
        ("tests/engine", "tests/test_workload.py"),
    ),
    "resolution": (("resolution/*.py",), ("tests/resolution", "tests/engine")),
    "pipy": (("pipy/*.py",), ("tests/pipy", "tests/verification/test_agreement.py")),
    "partition": (
        ("answers/partition.py", "answers/regions.py", "division/*.py"),
        ("tests/division", "tests/answers/test_partition.py", "tests/answers/test_regions.py"),
    ),
    "verification": (("verification/*.py",), ("tests/verification",)),
    "answers": (
        ("answers/comparison.py", "answers/pr*.py", "answers/re[as]*.py"),
        ("tests/answers",),
    ),
    "net": (("values/net.py", "values/prefix_table.py"), ("tests/values",)),
    "patterns": (("patterns/*.py",), ("tests/patterns",)),
}

COMPARED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
COMPUTED: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
NAMES = {"any": "all", "all": "any", "min": "max", "max": "min", "takewhile": "filter", "sorted": "list"}


class Site(NamedTuple):
    """A place where one thing may be changed, by the number of its node, and what to."""

    node: int
    line: int
    change: str


class Mutant(NamedTuple):
    """One fault, of a wing."""

    wing: str
    module: str
    site: Site

    @property
    def name(self) -> str:
        return f"{self.module}:{self.site.line}:{self.site.node} {self.site.change}"


def said(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:60]


def variants(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901, PLR0912  # because it is a table
    """What a node may be replaced by."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in COMPARED:
            yield ast.Compare(node.left, [COMPARED[type(operator)]()], node.comparators)
        case ast.BoolOp():
            yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
            yield from (node.values[0], node.values[-1])
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.BinOp() if type(node.op) in COMPUTED:
            yield ast.BinOp(node.left, COMPUTED[type(node.op)](), node.right)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(number)):
            yield ast.Constant(number + 1)
        case ast.Name(id=name) if name in NAMES and isinstance(node.ctx, ast.Load):
            yield ast.Name(NAMES[name], ast.Load())
        case ast.IfExp():
            yield from (node.body, node.orelse)
        case ast.Continue():
            yield ast.Break()
        case ast.If():
            yield ast.If(ast.Constant(value=True), node.body, node.orelse)
            yield ast.If(ast.Constant(value=False), node.body, node.orelse)
        case ast.Assign() | ast.AugAssign() if any(
            isinstance(it, ast.Subscript | ast.Attribute) for it in ast.walk(target_of(node))
        ):
            yield ast.Pass()
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            yield ast.Pass()
        case ast.comprehension(ifs=[_, *_]):
            yield ast.comprehension(node.target, node.iter, [], node.is_async)


def target_of(node: ast.Assign | ast.AugAssign) -> ast.AST:
    return node.targets[0] if isinstance(node, ast.Assign) else node.target


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run, in order: no annotations, no imports for the type checker."""
    for name, value in ast.iter_fields(tree):
        if name in {"annotation", "returns"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            is_for_types = isinstance(child, ast.If) and said(child.test) == "TYPE_CHECKING"
            if isinstance(child, ast.AST) and not is_for_types:
                yield child
                yield from running(child)


def sites(source: str) -> list[Site]:
    found = []
    for number, node in enumerate(running(ast.parse(source))):
        line = getattr(node, "lineno", 0) or getattr(getattr(node, "target", None), "lineno", 0)
        for which, other in enumerate(variants(node)):
            change = f"{which} {said(node)} -> {said(ast.fix_missing_locations(other))}"
            found.append(Site(number, line, change))
    return found


def mutated(source: str, site: Site) -> str:
    """The source with the one change."""
    tree = ast.parse(source)
    old = next(node for number, node in enumerate(running(tree)) if number == site.node)
    new = list(variants(old))[int(site.change.split()[0])]
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
            elif isinstance(value, list):
                value[:] = [new if item is old else item for item in value]
    return ast.unparse(ast.fix_missing_locations(tree))


def drawn(count: int, seed: int) -> list[Mutant]:
    """So many mutants, as many of each wing, in an order that takes the wings in turn."""
    chance = Random(seed)  # noqa: S311  # because any would do
    listed: list[list[Mutant]] = []
    for wing, (globs, _) in WINGS.items():
        paths = sorted(path for glob in globs for path in (PROJECT / PACKAGE).glob(glob))
        mutants = [
            Mutant(wing, str(path.relative_to(PROJECT)), site)
            for path in paths
            for site in sites(path.read_text(encoding="utf-8"))
        ]
        listed.append(chance.sample(mutants, min(len(mutants), -(-count // len(WINGS)))))
    turns = zip_longest(*listed)
    return [mutant for turn in turns for mutant in turn if mutant is not None][:count]


def tests_of(mutant: Mutant) -> list[str]:
    """The tests that mirror a module: those of its own name first, then those of its wing."""
    names = {Path(mutant.module).stem, f"pattern_{Path(mutant.module).stem}"}
    own = sorted(
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "tests").rglob("test_*.py")
        if path.stem.removeprefix("test_") in names
    )
    return list(dict.fromkeys([*own, *WINGS[mutant.wing][1]]))


def outcome(mutant: Mutant, home: Path, limit: float) -> str:
    """How the tests take a mutant."""
    path = home / mutant.module
    source = path.read_text(encoding="utf-8")
    path.write_text(mutated(source, mutant.site), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    world = {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    try:
        done = subprocess.run(  # noqa: S603  # because the tests are the project's own
            [*command, *tests_of(mutant)],
            cwd=home,
            env=world,
            capture_output=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "slow"
    finally:
        path.write_text(source, encoding="utf-8")
    return "killed" if done.returncode else "survived"


def summary(results: Mapping[str, tuple[str, str]]) -> str:
    """How many of each wing were found."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for wing, ended in results.values():
        counts[wing][ended] += 1
    lines = [f"{'wing':14} mutants killed slow survived  rate"]
    for wing, count in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        found = count["killed"] + count["slow"]
        rate = f"{100 * found / max(1, count.total()):5.1f} %"
        lines.append(
            f"{wing:14} {count.total():7} {count['killed']:6} {count['slow']:4} {count['survived']:8} {rate}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("count", type=int, help="how many mutants, over all wings")
    parser.add_argument("--seconds", type=float, default=4 * 3600, help="after which no other one is begun")
    parser.add_argument("--limit", type=float, default=300, help="seconds that the tests of one may take")
    parser.add_argument("--seed", type=int, default=1, help="which mutants are drawn")
    parser.add_argument("--into", type=Path, default=Path("mutants.jsonl"), help="the file of the outcomes")
    given = parser.parse_args()
    results: dict[str, tuple[str, str]] = {}
    if given.into.exists():
        for line in given.into.read_text(encoding="utf-8").splitlines():
            read = json.loads(line)
            results[read["mutant"]] = read["wing"], read["ended"]
    end = time.monotonic() + given.seconds
    with tempfile.TemporaryDirectory() as folder, given.into.open("a", encoding="utf-8") as file:
        home = Path(folder) / "project"
        shutil.copytree(PROJECT, home, ignore=shutil.ignore_patterns(".*", "site", "__pycache__"))
        for mutant in drawn(given.count, given.seed):
            if mutant.name in results or time.monotonic() > end:
                continue
            ended = outcome(mutant, home, given.limit)
            results[mutant.name] = mutant.wing, ended
            file.write(json.dumps({"mutant": mutant.name, "wing": mutant.wing, "ended": ended}) + "\n")
            file.flush()
            if ended == "survived":
                print(mutant.name, flush=True)  # noqa: T201  # because that is what it is asked for
    print(summary(results))  # noqa: T201


if __name__ == "__main__":
    main()
