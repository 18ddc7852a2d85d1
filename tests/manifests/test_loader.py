"""Files, folders, texts, streams and mappings as resources, strictly and tolerantly."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import meshes
from thoroughness import examples

from fsm_egress.documents import MAX_DEPTH, MAX_DIGITS
from fsm_egress.manifests import loader
from fsm_egress.manifests.loader import Loaded, NamedText, load_resources
from fsm_egress.manifests.writing import to_mapping
from fsm_egress.values.errors import InvalidValue, LoadError, MissingExtra, Severity
from fsm_egress.values.references import Mark

HERE = Path(__file__).parents[1]
POLICY = "policy.flomesh.io/v1alpha1"


def account(name: str, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    """A ServiceAccount as a document."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, **more},
    }


def listed(*items: Any, kind: str = "List", version: str = "v1") -> dict[str, Any]:
    """A list of objects as a document."""
    return {"apiVersion": version, "kind": kind, "items": list(items)}


def yaml_account(name: str) -> str:
    """A ServiceAccount as a YAML document."""
    return f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: shop}}\n"


def names(loaded: Loaded) -> list[str]:
    """The names of what was loaded."""
    return [resource.name for resource in loaded.resources]


def said(*sources: Any, lenient: bool = False) -> list[str]:
    """All that a tolerant load says."""
    return [
        str(problem) for problem in load_resources(*sources, strict=False, lenient_fields=lenient).problems
    ]


# --- sources ---------------------------------------------------------------------------------------------


def test_texts_and_bytes_are_read() -> None:
    text = yaml_account("a")
    for source in (text, text.encode(), json.dumps(account("a")), json.dumps(account("a")).encode()):
        (resource,) = load_resources(source).resources
        assert to_mapping(resource) == account("a")
        assert resource.source is not None
        assert resource.source.document == "<text>"


def test_streams_are_read_and_named() -> None:
    class Named(io.StringIO):
        name = "pods.yaml"

    class Numbered(io.StringIO):
        name = 7

    text = yaml_account("a")
    streams: list[tuple[Any, str]] = [
        (io.StringIO(text), "<stream>"),
        (io.BytesIO(text.encode()), "<stream>"),
        (Named(text), "pods.yaml"),
        (Numbered(text), "<stream>"),
        (NamedText(text, "<stdin>"), "<stdin>"),
    ]
    for stream, name in streams:
        (resource,) = load_resources(stream).resources
        assert resource.source is not None
        assert resource.source.document == name


def test_a_named_text_does_not_show_what_it_holds() -> None:
    assert repr(NamedText("secret", "<stdin>")) == "NamedText(name='<stdin>')"


def test_streams_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    class Torn:
        name = "pipe"

        def read(self) -> str:
            raise BrokenPipeError(32, "Broken pipe")

    (tmp_path / "a.yaml").write_bytes(b"a: \xff")
    assert said(Torn()) == ["pipe: expected a stream that can be read: [errno 32] broken pipe"]
    with (tmp_path / "a.yaml").open(encoding="utf-8") as stream:
        (problem,) = said(stream)
    assert "a.yaml: expected a stream that can be read: 'utf-8' codec can't decode byte 0xff" in problem


def test_a_stream_gives_a_text() -> None:
    class Odd:
        def read(self) -> None:
            return None

    with pytest.raises(InvalidValue, match="expected a text from the stream `<stream>`, found `null`"):
        load_resources(Odd())  # type: ignore[arg-type]  # because this is the mistake


def test_mappings_and_iterables_of_anything_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(account("c")))
    sources = iter([account("a"), (yaml_account("b"), str(tmp_path / "c.json")), [[account("d")]]])
    assert names(load_resources(sources, account("e"))) == ["a", "b", "c", "d", "e"]
    assert load_resources() == load_resources([]) == Loaded((), ())


def test_problems_of_mappings_count_them() -> None:
    assert said(account("a"), [account("B")]) == [
        (
            "<mapping 2>: ServiceAccount shop/B metadata.name: expected a resource name of lower-case"
            " letters,"
            " digits, `-` and `.`, found the string `B`; write `b`"
        )
    ]


@pytest.mark.parametrize(
    ("source", "found"), [(None, "`null`"), (7, "the number `7`"), (True, "the boolean `true`")]
)
def test_other_sources_are_refused(source: Any, found: str) -> None:
    for sources in (source, [source]):
        with pytest.raises(InvalidValue) as caught:
            load_resources(sources)
        assert str(caught.value) == (
            f"expected a path, a text, a stream, a mapping or several of them, found {found}"
        )


def test_sources_that_hold_themselves_are_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(InvalidValue, match="found a list"):
        load_resources(ring)
    value = account("a")
    value["metadata"]["owner"] = [value]
    assert said(value) == [f"<mapping 1>: expected at most {MAX_DEPTH} levels, found more"]


