"""A real Kubernetes API server on loopback: etcd and kube-apiserver, with minimal CRDs of our own."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from examples.controller.kinds import SERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from examples.controller.kinds import Served

Tree = dict[str, Any]
HERE = Path(__file__).parent
DEPLOY = HERE.parents[1] / "examples" / "controller" / "deploy"
ADMIN, CONTROLLER = "admin-token", "controller-token"
ACCOUNT = "system:serviceaccount:fsm-system:fsm-egress-controller"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def until(wanted: Callable[[], Any], seconds: float = 30) -> Any:
    """What `wanted` returns as soon as it is anything; an assertion fails when it takes too long."""
    end = time.monotonic() + seconds
    found = wanted()
    while not found:
        assert time.monotonic() < end, f"nothing after {seconds} s"
        time.sleep(0.02)
        found = wanted()
    return found


def certificate(folder: Path, name: str = "server") -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that has signed itself, and its key."""
    chain, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


def definition(served: Served) -> Tree:
    """A CustomResourceDefinition that takes whatever it is given, with a status of its own."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": served.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    names = {"kind": served.kind, "plural": served.plural, "singular": served.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{served.plural}.{served.group}"},
        "spec": {"group": served.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


class Refused(Exception):
    """The API server said no."""


class Cluster:
    """The server, and a client with all rights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.etcd_port = free_port(), free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self.chain, self.key = certificate(folder, "apiserver")
        self.tls = ssl.create_default_context(cafile=str(self.chain))
        self.warnings: list[str] = []
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        etcd = shutil.which("etcd")
        assert etcd is not None
        found = ["go", "tool", "-n", "k8s.io/kubernetes/cmd/kube-apiserver"]  # built where it is not yet
        binary = subprocess.run(found, cwd=HERE / "apiserver", check=True, stdout=subprocess.PIPE, text=True)
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{free_port()}"
        self.spawn(
            "etcd",
            [etcd, f"--data-dir={self.folder}/etcd", f"--listen-client-urls={client}"]
            + [f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}"]
            + [f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"],
        )
        tokens = self.folder / "tokens.csv"
        tokens.write_text(
            f'{ADMIN},admin,1,"system:masters"\n{CONTROLLER},{ACCOUNT},2,"system:authenticated"\n'
        )
        self.spawn(
            "kube-apiserver",
            [binary.stdout.strip(), f"--etcd-servers={client}", f"--secure-port={self.port}"]
            + ["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={self.folder}"]
            + [f"--tls-cert-file={self.chain}", f"--tls-private-key-file={self.key}"]
            + ["--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC"]
            + [f"--token-auth-file={tokens}", "--disable-admission-plugins=ServiceAccount"]
            + ["--service-account-issuer=https://kubernetes", f"--service-account-key-file={self.key}"]
            + [f"--service-account-signing-key-file={self.key}", "--endpoint-reconciler-type=none"],
        )
        until(self.is_ready, 60)
        self.furnish()

    def furnish(self) -> None:
        """Makes the kinds of the mesh known, and the controller's rights."""
        own = {"", *(it["name"] for it in self.ask("GET", "/apis")["groups"])}
        for served in SERVED.values():
            if served.group not in own:  # of apps and batch the server has the real thing
                self.create(definition(served))
        until(lambda: all(map(self.is_served, SERVED.values())))
        for document in yaml.safe_load_all((DEPLOY / "rbac.yaml").read_text()):
            self.create(document)

    def spawn(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log))

    def stop(self) -> None:
        for process in reversed(self.running):
            process.terminate()
            process.wait(20)

    def ask(self, method: str, path: str, body: Tree | None = None, kind: str = "json") -> Tree:
        """Asks for something as an administrator; warnings are kept.

        Raises:
            Refused: with the server's words.
        """
        content = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": f"application/{kind}"}
        request = urllib.request.Request(f"{self.server}{path}", content, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=30) as response:
                self.warnings += response.headers.get_all("Warning", [])
                return dict(json.load(response)) if "json" in response.headers["Content-Type"] else {}
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.read().decode()) from None

    def is_ready(self) -> bool:
        try:
            self.ask("GET", "/readyz")
        except (OSError, Refused):
            return False
        return True

    def is_served(self, served: Served) -> bool:
        try:
            self.ask("GET", served.path)
        except Refused:
            return False
        return True

    def path(self, document: Tree) -> str:
        """The path of the objects that are a document's neighbours."""
        root = "/api/v1" if document["apiVersion"] == "v1" else f"/apis/{document['apiVersion']}"
        space = document["metadata"].get("namespace")
        kind = document["kind"]
        plural = SERVED[kind].plural if kind in SERVED else f"{kind.lower()}s"
        return f"{root}/namespaces/{space}/{plural}" if space else f"{root}/{plural}"

    def create(self, document: Tree) -> Tree:
        return self.ask("POST", self.path(document), document)

    def patch(self, document: Tree, change: Tree) -> Tree:
        path = f"{self.path(document)}/{document['metadata']['name']}"
        return self.ask("PATCH", path, change, "merge-patch+json")

    def delete(self, document: Tree) -> None:
        self.ask("DELETE", f"{self.path(document)}/{document['metadata']['name']}")

    def get(self, document: Tree) -> Tree:
        return self.ask("GET", f"{self.path(document)}/{document['metadata']['name']}")

    def kubeconfig(self) -> Path:
        """A kubeconfig of the controller, which has the rights of its RBAC documents and no others."""
        path = self.folder / "kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
            "clusters": [
                {"name": "here", "cluster": {"server": self.server, "certificate-authority": str(self.chain)}}
            ],
            "users": [{"name": "here", "user": {"token": CONTROLLER}}],
        }
        path.write_text(yaml.safe_dump(content))
        return path
