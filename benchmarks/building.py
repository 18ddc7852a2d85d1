"""Rows about all that comes before a decision: loading, compiling, configs, changes, memory, imports."""

from __future__ import annotations

import json
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from attrs import evolve

import fsm_egress as fe

from .deciding import Disagreement, connection
from .doors import door_times
from .figures import Figure, Row, figures
from .floor import Index
from .imports import import_times
from .memory import held, size_of
from .meshes import crowd, documents, fresh, lone, mesh, policies
from .readers import by_cattrs
from .timing import Contender
from .workload import IDENTITIES, LONE, PORTS, as_json, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .figures import Measured, Options

__all__ = ["BUILDING"]

LONER = ".".join(LONE)
NAMES = tuple(map(".".join, IDENTITIES))
EACH_PORT = tuple(fe.tcp("54.9.9.9", port) for port in PORTS)


# --- compiling -------------------------------------------------------------------------------------------


def compile_new(options: Options) -> Measured:
    """One identity of a mesh that has not been asked anything before."""
    for size in options.sizes:
        new = partial(fresh, mesh(size))
        contenders = [
            Contender("f", _floor, prepare=new),
            Contender("compile", _engine, prepare=new),
            Contender("compile, and a connection to each port", _asked, prepare=new),
        ]
        yield from figures("compile", size, contenders, options)


def compile_known(options: Options) -> Measured:
    """One identity of a mesh that has been asked the same before."""
    for size in options.sizes:
        contenders = [
            Contender("f", partial(Index(mesh(size)).floor, IDENTITIES[0])),
            Contender("compile", partial(_engine, mesh(size))),
        ]
        yield from figures("compile-known", size, contenders, options)


def compile_all(options: Options) -> Measured:
    """All identities of a mesh that has not been asked anything before."""
    for size in options.sizes:
        new = partial(fresh, mesh(size))
        contenders = [
            Contender("f", _all_floors, prepare=new),
            Contender("compile", _all_engines, prepare=new),
            Contender("compile, and a connection to each port", _all_asked, prepare=new),
        ]
        yield from figures("compile-all", size, contenders, options)


def _floor(snapshot: fe.Snapshot) -> object:
    return Index(snapshot).floor(IDENTITIES[0])


def _all_floors(snapshot: fe.Snapshot) -> object:
    return list(map(Index(snapshot).floor, IDENTITIES))


def _engine(snapshot: fe.Snapshot) -> object:
    return fe.compile(snapshot, NAMES[0])


def _all_engines(snapshot: fe.Snapshot) -> object:
    return [fe.compile(snapshot, name) for name in NAMES]


def _asked(snapshot: fe.Snapshot) -> object:
    return _whole(fe.compile(snapshot, NAMES[0]))


def _all_asked(snapshot: fe.Snapshot) -> object:
    return [_whole(fe.compile(snapshot, name)) for name in NAMES]


def _whole(engine: fe.Engine) -> fe.Engine:
    """The engine, in which all tables are laid out: those of a port are when it is first asked about."""
    engine.classify_many(EACH_PORT)
    return engine


# --- loading ---------------------------------------------------------------------------------------------


def load(options: Options) -> Measured:
    """Egress policies alone, read from JSON."""
    readers: dict[str, Callable[[str], object]] = {
        "json.loads": json.loads,
        "loads": fe.loads,
        "cattrs": by_cattrs.reader(detailed=False),
        "cattrs, detailed": by_cattrs.reader(detailed=True),
    }
    for package in ("pydantic", "msgspec"):
        if find_spec(package):
            readers[package] = import_module(f"{__package__}.readers.by_{package}").reader()
        else:
            yield f"{package} is left out, since it is not installed"
    for size in options.sizes:
        text = as_json(policies(size))
        contenders = [Contender(name, partial(reader, text)) for name, reader in readers.items()]
        yield from figures("load", size, contenders, options)


def load_mesh(options: Options) -> Measured:
    """A whole mesh, read from JSON."""
    for size in options.sizes:
        text = as_json(documents(size))
        contenders = [
            Contender("json.loads", partial(json.loads, text)),
            Contender("loads", partial(fe.loads, text)),
        ]
        yield from figures("load-mesh", size, contenders, options)


def load_yaml(options: Options) -> Measured:
    """Egress policies alone, read from YAML."""
    yaml: Any = import_module("yaml")
    for size in options.sizes:
        tree = {"apiVersion": "v1", "kind": "List", "items": policies(size)}
        text = yaml.dump(tree, Dumper=yaml.CSafeDumper, sort_keys=False)
        contenders = [
            Contender("CSafeLoader", partial(yaml.load, text, yaml.CSafeLoader)),
            Contender("loads", partial(fe.loads, text)),
        ]
        yield from figures("load-yaml", size, contenders, options)


# --- configs ---------------------------------------------------------------------------------------------


def config(options: Options) -> Measured:
    """For an identity that every policy names."""
    for size in options.sizes:
        snapshot = crowd(size)
        tree = fe.pipy_config(snapshot, NAMES[0]).to_mapping()
        contenders = [
            Contender("json.dumps of its tree", partial(json.dumps, tree)),
            Contender("pipy_config, to_json", partial(_config, snapshot, NAMES[0])),
        ]
        yield from figures("config", size, contenders, options)


def config_of_few(options: Options) -> Measured:
    """For an identity that ten policies name, alone and among many."""
    small, large = lone(0), lone(options.crowd)
    if _config(small, LONER) != _config(large, LONER):
        raise Disagreement("policies that do not name an identity change its config")
    contenders = [
        Contender("among 10 policies", partial(_config, small, LONER)),
        Contender(f"among {options.crowd + 10:,}", partial(_config, large, LONER)),
    ]
    yield from figures("config-of-few", 10, contenders, options)


