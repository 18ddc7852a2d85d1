"""What people's machines are given: hooks, an action, an image; and links that lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import fsm_egress as fe
from fsm_egress.cli.app import app

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "examples" / "egress-demo"
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
    *(ROOT / "benchmarks").rglob("*.md"),
]
MADE = {"lint.md", "reasons.md", "decision.svg"}  # by docs/hooks.py
TEST = """\
apiVersion: fsm-egress/v1
kind: EgressTest
mesh: [mesh-config.yaml, https.yaml]
as: curl.curl
tests:
- name: httpbin.org by TLS
  to: 54.9.9.9:443
  tls: httpbin.org
  expect: {verdict: EGRESS_POLICY}
"""
HOOKS: list[Any] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
ACTION: Any = yaml.safe_load((ROOT / "action.yml").read_text())
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
OLDEST = re.search(r'requires-python = ">=3\.(\d+)"', PROJECT)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("mesh-config.yaml", "https.yaml"):
        shutil.copy(DEMO / name, tmp_path)
    (tmp_path / "a.egress-test.yaml").write_text(TEST)
    return tmp_path


@pytest.mark.parametrize("hook", HOOKS, ids=lambda it: it["id"])
def test_a_hook_looks_at_the_repository_that_it_is_in(hook: Any, folder: Path) -> None:
    name, *words = hook["entry"].split()
    assert name == "fsm-egress"
    result = CliRunner().invoke(app, [*words, *hook["args"]])
    assert result.exit_code == 0, result.output
    assert hook["additional_dependencies"] == [".[cli]"]
    assert not hook["pass_filenames"]
    policy = folder / "https.yaml"
    policy.write_text(policy.read_text().replace("443", "0"))
    assert CliRunner().invoke(app, [*words, *hook["args"]]).exit_code != 0


def steps() -> list[str]:
    return [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]


def test_the_action_says_what_is_amiss_beside_the_lines(folder: Path) -> None:
    called = folder / "bin" / "fsm-egress"
    called.parent.mkdir()
    called.write_text(f'#!/bin/sh\nexec {sys.executable} -m fsm_egress "$@"\n')
    called.chmod(0o755)
    given = {name.upper().replace("-", "_"): it["default"] for name, it in ACTION["inputs"].items()}
    given |= {"FILES": "mesh-config.yaml\n\nhttps.yaml\n", "COMMAND": "lint"}
    environment = {**os.environ, **given, "PATH": f"{called.parent}{os.pathsep}{os.environ['PATH']}"}
    for fail_on, code in (("warning", 1), ("error", 1)):
        done = subprocess.run(  # noqa: S603  # because the script is this repository's own
            ["/bin/bash", "-euo", "pipefail", "-c", steps()[-1]],
            env={**environment, "FAIL_ON": fail_on},
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (code, "")
        assert done.stdout.startswith("::error title=fsm-egress FSE029,file=https.yaml,line=15,col=7::")


def test_the_action_takes_what_it_is_given_from_its_environment_alone() -> None:
    assert [step for step in steps() if "${{" in step] == []
    used = set(re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", (ROOT / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])


def test_the_image_of_the_controller_is_what_its_deployment_starts() -> None:
    lines = (ROOT / "examples" / "controller" / "Dockerfile").read_text().splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    package = Path(fe.__file__).parent.name  # which may be installed from a wheel, away from the tests
    for copied in (it[1:-1] for it in words if it[0] == "COPY" and not it[1].startswith("--")):
        assert [name for name in copied if name != package and not (ROOT / name).exists()] == []
    assert OLDEST is not None
    versions = {int(it[1].removeprefix("python:3.").split("-")[0]) for it in words if it[0] == "FROM"}
    assert all(int(OLDEST[1]) <= version for version in versions)
    deploy = ROOT / "examples" / "controller" / "deploy" / "controller.yaml"
    container = next(iter(yaml.safe_load_all(deploy.read_text())))["spec"]["template"]["spec"]["containers"][
        0
    ]
    entry = next(" ".join(it[1:]) for it in words if it[0] == "ENTRYPOINT")
    assert yaml.safe_load(entry) == container["command"]
    assert f"-t {container['image']} ." in lines[0]
    assert any("'.[controller]'" in line for line in lines)
    assert "\ncontroller = [" in PROJECT


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda it: it.relative_to(ROOT).as_posix())
def test_a_link_within_the_repository_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists() or target.name in MADE, link
        if anchor and target.exists() and target.suffix == ".md":
            assert anchor in anchors(target), link


def test_docstrings_name_pages_that_are_there() -> None:
    named: set[str] = set()
    for folder in ("fsm_egress", "tests", "examples", "benchmarks"):
        for module in (ROOT / folder).rglob("*.py"):
            named |= set(
                re.findall(r"`((?:spec|docs|tests)/[\w/.-]+\.(?:md|json|py))`", module.read_text("utf-8"))
            )
    assert {name for name in named if not (ROOT / name).exists()} - {f"docs/{it}" for it in MADE} == set()
