"""The controller against a real Kubernetes API server, with its own rights, publishing over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cluster import DEPLOY, Cluster, Refused, certificate, free_port, until
from iptables import shell_argument
from pods import RULES
from small import WHO, egress, routes
from standin import StandIn

import fsm_egress as fe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Tree = dict[str, Any]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    it = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        it.start()
        it.create({"apiVersion": "v1", "kind": "Namespace", "metadata": space("curl")})
        yield it
    finally:
        it.stop()


def space(name: str) -> Tree:
    return {"name": name, "labels": {"flomesh.io/monitored-by": "fsm"}}


@pytest.fixture(autouse=True)
def empty(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test leaves a cluster without objects of a mesh."""
    yield
    it: Cluster = request.getfixturevalue("cluster")
    for plural in ("egresses", "httproutegroups"):
        for document in it.ask("GET", f"/apis/{GROUPS[plural]}/{plural}")["items"]:
            it.ask(
                "DELETE", f"/apis/{GROUPS[plural]}/namespaces/curl/{plural}/{document['metadata']['name']}"
            )


GROUPS = {"egresses": "policy.flomesh.io/v1alpha1", "httproutegroups": "specs.smi-spec.io/v1alpha4"}


@pytest.fixture
def repo() -> Iterator[StandIn]:
    it = StandIn()
    yield it
    it.stop()


