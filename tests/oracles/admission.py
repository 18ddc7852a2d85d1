"""Which documents a real API server with FSM's own CRDs takes, and what it gives back of them.

`FSM_CRDS=… python tests/oracles/admission.py` asks anew about all that `tests/vectors/admission.json` holds.
It needs Go, etcd and openssl, and in FSM_CRDS the folder `cmd/fsm-bootstrap/crds` of FSM, which is not ours
to keep: what is kept was asked of commit f1b55bd of github.com/flomesh-io/fsm.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "controller"), str(HERE.parents[1])]

from cluster import Cluster, Refused, until  # noqa: E402  # because it is found only now

if TYPE_CHECKING:
    from collections.abc import Iterable

VECTORS = HERE.parent / "vectors" / "admission.json"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUPS = (
    "config.flomesh.io",
    "policy.flomesh.io",
    "specs.smi-spec.io",
    "access.smi-spec.io",
    "split.smi-spec.io",
)
# What a server adds to every object, and what of it is another one each time.
ADDED = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
PLURALS = {"Endpoints": "endpoints"}
UNSPACED = ("Namespace",)

Tree = dict[str, Any]


class Server(Cluster):
    """An API server that has FSM's own definitions of its kinds."""

    def __init__(self, folder: Path, definitions: Path) -> None:
        super().__init__(folder)
        self.definitions = definitions
        self.plurals = dict(PLURALS)
        self.unspaced = set(UNSPACED)

    def furnish(self) -> None:
        """Makes FSM's definitions known, and waits until all of their kinds are served."""
        served: list[str] = []
        for path in sorted(self.definitions.glob("*.yaml")):
            for definition in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                if definition and definition["spec"]["group"] in GROUPS:
                    spec = definition["spec"]
                    spec.pop("conversion", None)
                    self.ask("POST", DEFINITIONS, definition)
                    kind, plural = spec["names"]["kind"], spec["names"]["plural"]
                    self.plurals[kind] = plural
                    self.unspaced |= {kind} if spec["scope"] == "Cluster" else set()
                    versions = (it["name"] for it in spec["versions"] if it["served"])
                    served += (f"/apis/{spec['group']}/{version}/{plural}" for version in versions)
        assert served, f"no definitions of FSM in {self.definitions}"
        until(lambda: all(map(self.answers, served)))

    def answers(self, path: str) -> bool:
        """Whether there is something at a path."""
        try:
            self.ask("GET", path)
        except Refused:
            return False
        return True

    def taken(self, document: Tree) -> Tree | None:
        """What the server gives back of a document, which it does not keep; None where it is refused."""
        version, kind = document["apiVersion"], document["kind"]
        space = document["metadata"].get("namespace")
        inside = "" if kind in self.unspaced or not space else f"/namespaces/{space}"
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        plural = self.plurals.get(kind, f"{kind.lower()}s")
        try:
            if inside and not self.answers(f"/api/v1{inside}"):
                named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
                self.ask("POST", "/api/v1/namespaces", named)
            back = self.ask("POST", f"{root}{inside}/{plural}?dryRun=All&fieldValidation=Strict", document)
        except Refused:
            return None
        for name in ADDED:
            back["metadata"].pop(name, None)
        for name in ("clusterIP", "clusterIPs"):
            if name not in (document.get("spec") or {}):
                back.get("spec", {}).pop(name, None)  # as it is another one each time
        return back


def known() -> list[Tree]:
    """The documents that were sent, whether each was taken, and what was given back."""
    found: list[Tree] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


def asked_anew(server: Server, documents: Iterable[Tree]) -> list[Tree]:
    """The same as `known` is, asked of a server."""
    answers = []
    for document in documents:
        back = server.taken(document)
        answers.append({"document": document, "taken": back is not None, "back": back})
    return answers


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        asked = Server(Path(place), Path(os.environ["FSM_CRDS"]))
        try:
            asked.start()
            answered = asked_anew(asked, [it["document"] for it in known()])
        finally:
            asked.stop()
    lines = [json.dumps(it, ensure_ascii=False) for it in answered]
    VECTORS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
