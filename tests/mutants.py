"""Are the tests worth anything? Small faults are put into the package one by one, and they are to find them.

    python tests/mutants.py 600 --seconds 14400 --into mutants.jsonl

So many mutants are drawn evenly over the wings, and tried in turns in a copy of the project. Each fault is
put into the function that it is in, in a process forked from one that has collected the tests. First all are
tried for some seconds on the tests of their wing, those of the module's own name first: most are found so.
Then all tests of the wings are run once, to see which lines each of them runs and how long it takes, and of
the faults that are left each is tried on all that run its line, the quickest first. What runs while modules
are loaded and is not found so is written into the copy, and the tests that mirror the module are run anew.

Each line of the output is a mutant and how it ended: `killed` by a failing test, `slow` where the tests took
too long, `survived` where all passed, `open` where only some have been tried; of several lines the last
counts. Mutants that the file has are not run again, but for the open ones. Of the survivors, those that mean
the same are no fault; the others want a test. What is needed is Python 3.12 or newer, on Linux.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import suppress
from functools import partial
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from random import Random
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROJECT = Path(__file__).parents[1]
PACKAGE = "fsm_egress"

# The wings: their modules, and the tests that mirror them, the quickest to find a fault first.
WINGS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "engine": (
        ("engine/*.py",),
        ("tests/engine", "tests/test_workload.py"),
    ),
    "resolution": (("resolution/*.py",), ("tests/resolution", "tests/engine")),
    "pipy": (
        ("pipy/*.py",),
        ("tests/pipy", "tests/verification/test_agreement.py", "tests/verification/test_sides.py"),
    ),
    "partition": (
        ("answers/partition.py", "answers/regions.py", "division/*.py"),
        ("tests/division", "tests/answers/test_partition.py", "tests/answers/test_regions.py"),
    ),
    "verification": (("verification/*.py",), ("tests/verification",)),
    "answers": (
        ("answers/comparison.py", "answers/pr*.py", "answers/re[as]*.py"),
        ("tests/answers", "tests/certificates/test_script.py"),
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
SOON = 20  # seconds of a core for each mutant at first
MEMORY = 4 << 30  # bytes that a fault may take
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


def mutated(source: str, site: Site) -> ast.Module:
    """The module with the one change; every other line is where it was."""
    tree = ast.parse(source)
    old = next(node for number, node in enumerate(running(tree)) if number == site.node)
    new = ast.copy_location(list(variants(old))[int(site.change.split()[0])], old)
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
            elif isinstance(value, list):
                value[:] = [new if item is old else item for item in value]
    return ast.fix_missing_locations(tree)


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


def soonest(mutant: Mutant, items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests of a mutant's wing: first those of its module, then of namesakes; laws last of each."""
    wanted = tests_of(mutant)
    own = tuple(path for path in wanted if path not in WINGS[mutant.wing][1])
    alike = f"/test_{Path(mutant.module).stem.split('_')[0]}"

    def late(item: pytest.Item) -> tuple[bool, bool, bool]:
        is_law = bool(getattr(getattr(item, "function", None), "is_hypothesis_test", False))
        return not item.nodeid.startswith(own), alike not in item.nodeid, is_law

    return sorted((item for item in items if item.nodeid.startswith(tuple(wanted))), key=late)


def lines_of(source: str, site: Site) -> range:
    """The lines of a statement up to the place in it that is changed."""
    tree = ast.parse(source)
    node = next(node for number, node in enumerate(running(tree)) if number == site.node)
    last = (node.test.end_lineno if isinstance(node, ast.If) else 0) or site.line
    begun = [
        it.lineno
        for it in ast.walk(tree)
        if isinstance(it, ast.stmt) and it.lineno <= site.line <= (it.end_lineno or 0)
    ]
    return range(max(begun), last + 1)


Key = tuple[str, int]


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def functions() -> list[FunctionType]:
    """All functions that are there."""
    return [it for it in gc.get_objects() if isinstance(it, FunctionType)]


def by_key(tree: ast.Module, path: Path) -> Mapping[Key, list[CodeType]]:
    """The code of a module by where it begins: lambdas of one line are several there, in their order."""
    found: dict[Key, list[CodeType]] = defaultdict(list)
    for code in codes(compile(tree, str(path), "exec", dont_inherit=True)):
        found[code.co_qualname, code.co_firstlineno].append(code)  # type: ignore[attr-defined,unused-ignore]
    return found


def applied(tree: ast.Module, path: Path) -> None:
    """Put the code of a changed module into the functions that are there."""
    news = by_key(tree, path)
    new_of = {
        old: new
        for key, olds in by_key(ast.parse(path.read_text(encoding="utf-8")), path).items()
        for old, new in zip(olds, news.get(key, ()), strict=False)
    }
    for function in functions():
        old = function.__code__
        if old.co_filename == str(path) and old in new_of:
            function.__code__ = new_of[old]


class Seen(NamedTuple):
    """Which tests run each line of a module, the seconds of each, and those that fail without a fault."""

    tests: Mapping[tuple[str, int], set[str]]
    seconds: Mapping[str, float]
    failing: list[str]


