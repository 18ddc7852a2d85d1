"""What the README shows is what happens."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from fsm_egress.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SESSIONS = [text for language, text in BLOCKS if language == "console"]
COMMANDS = re.findall(r"^\$ fsm-egress (.*)\n((?:(?!\$ ).*\n)*)", "".join(SESSIONS), re.MULTILINE)


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_python_examples() -> None:
    code = "".join(text for language, text in BLOCKS if language == "python")
    test = doctest.DocTestParser().get_doctest(code, {}, "README.md", "README.md", 0)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert test.examples
    assert not report, "".join(report)


@pytest.mark.parametrize(("command", "expected"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_the_command_line_examples(command: str, expected: str) -> None:
    result = CliRunner().invoke(app, shlex.split(command))
    assert (result.exit_code, result.output) == (0, expected)


def test_all_blocks_are_of_kinds_that_are_tested_or_set_things_up() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "console", "sh"}
    assert len(COMMANDS) == "".join(SESSIONS).count("$ ") > 0


def test_the_files_that_it_links_to_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
