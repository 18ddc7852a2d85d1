"""The examples run, and show what they say."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

import fsm_egress as fe

EXAMPLES = Path(__file__).parents[1] / "examples"
DEMO = EXAMPLES / "egress-demo"
DOCUMENTS = sorted(set(DEMO.glob("*.yaml")) - set(DEMO.glob("*.egress-test.yaml")))


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """What the demo prints."""
    runpy.run_path(str(EXAMPLES / "egress_demo.py"), run_name="__main__")
    return capsys.readouterr().out


def test_the_demo_shows_what_fsm_documents(shown: str) -> None:
    verdicts = {
        step: re.findall(r"\b(?:PASSTHROUGH|DENIED|EGRESS_POLICY)\b", part)
        for step, part in re.findall(r"^\d\. (.*)\n((?:(?!\d\.).*\n)*)", shown, re.MULTILINE)
    }
    allowed, denied, passed = "EGRESS_POLICY", "DENIED", "PASSTHROUGH"
    # The connections: HTTP /get, HTTP /status/200, TLS httpbin.org, TLS flomesh.io, bytes to 443, MySQL.
    assert verdicts == {
        "passthrough on, no policy": [passed] * 6,
        "passthrough off, no policy": [denied] * 6,
        "an HTTP policy": [allowed, allowed, denied, denied, denied, denied],
        "an HTTPS policy": [denied, denied, allowed, denied, denied, denied],
        "a TCP policy": [denied, denied, allowed, allowed, allowed, denied],
        "an HTTP policy with one route": [allowed, denied, denied, denied, denied, denied],
        "an HTTP policy with two routes": [allowed, allowed, denied, denied, denied, denied],
        "an HTTP policy with one route, passthrough on": [allowed, denied, passed, passed, passed, passed],
    }


def test_the_demo_shows_the_whole_config(shown: str) -> None:
    shown_configs = [
        json.loads(text)
        for text in re.findall(r"config\.json: (\{.*?^   \})", shown, re.MULTILINE | re.DOTALL)
    ]
    mesh = fe.load(DEMO / "mesh-config.yaml", DEMO / "http.yaml")
    assert len(shown_configs) == 8
    assert shown_configs[2] == fe.pipy_config(mesh, "curl.curl").to_mapping()


@pytest.mark.parametrize(
    "path",
    DOCUMENTS,
    ids=lambda path: path.name,
)
def test_every_document_is_without_problems(path: Path) -> None:
    mesh = fe.load(path)
    assert len(mesh) >= 1
    assert mesh.problems == ()


def test_the_log_of_the_open_mesh_is_what_its_generator_writes(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "open-to-closed" / "day.py"), run_name="__main__")
    assert capsys.readouterr().out == (EXAMPLES / "open-to-closed" / "access.jsonl").read_text()
