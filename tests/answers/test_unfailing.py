"""Whatever is in a mesh, no answer over it ends in an error: an object of one team stops no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import meshes
from thoroughness import examples
from traffic import GET, TLS, log_of

import fsm_egress as fe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import DataObject
    from traffic import Record

Tree = dict[str, Any]
Way = tuple[str | int, ...]
ODD: tuple[Any, ...] = (
    None,
    "",
    0,
    -1,
    70_000,
    2**70,
    True,
    [],
    {},
    [None],
    "*",
    "a.b.c",
    "A B",
    "tcp",
    "::1/64",
)
ASKED = fe.http("192.0.2.1", 80, "GET", "http://a.com/x")


def places(value: Any, path: Way = ()) -> Iterator[Way]:
    """The paths of everything in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def changed(value: Any, path: Way, put: Callable[[Any], Any]) -> Any:
    """A document in which something else stands at a path; `put` may raise KeyError to have it gone."""
    if not path:
        return put(value)
    key, *rest = path
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    try:
        copy[key] = changed(value[key], tuple(rest), put)
    except KeyError:
        del copy[key]
    return copy


def gone(_: Any) -> Any:
    raise KeyError


def mutated(documents: list[Tree], data: DataObject) -> list[Tree]:
    """Some documents with fields that are gone, odd, or another document's."""
    found = list(documents)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(found) - 1))
        paths = [path for path in places(found[at]) if path[0] not in {"apiVersion", "kind"}]
        if not paths:
            continue
        path = data.draw(st.sampled_from(paths))
        put = data.draw(st.sampled_from([gone, *((lambda _, it=it: it) for it in ODD)]))
        found[at] = changed(found[at], path, put)
    return found


def answers(mesh: fe.Snapshot, other: fe.Snapshot) -> None:
    """Every answer there is over a mesh."""
    found: Any = fe.lint(mesh, stock=True, suppressed=True)
    fe.sarif_log(found, "1")
    fe.lint(mesh, enforce=True)
    found = fe.reachable(mesh)
    fe.as_page(found), fe.as_dot(found), fe.as_mermaid(found), fe.rows(found)
    fe.reachable(mesh, "10.0.0.1", 80, host="a.com")
    for one, two in ((mesh, other), (other, mesh)):
        fe.diff(one, two), fe.implies(one, two)
    fe.equivalent(mesh, other)
    everybody = fe.subjects_of(mesh)
    fe.never(mesh, fe.Where.port(25), everybody)
    mesh.namespaces(), mesh.identities()
    for resource in mesh:
        fe.to_mapping(resource)
    fe.dump_json(mesh), fe.dump_yaml(mesh)
    of_logs(mesh, other, [str(who) for who in mesh.identities()[:3]])
    for who in everybody[:4]:
        fe.resolve(mesh, who), fe.kinds_of_pods(who, mesh, other)
        fe.partition(mesh, who)
        fe.residual(mesh, who, fe.Partial(port=80))
        fe.compile(mesh, who, incomplete=True).classify(ASKED)
        if isinstance(who, fe.ServiceIdentity):
            of_account(mesh, who)


def of_logs(mesh: fe.Snapshot, other: fe.Snapshot, names: list[str]) -> None:
    """What is said of records of everybody's connections."""
    records: list[Record] = [{**record, "identity": name} for name in names for record in (GET, TLS)]
    for one, after in ((mesh, other), (other, mesh)):
        fe.replay(one, [log_of(*records)], after, incomplete=True)
    try:
        lesson = fe.learn(mesh, [log_of(*records)], verdicts=["PASSTHROUGH", "DENIED"])
    except fe.IncompleteMesh:
        assert mesh.lost
    else:
        mesh.with_(*lesson.resources)


# Public functions over which no mesh is asked: they read, write or change documents, or describe connections.
WITHOUT_A_MESH = """
    apply_set certify frame helm_set http json_schema junit_xml load loads merge_patch read_tests requests
    rules_markdown run_tests server_first tcp tls udp
"""


def test_every_public_function_is_asked() -> None:
    body = Path(__file__).read_text(encoding="utf-8")
    asked = set(re.findall(r"fe\.([a-z_]+)\(", body))
    functions = {name for name in fe.__all__ if callable(getattr(fe, name)) and name.islower()}
    assert functions - asked - set(WITHOUT_A_MESH.split()) == set()


def of_account(mesh: fe.Snapshot, who: fe.ServiceIdentity) -> None:
    fe.verify(mesh, who), fe.verify(mesh, who, enforce=True)
    fe.enforceability(mesh, who), fe.stock_findings(mesh, who)
    fe.explain(mesh, who, ASKED)
    fe.stock_config(mesh, who)
    fe.pipy_codebase(mesh, who, enforce=True)
    if not mesh.lost_for(who):
        fe.Sidecar.read(fe.pipy_config(mesh, who)).handle(ASKED)
    if not mesh.lost_for(who):  # else it decides nothing, and says so: IncompleteMesh
        fe.Workload.of(mesh, who).after(mesh)


@settings(max_examples=examples(8))
@given(meshes(), st.data())
def test_law_answers_never_raise_for_what_is_in_a_mesh(documents: list[Tree], data: DataObject) -> None:
    whole = fe.load(documents)
    answers(fe.load(mutated(documents, data), strict=False, lenient_fields=True), whole)


TARGET: Tree = {
    "apiVersion": "access.smi-spec.io/v1alpha3",
    "kind": "TrafficTarget",
    "metadata": {"name": "t", "namespace": "shop"},
    "spec": {
        "destination": {"kind": "ServiceAccount", "name": "web"},
        "sources": [{"kind": "ServiceAccount", "name": "curl"}],
        "rules": [{"kind": "HTTPRouteGroup", "name": "r"}],
    },
}


@pytest.mark.parametrize("permissive", [True, False])
@pytest.mark.parametrize(
    "spec", [{}, {"sources": []}, {"rules": []}, {"destination": {"kind": "Group", "name": "x"}}]
)
def test_a_target_whose_accounts_have_no_namespace_stops_nobody(spec: Tree, permissive: bool) -> None:
    target = {**TARGET, "spec": {**TARGET["spec"], **spec}}
    config = {
        "apiVersion": "config.flomesh.io/v1alpha3",
        "kind": "MeshConfig",
        "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
        "spec": {"traffic": {"enablePermissiveTrafficPolicyMode": permissive}},
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}}
    answers(fe.load([config, account, target]), fe.load([config, account]))
