"""What `kubectl get -w` prints: the last of each object counts, and none that was deleted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small import config, egress

import fsm_egress as fe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Wire = dict[str, Any]


def at(version: int, document: Wire, uid: str | None = "u") -> Wire:
    """The document as a server has it."""
    metadata = document["metadata"] | {"resourceVersion": str(version)} | ({"uid": uid} if uid else {})
    return document | {"metadata": metadata}


def as_json(documents: Sequence[Wire]) -> str:
    return "".join(json.dumps(document, indent=4) + "\n" for document in documents)


def as_yaml(documents: Sequence[Wire]) -> str:
    return yaml.safe_dump_all(documents)


def event(kind: str, value: Wire) -> Wire:
    return {"type": kind, "object": value}


OPEN, SHUT = config({"enableEgress": True}), config({"enableEgress": False})
STREAM = [at(1, OPEN), at(2, egress("a", "tcp 80"), "a"), at(7, SHUT)]
TOLD = "MeshConfig fsm-system/fsm-mesh-config 2 times, as a watch prints what changes: the last counts"


@pytest.mark.parametrize("written", [as_json, as_yaml])
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_last_of_an_object_counts(written: Any, *, wrapped: bool) -> None:
    documents = [event("MODIFIED", it) for it in STREAM] if wrapped else STREAM
    mesh = fe.loads(written(documents))
    assert not mesh.mesh_config.spec.traffic.enable_egress
    assert len(mesh) == 2
    assert [problem.found for problem in mesh.problems] == [TOLD]
    assert mesh.problems[0].severity is fe.Severity.INFO


def test_what_was_deleted_is_gone() -> None:
    added, changed = event("ADDED", STREAM[0]), event("MODIFIED", STREAM[1])
    mesh = fe.loads(as_json([added, changed, event("DELETED", STREAM[0])]))
    assert [it.kind for it in mesh] == ["Egress"]
    assert "2 times, as a watch prints what changes: it was deleted" in mesh.problems[0].found
    (alone,) = fe.loads(as_json([event("DELETED", STREAM[1])])).problems
    assert alone.found.startswith("Egress curl/a once, as a watch prints what changes: it was deleted")
    assert len(fe.loads(as_json([event("DELETED", {"kind": "Egress"})]))) == 0


def test_an_object_that_comes_back_counts_though_it_is_another() -> None:
    again = [event("ADDED", at(1, OPEN)), event("DELETED", at(2, OPEN)), event("ADDED", at(3, SHUT, "v"))]
    assert not fe.loads(as_json(again)).mesh_config.spec.traffic.enable_egress


def test_a_bookmark_is_nothing_and_an_error_ends_the_watch() -> None:
    bookmark = event("BOOKMARK", {"kind": "Egress", "metadata": {"resourceVersion": "9"}})
    assert len(fe.loads(as_json([event("ADDED", STREAM[0]), bookmark]))) == 1
    status = {"kind": "Status", "apiVersion": "v1", "code": 410, "message": "too old resource version"}
    with pytest.raises(fe.LoadError, match="the objects of a watch, found too old resource version"):
        fe.loads(as_json([event("ADDED", STREAM[0]), event("ERROR", status)]))


@pytest.mark.parametrize(
    "twins",
    [
        [OPEN, SHUT],
        [at(1, OPEN), at(2, SHUT, "other")],
        [at(1, OPEN), SHUT],
        [{"apiVersion": OPEN["apiVersion"], "kind": "MeshConfig", "metadata": {"name": 7}}, OPEN, OPEN],
        [{**at(1, OPEN), "kind": 7}, OPEN, OPEN],
        [{**OPEN, "metadata": 7}, OPEN, OPEN],
    ],
)
def test_two_that_do_not_say_that_they_are_one_are_two(twins: list[Wire]) -> None:
    with pytest.raises(fe.LoadError):
        fe.loads(as_json(twins))


def test_what_is_wrong_with_an_object_is_told_with_its_place() -> None:
    broken = at(3, egress("b", "tcp 0"), "b")
    with pytest.raises(fe.LoadError) as error:
        fe.loads(as_yaml([event("ADDED", STREAM[0]), event("ADDED", broken)]), "watch.yaml")
    (problem,) = error.value.problems
    assert problem.path == "spec.ports[0].number"
    assert problem.mark


def test_a_file_of_events_in_a_folder_is_one_of_objects(tmp_path: Path) -> None:
    (tmp_path / "watch.json").write_text(as_json([event("ADDED", STREAM[1])]), encoding="utf-8")
    assert len(fe.load(str(tmp_path))) == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12))
def test_law_what_a_watch_leaves_is_what_is_there_at_the_end(steps: list[tuple[str, bool]]) -> None:
    there: dict[str, int] = {}
    events = []
    for version, (name, is_gone) in enumerate(steps, 1):
        if is_gone and name not in there:
            continue
        document = at(version, egress(name, f"tcp {version}"), name)
        events.append(event("DELETED" if is_gone else "MODIFIED", document))
        there.pop(name, None)
        if not is_gone:
            there[name] = version
    mesh = fe.loads(as_json(events) if events else "{}", strict=False)
    assert {it.name: it.spec.ports[0].number for it in mesh.kind(fe.EgressPolicy)} == there
