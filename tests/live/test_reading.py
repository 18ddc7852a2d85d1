"""What is read of a cluster: every page of every kind, of one moment; and what could not be is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import random_meshes
from hypothesis import given, settings
from hypothesis import strategies as st
from objects_served import NOW, Objects
from small import config, egress
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.live import reading
from fsm_egress.live.paths import served
from fsm_egress.live.reading import ClusterRead, Refusal, Unreachable, read_cluster
from fsm_egress.manifests.unread import LEFT_OUT, Unread
from fsm_egress.resources.kinds import KINDS, OF_FILES

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "client",
        "namespace": "curl",
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": '{"data": {"tls.key": "c2VjcmV0"}}',
            "owner": "ann",
        },
        "managedFields": [{"manager": "kubectl"}],
    },
    "data": {"tls.key": "c2VjcmV0"},
}
MTLS = {"issuer": "other", "cert": {"secret": {"name": "client", "namespace": "curl"}}}


def namespaced(document: dict[str, Any]) -> dict[str, Any]:
    """A document as a server gives it: with its namespace, in the newest version."""
    metadata = {"namespace": "default", **document["metadata"]}
    if document["kind"] == "Namespace":
        del metadata["namespace"]
    (kind,) = (kind for kind in KINDS if kind.kind == document["kind"])
    return {**document, "apiVersion": kind.api_versions[0], "metadata": metadata}


def place(document: dict[str, Any]) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]


@given(random_meshes.meshes(), st.integers(1, 7))
@settings(max_examples=examples(10))
def test_law_what_is_read_is_what_is_there(mesh: list[dict[str, Any]], page: int) -> None:
    mesh = list(map(namespaced, mesh))
    objects = Objects(*mesh)
    objects.page = page
    found = read_cluster(objects)
    named = {place(it) for it in found.documents if it["kind"] == "Secret"}
    expected = [it for it in mesh if it["kind"] != "Secret" or place(it) in named]
    assert fe.load(found.documents) == fe.load(expected)
    for who in fe.load(mesh).identities()[:1]:
        assert fe.pipy_config(fe.load(found.documents), who) == fe.pipy_config(fe.load(mesh), who)
    assert (found.unread, found.version) == ((), NOW)


def test_all_lists_are_of_the_moment_of_the_first() -> None:
    objects = Objects(config(), *(egress(f"e{number}", "tcp 25") for number in range(1200)))
    found = read_cluster(objects)
    assert len(found.documents) == 1201
    first, *others = objects.asked
    assert first == ("/api/v1/namespaces", {"limit": "500"})
    pages = [query for path, query in others if path.endswith("/egresses")]
    assert pages == [
        {"resourceVersion": NOW, "resourceVersionMatch": "Exact", "limit": "500"},
        {"limit": "500", "continue": f"{NOW}@500"},
        {"limit": "500", "continue": f"{NOW}@1000"},
    ]


def test_a_moment_that_is_forgotten_is_given_up() -> None:
    objects = Objects(config())

    def moving(path: str, query: Any) -> Any:
        if query.get("resourceVersion"):
            raise Refusal(410, "too old resource version")
        page = objects(path, query)
        return {**page, "metadata": {"resourceVersion": str(len(objects.asked))}}

    found = read_cluster(moving)
    assert [it["kind"] for it in found.documents] == ["MeshConfig"]
    assert found.version == ""


def test_a_list_whose_pages_expire_is_asked_for_in_one_piece() -> None:
    objects = Objects(*(egress(f"e{number}", "tcp 25") for number in range(9)))
    objects.page, objects.expires = 2, 2
    assert len(read_cluster(objects).documents) == 9
    assert objects.asked[-1][1] != {}
    assert {"limit": "0"} in [query for _, query in objects.asked]


def test_a_kind_that_may_not_be_listed_is_named() -> None:
    objects = Objects(config(), egress("a", "tcp 25"))
    objects.denied = {"services"}
    found = read_cluster(objects)
    assert [it["kind"] for it in found.documents] == ["MeshConfig", "Egress"]
    (unread,) = found.unread
    assert str(unread) == (
        'Service: may not be listed: services is forbidden: User "ann" cannot list resource "services"'
    )


def test_of_a_kind_that_may_not_be_listed_those_of_one_namespace_are() -> None:
    objects = Objects(config(), egress("a", "tcp 25"), egress("b", "tcp 26", space="shop"))
    objects.denied = {"*/egresses", "*/namespaces", "*/pods", "curl/pods"}
    found = read_cluster(objects, "curl")
    assert [it["metadata"]["name"] for it in found.documents if it["kind"] == "Egress"] == ["a"]
    assert [(it.kind, it.namespace) for it in found.unread] == [
        ("Namespace", ""),
        ("Egress", "curl"),
        ("Pod", ""),
    ]
    assert str(found.unread[1]).startswith("Egress outside namespace curl: may not be listed: ")


def test_a_kind_that_the_cluster_lacks_is_named() -> None:
    objects = Objects(config())
    objects.lacking = {"trafficsplits"}
    assert read_cluster(objects).unread == (Unread("TrafficSplit", "the cluster does not have this kind"),)


def test_an_older_version_is_read_where_the_cluster_has_no_other() -> None:
    old = {**config(), "apiVersion": "config.flomesh.io/v1alpha1"}
    objects = Objects(old)
    objects.lacking = {f"/apis/config.flomesh.io/v1alpha{version}/meshconfigs" for version in (2, 3)}
    found = read_cluster(objects)
    assert [it["apiVersion"] for it in found.documents] == ["config.flomesh.io/v1alpha1"]
    assert found.unread == ()


LEGACY = "policy.openservicemesh.io"


def test_an_earlier_name_of_a_group_is_read_where_the_cluster_has_it() -> None:
    old = {**egress("a", "tcp 25"), "apiVersion": f"{LEGACY}/v1alpha1"}
    assert [it["apiVersion"] for it in read_cluster(Objects(old)).documents] == [f"{LEGACY}/v1alpha1"]
    objects = Objects(old)
    objects.lacking = {f"/apis/{LEGACY}/v1alpha1/upstreamtrafficsettings"}
    assert read_cluster(objects).unread == ()
    objects.denied = {"egresses", "groups"}
    assert [it.kind for it in read_cluster(objects).unread].count("Egress") == 2
    objects.lists = {path: plural for path, plural in objects.lists.items() if LEGACY not in path}
    objects.denied = {"egresses"}
    assert [it.kind for it in read_cluster(objects).unread] == ["Egress"]


@pytest.mark.parametrize(
    "asked", [f"/apis/{LEGACY}", "/api/v1/namespaces", "/apis/policy.flomesh.io/v1alpha1/egresses"]
)
def test_any_other_answer_ends_it(asked: str) -> None:
    objects = Objects(config())

    def failing(path: str, query: Any) -> Any:
        if path == asked:
            raise Refusal(500, "etcdserver: request timed out")
        return objects(path, query)

    with pytest.raises(Refusal, match="etcdserver"):
        read_cluster(failing)


def test_a_server_that_fails_for_one_namespace_ends_it_too() -> None:
    objects = Objects(config())
    objects.denied = {"*/pods"}

    def failing(path: str, query: Any) -> Any:
        if path == "/api/v1/namespaces/curl/pods":
            raise Refusal(500, "etcdserver: request timed out")
        return objects(path, query)

    with pytest.raises(Refusal, match="etcdserver"):
        read_cluster(failing, "curl")


# --- secrets ---------------------------------------------------------------------------------------------


def test_only_the_secrets_that_policies_name_are_read() -> None:
    other = {**SECRET, "metadata": {"name": "other", "namespace": "curl"}}
    objects = Objects(
        config(), egress("a", "tcp 25", mtls=MTLS), egress("b", "tcp 26", mtls=MTLS), SECRET, other
    )
    found = read_cluster(objects)
    assert [it["metadata"] for it in found.documents if it["kind"] == "Secret"] == [
        {"name": "client", "namespace": "curl", "annotations": {"owner": "ann"}}
    ]
    assert [path for path, _ in objects.asked if "secrets" in path] == [
        "/api/v1/namespaces/curl/secrets/client"
    ]


def test_a_secret_is_looked_for_in_the_namespace_of_its_policy() -> None:
    here = {"issuer": "other", "cert": {"secret": {"name": "client"}}}
    objects = Objects(config(), egress("a", "tcp 25", mtls=here), SECRET)
    assert "Secret" in {it["kind"] for it in read_cluster(objects).documents}


def test_a_secret_that_is_not_there_is_missing_and_one_that_may_not_be_read_is_named() -> None:
    objects = Objects(config(), egress("a", "tcp 25", mtls=MTLS))
    assert read_cluster(objects).unread == ()
    objects.denied = {"secrets"}
    (unread,) = read_cluster(objects).unread
    assert str(unread).startswith("Secret curl/client: may not be read: secrets is forbidden")

    def failing(path: str, query: Any) -> Any:
        if "secrets" in path:
            raise Refusal(500, "etcdserver: request timed out")
        return objects(path, query)

    with pytest.raises(Refusal, match="etcdserver"):
        read_cluster(failing)


def test_policies_that_name_no_secret_as_they_should_are_passed_over() -> None:
    odd = [egress(f"e{number}", "tcp 25") for number in range(4)]
    odd[0]["spec"]["sources"] = [7, {"mtls": {"cert": "client"}}, {"mtls": {"cert": {"secret": {"name": 7}}}}]
    odd[1]["spec"]["sources"] = None
    odd[2]["spec"] = []
    odd[3]["spec"]["sources"] = 7
    assert read_cluster(Objects(*odd)).unread == ()


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("curl", "a/b"),
        ("curl", ".."),
        ("curl", "a?watch=true"),
        ("curl", "a#b"),
        ("curl", "a%2fb"),
        ("curl", "A"),
        ("curl", "a" * 254),
        ("curl/pods", "a"),
        (7, "a"),
        ({"a": "b"}, "a"),
    ],
)
def test_nothing_but_a_name_comes_into_a_path(namespace: Any, name: str) -> None:
    secret = {"issuer": "other", "cert": {"secret": {"name": name, "namespace": namespace}}}
    objects = Objects(config(), egress("a", "tcp 25", mtls=secret))
    read_cluster(objects)
    assert [path for path, _ in objects.asked if "secrets" in path] == []


# --- answers that are none -------------------------------------------------------------------------------

EGRESSES = "/apis/policy.flomesh.io/v1alpha1/egresses"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({"items": 7}, "no list"),
        ({"items": {"a": 1}}, "no list"),
        ({"metadata": [1]}, "no list"),
        ({"metadata": {"continue": 7}}, "no list, by its metadata"),
        ({"metadata": {"resourceVersion": {"a": 1}}}, "no list, by its metadata"),
        ({"items": [7]}, "no object, but the number `7`"),
        ({"items": [None]}, "no object, but `null`"),
        ({"items": [{"metadata": "a"}]}, "no object, but a mapping"),
    ],
)
def test_a_page_that_is_none_is_told(page: dict[str, Any], said: str) -> None:
    objects = Objects(config())

    def answered(path: str, query: Any) -> Any:
        return page if path == EGRESSES else objects(path, query)

    with pytest.raises(Unreachable, match=f"otherwise than expected: {EGRESSES}: {said}$"):
        read_cluster(answered)


def test_a_secret_that_is_no_object_is_told_without_what_it_is() -> None:
    objects = Objects(config(), egress("a", "tcp 25", mtls=MTLS))

    def answered(path: str, query: Any) -> Any:
        return {"metadata": ["marked"]} if "secrets" in path else objects(path, query)

    with pytest.raises(Unreachable, match=r"/secrets/client: no object, but a mapping$"):
        read_cluster(answered)


@pytest.mark.parametrize("token", [lambda _: "same", str], ids=["the same", "always another"])
def test_a_list_without_end_is_not_followed(token: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGES", 9)
    objects = Objects(config())

    def answered(path: str, query: Any) -> Any:
        if path != EGRESSES:
            return objects(path, query)
        objects.asked.append((path, query))
        return {"items": [], "metadata": {"continue": token(len(objects.asked))}}

    with pytest.raises(Unreachable, match=f"{EGRESSES}: a list without end$"):
        read_cluster(answered)
    assert len([path for path, _ in objects.asked if path == EGRESSES]) == (2 if token(0) == "same" else 9)


@pytest.mark.parametrize("annotations", [None, [], "marked", 7, {"a": "b"}])
def test_annotations_of_a_secret_may_be_anything(annotations: Any) -> None:
    found = {**SECRET, "metadata": {"name": "client", "namespace": "curl", "annotations": annotations}}
    read = read_cluster(Objects(config(), egress("a", "tcp 25", mtls=MTLS), found))
    kept = next(it for it in read.without_secrets()["items"] if it["kind"] == "Secret")
    own = annotations if isinstance(annotations, dict) else {}
    assert kept["metadata"]["annotations"] == {**own, LEFT_OUT: "data"}


def test_what_is_kept_has_nothing_of_what_secrets_hold() -> None:
    bare = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b", "namespace": "curl"}}
    bare |= {"stringData": {"tls.key": "secret"}}
    objects = Objects(config(), egress("a", "tcp 25", mtls=MTLS), SECRET)
    objects.denied = {"services"}
    read = read_cluster(objects)
    kept = ClusterRead((*read.documents, bare), read.unread, read.version).without_secrets()
    assert kept["metadata"] == {"resourceVersion": NOW}
    secrets = [it for it in kept["items"] if it["kind"] == "Secret"]
    assert [sorted(it) for it in secrets] == [["apiVersion", "kind", "metadata"]] * 2
    assert [it["metadata"]["annotations"] for it in secrets] == [
        {"owner": "ann", LEFT_OUT: "data"},
        {LEFT_OUT: "data"},
    ]
    assert "c2VjcmV0" not in str(kept)
    before, after = (fe.load(it, strict=False) for it in (read.everything, kept))
    assert [str(it.ref) for it in after.lost] == ["Service */*"]
    engines = [fe.compile(it, "curl.curl", incomplete=True) for it in (before, after)]
    first, second = (str(engine.classify(fe.tcp("54.9.9.9", 25))) for engine in engines)
    assert first == second


def test_lists_of_several_moments_have_no_version() -> None:
    assert ClusterRead((), (), "").without_secrets()["metadata"] == {}


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        ("Egress", "egresses"),
        ("EgressGateway", "egressgateways"),
        ("Endpoints", "endpoints"),
        ("HTTPRouteGroup", "httproutegroups"),
        ("Isolation", "isolations"),
        ("MeshConfig", "meshconfigs"),
        ("Retry", "retries"),
        ("TrafficSplit", "trafficsplits"),
        ("UpstreamTrafficSetting", "upstreamtrafficsettings"),
    ],
)
def test_kinds_are_called_in_paths_as_their_definitions_have_it(kind: str, plural: str) -> None:
    (found,) = (it for it in KINDS if it.kind == kind)
    assert {it.plural for versions in served(found) for it in versions} == {plural}


def test_the_documentation_names_the_rights_for_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "cluster.md").read_text(encoding="utf-8")
    named = [text.split(",") for text in re.findall(r"--resource=(\S+)", page)]
    current = [served(kind)[0][0] for kind in KINDS if kind not in OF_FILES]
    resources = {f"{it.plural}.{it.group}".rstrip(".") for it in current}
    assert sorted(name for names in named for name in names) == sorted(resources)
    assert named[1] == ["secrets"]
