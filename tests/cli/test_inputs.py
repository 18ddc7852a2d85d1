"""How much is read of the files that commands are given, and of standard input."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from fsm_egress import documents
from fsm_egress.cli import inputs, settings
from fsm_egress.cli.app import app
from fsm_egress.cli.connections import read_connections
from fsm_egress.pipy import config

ASKED = ("--to", "192.0.2.1:80", "--tcp")
READERS = {
    "sidecar --config": ("sidecar", *ASKED, "--config"),
    "sidecar --connections": ("sidecar", "--config", "config.json", "--connections"),
    "decide --connections": ("decide", "-f", "mesh.json", "--as", "a.b", "--connections"),
    "test": ("test",),
}
SMALL, LARGE = 100, 20_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for module in (inputs, documents, config):
        monkeypatch.setattr(module, "MAX_TEXT", SMALL)
    Path("mesh.json").write_text("{}")
    Path("config.json").write_text("{}")
    return tmp_path


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=given)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["large.json", "-"])
def test_what_is_larger_than_any_text_is_not_read_to_its_end(reader: str, name: str) -> None:
    text = "[" + " " * LARGE + "]"
    Path("large.json").write_text(text)
    result = run(*READERS[reader], name, given=text)
    assert result.exit_code == 3
    told = "<stdin>" if name == "-" else name
    assert result.stderr == f"{told}: expected at most 0 MiB, found more\n"


@pytest.mark.parametrize("name", ["large.json", "-"])
def test_no_more_is_taken_into_memory_than_is_needed_to_see_that(name: str) -> None:
    Path("large.json").write_text(" " * LARGE)
    taken: list[bytes] = []

    @click.command()
    def reads() -> None:
        taken.append(inputs.read_input(name)[0])

    CliRunner().invoke(reads, input=" " * LARGE, catch_exceptions=False)
    assert list(map(len, taken)) == [SMALL + 1]


def test_so_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_SETTINGS", SMALL)
    Path("fsm-egress.toml").write_text("#" * LARGE)
    result = run("check", "-f", "mesh.json")
    assert (result.exit_code, result.stderr) == (3, "fsm-egress.toml: expected at most 0 MiB, found more\n")


@pytest.mark.parametrize("form", ["a list", "lines"])
def test_connections_with_very_many_mistakes_are_read_no_further(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(documents, "MAX_TEXT", 2**20)
    listed = [json.dumps({"port": number}) for number in range(2_000)]
    text = "\n".join(listed) if form == "lines" else f"[{','.join(listed)}]"
    found, problems = read_connections(text.encode(), "c.json")
    assert (found, len(problems)) == ((), 1_001)
    assert str(problems[-1]) == "c.json: expected at most 1000 mistakes, found more"