@pytest.fixture
def start(cluster: Cluster, repo: StandIn, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts the controller, as its users do."""
    started: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig())}

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "examples.controller", "--repo", repo.url, *arguments]
        with (tmp_path / f"controller-{len(started)}.log").open("wb") as log:
            it = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        started.append(it)
        return it

    yield run
    for process in started:
        process.terminate()
        process.wait(30)
    assert b"Traceback" not in b"".join(path.read_bytes() for path in tmp_path.glob("*.log"))


def due(*documents: Tree) -> Tree:
    return fe.pipy_config(fe.load(list(documents)), WHO).to_mapping()


def status(cluster: Cluster, document: Tree) -> Any:
    return cluster.get(document).get("status", {}).get("currentStatus")


def test_what_is_published_follows_the_cluster(
    cluster: Cluster, repo: StandIn, start: Callable[..., Any]
) -> None:
    web, db = egress("web", "http 80", hosts=["a.com"]), egress("db", "tcp 3306", ipAddresses=["54.0.0.0/8"])
    cluster.create(web)
    start()
    until(lambda: repo.config(WHO) == due(web))
    until(lambda: status(cluster, web) == "published")
    cluster.create(db)
    until(lambda: repo.config(WHO) == due(web, db))
    cluster.delete(web)
    until(lambda: repo.config(WHO) == due(db))
    cluster.delete(db)
    until(lambda: f"/fsm-egress/{WHO}" not in repo.codebases)


MANAGED = "validating.fsm-egress.flomesh.io"
HOOKS = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{MANAGED}"


@pytest.fixture
def webhook(cluster: Cluster, start: Callable[..., Any], tmp_path: Path) -> subprocess.Popen[bytes]:
    """A controller that the API server asks; its manifests have made what it may change."""
    chain, key = certificate(tmp_path)
    port = str(free_port())
    given = ["--webhook-port", port, "--webhook-host", "127.0.0.1", "--managed", MANAGED]
    it: subprocess.Popen[bytes] = start(
        *given, "--certificate", str(chain), "--key", str(key), "--authority", str(chain)
    )
    until(lambda: cluster.ask("GET", HOOKS).get("webhooks"))
    return it


def test_the_webhook_refuses_what_is_wrong_and_warns_of_what_is_odd(
    cluster: Cluster, webhook: subprocess.Popen[bytes]
) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "curl", "namespace": "curl"},
    }
    cluster.create(account)
    broken = egress("broken", "smtp 80", hosts=["a.com"], colour="red")

    def refusal() -> str:
        try:
            cluster.create(broken)
        except Refused as error:
            return str(json.loads(str(error))["message"])
        cluster.delete(broken)
        return ""

    words = until(refusal)
    assert "spec.ports[0].protocol: expected" in words
    assert "spec.colour: expected a known field" in words
    cluster.warnings.clear()
    cluster.create(egress("all", "tcp 1", ipAddresses=["0.0.0.0/0"]))
    assert any("FSE075" in it for it in cluster.warnings)
    good = egress("good", "http 80", hosts=["a.com"])
    cluster.warnings.clear()
    cluster.create(good)
    assert cluster.warnings == []
    with pytest.raises(Refused, match="spec.ports"):
        cluster.patch(good, {"spec": {"ports": 3}})
    until(lambda: status(cluster, good) == "published")
    cluster.delete(account)
    webhook.terminate()
    webhook.wait(30)
    assert not cluster.ask("GET", HOOKS).get("webhooks")  # nobody waits for it any more


def test_of_pods_and_what_makes_them_is_warned_and_none_is_refused(
    cluster: Cluster, webhook: subprocess.Popen[bytes]
) -> None:
    cluster.create(egress("web", "http 80", hosts=["a.com"]))
    app: Tree = {
        "serviceAccountName": "curl",
        "hostNetwork": True,
        "containers": [{"name": "app", "image": "shop"}],
    }
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": app}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "curl"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "curl"}, "spec": app}

    def warned(document: Tree) -> bool:
        cluster.warnings.clear()
        cluster.create(document)
        cluster.delete(document)
        return {"FSE110", "FSE111"} <= {it.split('"')[1].split()[0] for it in cluster.warnings}

    until(lambda: warned(deployment))
    assert warned(pod)
    elsewhere = {**deployment, "metadata": {"name": "shop", "namespace": "default"}}
    assert not warned(elsewhere)  # the mesh does not watch it, so nobody is asked
    webhook.send_signal(signal.SIGKILL)
    webhook.wait()
    assert not warned(deployment)  # and yet it is created
    cluster.ask("PATCH", HOOKS, {"webhooks": None}, "merge-patch+json")


def test_a_pod_that_was_started_with_other_lists_gets_an_event(
    cluster: Cluster, start: Callable[..., Any]
) -> None:
    start()
    spec = {
        "serviceAccountName": "curl",
        "initContainers": [{"name": "fsm-init", "image": "init", "args": ["-c", shell_argument(RULES)]}],
        "containers": [{"name": "app", "image": "shop"}, {"name": "sidecar", "image": "pipy"}],
    }
    annotations = {"flomesh.io/outbound-port-exclusion-list": "25"}
    metadata = {"name": "old", "namespace": "curl", "annotations": annotations}
    old = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    cluster.create(old)
    (said,) = until(lambda: events(cluster, "old"))
    assert said.startswith("FSE113: it was started with other lists than a pod would get now: start it again")
    assert ":25" in said
    cluster.delete(old)


def test_it_survives_being_killed_and_sends_nothing_twice(
    cluster: Cluster, repo: StandIn, start: Callable[..., Any]
) -> None:
    web, db = egress("web", "http 80", hosts=["a.com"]), egress("db", "tcp 3306", ipAddresses=["54.0.0.0/8"])
    cluster.create(web)
    cluster.create(db)
    first = start()
    until(lambda: repo.config(WHO) == due(web, db) and status(cluster, db) == "published")
    first.send_signal(signal.SIGKILL)
    first.wait()
    asked, changes, before = len(repo.asked), len(repo.changes), cluster.get(db)
    second = start()
    until(lambda: len(repo.asked) > asked + 1)
    second.terminate()
    second.wait(30)
    assert len(repo.changes) == changes
    assert cluster.get(db)["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    cluster.delete(web)
    start()
    until(lambda: repo.config(WHO) == due(db))


def test_a_repo_that_is_away_or_empty_gets_everything_when_it_is_back(
    cluster: Cluster, repo: StandIn, start: Callable[..., Any]
) -> None:
    web, db = egress("web", "http 80", hosts=["a.com"]), egress("db", "tcp 3306", ipAddresses=["54.0.0.0/8"])
    repo.stop()
    cluster.create(web)
    start()
    until(lambda: status(cluster, web) == "pending")
    assert "Connect" in cluster.get(web)["status"]["reason"]
    cluster.create(db)
    until(lambda: status(cluster, db) == "pending")
    repo.start()
    until(lambda: repo.config(WHO) == due(web, db))
    until(lambda: status(cluster, web) == status(cluster, db) == "published")


def test_what_got_past_the_webhook_leaves_the_last_good_state_in_force(
    cluster: Cluster, repo: StandIn, start: Callable[..., Any]
) -> None:
    web = egress("web", "http 80", hosts=["a.com"])
    cluster.create(web)
    first = start()
    until(lambda: repo.config(WHO) == due(web))
    until(lambda: status(cluster, web) == "published")
    cluster.patch(web, {"spec": {"hosts": 7}})
    until(lambda: status(cluster, web) == "invalid")
    assert (
        cluster.get(web)["status"]["reason"] == "spec.hosts: expected a list of hosts, found the number `7`"
    )
    assert repo.config(WHO) == due(web)
    first.terminate()
    first.wait(30)
    asked = len(repo.asked)
    start()
    until(lambda: len(repo.asked) > asked)
    group = routes("odd", {"pathRegex": "/a"})
    group["spec"]["matches"] = 3
    cluster.create(group)
    until(lambda: events(cluster, "odd"))
    assert events(cluster, "odd") == ["spec.matches: expected a list, found the number `3`"]
    assert repo.config(WHO) == due(web)
    cluster.patch(web, {"spec": {"hosts": ["b.com"]}})
    until(lambda: repo.config(WHO) == due(egress("web", "http 80", hosts=["b.com"])))


def events(cluster: Cluster, name: str) -> list[str]:
    found = cluster.ask("GET", "/api/v1/namespaces/curl/events")["items"]
    return [it["message"] for it in found if it["involvedObject"]["name"] == name]


def test_a_certificate_is_published_once_a_role_names_its_secret(
    cluster: Cluster, repo: StandIn, start: Callable[..., Any]
) -> None:
    reference = {"cert": {"secret": {"name": "egress-client-cert"}}}
    web = egress("web", "http 80", hosts=["a.com"], mtls=reference)
    data = {"ca.crt": "Y2E=", "tls.crt": "Y3J0", "tls.key": "a2V5"}
    metadata = {"name": "egress-client-cert", "namespace": "curl"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    cluster.create(secret)
    cluster.create(web)
    first = start()
    (said,) = until(lambda: events(cluster, "egress-client-cert"))
    assert said.startswith("Egress policies name it, and the controller may not read it")
    assert repo.config(WHO) == due(web)
    first.terminate()
    first.wait(30)
    role, binding = yaml.safe_load_all((DEPLOY / "secrets.yaml").read_text())
    for document in (role, binding):
        cluster.create(document)
    start()
    until(lambda: repo.config(WHO) == due(web, secret))
    for document in (role, binding, secret):
        cluster.delete(document)


if "PIPY_BIN" in os.environ:

    def test_a_real_pipy_repo_gets_it(cluster: Cluster, start: Callable[..., Any]) -> None:
        port = free_port()
        pipy = subprocess.Popen(
            [os.environ["PIPY_BIN"], f"--admin-port=127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            web = egress("web", "http 80", hosts=["a.com"])
            cluster.create(web)
            start("--repo", f"http://127.0.0.1:{port}", "--enforce")
            root = f"http://127.0.0.1:{port}/repo/fsm-egress/{WHO}"
            files = fe.pipy_codebase(fe.load([web]), WHO, enforce=True)
            until(lambda: all(fetched(f"{root}/{name}") == content for name, content in files.items()))
            tag = etag(f"{root}/")
            cluster.create(egress("db", "tcp 3306", ipAddresses=["54.0.0.0/8"]))
            until(lambda: etag(f"{root}/") != tag)
        finally:
            pipy.terminate()
            pipy.wait(10)


def fetched(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bytes(response.read())
    except OSError:
        return b""


def etag(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return str(response.headers["ETag"])
