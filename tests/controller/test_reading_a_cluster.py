"""Commands against a real Kubernetes API server: what they read of it, and what they may not."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cluster import ADMIN, Cluster, Refused, until
from kubernetes.config import kube_config
from small import config, egress

import fsm_egress as fe
from examples.controller.kinds import SERVED
from fsm_egress.live import client
from fsm_egress.live.reading import read_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Tree = dict[str, Any]
ROOT = Path(__file__).parents[2]
MANY, HANDS = 10_000, 4
DENIED, LACKING = "TrafficTarget", "TrafficSplit"
MTLS = {"issuer": "other", "cert": {"secret": {"name": "client", "namespace": "curl"}}}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "client", "namespace": "curl"},
    "data": {"tls.key": "c2VjcmV0", "tls.crt": "c2VjcmV0"},
}
PLUGIN = """
import json
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {{"token": {token!r}}}}}))
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster without TrafficSplits, with 10,000 accounts and an account that may read all but one kind."""
    it = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        it.start()
        lacking = SERVED[LACKING]
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        it.ask("DELETE", f"{definitions}/{lacking.plural}.{lacking.group}")
        for name in ("curl", "fsm-system"):
            if not is_there(it, f"/api/v1/namespaces/{name}"):
                labels = {"flomesh.io/monitored-by": "fsm"}
                space = {"name": name, "labels": labels}
                it.create({"apiVersion": "v1", "kind": "Namespace", "metadata": space})
        policy = egress("web", "https 443", hosts=["a.com"], mtls=MTLS)
        for document in (*rights(), SECRET, config({"enableEgress": False}), egress("a", "tcp 25"), policy):
            it.create(document)
        create_many(it)
        until(lambda: not it.is_served(lacking))
        yield it
    finally:
        it.stop()


def is_there(cluster: Cluster, path: str) -> bool:
    try:
        cluster.ask("GET", path)
    except Refused:
        return False
    return True


def rights() -> list[Tree]:
    """The account `reader`, that may get and list whatever a mesh is made of, but for one kind."""
    rules = [
        {"apiGroups": [it.group], "resources": [it.plural], "verbs": ["get", "list"]}
        for it in SERVED.values()
        if it.kind != DENIED
    ]
    named = {"name": "reader"}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": "curl"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**named, "namespace": "curl"}},
        {**rbac, "kind": "ClusterRole", "metadata": named, "rules": rules},
        {**rbac, "kind": "ClusterRoleBinding", "metadata": named, "subjects": [subject], "roleRef": role},
    ]


def create_many(cluster: Cluster) -> None:
    """Ten thousand accounts, by connections that stay open."""

    def create(first: int) -> None:
        context = ssl.create_default_context(cafile=str(cluster.chain))
        connection = http.client.HTTPSConnection("127.0.0.1", cluster.port, context=context)
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
        for number in range(first, MANY, HANDS):
            account = {"metadata": {"name": f"account-{number}"}}
            body = json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", **account})
            connection.request("POST", "/api/v1/namespaces/curl/serviceaccounts", body, headers)
            answer = connection.getresponse()
            assert answer.status == http.client.CREATED, answer.read()
            answer.read()
        connection.close()

    with ThreadPoolExecutor(HANDS) as pool:
        list(pool.map(create, range(HANDS)))


@pytest.fixture(autouse=True)
def _reader(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig whose plugin has a token of the account `reader`."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    given = cluster.ask("POST", "/api/v1/namespaces/curl/serviceaccounts/reader/token", request)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", PLUGIN.format(token=given["status"]["token"])],
        "interactiveMode": "Never",
    }
    there = {"server": cluster.server, "certificate-authority": str(cluster.chain)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "real",
        "contexts": [{"name": "real", "context": {"cluster": "real", "user": "reader"}}],
        "clusters": [{"name": "real", "cluster": there}],
        "users": [{"name": "reader", "user": {"exec": plugin}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    # The client reads the variable once, when it is imported: by another test, perhaps.
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fsm_egress", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_all_pages_are_kept_and_nothing_of_secrets() -> None:
    kept = run("snapshot", "--cluster", "-O", "mesh.json.gz")
    assert kept.returncode == 0, kept.stderr
    denied, lacking = sorted(kept.stdout.splitlines()[1:], reverse=True)
    assert denied.startswith(f"not read: {DENIED}: may not be listed: ")
    assert 'User "system:serviceaccount:curl:reader" cannot list resource' in denied
    assert lacking == f"not read: {LACKING}: the cluster does not have this kind"
    mesh = fe.load("mesh.json.gz", strict=False)
    accounts = {account.name for account in mesh.kind(fe.ServiceAccount)}
    assert {f"account-{number}" for number in range(MANY)} <= accounts
    assert {str(loss.ref) for loss in mesh.lost} == {f"{DENIED} */*", f"{LACKING} */*"}
    (secret,) = mesh.kind(fe.Secret)
    assert (secret.name, dict(secret.data)) == ("client", {})
    assert os.stat("mesh.json.gz").st_mode & 0o777 == 0o600  # noqa: PTH116  # because it is one word


def test_what_hangs_on_what_may_not_be_read_is_unknown(cluster: Cluster) -> None:
    decide = ("decide", "--cluster", "--as", "curl.curl", "--to", "54.9.9.9:25", "--tcp")
    found = run(*decide)
    assert found.returncode == 3, found.stderr
    assert "EGRESS_POLICY?" in found.stdout
    assert f"? {DENIED} */* (cluster real) could not be read" in found.stdout
    assert f"? {LACKING} */* (cluster real) could not be read" in found.stdout
    assert f"cluster real: {LACKING} */*: expected every {LACKING}, found none" in found.stderr
    live = run("config", "--cluster", "--as", "curl.curl")
    assert (live.returncode, live.stdout) == (3, "")
    assert cluster.is_ready()


def test_it_is_of_one_moment_whatever_is_written_meanwhile(cluster: Cluster) -> None:
    api = client.connect()
    late = egress("late", "tcp 26")
    written: list[Tree] = []

    def ask(path: str, query: Mapping[str, str]) -> Tree:
        answer = api(path, query)
        if not written:
            written.append(cluster.create(late))
        return answer

    read = read_cluster(ask)
    cluster.delete(late)
    names = {it["metadata"]["name"] for it in read.documents if it["kind"] == "Egress"}
    assert (names, read.version.isdecimal()) == ({"a", "web"}, True)
    assert int(read.version) < int(written[0]["metadata"]["resourceVersion"])


def test_the_account_may_do_no_more_than_it_needs(cluster: Cluster) -> None:
    """It has no right but `get` and `list`, so nothing can have been written."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "system:serviceaccount:curl:reader",
            "resourceAttributes": {"verb": "patch", "group": "policy.flomesh.io", "resource": "egresses"},
        },
    }
    answer = cluster.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert answer["status"]["allowed"] is False
