"""What the README and the pages of the documentation show is what happens."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

import fsm_egress as fe
from fsm_egress import documents
from fsm_egress.cli.app import app
from fsm_egress.manifests import loader
from fsm_egress.pipy import config as pipy_config
from fsm_egress.replaying import logs
from fsm_egress.values import errors

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED = {
    ROOT / "docs" / name for name in ("lint.md", "reasons.md", "decision.svg")
}  # docs/hooks.py makes them
SHOWN = {"python", "console", "yaml", "sh", "text", "json"}


class Block(NamedTuple):
    """What a page shows."""

    page: Path
    language: str
    text: str


BLOCKS = [
    Block(page, language, text)
    for page in PAGES
    for language, text in re.findall(
        r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
]
COMMANDS = [
    (command, expected)
    for block in BLOCKS
    if block.language == "console"
    for command, expected in re.findall(r"^\$ fsm-egress (.*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE)
]
DOCUMENTS = [block.text for block in BLOCKS if block.language == "yaml"]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_python_examples(page: Path) -> None:
    code = "".join(block.text for block in BLOCKS if block.page == page and block.language == "python")
    test = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert test.examples or not code
    assert not report, "".join(report)


@pytest.mark.parametrize(("command", "expected"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_the_command_line_examples(command: str, expected: str) -> None:
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.output == expected
    assert result.exit_code in {0, 1}


@pytest.mark.parametrize("text", DOCUMENTS)
def test_documents_are_valid_and_tests_of_policies_pass(text: str) -> None:
    if "kind: EgressTest" in text:
        report = fe.run_tests(fe.read_tests(text, "examples/egress-demo/shown.egress-test.yaml"))
        assert report.results
        assert not report.failed
    else:
        assert fe.loads(text).problems == ()


def test_all_blocks_are_of_kinds_that_are_tested_or_set_things_up() -> None:
    assert {block.language for block in BLOCKS} <= SHOWN
    sessions = "".join(block.text for block in BLOCKS if block.language == "console")
    assert len(COMMANDS) == len(re.findall(r"^\$ ", sessions, re.MULTILINE)) > 0


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_files_that_it_links_to_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    found = ((page.parent / link).resolve() for link in links)
    assert [path for path in found if not path.exists() and path not in GENERATED] == []


@pytest.mark.parametrize(
    "said",
    [
        f"| {documents.MAX_TEXT // 2**20} MiB |",
        f"| {documents.MAX_DEPTH} levels, {documents.MAX_NODES:,} values |",
        f"| {documents.MAX_DOCUMENTS:,} |",
        f"| {documents.MAX_ALIASED:,} values and characters |",
        f"| {documents.MAX_DIGITS} digits |",
        f"| {loader.MAX_ERRORS:,}; {errors.MAX_PROBLEMS:,} of one ",
        f"| {loader.MAX_FOREIGN:,} are listed, the others counted; {loader.MAX_KINDS:,} kinds |",
        f"| {pipy_config.MAX_VALUES:,} values |",
        f"| {logs.MAX_LINE // 2**20} MiB; of CSV, {logs.MAX_LINES} lines of one row |",
    ],
)
def test_how_much_is_read_stands_in_the_documentation(said: str) -> None:
    assert said in (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
