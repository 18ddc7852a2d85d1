"""The controller against a real Kubernetes API server, with its own rights, publishing over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cluster import Cluster, Refused, certificate, free_port, until
from small import WHO, config, egress
from standin import StandIn

import fsm_egress as fe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Tree = dict[str, Any]
ROOT = Path(__file__).parents[2]
MESH = config({"enableEgress": False})


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


Start = "Callable[..., subprocess.Popen[bytes]]"


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
    until(lambda: f"/fsm-sidecar/{WHO}" not in repo.codebases)
