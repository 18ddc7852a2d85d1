"""A client project of the library runs; `.ci/run` checks its types against the installed wheel."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DEMO = HERE.parent / "examples" / "egress-demo"


def gate(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> object:
    """What the gate ends with."""
    monkeypatch.setattr(sys, "argv", ["gate.py", *map(str, paths)])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(HERE / "client" / "gate.py"), run_name="__main__")
    return left.value.code


def test_it_says_what_is_decided_by_which_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(monkeypatch, DEMO / "mesh-config.yaml", DEMO / "http.yaml") == 1
    said = capsys.readouterr().out
    first, *_ = said.splitlines()
    assert first.startswith(
        "54.9.9.9:80 GET http://httpbin.org/get True Egress curl/httpbin-80 spec.ports[0] ("
    )
    assert first.endswith("http.yaml:15) ['httpbin.org:80']")
    assert "egress_disabled egress_disabled\n" in said
    assert "FSE034 info: only IPv4 is redirected to the sidecar" in said
    assert "but for one thing it would be allowed:" in said


def test_it_says_what_is_wrong_with_documents(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mesh.yaml"
    path.write_text("kind: Egress\n", encoding="utf-8")
    assert gate(monkeypatch, path) == 1
    assert "mesh.yaml:1:1: " in capsys.readouterr().err


def test_the_other_doors_open(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(HERE / "client" / "doors.py"), run_name="__main__")
    assert capsys.readouterr().out == "fsm_egress.replaying.on_dask fsm_egress.replaying.on_spark\n"