class Trials:
    """A plugin of pytest that does not run the tests once, but tries each mutant on those that matter."""

    def __init__(
        self,
        mutants: list[Mutant],
        begun: set[str],
        home: Path,
        limit: float,
        end: float,
        note: Callable[[Mutant, str], None],
    ) -> None:
        self.mutants, self.home, self.limit, self.end, self.note = mutants, home, limit, end, note
        self.open = begun
        self.passing: dict[str, bool] = {}
        self.has_failed = False
        self.failing: list[str] = []
        self.loading: set[tuple[str, int]] = set()
        self.monitoring: Any = getattr(sys, "monitoring", None)
        if self.monitoring is None:
            sys.exit("Python 3.12 or newer is needed")
        self.monitoring.use_tool_id(self.monitoring.COVERAGE_ID, "mutants")
        self._watch(self.loading)
        self.monitoring.set_events(self.monitoring.COVERAGE_ID, self.monitoring.events.LINE)

    def _watch(self, lines: set[tuple[str, int]]) -> None:
        package = str(self.home / PACKAGE)

        def at(code: CodeType, line: int) -> object:
            if code.co_filename.startswith(package):
                lines.add((str(Path(code.co_filename).relative_to(self.home)), line))
            return self.monitoring.DISABLE

        self.monitoring.register_callback(self.monitoring.COVERAGE_ID, self.monitoring.events.LINE, at)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings  # noqa: PLC0415  # because it loads the package

        phases = (Phase.explicit, Phase.generate)  # a failing law need not be made small
        settings.register_profile("mutants", settings(), phases=phases)
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.has_failed |= report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for path in sorted((self.home / PACKAGE).rglob("*.py")):  # what a test alone loads has functions, too
            if path.stem != "__main__":
                with suppress(ImportError):  # because an extra may be missing
                    import_module(".".join(path.relative_to(self.home).with_suffix("").parts))
        self.monitoring.set_events(self.monitoring.COVERAGE_ID, 0)
        left = [mutant for mutant in self.mutants if not self._is_killed_soon(mutant, session.items)]
        if left and time.monotonic() < self.end:
            self._try_all(left, session.items)
        return True

    def _is_killed_soon(self, mutant: Mutant, items: list[pytest.Item]) -> bool:
        if mutant.name in self.open or time.monotonic() > self.end:
            return False
        how, by = forked(partial(self.tried, mutant, soonest(mutant, items)), SOON)
        if by and not self._passes(by, items):
            return self._is_killed_soon(mutant, [item for item in items if item.nodeid != by])
        is_killed = how == "killed" or bool(by)
        self.note(mutant, "killed" if is_killed else "open")
        return is_killed

    def _passes(self, name: str, items: list[pytest.Item]) -> bool:
        """Whether a test passes without a fault."""
        if name not in self.passing:
            _, answer = forked(lambda: self.alone(next(it for it in items if it.nodeid == name)), 3600)
            self.passing[name] = answer is not None and not answer[0]
        return self.passing[name]

    def _try_all(self, mutants: list[Mutant], tests: list[pytest.Item]) -> None:
        """Try them on all tests that run their lines."""
        ended, answer = forked(lambda: self.seen(tests), 3600)
        if answer is None:
            sys.exit(f"the tests without a fault: {ended}")
        seen: Seen = answer
        self.failing = seen.failing
        by_name = {item.nodeid: item for item in tests}
        for mutant in mutants:
            if time.monotonic() > self.end:
                break
            path = self.home / mutant.module
            lines = [
                (mutant.module, line) for line in lines_of(path.read_text(encoding="utf-8"), mutant.site)
            ]
            names = set().union(*(seen.tests.get(line, set()) for line in lines))
            items = [by_name[name] for name in sorted(names, key=lambda name: seen.seconds[name])]
            usual = sum(seen.seconds[item.nodeid] for item in items)
            how, by = forked(partial(self.tried, mutant, items), self.limit + 2 * usual)
            ended = how or ("killed" if by else "survived")
            if ended == "survived" and self.loading & set(lines):
                ended = outcome(mutant, self.home, self.limit + 2 * sum(seen.seconds.values()))
            self.note(mutant, ended)

    def run(self, item: pytest.Item, following: pytest.Item | None) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def seen(self, items: list[pytest.Item]) -> Seen:
        """What each test runs that passes without a fault."""
        tests: dict[tuple[str, int], set[str]] = defaultdict(set)
        seconds: dict[str, float] = {}
        failing: list[str] = []
        package = str(self.home / PACKAGE)
        there = [
            function.__code__ for function in functions() if function.__code__.co_filename.startswith(package)
        ]
        for code in {code for function in there for code in codes(function)}:
            self.monitoring.set_local_events(self.monitoring.COVERAGE_ID, code, self.monitoring.events.LINE)
        for item in items:  # each in a process of its own, where no other has filled what is remembered
            _, answer = forked(partial(self.alone, item), 3600)
            failed, lines, taken = (True, (), 0.0) if answer is None else answer
            seconds[item.nodeid] = taken
            if failed:
                failing.append(item.nodeid)
            for line in () if failed else lines:
                tests[line].add(item.nodeid)
        return Seen(dict(tests), seconds, failing)

    def alone(self, item: pytest.Item) -> tuple[bool, set[tuple[str, int]], float]:
        """Whether a test fails, the lines that it runs, and the seconds that it takes."""
        lines: set[tuple[str, int]] = set()
        self._watch(lines)
        start = time.process_time()
        self.run(item, None)
        return self.has_failed, lines, time.process_time() - start

    def tried(self, mutant: Mutant, items: list[pytest.Item]) -> str | None:
        """The test that finds a fault."""
        path = self.home / mutant.module
        applied(mutated(path.read_text(encoding="utf-8"), mutant.site), path)
        for item, following in zip_longest(items, items[1:]):
            self.run(item, following)
            if self.has_failed:
                return item.nodeid
        return None