# --- files and folders -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of manifests, in which the test runs."""
    for name in ("b.yaml", "a.yml", "c/d/e.json", "c/a.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(account(path.stem + str(len(path.parts) - len(tmp_path.parts)))))
    (tmp_path / "notes.txt").write_text("a: b: c")
    (tmp_path / "z.yaml").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_read_recursively_in_the_order_of_names(folder: Path) -> None:
    for source in (folder, str(folder), ".", os.fsencode(folder).decode()):
        assert names(load_resources(source)) == ["a1", "b1", "a2", "e3"]


def test_a_file_is_read_whatever_its_name(folder: Path) -> None:
    (folder / "x").write_text(yaml_account("x"))
    assert names(load_resources("x", folder / "b.yaml", "c")) == ["x", "b1", "a2", "e3"]


def test_problems_name_their_file(folder: Path) -> None:
    (folder / "c" / "a.yaml").write_text("kind: Pod\napiVersion: v1\nmetadata:\n  name: A\n")
    (text,) = said("c")
    assert text.startswith("c/a.yaml:4:9: Pod default/A metadata.name: expected a resource name")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("none.yaml", "none.yaml: expected a file or a folder that can be read: no such file or directory"),
        (Path("none"), "none: expected a file or a folder that can be read: no such file or directory"),
        ("", "expected a file or a folder that can be read: no such file or directory"),
        ("a\0b", r"a\x00b: expected a file or a folder that can be read: embedded null byte"),
        ("z.yaml", "z.yaml: expected a folder with `.yaml`, `.yml`, `.json` files, found none"),
    ],
)
def test_what_cannot_be_read_is_reported(source: str | Path, problem: str) -> None:
    assert said(source) == [problem]
    with pytest.raises(LoadError):
        load_resources(source)


def test_a_name_too_long_for_a_file_is_reported() -> None:
    (problem,) = said("x" * 5000)
    assert problem.endswith("expected a file or a folder that can be read: file name too long")


def test_no_more_of_a_file_is_read_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"#" * 100)
    monkeypatch.setattr(loader, "MAX_TEXT", 9)
    read: list[bytes | str] = []

    def read_nothing(content: bytes | str, _: str) -> tuple[tuple[()], tuple[()]]:
        read.append(content)
        return (), ()

    monkeypatch.setattr(loader, "read_text", read_nothing)
    load_resources(path)
    assert read == [b"#" * 10]


# --- lists -----------------------------------------------------------------------------------------------


def test_lists_are_read_item_by_item() -> None:
    bare = {"metadata": {"name": "c", "namespace": "shop"}}
    items = [
        account("a"),
        listed(account("b")),
        listed(bare, kind="ServiceAccountList"),
        listed(kind="PodList"),
    ]
    assert names(load_resources(listed(*items))) == ["a", "b", "c"]
    assert names(load_resources(json.dumps(listed(*items)))) == ["a", "b", "c"]
    (resource,) = load_resources(listed(bare, kind="ServiceAccountList")).resources
    assert to_mapping(resource) == account("c")


@pytest.mark.parametrize(
    "document", [listed(), {"kind": "List"}, {"kind": "List", "apiVersion": "v1", "items": None}]
)
def test_an_empty_list_holds_nothing(document: Any) -> None:
    assert load_resources(document, json.dumps(document)) == Loaded((), ())


def test_items_are_a_list() -> None:
    assert said({"kind": "List", "apiVersion": "v1", "items": {"a": 1}}) == [
        "<mapping 1>: List ? items: expected a list, found a mapping"
    ]


def test_problems_in_a_list_have_their_places() -> None:
    document = listed(account("a"), listed(account("B", "shop")), 7, kind="List")
    assert [text.partition(": expected")[0] for text in said(document)] == [
        "<mapping 1>: ServiceAccount shop/B items[1].items[0].metadata.name",
        "<mapping 1>: items[2]",
    ]
    assert [text.partition(": expected")[0] for text in said(json.dumps(document, indent=1))] == [
        "<text>:21:15: ServiceAccount shop/B metadata.name",
        "<text>:27:3",
    ]


def test_resources_in_a_list_know_their_lines() -> None:
    text = json.dumps(listed(account("a"), account("b")), indent=1)
    _, resource = load_resources(text).resources
    assert resource.at("metadata.name").mark == Mark(17, 13)
    assert resource.at().location == "<text>:13"


def test_mistakes_of_a_list_itself_are_reported() -> None:
    text = '{"kind": "List", "apiVersion": "v1", "apiVersion": "v1", "items": []}'
    assert said(text) == ["<text>:1:38: apiVersion: expected each key once, found it again, after line 1"]
    items = "\n  ".join(yaml_account("a").splitlines())
    text = f"kind: List\napiVersion: v1\nx: yes\nitems:\n- {items}\n  status: .nan\n"
    assert [text.partition(": expected")[0] for text in said(text)] == [
        "<text>:3:4: x",
        "<text>:8:11: ServiceAccount shop/a status",
    ]


# --- scalars of two meanings -----------------------------------------------------------------------------


def test_a_scalar_is_disputed_where_it_is_read() -> None:
    text = "apiVersion: v1\nkind: Service\n"
    text += "metadata: {annotations: {at: 2026-11-30 x}, generation: 0777, name: s}\n"
    text += "spec: {type: on, externalIPs: [yes], ports: [{port: 80, name: a, nodePort: 0_17}]}\n"
    (service,) = load_resources(text).resources
    assert to_mapping(service) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "s",
            "namespace": "default",
            "annotations": {"at": "2026-11-30 x"},
            "generation": 511,
        },
        "spec": {"ports": [{"port": 80, "name": "a", "nodePort": 15}], "type": True, "externalIPs": [True]},
    }
    (problem,) = said(text.replace("port: 80", "port: 0120"))
    assert problem.startswith("<text>:4:53: Service default/s spec.ports[0].port: expected a scalar of one")
    assert "found `0120`; write `80`" in problem


