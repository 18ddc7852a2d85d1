"""Resources as JSON and YAML texts, and back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_meshes import meshes
from thoroughness import examples

from fsm_egress.documents.yaml_scalars import is_disputed, resolved
from fsm_egress.manifests.dump import dump_json, dump_yaml
from fsm_egress.manifests.loader import load_resources
from fsm_egress.manifests.manifest import structure
from fsm_egress.manifests.writing import to_mapping
from fsm_egress.resources.core import Secret, ServiceAccount
from fsm_egress.resources.meshconfig import MeshConfig
from fsm_egress.resources.resource import ObjectMeta
from fsm_egress.values.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsm_egress.resources.resource import Resource

INSTALLED = Path(__file__).parents[1] / "vectors" / "meshconfig-installed.json"


def account(name: str, **metadata: Any) -> ServiceAccount:
    """A ServiceAccount."""
    return ServiceAccount(metadata=ObjectMeta(name, "shop", **metadata))


def test_one_resource_is_a_json_object() -> None:
    text = dump_json(account("a", annotations={"b": "é"}))
    assert text == (
        '{\n  "apiVersion": "v1",\n  "kind": "ServiceAccount",\n  "metadata": {\n    "name": "a",\n'
        '    "namespace": "shop",\n    "annotations": {\n      "b": "é"\n    }\n  }\n}\n'
    )
    assert dump_json(account("a"), indent=None) == (
        '{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "shop"}}\n'
    )


def test_several_resources_are_a_list() -> None:
    resources = [account("a"), account("b")]
    assert json.loads(dump_json(iter(resources))) == {
        "apiVersion": "v1",
        "kind": "List",
        "items": [to_mapping(resource) for resource in resources],
    }
    assert json.loads(dump_json([])) == {"apiVersion": "v1", "kind": "List", "items": []}


def test_each_resource_is_a_yaml_document() -> None:
    text = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n  namespace: shop\n"
    assert dump_yaml(account("a")) == text
    assert dump_yaml([account("a"), account("b")]) == text + text.replace("name: a", "name: b")
    assert dump_yaml([]) == ""


def test_yaml_has_no_anchors() -> None:
    shared = {"x": ["y"]}
    text = dump_yaml(account("a", extra={"one": shared, "two": shared}))
    assert "&" not in text
    assert "*" not in text
    assert load_resources(text).resources == (account("a", extra={"one": shared, "two": shared}),)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "N",
        "on",
        "1:30",
        "017",
        "0o17",
        "0x1f",
        "1e3",
        "1_0.5",
        "2001-01-01",
        "=",
        "<<",
        "~",
        "",
        "null",
        "true",
        "1",
        "1.5",
        "-",
        "- a",
        "a: b",
        "a #b",
        "é",
        "\x85",
        "\u2028",
        "\x00",
        "\ufeff",
        "a\nb\n",
        " a",
        "*a",
        "!a",
        "%",
    ],
)
def test_every_string_is_read_as_it_was(text: str) -> None:
    resource = account("a", annotations={"x": text, f"k{text}": text}, extra={text: [text]})
    for written in (dump_yaml(resource), dump_json(resource)):
        assert load_resources(written).resources == (resource,)


def test_strings_of_more_than_one_meaning_are_quoted() -> None:
    text = dump_yaml(account("a", annotations={"0o17": "1e3", "b": "plain"}))
    assert '    "0o17": "1e3"\n    b: plain\n' in text


def test_an_installed_mesh_config_survives_both_texts() -> None:
    original = json.loads(INSTALLED.read_bytes())
    resource = structure(original)
    for text in (dump_json(resource), dump_json([resource]), dump_yaml(resource)):
        (again,) = load_resources(text).resources
        assert again == resource
        assert to_mapping(again) == original
    assert yaml.safe_load(dump_yaml(resource)) == original


def test_what_a_text_says_of_a_mesh_config_of_defaults_loads_again() -> None:
    for text in (dump_json(MeshConfig()), dump_yaml(MeshConfig())):
        assert load_resources(text).resources == (MeshConfig(),)


def test_the_data_of_a_secret_is_base64() -> None:
    secret = Secret(metadata=ObjectMeta("a", "shop"), data={"key": b"\xff\0"})
    assert json.loads(dump_json(secret))["data"] == {"key": "/wA="}
    assert load_resources(dump_yaml(secret)).resources == (secret,)


def test_without_pyyaml_json_is_written_and_yaml_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert json.loads(dump_json(account("a"))) == to_mapping(account("a"))
    with pytest.raises(MissingExtra) as caught:
        dump_yaml(account("a"))
    assert str(caught.value) == "writing YAML needs the extra `yaml`: pip install 'fsm-egress[yaml]'"


# --- laws ------------------------------------------------------------------------------------------------


def texts(resources: Sequence[Resource]) -> list[str]:
    """The resources in every form that is written."""
    return [dump_json(resources), dump_json(resources, indent=None), dump_yaml(resources)]


@settings(max_examples=examples(10))
@given(meshes())
def test_law_loading_what_was_written_is_the_identity(mesh: list[dict[str, Any]]) -> None:
    loaded = load_resources(mesh)
    for text in texts(loaded.resources):
        again = load_resources(text.encode())
        assert again.resources == loaded.resources
        assert again.problems == ()


@settings(max_examples=examples(10))
@given(meshes())
def test_law_what_is_written_is_stable(mesh: list[dict[str, Any]]) -> None:
    resources = load_resources(mesh).resources
    written = texts(resources)
    for text in written:
        assert texts(load_resources(text.encode()).resources) == written


strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.text(
    "0123456789_.:-+exobyYnN<=~ ", max_size=6
)
carried = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | strings,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(strings, strings, max_size=3), carried)
def test_law_whatever_is_carried_survives_both_texts(annotations: dict[str, str], owner: Any) -> None:
    resource = account("a", annotations=annotations, extra={"owner": owner})
    for text in texts([resource]):
        (again,) = load_resources(text).resources
        assert to_mapping(again) == to_mapping(resource)
        assert again == resource


@given(strings)
@example("-.0")
@example("+.5")
def test_law_plain_strings_of_yaml_mean_the_same_to_all(text: str) -> None:
    (line,) = [
        line for line in dump_yaml(account("a", annotations={"x": text})).split("\n") if "    x: " in line
    ]
    is_plain = line == f"    x: {text}"
    assert not (is_plain and is_disputed(text))
    assert not (is_plain and yaml.safe_load(text) != text)
    assert not (is_plain and resolved(text)[0] != text)