def config_of_all(options: Options) -> Measured:
    """Of all identities of a new mesh; the time is that for each identity that a policy names."""
    for size in options.sizes:
        named = sum(len(policy.spec.sources) for policy in mesh(size).kind(fe.EgressPolicy))
        contender = Contender("pipy_config, to_json", _all_configs, named, partial(fresh, mesh(size)))
        yield from figures("config-of-all", size, [contender], options)


def _all_configs(snapshot: fe.Snapshot) -> list[bytes]:
    return [_config(snapshot, name) for name in NAMES]


def _config(snapshot: fe.Snapshot, identity: str) -> bytes:
    return fe.pipy_config(snapshot, identity).to_json()


def change(options: Options) -> Measured:
    """In the usual mesh."""
    for size in options.sizes:
        yield from _changed("change", size, mesh(size), options)


def change_in_crowd(options: Options) -> Measured:
    """In a mesh where every policy names the identity."""
    for size in options.sizes:
        yield from _changed("change-in-crowd", size, crowd(size), options)


def _changed(row: str, size: int, snapshot: fe.Snapshot, options: Options) -> Iterator[Figure]:
    """One policy moves to another port: for an identity that it names, and for one that it does not."""
    first, other = (fe.ServiceIdentity(*account) for account in IDENTITIES[:2])
    theirs = snapshot.policies_for(other)
    policy = next(policy for policy in snapshot.policies_for(first) if policy not in theirs)
    (port,) = policy.spec.ports
    moved = evolve(port, number=next(number for number in PORTS if number != port.number))
    changed = evolve(policy, spec=evolve(policy.spec, ports=(moved,)))
    after = snapshot.with_(changed)
    workload, bystander = fe.Workload.of(snapshot, first), fe.Workload.of(snapshot, other)
    _same(workload.after(after), fe.Workload.of(fresh(after), first), size)
    if bystander.after(after) is not bystander:
        raise Disagreement("a policy that does not name an identity changes its workload")
    contenders = [
        Contender("Workload.of, a rebuild", partial(_rebuilt, first), prepare=partial(fresh, after)),
        Contender("with_, after", partial(_followed, workload, snapshot, changed)),
        Contender("with_, after: not named", partial(_followed, bystander, snapshot, changed)),
    ]
    yield from figures(row, size, contenders, options)


def _rebuilt(identity: fe.ServiceIdentity, snapshot: fe.Snapshot) -> object:
    return fe.Workload.of(snapshot, identity).config.to_json()


def _followed(workload: fe.Workload, snapshot: fe.Snapshot, changed: fe.EgressPolicy) -> object:
    return workload.after(snapshot.with_(changed)).config.to_json()


def _same(one: fe.Workload, other: fe.Workload, size: int) -> None:
    connections = list(map(connection, calls(documents(size), IDENTITIES[0], 300)))
    if one.config != other.config:
        raise Disagreement("a workload that follows a change has another config than one that is rebuilt")
    if one.engine.classify_many(connections) != other.engine.classify_many(connections):
        raise Disagreement("a workload that follows a change decides differently from one that is rebuilt")


# --- memory and imports ----------------------------------------------------------------------------------


def memory(options: Options) -> Measured:
    """Of what is made for one identity, besides the resources of the mesh."""
    for size in options.sizes:
        resources = held(mesh(size))
        sizes = {
            "f": size_of(_floor(mesh(size)), resources),
            "engine": size_of(_asked(mesh(size)), resources),
            "config": size_of(fe.pipy_config(mesh(size), NAMES[0]), resources),
        }
        sizes["engine and config"] = sizes["engine"] + sizes["config"]
        for name, number in sizes.items():
            ratio = None if name == "f" else number / sizes["f"]
            yield Figure("memory", name, size, number, "bytes", ratio)


def imports(options: Options) -> Measured:
    """In new interpreters, without the time that a bare one takes."""
    yield from import_times(options.rounds, options.seconds)


def doors(options: Options) -> Measured:
    """In new processes, by processor time."""
    yield from door_times(options.rounds, options.seconds)


REBUILD = "0.015 x a rebuild"
OWN_INDEX = "3.5 x f's own index"
BUILDING = (
    Row("compile", "A new mesh becomes the engine of one identity", OWN_INDEX, compile_new),
    Row("compile-known", "A known mesh becomes the engine of one identity", OWN_INDEX, compile_known),
    Row("compile-all", "A new mesh becomes the engines of all identities", OWN_INDEX, compile_all),
    Row("load", "Egress policies are read from JSON", "2.8 x json.loads", load),
    Row("load-mesh", "A whole mesh is read from JSON", "3 x json.loads", load_mesh),
    Row("load-yaml", "Egress policies are read from YAML", "1.2 x CSafeLoader", load_yaml),
    Row("config", "A config.json for an identity that every policy names", "15 x json.dumps", config),
    Row("config-of-few", "A config.json for an identity that ten policies name", "1.05 x", config_of_few),
    Row("config-of-all", "All configs, for each identity that a policy names", "growth 1", config_of_all),
    Row("change", "One policy changes: a new engine and config.json", REBUILD, change),
    Row("change-in-crowd", "The same, where every policy names the identity", REBUILD, change_in_crowd),
    Row("memory", "What is kept for one identity", "engine and config 2 x f", memory),
    Row("import", "The package is imported", "1.4 x its dependencies", imports),
    Row("doors", "A command is begun, a first decision is made", "1.3 x click, 2 x what it needs", doors),
)