def test_a_letter_is_a_text_where_one_is_read() -> None:
    text = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: y, namespace: N, labels: {n: Y}}\n"
    loaded = load_resources(text.replace("N,", "n,").replace("{n:", "{no-key:"))
    assert [str(resource.ref) for resource in loaded.resources] == ["ServiceAccount n/y"]
    assert [(problem.path, problem.severity) for problem in loaded.problems] == [
        ("metadata.name", Severity.WARNING),
        ("metadata.namespace", Severity.WARNING),
        ("metadata.labels.no-key", Severity.WARNING),
    ]
    assert any("metadata.labels.n: expected a scalar of one meaning" in problem for problem in said(text))
    (problem,) = said("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: y}\n")
    assert "spec.ports: expected a scalar of one meaning" in problem


# --- what the API server takes ---------------------------------------------------------------------------


def spoken(document: Any) -> list[Any]:
    """What becomes of a document as YAML, as JSON, and as an item of a list."""
    texts = [yaml.safe_dump(document), json.dumps(document), json.dumps(listed(document))]
    loaded = [load_resources(text) for text in texts]
    assert [it.problems for it in loaded] == [()] * len(texts)
    return [to_mapping(resource) for it in loaded for resource in it.resources]


def test_nulls_among_strings_are_empty_ones() -> None:
    names = {"name": "s", "namespace": "x", "labels": {"a": None}, "annotations": {"b": None}}
    document = {"apiVersion": "v1", "kind": "Service", "metadata": names, "spec": {"selector": {"c": None}}}
    for found in spoken(document):
        assert found["metadata"] == {**names, "labels": {"a": ""}, "annotations": {"b": ""}}
        assert found["spec"] == {"selector": {"c": ""}}


def test_base64_may_stand_in_lines_and_null_is_nothing() -> None:
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "x"}}
    data = {"a": "aGVs\nbG8=\n", "b": "aGVs\r\nbG8=", "c": None}
    for found in spoken({**head, "data": data}):
        assert found["data"] == {"a": "aGVsbG8=", "b": "aGVsbG8=", "c": ""}
    for found in spoken({**head, "stringData": {"d": None, "e": "x"}}):
        assert found["data"] == {"d": "", "e": "eA=="}


def test_a_whole_number_may_have_a_point() -> None:
    ports = [{"port": 443.0, "targetPort": 8443.0, "nodePort": 30443.0}]
    document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}}
    for found in spoken(document):
        assert found["spec"]["ports"] == [{"port": 443, "targetPort": 8443, "nodePort": 30443}]
        assert all(type(number) is int for number in found["spec"]["ports"][0].values())


def test_numbers_of_a_mesh_config_need_not_be_whole() -> None:
    chains = {"outbound-tcp": [{"plugin": "a", "priority": 199.5}, {"plugin": "b", "priority": -3}]}
    spec = {"observability": {"tracing": {"sampledFraction": 0.5}}, "pluginChains": chains}
    metadata = {"name": "fsm-mesh-config", "namespace": "fsm-system"}
    head = {"apiVersion": "config.flomesh.io/v1alpha1", "kind": "MeshConfig", "metadata": metadata}
    for found in spoken({**head, "spec": spec}):
        assert found["spec"] == spec


@pytest.mark.parametrize(
    ("version", "kind"),
    [("policy.flomesh.io/v1alpha1", "EgressGateway"), ("specs.smi-spec.io/v1alpha4", "HTTPRouteGroup")],
)
def test_a_spec_may_be_missing(version: str, kind: str) -> None:
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": "x"}}
    assert spoken(document) == [document] * 3


def test_a_split_may_be_of_the_version_that_fsm_documents() -> None:
    spec = {"service": "web", "backends": [{"service": "v1", "weight": 90}, {"service": "v2", "weight": 10}]}
    head = {"apiVersion": "split.smi-spec.io/v1alpha2", "kind": "TrafficSplit"}
    document = {**head, "metadata": {"name": "s", "namespace": "x"}, "spec": spec}
    assert spoken(document) == [document] * 3


# --- strictness ------------------------------------------------------------------------------------------

BROKEN = dedent("""\
    apiVersion: policy.flomesh.io/v1alpha1
    kind: Egress
    metadata:
      name: web
      namespace: shop
    spec:
      hosts: [https://a.com]
      ports:
      - number: "443"
        protocol: grpc
    ---
    apiVersion: v1
    kind: ServiceAccount
    metadata: {name: good}
    ---
    apiVersion: v1
    kind: Namespace
    metadata: {nmae: x}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: x}
    """)
