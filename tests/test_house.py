"""The house: which module may import which, what none may touch, and what a plain import loads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fsm_egress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeGuard

PACKAGE = Path(fsm_egress.__file__).parent
TESTS = Path(__file__).parent

# The ground floor comes first, and a wing imports only from floors that come before its own.
FLOORS = """
    values
    documents patterns
    resources
    connections manifests
    policy snapshot
    interception pipy
    resolution
    certificates division engine
    answers api explanation live replaying verification workload
    linting policytests replay_dask replay_spark
    learning
    outputs testing
    __init__ strategies
    cli
    __main__
"""
STREAM = {"__init__", "__main__", "api", "workload"}
DOORS = {"replay_dask", "replay_spark", "strategies"}  # three lines each, for what is documented by that name
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS.split("\n")) for room in rooms.split()}


def room_of(path: Path) -> str:
    """The wing that a module is in; the modules of the root are rooms of their own."""
    first, *rest = path.relative_to(PACKAGE).parts
    return first if rest else path.stem


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


SOURCES = sorted(PACKAGE.rglob("*.py"))
ROOMS = {room_of(path) for path in SOURCES}
CLI = {"cli", "__main__"}
TESTERS = {"policytests.document", "policytests.running"}


def sources_of(node: ast.ImportFrom, path: Path) -> Iterator[Path]:
    """The files of the package that a relative import opens, without the doors on the way to them."""
    home = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
    for alias in node.names:
        inner = home / alias.name
        tried = (
            inner / "__init__.py",
            inner.with_suffix(".py"),
            home / "__init__.py",
            home.with_suffix(".py"),
        )
        yield next(it for it in tried if it.is_file())


def imports_of(path: Path) -> Iterator[str | Path]:
    """What a module imports, late or for the type checker too: files of the package, names of others."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield from sources_of(node, path)


IMPORTS = {path: set(imports_of(path)) for path in SOURCES}
OPENED = {path: {it for it in found if isinstance(it, Path)} for path, found in IMPORTS.items()}


def reach(*start: Path) -> set[str]:
    """The wing of every module that these modules stand on, however far below."""
    reached: set[Path] = set()
    waiting = set(start)
    while waiting:
        at = waiting.pop()
        reached.add(at)
        waiting |= OPENED[at] - reached
    return {room_of(path) for path in reached - set(start)}


def importers(*names: str) -> set[str]:
    return {room_of(path) for path in SOURCES if IMPORTS[path] & set(names)}


