"""What lies among documents and is none of a mesh: in a folder it is passed over, and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small import egress

import fsm_egress as fe
from fsm_egress.manifests import loader
from fsm_egress.manifests.foreign import is_foreign

PIPELINE = "kind: pipeline\nname: build\n"
KUSTOMIZATION = "resources: [egress.yaml]\n"
CHART = "apiVersion: v2\nname: a chart of every kind\nversion: 0.1.0\n"
TAGS = "markdown_extensions:\n  - emoji: !!python/name:materialx.emoji.twemoji\n"
COMMENTS = '{\n  // for an editor\n  "a": 1\n}\n'
PLAYBOOK = "- hosts: all\n- {kind: Egress, apiVersion: v1, metadata: {name: a}}\n"
TEMPLATE = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Values.name }}\n"
FORGOTTEN = "apiVersion: policy.flomesh.io/v1alpha1\nmetadata: {name: a}\nspec: {}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mesh").mkdir()
    Path("mesh/egress.json").write_text(json.dumps(egress("a", "tcp 25")))
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kustomization.yaml", KUSTOMIZATION),
        ("Chart.yaml", CHART),
        ("pipeline.yml", PIPELINE),
        ("mkdocs.yml", TAGS),
        ("tsconfig.json", COMMENTS),
        ("package.json", '{"name": "a", "items": 3}'),
        ("playbook.yaml", PLAYBOOK),
        ("words.yaml", "just words\n---\n7\n"),
        ("latin.yaml", "caf\xe9: 1\n"),
    ],
)
def test_a_file_of_a_folder_without_objects_is_passed_over(name: str, text: str) -> None:
    Path("mesh", name).write_bytes(text.encode("latin-1"))
    mesh = fe.load("mesh")
    (problem,) = mesh.problems
    assert is_foreign(problem)
    assert str(problem) == f"mesh/{name}: expected a Kubernetes object, found none: the file is passed over"
    assert (len(mesh), mesh.lost) == (1, ())


@pytest.mark.usefixtures("folder")
def test_one_that_is_named_is_meant() -> None:
    Path("mesh/kustomization.yaml").write_text(KUSTOMIZATION)
    with pytest.raises(fe.LoadError, match="kind: expected a string, found none"):
        fe.load("mesh", "mesh/kustomization.yaml")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "content",
    [
        TEMPLATE.encode(),
        FORGOTTEN.encode(),
        f"{TEMPLATE}\0".encode(),
        TEMPLATE.encode("utf-16"),
        json.dumps(egress("b", "tcp 25")).encode() + b"\n---\n" + KUSTOMIZATION.encode(),
        b'{"kind": "List", "items": [{"kind": "Egress"}]}',
        b"kind: Egress\nspec: {}\n",
    ],
)
def test_what_may_be_an_object_is_not(content: bytes) -> None:
    Path("mesh/b.yaml").write_bytes(content)
    with pytest.raises(fe.LoadError, match=r"mesh/b\.yaml"):
        fe.load("mesh")
    assert fe.load("mesh", strict=False).lost


@pytest.mark.usefixtures("folder")
def test_empty_files_are_nothing_at_all() -> None:
    Path("mesh/empty.yaml").write_text("---\n# nothing\n")
    assert fe.load("mesh").problems == ()


def test_kinds_of_others_are_foreign_too_and_nothing_else_is() -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    mesh = fe.load([config_map, egress("a", "tcp 0")], strict=False)
    assert [is_foreign(problem) for problem in mesh.problems] == [True, False]


def others(count: int, kind: str = "ConfigMap{}") -> list[dict[str, object]]:
    return [
        {"apiVersion": "v1", "kind": kind.format(number), "metadata": {"name": "a"}}
        for number in range(count)
    ]


@pytest.mark.parametrize("form", ["a list", "documents", "mappings"])
def test_of_very_many_documents_of_others_the_first_are_listed(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(loader, "MAX_FOREIGN", 3)
    mesh: list[Any] = [*others(5, "ConfigMap"), egress("a", "tcp 25"), *others(2, "Pipeline")]
    if form == "a list":
        mesh = [json.dumps({"apiVersion": "v1", "kind": "List", "items": mesh})]
    if form == "documents":
        mesh = ["\n---\n".join(map(json.dumps, mesh))]
    loaded = fe.load(mesh)
    *listed, last = loaded.problems
    assert (len(loaded), len(listed)) == (1, 3)
    assert str(last) == "kind: expected a kind that egress depends on, found 4 more"
    assert is_foreign(last)


def test_one_with_a_flaw_of_its_own_is_counted_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_FOREIGN", 1)
    text = "---\n".join(["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: yes}\n"] * 3)
    assert list(map(str, fe.load(text).problems))[1:] == [
        "kind: expected a kind that egress depends on, found 2 more"
    ]


def test_what_may_be_a_mistake_is_told_after_very_many_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_FOREIGN", 3)
    wrong = {**egress("a", "tcp 25"), "kind": "Egres"}
    with pytest.raises(fe.LoadError, match="expected a known kind, found the string `Egres`; write `Egress`"):
        fe.load([*others(9), wrong])


def test_kinds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_KINDS", 5)
    assert len(fe.load(others(5)).problems) == 5
    with pytest.raises(fe.LoadError, match="at most 5 kinds that egress does not depend on, found more"):
        fe.load(others(6), strict=False)


def test_what_names_no_namespace_is_in_the_one_that_is_given() -> None:
    bare = egress("a", "tcp 25")
    del bare["metadata"]["namespace"]
    for source in (bare, json.dumps(bare), json.dumps({"kind": "List", "items": [bare]})):
        mesh = fe.load(source, namespace="shop")
        assert [it.namespace for it in mesh] == ["shop"]
        assert [it.namespace for it in fe.load(source)] == ["default"]
    assert fe.loads(json.dumps(bare), namespace="shop").kind(fe.EgressPolicy).get("shop", "a")
    assert [it.namespace for it in fe.load(egress("a", "tcp 25"), namespace="shop")] == ["curl"]
    odd = {**bare, "spec": {**bare["spec"], "odd": 1}}
    (policy,) = fe.load(odd, namespace="shop", lenient_fields=True)
    assert policy.namespace == "shop"
    (lost,) = fe.load(odd, namespace="shop", strict=False).lost
    assert str(lost.ref) == "Egress shop/a"


def test_a_mesh_config_that_is_read_in_part_is_there_too() -> None:
    config = {
        "apiVersion": "config.flomesh.io/v1alpha3",
        "kind": "MeshConfig",
        "metadata": {"name": "a"},
        "spec": {"sidecar": {"logLevel": 7}},
    }
    assert fe.load(config, namespace="shop", strict=False).mesh_config.namespace == "shop"


@pytest.mark.parametrize("namespace", ["", "a.b", "A", 7, None])
def test_a_namespace_is_a_name(namespace: str) -> None:
    with pytest.raises(fe.InvalidValue, match=r"^namespace: expected "):
        fe.load(namespace=namespace)