BROKEN_PROBLEMS = [
    (
        "<text>:7:11: Egress shop/web spec.hosts[0]: expected a DNS name or an IP address, without"
        " scheme, port or"
        " path, found the string `https://a.com`; write `a.com`"
    ),
    (
        "<text>:9:13: Egress shop/web spec.ports[0].number: expected a port number from 1 to 65535,"
        " found the string"
        " `443`; write `443`: without quotes"
    ),
    (
        "<text>:10:15: Egress shop/web spec.ports[0].protocol: expected one of `http`, `https`, `tcp`,"
        " `tcp-server-first`, found the string `grpc`; write `http`: it carries HTTP/2 and gRPC, and"
        " FSM ignores"
        " `grpc` in an Egress silently"
    ),
    "<text>:18:1: Namespace ? metadata: expected the field `name`, found none",
]
SKIPPED = (
    "<text>:21:7: ConfigMap x kind: expected a kind that egress depends on, found `ConfigMap` of `v1`,"
    " which is skipped"
)


def test_all_errors_of_a_strict_load_come_together_in_order() -> None:
    with pytest.raises(LoadError) as caught:
        load_resources(BROKEN, account("B"), "none.yaml")
    *first, of_mapping, of_file = str(caught.value).split("\n")
    assert first == BROKEN_PROBLEMS
    assert of_mapping.startswith("<mapping 1>: ServiceAccount shop/B metadata.name: ")
    assert of_file.startswith("none.yaml: ")
    assert all(problem.severity is Severity.ERROR for problem in caught.value.problems)


def test_a_tolerant_load_leaves_each_invalid_resource_out_whole() -> None:
    loaded = load_resources(BROKEN, strict=False)
    assert names(loaded) == ["good"]
    assert [str(problem) for problem in loaded.problems] == [*BROKEN_PROBLEMS, SKIPPED]
    assert loaded.problems[-1].severity is Severity.INFO


def test_what_is_left_out_whole_is_kept_as_it_was_written() -> None:
    loaded = load_resources(BROKEN, strict=False)
    assert [str(refused.ref) for refused in loaded.refused] == ["Egress shop/web", "Namespace ?"]
    policy, _ = loaded.refused
    assert policy.document["spec"]["ports"] == ({"number": "443", "protocol": "grpc"},)
    assert [str(problem) for problem in policy.problems] == BROKEN_PROBLEMS[:3]
    assert policy.source is not None
    assert policy.source.mark("spec.hosts") == Mark(7, 3)
    assert "443" not in repr(policy).partition("problems=")[0]


def test_what_has_no_name_of_a_resource_is_not_kept() -> None:
    loaded = load_resources([listed(7), account("a"), account("a")], strict=False)
    assert len(loaded.problems) == 2
    assert loaded.refused == ()


def test_what_is_no_error_lets_a_strict_load_pass() -> None:
    loaded = load_resources("apiVersion: v1\nkind: ConfigMap\n", listed(account("a", x=1)))
    assert names(loaded) == ["a"]
    assert [problem.severity for problem in loaded.problems] == [Severity.INFO]


def test_unknown_fields_can_be_let_through() -> None:
    value = {**account("a"), "hello": {"world": None}}
    assert (
        said(value)
        == said(value, lenient=True)
        == ["<mapping 1>: ServiceAccount shop/a hello: expected a known field, found `hello`"]
    )
    (resource,) = load_resources(value, lenient_fields=True).resources
    assert to_mapping(resource) == value


SECRET = """\
apiVersion: v1
kind: {kind}
metadata: {{name: keys, namespace: shop}}
data: {{a: !!binary aHVudGVy, b: 0123, c: 0123}}
stringData: {{pin: 0456, on: off, big: .inf, digits: {digits}, x: [0456], more: {{on: 0456}}}}
"""


@pytest.mark.parametrize("kind", ["Secret", "secret", "Secrets"])
def test_no_problem_shows_what_a_secret_holds(kind: str) -> None:
    digits = "9" * 70
    problems = said(SECRET.format(kind=kind, digits=digits))
    assert len(problems) > 8
    for shown in ("aHVudGVy", "0123", "0456", "off", "inf", digits[:10], "binary"):
        assert not any(shown in problem for problem in problems)


def test_no_problem_shows_what_a_secret_in_json_holds() -> None:
    data = '{"a": 1e999, "b": "\\ud800"}'
    text = f'{{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": "x"}}, "data": {data}}}'
    assert [problem.partition(" data")[2] for problem in said(text)] == [
        ".a: expected a finite number",
        ".b: expected a string of Unicode characters",
    ]


def test_mistakes_inside_a_skipped_kind_are_nobodys_business() -> None:
    text = "apiVersion: apps/v1\nkind: Widget\nmetadata: {name: x}\nspec: {mode: 0644, on: yes}\n"
    (problem,) = load_resources(text).problems
    assert problem.severity is Severity.INFO
    twice = text + "kind: Widget\n"
    assert [problem.partition(": expected ")[2].partition(",")[0] for problem in said(twice)] == [
        "a kind that egress depends on",
        "each key once",
    ]


def test_a_load_with_mistakes_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_ERRORS", 4)
    assert len(said([{}, {}])) == 4
    with pytest.raises(LoadError) as caught:
        load_resources([{}, {}, {}], strict=False)
    assert str(caught.value.problems[-1]) == "<mapping 3>: expected at most 4 mistakes, found more"