def run_fresh(code: str) -> str:
    """What the code prints in an interpreter of its own."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout  # noqa: S603  # because the code is this file's own


def test_every_wing_has_a_floor() -> None:
    assert set(FLOOR) == ROOMS


def test_the_plan_of_the_house_has_every_wing_on_its_floor() -> None:
    plan = TESTS.parent / "ARCHITECTURE.md"
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| .+ \|$", plan.read_text(encoding="utf-8"), re.MULTILINE)
    floors = [rooms.split() for rooms in FLOORS.strip().split("\n")]
    assert [(int(floor), room) for floor, room in rows] == [
        (floor, room) for floor, rooms in enumerate(floors) for room in rooms
    ]


def test_classes_are_frozen_in_one_way() -> None:
    named = [
        path
        for path in SOURCES
        if re.search(
            r"^from attrs import .*\bfrozen\b|@attrs\.frozen", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert named == []  # `values.construction.frozen` is the one that opens quickly


HOLDERS = {
    "values.identity",
    "replaying.__init__",
}  # which hold each object beside what is kept by its number
NUMBER = re.compile(r"\bid\(|\bmap\(id\b")


def numbers_that_leave(tree: ast.AST) -> Iterator[int]:
    """The lines where a number of `id()`, or what is kept by such, outlasts the call that asked for it."""
    functions = [it for it in ast.walk(tree) if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {inner for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.stmt | ast.Subscript | ast.Call) else ""
        if NUMBER.search(text) and (
            (isinstance(node, ast.Subscript | ast.Call) and re.match(r"self\.|cls\.", text))
            or (isinstance(node, ast.Assign) and re.match(r"self\.|cls\.", text))
            or (node not in inside and isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr))
        ):
            yield node.lineno
    for function in functions:
        kept = {
            ast.unparse(target.value if isinstance(target, ast.Subscript) else target)
            for node in ast.walk(function)
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if is_number(target.slice if isinstance(target, ast.Subscript) else node.value)
        }
        kept |= {
            ast.unparse(node.func.value)
            for node in ast.walk(function)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "update"
            if any(map(is_number, node.args))
        }
        for node in ast.walk(function):
            parts: list[ast.expr] = []
            if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
                parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            elif makes_a_value(node):
                parts = [*node.args, *(it.value for it in node.keywords)]
            yield from (it.lineno for it in parts if ast.unparse(it) in kept or is_number(it))


def makes_a_value(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether it calls a class, whose objects hold what they are given."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id[:1].isupper()


def is_number(node: ast.AST | None) -> bool:
    """Whether what is worked out is such a number, or has such for keys or elements."""
    match node:
        case ast.Call(func=ast.Name(id="id")):
            return True
        case ast.Call(func=ast.Name(id="set" | "list" | "tuple" | "map" | "frozenset" | "dict"), args=args):
            return any(isinstance(it, ast.Name) and it.id == "id" for it in args) or any(map(is_number, args))
        case ast.DictComp(key=key, value=value):
            return is_number(key) or is_number(value)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="dict"), attr="fromkeys"), args=args):
            return any(map(is_number, args))
        case ast.SetComp(elt=element) | ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
            return is_number(element)
        case ast.Dict(keys=listed) | ast.Tuple(elts=listed) | ast.List(elts=listed) | ast.Set(elts=listed):
            return any(map(is_number, listed))
        case ast.IfExp(body=one, orelse=other):
            return is_number(one) or is_number(other)
    return False


def test_nothing_that_lasts_is_known_by_the_number_of_an_object() -> None:
    """What is kept by a number of `id()` is held with it: `Memory` and `Same` of `values.identity` do so."""
    ours = [path for path in SOURCES if module_of(path) not in HOLDERS]
    assert [
        f"{path}:{line}"
        for path in [*ours, *(TESTS.parent / "examples").rglob("*.py")]
        for line in numbers_that_leave(ast.parse(path.read_text(encoding="utf-8")))
    ] == []
    assert {it for it in map(module_of, SOURCES) if it in HOLDERS} == HOLDERS


@pytest.mark.parametrize(
    "code",
    [
        "KNOWN[id(it)] = 1",
        "def f(self, it):\n    self.known[id(it)] = 1",
        "def f(self, it):\n    self.known.setdefault(id(it), 1)",
        "def f(self, it):\n    self.numbers = set(map(id, it))",
        "def f(it):\n    return id(it), it.name",
        "def f(items):\n    yield {id(it): it.name for it in items}",
        "def f(items):\n    found = {}\n    for it in items:\n        found[id(it)] = it\n    return found",
        "def f(items):\n    found = set(map(id, items))\n    return found",
        "def f(items):\n    found = {it.name: id(it) for it in items}\n    return Place(names=found)",
        "def f(items):\n    found = {}\n    found.update((it, id(it)) for it in items)\n    return found",
        "def f(items):\n    by = {}\n    by.update(dict.fromkeys(items, id(1)))\n    return Place(by)",
    ],
)
def test_a_number_that_outlasts_its_object_is_found(code: str) -> None:
    assert list(numbers_that_leave(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "def f(items):\n    known = set(map(id, items))\n    return [it for it in items if id(it) in known]",
        "def f(items):\n    first = {id(it): it for it in items}\n    return list(first.values())",
        "def f(items):\n    first = {id(it): it for it in items}\n    return first[id(items[0])]",
    ],
)
def test_a_number_that_does_not_is_not(code: str) -> None:
    assert not list(numbers_that_leave(ast.parse(code)))


def test_the_root_holds_the_stream_and_its_doors() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == STREAM | DOORS
    for door in DOORS:
        body = ast.parse((PACKAGE / f"{door}.py").read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.ImportFrom) for node in body[1:])


@pytest.mark.parametrize("wing", sorted(ROOMS - STREAM - DOORS))
def test_a_wing_says_in_a_sentence_what_it_is_for(wing: str) -> None:
    said = ast.get_docstring(ast.parse((PACKAGE / wing / "__init__.py").read_text(encoding="utf-8")))
    assert said
    assert said.partition("\n")[0].endswith(".")


def test_the_tests_have_the_wings_of_the_package() -> None:
    wings = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    assert wings - {"client", "controller", "dataplane", "oracles", "spark"} == ROOMS - STREAM - DOORS
    named = {path.stem.removeprefix("test_") for path in TESTS.glob("test_*.py")}
    assert STREAM - {"__init__", "__main__"} <= named


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: ".".join(path.relative_to(PACKAGE).parts))
def test_a_module_imports_only_from_lower_floors(path: Path) -> None:
    room = room_of(path)
    inner = {room_of(it) for it in OPENED[path]} - {room}
    assert {name for name in inner if FLOOR[name] >= FLOOR[room]} == set()


def test_the_package_names_itself_relatively() -> None:
    assert importers("fsm_egress") == set()


def test_every_dependency_is_declared_and_known_to_the_rooms_that_need_it() -> None:
    outside = {name for names in IMPORTS.values() for name in names if isinstance(name, str)}
    extras = {
        "click",
        "dask",
        "hypothesis",
        "kubernetes",
        "pandas",
        "pyarrow",
        "pytest",
        "rich",
        "urllib3",
        "yaml",
        "z3",
    }
    assert outside - sys.stdlib_module_names == {"attrs", "cattrs", *extras}
    assert importers("cattrs") == {"manifests"}
    assert importers("yaml") <= {"documents", "manifests"} | CLI
    assert importers("click", "rich") <= CLI
    assert importers("hypothesis") == {"testing"}
    assert importers("pytest") == {"testing"}
    assert importers("dask", "pyarrow") <= {"replaying"}
    assert importers("kubernetes", "urllib3") == {"live"}
    assert importers("z3") == {"certificates"}


def test_the_oracle_of_the_tests_is_used_by_no_module() -> None:
    assert importers("ipaddress") == set()


@pytest.mark.parametrize("wing", ["resources", "connections", "policy"])
def test_the_models_know_no_wire_format(wing: str) -> None:
    assert reach(*(path for path in SOURCES if room_of(path) == wing)) & {"manifests", "documents"} == set()


def test_the_engine_and_the_config_are_made_independently() -> None:
    config = [path for path in SOURCES if room_of(path) == "pipy"]
    assert reach(PACKAGE / "engine" / "__init__.py") & {"pipy", "manifests", "snapshot"} == set()
    assert reach(*config) & {"engine", "manifests", "snapshot"} == set()


def test_certificates_are_a_reading_of_their_own() -> None:
    reading = [path for path in SOURCES if room_of(path) == "certificates"]
    assert reach(*reading) & {"answers", "division", "engine", "pipy", "resolution", "verification"} == set()


def test_nothing_below_the_command_line_touches_clock_chance_network_or_log() -> None:
    world = {"asyncio", "datetime", "getpass", "http", "locale", "logging", "platform", "random"}
    world |= {"secrets", "subprocess", "tempfile", "time", "uuid", "warnings"}
    assert importers(*world) <= CLI


def test_only_the_loader_reads_files() -> None:
    files = {"fileinput", "glob", "io", "os", "pathlib", "shutil", "sys"}
    readers = {module_of(path) for path in SOURCES if IMPORTS[path] & files and room_of(path) not in CLI}
    # Tests of policies name paths, and have them read by the loader.
    assert readers <= {
        "__init__",  # which has the import system tell of modules that are not there
        "manifests.loader",
        "replaying.recognition",  # which wraps streams that are open
        "testing.pytest_plugin.items",
        "values.secrecy",  # which pickles into memory
        "testing.pytest_plugin.__init__",
        *TESTERS,
    }
    named = ((PACKAGE / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8") for name in TESTERS)
    assert {line for text in named for line in text.splitlines() if "pathlib" in line} == {
        "from pathlib import PurePath"
    }


@pytest.mark.parametrize("path", [path for path in SOURCES if room_of(path) not in CLI], ids=room_of)
def test_no_module_below_the_command_line_names_the_world(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    assert attributes & {"environ", "environb", "getenv"} == set()
    assert names & {"input", "open", "print"} == set()
    assert not any(isinstance(node, ast.Global) for node in nodes)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: ".".join(path.relative_to(PACKAGE).parts))
def test_a_module_says_its_job_first_and_postpones_its_annotations(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    if len(tree.body) > 1:
        second = tree.body[1]
        assert isinstance(second, ast.ImportFrom)
        assert second.module == "__future__"


def test_importing_the_package_opens_no_room() -> None:
    loaded = run_fresh("import sys, fsm_egress; print(*sys.modules)").split()
    assert "fsm_egress" in loaded
    assert [name for name in loaded if name.startswith(("fsm_egress.", "attr", "cattr"))] == []


def test_the_public_names_load_no_reader_of_documents() -> None:
    loaded = run_fresh("import sys; from fsm_egress import *; print(*sys.modules)").split()
    assert "fsm_egress.manifests.making" in loaded
    assert {name.partition(".")[0] for name in loaded} & {"cattrs", "click", "rich", "yaml"} == set()


def test_no_public_name_is_hidden_by_a_room_of_the_same_name() -> None:
    assert set(fsm_egress.__all__) & ROOMS == set()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module `fsm_egress` has no attribute `decide`"):
        fsm_egress.decide  # noqa: B018  # because asking is what is tested
    assert dir(fsm_egress) == fsm_egress.__all__


@pytest.mark.parametrize("is_loaded", [False, True])
def test_cattrs_is_loaded_with_the_first_resource_that_needs_care(is_loaded: bool) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "curl"}}
    loading = f"fsm_egress.load({namespace!r}, lenient_fields={is_loaded})"
    code = f"import sys, fsm_egress; {loading}; print(*sys.modules)"
    assert ("cattrs" in run_fresh(code).split()) is is_loaded


def test_the_public_names_are_sorted_and_each_is_there_once() -> None:
    names = fsm_egress.__all__
    assert names == sorted(set(names))
    assert [name for name in names if not hasattr(fsm_egress, name)] == []


def test_the_type_checker_sees_each_public_name_come_from_where_it_does() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    rooms = {name: import_module(f"fsm_egress.{room}") for name, room in imported.items()}
    assert [
        name for name, room in rooms.items() if getattr(room, name) is not getattr(fsm_egress, name)
    ] == []
    assert {*imported, "__version__"} == set(fsm_egress.__all__)


def test_what_modules_call_public_exists() -> None:
    below = [path for path in SOURCES if room_of(path) not in CLI and path.stem != "__init__"]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in below]
    modules = [import_module(name) for name in names]
    public = [(module, name) for module in modules for name in getattr(module, "__all__", [])]
    assert len(public) > 100
    assert [f"{module.__name__}.{name}" for module, name in public if not hasattr(module, name)] == []


def test_no_two_files_of_tests_have_one_name() -> None:
    """They are no package, so that one of two would stand for both, and the other would not be run."""
    names = [path.name for path in TESTS.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
