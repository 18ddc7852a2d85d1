"""What each door loads: no command pays for what it has no use for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fsm_egress
from fsm_egress.cli.app import COMMANDS

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
apiVersion: fsm-egress/v1
kind: EgressTest
mesh: mesh.yaml
as: any other account
tests:
  - {name: passes, to: "54.9.9.9:443", tls: httpbin.org, expect: PASSTHROUGH}
"""
RECORD = """\
{"time": 1790000061, "identity": "curl.curl", "destination": "54.9.9.9:443", "server_name": "httpbin.org"}
"""
CONFIG = "{}"
PROOF = """\
; claim: nothing is what it is not
(set-info :status unsat)
(assert false)
(check-sat)
"""
FILES = {
    "mesh.yaml": MESH,
    "tests.yaml": TESTS,
    "log.jsonl": RECORD,
    "config.json": CONFIG,
    "proof.smt2": PROOF,
}
WHOSE = ["-f", "mesh.yaml", "--as", "curl.curl"]
TO = ["--to", "54.9.9.9:443", "--tls", "httpbin.org"]
TAB = {"_FSM_EGRESS_COMPLETE": "bash_complete", "COMP_WORDS": "fsm-egress ", "COMP_CWORD": "1"}

# The wings that a command may load, and the modules of the root.
READING = {"cli", "documents", "manifests", "patterns", "resources", "snapshot", "values"}
DECIDING = READING | {"connections", "engine", "policy", "resolution", "interception"}
MODELLING = READING | {"connections", "pipy"}
WRITING = DECIDING | {"api", "pipy"}
DIVIDING = DECIDING | {"answers", "division", "pipy"}
EXPLAINING = DECIDING | {"explanation"}
VERIFYING = DIVIDING | {"verification"}
LINTING = VERIFYING | {"linting"}
LOADED: dict[str, set[str]] = {
    "--version": {"cli"},
    "--help": {"cli"},
    "certify": READING | {"certificates"},
    "check": READING,
    "completion": {"cli"},
    "config": WRITING,
    "decide": DECIDING,
    "diff": DIVIDING,
    "equivalent": DIVIDING,
    "explain": EXPLAINING,
    "explain-code": LINTING | EXPLAINING,
    "implies": DIVIDING,
    "learn": LINTING | {"learning", "replaying"},
    "lint": LINTING | {"outputs"},
    "never": DIVIDING,
    "partition": DIVIDING,
    "pods": DECIDING,
    "reach": DIVIDING,
    "replay": DECIDING | {"replaying"},
    "residual": DIVIDING,
    "schema": READING,
    "sidecar": MODELLING,
    "snapshot": READING | {"live"},
    "test": DIVIDING | EXPLAINING | {"policytests"},
    "verify": VERIFYING | {"outputs"},
}
HEAVY = {"asyncio", "importlib.metadata", "rich"}  # of the standard library and of the extras
HEAVY_IN = {  # and what only the users of a wing may load
    "concurrent": "replaying",
    "multiprocessing": "replaying",
    "decimal": "pipy",  # whose shares are fractions
}
AFTER = ["-f", "mesh.yaml", "--after", "mesh.yaml"]
ARGUMENTS = {
    "certify": ["certify", "proof.smt2"],
    "completion": [],
    "check": ["check", "-f", "mesh.yaml"],
    "decide": ["decide", *WHOSE, *TO],
    "config": ["config", *WHOSE],
    "sidecar": ["sidecar", "--config", "config.json", *TO],
    "schema": ["schema", "Egress"],
    "snapshot": ["snapshot", "--help"],
    "test": ["test", "tests.yaml"],
    "replay": ["replay", "-f", "mesh.yaml", "log.jsonl"],
    "pods": ["pods", "-f", "mesh.yaml"],
    "explain": ["explain", *WHOSE, *TO],
    "explain-code": ["explain-code", "FSE034"],
    "partition": ["partition", *WHOSE],
    "residual": ["residual", *WHOSE],
    "reach": ["reach", "-f", "mesh.yaml", "--to", "54.9.9.9"],
    "never": ["never", "-f", "mesh.yaml", "--outside"],
    "implies": ["implies", *AFTER],
    "equivalent": ["equivalent", *AFTER],
    "diff": ["diff", *AFTER],
    "verify": ["verify", *WHOSE],
    "lint": ["lint", "-f", "mesh.yaml"],
    "learn": ["learn", "-f", "mesh.yaml", "log.jsonl"],
}

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
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode in {0, 1}, run.stderr  # 1: something was found
    return set(run.stderr.split())


def test_every_command_is_held() -> None:
    assert COMMANDS.keys() <= LOADED.keys()


@pytest.mark.parametrize("name", LOADED)
def test_a_command_loads_no_more_than_it_needs(name: str, tmp_path: Path) -> None:
    for file, text in FILES.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    loaded = loaded_by(tmp_path, ARGUMENTS.get(name, [name]), TAB if name == "completion" else {})
    ours = {module.split(".")[1] for module in loaded if module.startswith("fsm_egress.")}
    assert ours - {"__main__"} <= LOADED[name]
    assert HEAVY & loaded == set()
    if name != "certify":  # whose solver loads what it likes
        assert {wing for module, wing in HEAVY_IN.items() if module in loaded} <= ours
    if LOADED[name] == {"cli"}:
        assert {"attr", "cattrs", "yaml"} & loaded == set()