def test_the_documents_before_a_broken_one_are_read() -> None:
    loaded = load_resources(yaml_account("a") + "---\na: [\n", strict=False)
    assert names(loaded) == ["a"]
    assert len(loaded.problems) == 1


def test_empty_documents_are_nothing() -> None:
    assert load_resources("---\n---\n# a\n---\nnull\n") == Loaded((), ())
    assert [text.partition(", found")[0] for text in said("--- yes\n")] == [
        "<text>:1:5: expected a scalar of one meaning",
        "<text>:1:5: expected a Kubernetes object as a mapping",
    ]


# --- duplicates ------------------------------------------------------------------------------------------


def test_each_resource_stands_once_in_a_text() -> None:
    text = "---\n".join(map(yaml_account, ["a", "b", "a", "a"])) + "---\nkind: Pod\n"
    again = "expected each resource once, found another one in `<text>`, line 1"
    assert said(text) == [
        f"<text>:9:1: ServiceAccount shop/a: {again}",
        f"<text>:13:1: ServiceAccount shop/a: {again}",
        "<text>:17:1: apiVersion: expected a string, found none",
    ]
    loaded = load_resources(text, strict=False)
    assert names(loaded) == ["b"], "none of the copies counts"


def test_each_resource_stands_once_in_all_sources(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml_account("a"))
    where = (tmp_path / "a.yaml").as_posix()
    assert said(tmp_path, account("a"), account("b"), account("b")) == [
        (
            f"<mapping 1>: ServiceAccount shop/a: expected each resource once, found another one in"
            f" `{where}`, line 1"
        ),
        "<mapping 3>: ServiceAccount shop/b: expected each resource once, found another one in `<mapping 2>`",
    ]
    with pytest.raises(LoadError):
        load_resources(tmp_path, tmp_path)


def test_the_legacy_group_names_the_same_resource() -> None:
    policies = [
        {"apiVersion": version, "kind": "Egress", "metadata": {"name": "a"}, "spec": {}}
        for version in (POLICY, "policy.openservicemesh.io/v1alpha1")
    ]
    assert names(load_resources(policies, account("a"), account("a", "other"), strict=False)) == ["a", "a"]


# --- hostile documents -----------------------------------------------------------------------------------

DIALECT = "expected a regular expression of the sidecar's dialect, found the string"
HOSTILE = {
    "alias-cycle.yaml": ["5:10: expected an alias of a value that is complete, found `*self`"],
    "billion-laughs.yaml": [
        "6:44: expected at most 4194304 values and characters that aliases stand for, found more"
    ],
    "assertions.yaml": [
        (
            f"6:32: HTTPRouteGroup curl/g spec.matches[0].pathRegex: {DIALECT}"
            r" `^(?:a|b)*a(?:a|b){16}(?:(?:\b|a){90}b?){90}c`:"
            " at position 0, a search may take 291,636 steps for each byte, more than 1,000"
        ),
        (
            f"7:39: HTTPRouteGroup curl/g spec.matches[1].headers[0].x: {DIALECT} `(?:(?=a|(b))c*){{6665}}!`:"
            " at position 0, a search may take 133,323 steps for each byte, more than 1,000"
        ),
    ],
    "cut-off.json": ["1:72: expected JSON: expecting ',' delimiter"],
    "infinity.json": ["1:79: ServiceAccount default/a metadata.x: expected a finite number, found `1e999`"],
    "latin-1.yaml": ["4:12: expected UTF-8, found the byte `0xe9`"],
    "nested-counts.yaml": [
        (
            f"7:40: HTTPRouteGroup curl/g spec.matches[1].pathRegex: {DIALECT}"
            " `(?:(?:(?:a?){50}){50}){50}x`: at position 22, its automaton would have more than 100000 states"
        ),
        (
            f"8:44: HTTPRouteGroup curl/g spec.matches[2].pathRegex: {DIALECT}"
            r" `^(a)(\1{99})(\2{99})(\3{99})x`:"
            " at position 5, with such a reference, a search may take 2.9609e+06 steps for each byte"
        ),
    ],
    "norway.yaml": [
        *(
            f"{line}:{column}: Namespace shop metadata.labels.{key}: expected a scalar of one meaning, found"
            f' `{text}`; write `"{text}"`: {reason}YAML 1.1 and 1.2 read it differently'
            for line, column, key, text, reason in [
                (6, 14, "country", "NO", ""),
                (9, 11, "code", "0123", ""),
            ]
        )
    ],
    "nul.yaml": ["4:11: expected YAML without control characters, found the character `U+0000`"],
    "python-tags.yaml": [
        (
            "4:9: Egress default/? metadata.name: expected no tag, found"
            " `tag:yaml.org,2002:python/object/apply:os.getcwd`: objects are never constructed"
        ),
        (
            "5:7: Egress default/? spec: expected no tag, found `tag:yaml.org,2002:python/object/new:type`:"
            " objects are never constructed"
        ),
    ],
    "tab.yaml": [
        "4:1: expected YAML: while scanning for the next token found character that cannot start any token"
    ],
    "twice.json": [
        "4:29: ServiceAccount default/b metadata.name: expected each key once, found it again, after line 4"
    ],
    "utf-16.yaml": [" expected UTF-8, found UTF-16"],
}