def forked(work: Callable[[], Any], limit: float) -> tuple[str, Any]:
    """What some work came to in a process of its own, or how that ended."""
    with tempfile.TemporaryFile() as file:
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            try:
                pickle.dump(work(), file)
                file.flush()
                os._exit(0)
            except BaseException:  # noqa: BLE001  # because whatever a fault leads to, it was noticed
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        file.seek(0)
        if status == 0:
            return "", pickle.load(file)  # noqa: S301  # because it was written above
        return "slow" if status == -signal.SIGXCPU else "killed", None


def outcome(mutant: Mutant, home: Path, limit: float) -> str:
    """How the tests that mirror its module take a mutant of what runs while it is loaded."""
    path = home / mutant.module
    source = path.read_text(encoding="utf-8")
    path.write_text(ast.unparse(mutated(source, mutant.site)), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    world = {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}

    def restrict() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))

    try:
        done = subprocess.run(  # noqa: S603  # because the tests are the project's own
            [*command, *tests_of(mutant)],
            cwd=home,
            env=world,
            capture_output=True,
            preexec_fn=restrict,  # because there is one thread
            check=False,
        )
    finally:
        path.write_text(source, encoding="utf-8")
    if not done.returncode:
        return "survived"
    return "slow" if done.returncode == -signal.SIGXCPU else "killed"


def summary(results: Mapping[str, tuple[str, str]]) -> str:
    """How many of each wing were found."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for wing, ended in results.values():
        counts[wing][ended] += 1
    lines = [f"{'wing':14} mutants killed slow survived open at least"]
    for wing, count in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        found = count["killed"] + count["slow"]
        rate = f"{100 * found / max(1, count.total()):5.1f} %"
        shown = f"{count['killed']:6} {count['slow']:4} {count['survived']:8} {count['open']:4}"
        lines.append(f"{wing:14} {count.total():7} {shown} {rate}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("count", type=int, help="how many mutants, over all wings")
    parser.add_argument("--seconds", type=float, default=4 * 3600, help="after which no other one is begun")
    parser.add_argument("--limit", type=float, default=300, help="seconds of a core beyond twice the usual")
    parser.add_argument("--wing", choices=WINGS, help="only the mutants of this wing, and its tests")
    parser.add_argument("--seed", type=int, default=1, help="which mutants are drawn")
    parser.add_argument("--into", type=Path, default=Path("mutants.jsonl"), help="the file of the outcomes")
    parser.add_argument("--here", action="store_true", help="change the files of this folder, not of a copy")
    given = parser.parse_args()
    results: dict[str, tuple[str, str]] = {}
    if given.into.exists():
        for line in given.into.read_text(encoding="utf-8").splitlines():
            read = json.loads(line)
            results[read["mutant"]] = read["wing"], read["ended"]
    if not given.here:
        with tempfile.TemporaryDirectory() as folder:
            home = (Path(folder) / "project").resolve()
            shutil.copytree(
                PROJECT, home, ignore=shutil.ignore_patterns(".git", ".*_cache", "site", "__pycache__")
            )
            again = [
                str(home / "tests/mutants.py"),
                *sys.argv[1:],
                "--here",
                "--into",
                str(given.into.resolve()),
            ]
            world = os.environ | {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
            sys.exit(subprocess.call([sys.executable, *again], cwd=home, env=world))  # noqa: S603
    end = time.monotonic() + given.seconds
    with tempfile.TemporaryDirectory() as folder, given.into.open("a", encoding="utf-8") as file:

        def note(mutant: Mutant, ended: str) -> None:
            results[mutant.name] = mutant.wing, ended
            file.write(json.dumps({"mutant": mutant.name, "wing": mutant.wing, "ended": ended}) + "\n")
            file.flush()

        begun = {name for name, (_, ended) in results.items() if ended == "open"}
        wings = [given.wing] if given.wing else list(WINGS)
        mutants = [
            it
            for it in drawn(given.count, given.seed)
            if it.wing in wings and (it.name not in results or it.name in begun)
        ]
        tests = list(dict.fromkeys(test for wing in wings for test in WINGS[wing][1]))
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", f"--basetemp={folder}/tests"]
        trials = Trials(mutants, begun, PROJECT, given.limit, end, note)
        pytest.main([*options, *tests], plugins=[trials])
    print(summary(results), *(f"fails without a fault: {name}" for name in trials.failing), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
