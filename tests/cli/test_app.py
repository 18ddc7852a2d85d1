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
WHOSE = ["-f", "mesh.yaml", "--as", "curl.curl"]
TO = ["--to", "54.9.9.9:443", "--tls", "httpbin.org"]
TAB = {"_FSM_EGRESS_COMPLETE": "bash_complete", "COMP_WORDS": "fsm-egress ", "COMP_CWORD": "1"}

# The wings that a command may load, and the modules of the root.
READING = {"cli", "documents", "manifests", "patterns", "resources", "snapshot", "values"}
DECIDING = READING | {"connections", "engine", "policy", "resolution", "interception"}
LOADED: dict[str, set[str]] = {
    "--version": {"cli"},
    "--help": {"cli"},
    "completion": {"cli"},
    "check": READING,
    "decide": DECIDING,
    "config": DECIDING | {"api", "pipy"},
}
ARGUMENTS = {
    "completion": [],
    "check": ["check", "-f", "mesh.yaml"],
    "decide": ["decide", *WHOSE, *TO],
    "config": ["config", *WHOSE],
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
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout
    return set(run.stderr.split())


@pytest.mark.parametrize("name", LOADED)
def test_a_command_loads_no_more_than_it_needs(name: str, tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(MESH, encoding="utf-8")
    loaded = loaded_by(tmp_path, ARGUMENTS.get(name, [name]), TAB if name == "completion" else {})
    ours = {module.split(".")[1] for module in loaded if module.startswith("fsm_egress.")}
    assert ours - {"__main__"} <= LOADED[name]
    assert HEAVY & loaded == set()
    if LOADED[name] == {"cli"}:
        assert {"attr", "cattrs", "yaml"} & loaded == set()