def test_the_whole_corpus_is_tested() -> None:
    assert sorted(path.name for path in (HERE / "hostile").iterdir()) == sorted(HOSTILE)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_their_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "hostile")
    assert said(name) == [f"{name}:{text}" for text in HOSTILE[name]]


GENERATED = {
    "long key": {**account("a"), "k" * 200_000: 1},
    "long kind": {"apiVersion": "v1", "kind": "K" * 200_000},
    "long version": {"apiVersion": "v" * 200_000, "kind": "Service"},
    "long name": account("a" * 200_000),
    "many keys": {**account("a"), **{f"k{number}": 1 for number in range(3_000)}},
    "many items": listed(*(account("B") for _ in range(3_000))),
    "deep extra": account("a", owner=json.loads("[" * 500 + "]" * 500)),
    "deep lists": json.loads('{"kind":"List","items":[' * 400 + "]}" * 400),
    "long numbers": account("a", owner=[10**500] * 100),
}


@pytest.mark.parametrize("name", GENERATED)
def test_hostile_mappings_and_texts_are_refused_in_bounded_time(name: str) -> None:
    for source in (GENERATED[name], json.dumps(GENERATED[name])):
        loaded = load_resources(source, strict=False)
        assert loaded.problems
        assert loaded.resources == ()


def test_yaml_without_pyyaml_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert names(load_resources(json.dumps(account("a")))) == ["a"]
    with pytest.raises(
        MissingExtra, match=r"^reading YAML \(`<text>`\) needs the extra `yaml`: pip install "
    ):
        load_resources(yaml_account("a"))


# --- laws ------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(
            lambda kind, version, content: {"kind": kind, "apiVersion": version, **content},
            st.sampled_from(["List", "Egress", "PodList", "Pod", "Secret", "MeshConfig"]),
            st.sampled_from(["v1", POLICY, "config.flomesh.io/v1alpha3"]),
            st.dictionaries(
                st.sampled_from(["metadata", "items", "spec", "data", "stringData"]), inner, max_size=3
            ),
        )
    ),
    max_leaves=8,
)


@given(values, st.booleans())
def test_law_any_value_is_loaded_or_refused(value: Any, lenient: bool) -> None:
    for source in (value, NamedText(json.dumps(value), "a.json")):
        try:
            loaded = load_resources(source, strict=False, lenient_fields=lenient)
        except InvalidValue:
            continue
        errors = [problem for problem in loaded.problems if problem.severity is Severity.ERROR]
        if errors:
            with pytest.raises(LoadError):
                load_resources(source, lenient_fields=lenient)
        else:
            assert load_resources(source, lenient_fields=lenient) == loaded


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_law_any_bytes_are_loaded_or_refused(content: bytes) -> None:
    assert load_resources(content, strict=False).resources == ()


@settings(max_examples=examples(50))
@given(st.binary(min_size=1, max_size=4), st.integers(0, 400), st.sampled_from(["a.json", "a.yaml"]))
def test_law_a_damaged_document_is_loaded_or_refused(damage: bytes, place: int, name: str) -> None:
    text = BROKEN.encode() if name == "a.yaml" else json.dumps(listed(account("a"), account("b"))).encode()
    damaged = text[:place] + damage + text[place + len(damage) :]
    loaded = load_resources(NamedText(damaged, name), strict=False)
    assert {resource.kind for resource in loaded.resources} <= {"ServiceAccount", "Egress", "Namespace"}


# --- at once ---------------------------------------------------------------------------------------------


def with_care(*sources: Any) -> Loaded:
    """A tolerant load without the quick ways."""

    def refuse(_: object) -> None:
        raise InvalidValue

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "read_at_once", lambda *_: None)
        patch.setattr(loader, "good_reader", lambda *_: refuse)
        return load_resources(*sources, strict=False)


def facts(loaded: Loaded) -> list[Any]:
    """All that a load found, with places, and with what equality does not look at."""
    paths = ("", "metadata.name", "metadata.x[0].y", "spec.ports[0].number")
    return [
        *(
            (
                resource,
                resource.metadata.explicit,
                *((at.location, at.mark) for at in map(resource.at, paths)),
            )
            for resource in loaded.resources
        ),
        *loaded.problems,
        *(
            (refused.ref, refused.document, refused.problems, refused.source and refused.source.mark("spec"))
            for refused in loaded.refused
        ),
    ]


def assert_same(*sources: Any) -> None:
    """Both ways of reading find the same."""
    assert facts(load_resources(*sources, strict=False)) == facts(with_care(*sources))


def egress(**content: Any) -> dict[str, Any]:
    """An Egress policy as a document."""
    metadata = {"name": "e", "namespace": "shop"}
    return {"apiVersion": POLICY, "kind": "Egress", "metadata": metadata, "spec": {}, **content}


def spec(**fields: Any) -> dict[str, Any]:
    return egress(spec=fields)


SOURCE = {"kind": "ServiceAccount", "name": "curl", "namespace": "curl"}
DEEP: Any = json.loads("[" * 61 + "]" * 61)


