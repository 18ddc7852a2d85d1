"""What each door loads: no command pays for what it has no use for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fsm_egress

if TYPE_CHECKING:
    from collections.abc import Mapping

HOME = Path(fsm_egress.__file__).parents[1]
MESH = """\
apiVersion: config.flomesh.io/v1alpha3
kind: MeshConfig
metadata: {name: fsm-mesh-config, namespace: fsm-system}
spec: {traffic: {enableEgress: true}}
"""
TESTS = """\
mesh: mesh.yaml
tests:
  - {as: curl.curl, to: "54.9.9.9:443", tls: httpbin.org, expect: PASSTHROUGH}
"""
RECORD = '{"time": 1790000061, "identity": "curl.curl", "destination": "54.9.9.9:443", "server_name": "httpbin.org"}'
WHOSE = ["-f", "mesh.yaml", "--as", "curl.curl"]
TO = ["--to", "54.9.9.9:443", "--tls", "httpbin.org"]
TAB = {"_FSM_EGRESS_COMPLETE": "bash_complete", "COMP_WORDS": "fsm-egress ", "COMP_CWORD": "1"}

# The wings that a command may load, and the modules of the root.
READING = {"cli", "documents", "manifests", "patterns", "resources", "snapshot", "values"}
DECIDING = READING | {"connections", "engine", "policy", "resolution", "interception"}
ANSWERING = DECIDING | {"answers", "division"}
VERIFYING = ANSWERING | {"api", "pipy", "verification"}
LINTING = VERIFYING | {"linting", "outputs"}
LOADED: dict[str, set[str]] = {
    "--version": {"cli"},
    "--help": {"cli"},
    "completion": {"cli"},
    "check": READING,
    "decide": DECIDING,
    "config": DECIDING | {"api", "pipy"},
    "sidecar": DECIDING | {"api", "pipy"},
    "schema": READING,
    "test": DECIDING | {"policytests"},
    "replay": DECIDING | {"replaying"},
    "pods": DECIDING,
    "explain": ANSWERING | {"explanation"},
    "explain-code": READING,
    "partition": ANSWERING,
    "residual": ANSWERING,
    "reach": ANSWERING,
    "never": ANSWERING,
    "implies": ANSWERING,
    "equivalent": ANSWERING,
    "diff": ANSWERING,
    "verify": VERIFYING,
    "lint": LINTING,
    "learn": LINTING | {"learning", "replaying"},
}
AFTER = ["-f", "mesh.yaml", "--after", "mesh.yaml"]
ARGUMENTS = {
    "completion": [],
    "check": ["check", "-f", "mesh.yaml"],
    "decide": ["decide", *WHOSE, *TO],
    "config": ["config", *WHOSE],
    "sidecar": ["sidecar", *WHOSE, *TO],
    "schema": ["schema", "Egress"],
    "test": ["test", "-f", "mesh.yaml", "tests.yaml"],
    "replay": ["replay", "-f", "mesh.yaml", "log.jsonl"],
    "pods": ["pods", "-f", "mesh.yaml"],
    "explain": ["explain", *WHOSE, *TO],
    "explain-code": ["explain-code", "FSE034"],
    "partition": ["partition", *WHOSE],
    "residual": ["residual", *WHOSE],
    "reach": ["reach", "-f", "mesh.yaml", *TO],
    "never": ["never", "-f", "mesh.yaml", "--outside"],
    "implies": ["implies", *AFTER],
    "equivalent": ["equivalent", *AFTER],
    "diff": ["diff", *AFTER],
    "verify": ["verify", *WHOSE],
    "lint": ["lint", "-f", "mesh.yaml"],
    "learn": ["learn", "-f", "mesh.yaml", "log.jsonl"],
}
HEAVY = {"asyncio", "concurrent", "decimal", "importlib.metadata", "multiprocessing", "rich"}

# What is loaded is told when the process ends, as commands end it.
PROGRAM = """\
import atexit, sys
before = set(sys.modules)  # what measures coverage, for one
atexit.register(lambda: sys.stderr.write(" ".join(sys.modules.keys() - before)))
from fsm_egress.__main__ import main
main()
"""


def loaded_by(folder: Path, arguments: list[str], environment: Mapping[str, str]) -> set[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    run = subprocess.run(  # noqa: S603  # because it is us
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HOME), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout
    return set(run.stderr.split())


@pytest.mark.parametrize("name", LOADED)
def test_a_command_loads_no_more_than_it_needs(name: str, tmp_path: Path) -> None:
    for file, text in {"mesh.yaml": MESH, "tests.yaml": TESTS, "log.jsonl": RECORD}.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    loaded = loaded_by(tmp_path, ARGUMENTS.get(name, [name]), TAB if name == "completion" else {})
    ours = {module.split(".")[1] for module in loaded if module.startswith("fsm_egress.")}
    assert ours - {"__main__"} <= LOADED[name]
    assert HEAVY & loaded == set()
    if LOADED[name] == {"cli"}:
        assert {"attr", "cattrs", "yaml"} & loaded == set()
