"""The Kubernetes client: credentials of a kubeconfig, of a plugin, of a pod; and a server that fails."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import config as kube_config
from objects_served import TOKEN, Objects, Server
from small import config, egress

import fsm_egress as fe
from fsm_egress.live import client
from fsm_egress.live.client import Unreachable, connect
from fsm_egress.live.reading import Refusal, read_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLUGIN = f"""
import json
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {{"token": {TOKEN!r}}}}}))
"""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Serves objects, and writes a kubeconfig with the contexts `token`, `plugin` and `stranger`."""
    running: list[Server] = []

    def start(objects: Any) -> Server:
        server = Server(objects)
        running.append(server)
        plugin = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", PLUGIN],
            "interactiveMode": "Never",
        }
        users = {"token": {"token": TOKEN}, "plugin": {"exec": plugin}, "stranger": {"token": "no"}}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "token",
            "clusters": [{"name": "here", "cluster": {"server": server.url}}],
            "users": [{"name": name, "user": user} for name, user in users.items()],
            "contexts": [{"name": it, "context": {"cluster": "here", "user": it}} for it in users],
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(content))
        monkeypatch.setattr(kube_config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
        return server

    yield start
    for server in running:
        server.stop()


@pytest.mark.parametrize("context", [None, "token", "plugin"])
def test_a_cluster_is_read_over_http(serve: Callable[..., Server], context: str | None) -> None:
    objects = Objects(config(), egress("a", "tcp 25"))
    objects.denied = {"services"}
    serve(objects)
    found = read_cluster(connect(context))
    assert fe.load(found.documents) == fe.load([config(), egress("a", "tcp 25")])
    (unread,) = found.unread
    assert str(unread).startswith("Service: may not be listed: services is forbidden")


def test_a_pod_is_known_by_its_own_account(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = serve(Objects(config())).url
    monkeypatch.setattr(kube_config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    with pytest.raises(Unreachable, match="no cluster"):
        connect()

    def of_the_pod(client_configuration: Any) -> None:
        client_configuration.host = url
        client_configuration.api_key = {"authorization": f"Bearer {TOKEN}", "BearerToken": f"Bearer {TOKEN}"}

    monkeypatch.setattr(kube_config, "load_incluster_config", of_the_pod)
    assert len(read_cluster(connect()).documents) == 1


def test_who_is_not_known_is_told_so(serve: Callable[..., Server]) -> None:
    serve(Objects(config()))
    with pytest.raises(Refusal, match=r"^Unauthorized$") as caught:
        read_cluster(connect("stranger"))
    assert caught.value.status == 401


def test_a_context_that_is_not_there_is_told(serve: Callable[..., Server]) -> None:
    serve(Objects(config()))
    with pytest.raises(Unreachable, match=r"no cluster: .*nowhere"):
        connect("nowhere")


def test_a_server_that_is_gone_is_told(serve: Callable[..., Server]) -> None:
    server = serve(Objects(config()))
    ask = connect()
    server.stop()
    server.stop = lambda: None  # type: ignore[method-assign]  # because it is stopped
    with pytest.raises(Unreachable, match="the API server does not answer"):
        ask("/api/v1/pods", {})


@pytest.mark.parametrize("answer", [[], "a"])
def test_an_answer_that_is_no_object_is_told(serve: Callable[..., Server], answer: Any) -> None:
    serve(lambda _path, _query: answer)
    with pytest.raises(Unreachable, match="otherwise than expected: no JSON object"):
        connect()("/api/v1/pods", {})


@pytest.mark.parametrize("data", [b"<html>", b"", b"\xff", b"9" * 5_000, b"[" * 100_000], ids=range(5))
def test_an_answer_that_is_no_json_is_told(data: bytes) -> None:
    class Answering:
        def request(self, *_: Any, **__: Any) -> Any:
            return type("Answer", (), {"data": data})

    with pytest.raises(Unreachable, match="otherwise than expected: "):
        client._get(Answering(), "/api/v1/pods", {})  # noqa: SLF001  # because proxies answer so


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"message": "no"}', "no"),
        ("<html>", "Forbidden"),
        (None, "Forbidden"),
        ("[]", "Forbidden"),
        ("[" * 100_000, "Forbidden"),
    ],
    ids=range(5),
)
def test_a_refusal_has_the_words_of_the_server(body: str | None, said: str) -> None:
    error = type("Error", (), {"body": body, "reason": "Forbidden", "status": 403})
    assert client._message(error) == said  # noqa: SLF001  # ditto


def test_the_client_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(fe.MissingExtra, match=r"pip install 'fsm-egress\[cluster\]'"):
        connect()