@pytest.mark.parametrize(
    "items",
    [
        [],
        [account("a"), account("b"), spec(hosts=["a.com"], ipAddresses=["10.0.0.0/8", "2001:db8::/32"])],
        [account("a"), account("B"), account("c")],
        [account("a"), account("a"), account("c")],
        [
            account("a"),
            spec(hosts=["A.com"]),
            spec(ipAddresses=["10.0.0.1/8"], hosts=["b.com"]),
            account("c"),
        ],
        [account("a"), {"kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "b"}}, account("c")],
        [account("a"), 7, None, [], {}, "x", account("c")],
        [listed(account("a"), account("b")), account("a"), listed(listed(account("c")), account("B"))],
        [{**account("a"), "metadata": {"name": "a", **more}} for more in ({}, {"namespace": None})],
        [{**account("a"), "metadata": {"name": "a", "namespace": ""}}],
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": name}}
            for name in ("", "b")
        ],
        [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"b": "c"}}],
        [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"b": "c"}}],
        [account("a", x=[{"y": 1}], uid="é\\\"'", labels={}), {**account("b"), "status": {}}],
        [account("a", owner=DEEP)],
        [account("a", owner=[DEEP])],
        [account("a", owner=[[[DEEP]]])],
        [{"kind": "ConfigMap", "apiVersion": "v1", "data": DEEP}],
        [{"kind": "ConfigMap", "apiVersion": "v1", "data": [DEEP]}],
        [{**account("a"), "apiVersion": "v2"}, {**account("b"), "kind": ["ServiceAccount"]}],
        [spec(sources=[SOURCE, {**SOURCE, "name": []}]), spec(ports=[{"number": True, "protocol": "tcp"}])],
        [
            spec(
                matches=[
                    {"apiGroup": POLICY, "kind": "UpstreamTrafficSetting", "name": name} for name in "ab"
                ]
            )
        ],
    ],
)
def test_both_ways_of_reading_json_say_the_same(items: list[Any]) -> None:
    for indent in (None, 2):
        assert_same(NamedText(json.dumps(listed(*items), indent=indent), "a.json"))
        assert_same(
            NamedText(
                json.dumps({"metadata": {"x": ""}, "items": items, "kind": "List"}, indent=indent), "a.json"
            )
        )
        for item in items:
            assert_same(NamedText(json.dumps(item, indent=indent), "a.json"))


TWICE = [
    '"metadata": {"name": "e", "namespace": "shop"}, "metadata": {"name": "f", "namespace": "shop"}',
    '"metadata": {"name": "e", "namespace": "shop", "name": "f"}',
    '"metadata": {"name": "e", "labels": {"a": "b", "a": "c"}}',
    '"metadata": {"name": "e", "uid": "1", "uid": "2"}',
    '"metadata": {"name": "e", "x": {"y": [{"z": 1, "z": 2}]}}',
    '"metadata": {"name": "e"}, "status": {}, "status": {"a": "b"}',
    '"metadata": {"name": "e"}, "spec": {"hosts": [], "hosts": ["a.com"]}',
    '"metadata": {"name": "e"}, "spec": {"hosts": null, "hosts": ["a.com"]}',
    '"metadata": {"name": "e"}, "spec": {"ports": [{"number": 80, "protocol": "tcp", "number": 81}]}',
    (
        '"metadata": {"name": "e"}, "spec": {"sources": [{"kind": "ServiceAccount", "name": "a",'
        ' "namespace": "b"}, {"kind": "ServiceAccount", "name": "c", "namespace": "b", "name": "a"}]}'
    ),
]


@pytest.mark.parametrize("content", TWICE)
@pytest.mark.parametrize("spelling", ['"', "\\u0022"])
def test_a_key_stands_once_wherever_it_stands(content: str, spelling: str) -> None:
    rest = "" if '"spec"' in content else ', "spec": {}'
    item = f'{{"apiVersion": "{POLICY}", "kind": "Egress", {content}{rest}}}'
    other = json.dumps(account("a", x='\\"' if spelling == '"' else "\\\\"))
    for text in (item, f'{{"kind": "List", "items": [{other},\n {item}]}}'):
        assert_same(NamedText(text, "a.json"))
        assert [problem.partition("expected ")[2].partition(",")[0] for problem in said(text)] == [
            "each key once"
        ]


def hiding(name: str, strings: int) -> str:
    """A ServiceAccount that hides so many strings behind a key that stands twice."""
    hidden = json.dumps(["x"] * (strings - 1))
    metadata = f'{{"name": "{name}", "namespace": "shop", "owner": {hidden}, "owner": 1}}'
    return f'{{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {metadata}}}'


@pytest.mark.parametrize("strings", range(1, 40))
def test_a_key_that_stands_twice_is_not_made_up_for_by_an_item_that_is_wrong(strings: int) -> None:
    matches = [{"apiGroup": POLICY, "kind": "UpstreamTrafficSetting", "name": name} for name in "ab"]
    wrong = spec(sources=[{**SOURCE, "mtls": {"issuer": "fsm"}}], matches=matches)
    text = f'{{"kind": "List", "items": [{json.dumps(wrong)}, {hiding("a", strings)}]}}'
    assert "each key once" in said(text)[-1]


@pytest.mark.parametrize("strings", range(1, 20))
def test_a_key_that_stands_twice_is_not_made_up_for_by_another_text(strings: int) -> None:
    text = f'{{"kind": "List", "items": [{hiding("b", strings)}]}}'
    assert len(said(json.dumps(listed(account("a"))), text)) == 1


