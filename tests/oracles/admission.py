"""Which documents a real API server with FSM's CRDs takes: asked anew about all that is kept of it.

`FSM_CRDS=… python tests/oracles/admission.py`, where Go and etcd are, and FSM's `cmd/fsm-bootstrap/crds`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors" / "admission.json"
GROUPS = (
    "config.flomesh.io",
    "policy.flomesh.io",
    "specs.smi-spec.io",
    "access.smi-spec.io",
    "split.smi-spec.io",
)

Tree = dict[str, Any]


def known() -> list[Tree]:
    """The documents that were sent, and whether each was taken."""
    found: list[Tree] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


def asked_anew(definitions: Path, documents: list[Tree]) -> list[Tree]:
    sys.path[:0] = [str(HERE.parent / "controller"), str(HERE.parents[1])]
    import cluster as real  # noqa: PLC0415  # because it is found only now

    vars(real)["SERVED"] = {}  # as FSM's own definitions are wanted
    plurals: dict[str, str] = {}
    answers: list[Tree] = []
    with TemporaryDirectory() as folder:
        server = real.Cluster(Path(folder))
        try:
            server.start()
            for path in sorted(definitions.glob("*.yaml")):
                for definition in yaml.safe_load_all(path.read_text()):
                    if definition and definition["spec"]["group"] in GROUPS:
                        definition["spec"].pop("conversion", None)
                        server.ask(
                            "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition
                        )
                        names = definition["spec"]["names"]
                        plurals[names["kind"]] = names["plural"]
            time.sleep(8)  # until they are served
            space = documents[0]["metadata"]["namespace"]
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
            server.ask("POST", "/api/v1/namespaces", namespace)
            for document in documents:
                version, kind = document["apiVersion"], document["kind"]
                root = "/api/v1" if version == "v1" else f"/apis/{version}"
                plural = plurals.get(kind, f"{kind.lower()}s")
                place = f"{root}/namespaces/{space}/{plural}?fieldValidation=Strict"
                try:
                    server.ask("POST", place, document)
                    answers.append({"document": document, "taken": True})
                except real.Refused:
                    answers.append({"document": document, "taken": False})
        finally:
            server.stop()
    return answers


if __name__ == "__main__":
    lines = [
        json.dumps(it, ensure_ascii=False)
        for it in asked_anew(Path(os.environ["FSM_CRDS"]), [it["document"] for it in known()])
    ]
    VECTORS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