def test_a_key_of_a_list_stands_once() -> None:
    for text in (
        '{"kind": "List", "kind": "List", "items": []}',
        '{"kind": "List", "items": [], "metadata": {"a": "b", "a": "c"}}',
        '{"kind": "List", "items": [], "items": [7]}',
    ):
        assert_same(NamedText(text, "a.json"))
        assert "each key once" in said(text)[0]


def test_the_numbers_of_a_list_are_bounded_wherever_they_stand() -> None:
    for digits in (MAX_DIGITS, MAX_DIGITS + 1):
        items = json.dumps([account("a"), {"kind": "ConfigMap", "apiVersion": "v1", "x": int("9" * digits)}])
        text = f'{{"kind": "List", "items": {items}}}'
        assert_same(NamedText(text, "a.json"))
        assert any("digits" in problem for problem in said(text)) is (digits > MAX_DIGITS)


def test_resources_of_one_name_are_found_across_texts_and_mappings() -> None:
    text = json.dumps(listed(account("a"), account("b")))
    again = "expected each resource once, found another one in"
    assert said(account("a"), NamedText(text, "l.json"), account("b"), NamedText(text, "m.json")) == [
        f"l.json:1:48: ServiceAccount shop/a: {again} `<mapping 1>`",
        f"<mapping 2>: ServiceAccount shop/b: {again} `l.json`, line 1",
        f"m.json:1:48: ServiceAccount shop/a: {again} `<mapping 1>`",
        f"m.json:1:144: ServiceAccount shop/b: {again} `l.json`, line 1",
    ]
    loaded = load_resources(account("a"), text, account("c"), strict=False)
    assert names(loaded) == ["b", "c"]


@pytest.mark.parametrize(
    "sources", [[listed(account("a"), spec())], [account("a"), account("a"), account("b"), spec()]]
)
def test_the_tables_hold_the_resources_by_name(sources: list[Any]) -> None:
    for given_as in (sources, [json.dumps(source) for source in sources]):
        loaded = load_resources(given_as, strict=False)
        listed_by_name = {
            (type(resource), resource.namespace, resource.name): resource for resource in loaded.resources
        }
        assert {
            (kind, *name): resource
            for kind, table in loaded.tables.items()
            for name, resource in table.items()
        } == listed_by_name
        assert len(listed_by_name) == 2


def test_a_text_without_flaws_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(loader, "read_text", give_up)
    good = [account("a", uid="é", labels={"a": "\\"}, owner=[{"b": None}]), spec(hosts=["a.com"] * 20)]
    wrong = [spec(hosts=["A.com"], matches=[{}]), account("B"), {"kind": "ConfigMap", "apiVersion": "v1"}, 7]
    for indent in (None, 2):
        text = json.dumps(listed(*wrong, *good), indent=indent)
        loaded = load_resources(text, json.dumps(account("c"), indent=indent), strict=False)
        assert names(loaded) == ["a", "e", "c"]
        assert len(loaded.problems) == 6


def test_the_items_of_a_list_of_one_kind_may_be_bare() -> None:
    bare = {"metadata": {"name": "a", "namespace": "shop"}}
    text = json.dumps(listed(bare, account("b"), kind="ServiceAccountList"), indent=1)
    assert_same(NamedText(text, "a.json"))
    assert names(load_resources(text)) == ["a", "b"]


def test_a_list_of_another_kind_is_one_object() -> None:
    text = json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "items": [account("a")], "metadata": {"name": "x"}}
    )
    assert_same(NamedText(text, "a.json"))
    assert len(said(text)) == 1


def test_both_ways_of_reading_mappings_and_yaml_say_the_same() -> None:
    items = [
        account("a"),
        spec(hosts=["A.com"], ipAddresses=["10.0.0.1/8"]),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b", "namespace": "c"}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": ""}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "b", "labels": {}}},
        account("B"),
        account("b"),
    ]
    assert_same(*items)
    assert_same(listed(*items))
    assert_same("---\n".join(map(yaml.safe_dump, items)))
    assert_same(yaml.safe_dump(listed(*items)))
    loaded = load_resources(listed(*items), strict=False)
    assert [resource.metadata.explicit for resource in loaded.resources] == [
        *[frozenset()] * 4,
        {"labels"},
        frozenset(),
    ]
    assert len(loaded.problems) == 4


@settings(max_examples=examples(60))
@given(st.data())
def test_law_both_ways_of_reading_json_say_the_same(data: st.DataObject) -> None:
    mesh = data.draw(meshes())
    items = data.draw(st.lists(st.sampled_from(mesh) | values, max_size=6))
    text = json.dumps(listed(*items), indent=data.draw(st.sampled_from([None, 1])))
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(text)))
        text = (
            text[:place] + data.draw(st.sampled_from(["", '"', ",", "1", "}", '"a":1,'])) + text[place + 1 :]
        )
    assert_same(NamedText(text, "a.json"))


@given(values)
def test_law_any_value_is_read_the_same_both_ways(value: Any) -> None:
    assert_same(NamedText(json.dumps(value), "a.json"))
