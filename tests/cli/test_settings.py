"""What options are that the command line does not give: of the environment, else of a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO, Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from small import config, egress

from fsm_egress.cli import cluster_options, clusters
from fsm_egress.cli.app import COMMANDS, COMPLETE, app, command_of
from fsm_egress.cli.settings import KEYS, PREFIX

DECIDE = ("decide", "--as", "curl.curl", "--to", "54.9.9.9:25", "--tcp")
OPEN = "EGRESS_POLICY"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with its mesh in a folder, and work going on in another one."""
    work = tmp_path / "deep" / "near"
    work.mkdir(parents=True)
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh" / "config.json").write_text(json.dumps(config({"enableEgress": False})))
    (tmp_path / "mesh" / "egress.json").write_text(json.dumps(egress("a", "tcp 25")))
    (work / "closed.json").write_text(json.dumps(config({"enableEgress": False})))
    monkeypatch.chdir(work)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def verdict(*words: str) -> str:
    found = run(*DECIDE, *words)
    assert found.exit_code == 0, found.output
    return found.stdout.splitlines()[1].split("  ")[1]


FILES = 'files = ["mesh"]\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fsm-egress.toml", FILES),
        ("deep/fsm-egress.toml", 'files = ["../mesh"]\n'),
        ("deep/near/fsm-egress.toml", 'files = ["../../mesh/config.json", "../../mesh/egress.json"]\n'),
        ("pyproject.toml", f"[tool.other]\na = 1\n[tool.fsm-egress]\n{FILES}"),
        ("pyproject.toml", f'[tool."fsm-egress"]\n{FILES}'),
    ],
)
def test_a_file_in_the_folder_or_above_says_where_the_documents_are(
    folder: Path, name: str, text: str
) -> None:
    (folder / name).write_text(text)
    assert verdict() == OPEN


def test_the_nearest_file_counts_and_of_two_the_one_of_its_own(folder: Path) -> None:
    (folder / "fsm-egress.toml").write_text("files = ['nowhere']\n")
    (folder / "deep" / "pyproject.toml").write_text("[tool.fsm-egress]\nfiles = ['../mesh']\n")
    assert verdict() == OPEN
    (folder / "deep" / "fsm-egress.toml").write_text("files = ['near/closed.json']\n")
    assert verdict() == "DENIED"


@pytest.mark.parametrize(
    "text", ["[project]\nname = 'a'\n", "tool = 7 # fsm-egress\n", "[tool]\na = 'fsm-egress'\n"]
)
def test_a_project_without_the_table_says_nothing(folder: Path, text: str) -> None:
    (folder / "fsm-egress.toml").write_text(FILES)
    (folder / "deep" / "pyproject.toml").write_text(text)
    assert verdict() == OPEN


def test_a_project_that_is_no_business_of_ours_is_not_read(folder: Path) -> None:
    (folder / "fsm-egress.toml").write_text(FILES)
    (folder / "deep" / "pyproject.toml").write_bytes(b"[[[\xff")
    assert verdict() == OPEN


def test_the_command_line_counts_most_then_the_environment_then_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "fsm-egress.toml").write_text("files = ['deep/near/closed.json']\nlenient = true\n")
    assert verdict() == "DENIED"
    monkeypatch.setenv("FSM_EGRESS_FILES", "../../mesh/config.json:../../mesh/egress.json")
    assert verdict() == OPEN
    for words in (("-f", "closed.json"), ("closed.json",)):
        named = words if words[0] == "-f" else ("--", *words)
        assert verdict(*named) == "DENIED"
    monkeypatch.setenv("FSM_EGRESS_FILES", "")
    assert verdict() == "DENIED"


def test_each_setting_is_an_option(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = egress("a", "tcp 25")
    del bare["metadata"]["namespace"]
    (folder / "mesh" / "egress.json").write_text(json.dumps(bare))
    (folder / "mesh" / "broken.json").write_text(json.dumps(egress("b", "tcp 0", space="shop")))
    (folder / "mesh" / "config.json").unlink()
    (folder / "fsm-egress.toml").write_text(
        """\
        files = ["mesh"]
        lenient = true
        namespace = "shop"
        defaults = "chart"
        patch = ['{"spec": {"featureFlags": {"enableEgressPolicy": false}}}']
        set = ["fsm.enableEgress=false", "fsm.nothing=1"]
        set-lenient = true
        """
    )
    found = run(*DECIDE)
    assert found.exit_code == 3
    assert "DENIED?" in found.stdout
    assert "no MeshConfig holds `fsm.nothing`" in found.stderr
    assert "Egress shop/a" not in found.stdout
    monkeypatch.setenv("FSM_EGRESS_PATCH", '{"spec": {"featureFlags": {"enableEgressPolicy": true}}}')
    assert "Egress shop/a" in run(*DECIDE).stdout
    monkeypatch.setenv("FSM_EGRESS_LENIENT", "no")
    assert run(*DECIDE).stdout == ""
    checked = run("check", "--fail-on", "info")
    assert "broken.json" in checked.stdout


@pytest.mark.parametrize(("word", "code"), [("error", 0), ("warning", 1), ("info", 1)])
def test_how_bad_what_fails_is_may_be_a_setting(
    monkeypatch: pytest.MonkeyPatch, word: str, code: int
) -> None:
    Path("odd.json").write_text(json.dumps(egress("a", "tcp 25", ipAddresses=["54.9.9.9/16"])))
    monkeypatch.setenv("FSM_EGRESS_FAIL_ON", word)
    monkeypatch.setenv("FSM_EGRESS_FILES", "odd.json")
    assert run("check").exit_code == code
    assert run(*DECIDE).exit_code == 0  # whose option of that name takes something else
    assert run("check", "--fail-on", "error").exit_code == 0


def test_names_need_not_be_strict(folder: Path) -> None:
    (folder / "fsm-egress.toml").write_text(FILES)
    unnamed = ("never", "--as", "curl.shop", "--port", "7")
    assert run(*unnamed).exit_code == 2
    (folder / "fsm-egress.toml").write_text(f"{FILES}strict-names = false\n")
    assert run(*unnamed).exit_code == 0
    assert run(*unnamed, "--strict-names").exit_code == 2


# --- a cluster, or files ---------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Which clusters are asked for; each refuses."""
    whom: list[Any] = []

    def mesh_of(which: Any) -> Any:
        whom.append(which)
        raise click.exceptions.Exit(7)

    monkeypatch.setattr(clusters, "mesh_of", mesh_of)
    return whom


def test_files_of_the_command_line_are_in_place_of_a_cluster_that_is_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, asked: list[Any]
) -> None:
    (folder / "fsm-egress.toml").write_text("cluster = true\ncontext = 'dev'\nall-namespaces = true\n")
    assert run(*DECIDE).exit_code == 7
    assert verdict("-f", "closed.json") == "DENIED"
    assert run("check", "closed.json").exit_code == 0
    monkeypatch.setenv("FSM_EGRESS_FILES", "closed.json")
    assert verdict() == "DENIED"
    assert run("check", "--cluster", "--context", "prod", "-n", "shop").exit_code == 7
    which = cluster_options.Which
    assert asked == [which("dev", None, everywhere=True), which("prod", "shop", everywhere=False)]


def test_a_cluster_of_the_command_line_is_in_place_of_files_that_are_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, asked: list[Any]
) -> None:
    (folder / "fsm-egress.toml").write_text(f"{FILES}namespace = 'shop'\n")
    assert run("check", "--cluster").exit_code == 7
    assert run("check", "--cluster", "-A").exit_code == 7
    monkeypatch.setenv("FSM_EGRESS_CLUSTER", "on")
    assert run("check").exit_code == 7
    monkeypatch.setenv("FSM_EGRESS_ALL_NAMESPACES", "1")
    assert run("check").exit_code == 7
    assert [(it.namespace, it.everywhere) for it in asked] == [
        ("shop", False),
        (None, True),
        ("shop", False),
        (None, True),
    ]
    assert run("check", "--cluster", "-f", "closed.json").exit_code == 2
    assert run("check", "--cluster", "closed.json").exit_code == 2


# --- what is wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file = ['a']", "file: expected a known key, found `file`; write `files`"),
        ("colour = 'red'", "colour: expected a known key, found `colour`: the keys are `files`, `lenient`"),
        ("files = 'a'", "files: expected a list of paths, found the string `a`"),
        ("files = ['']", "files: expected a list of paths, found a list"),
        ("lenient = 'yes'", "lenient: expected `true` or `false`, found the string `yes`"),
        ("fail-on = 'bad'", "fail-on: expected one of `error`, `warning`, `info`, found the string `bad`"),
        ("namespace = ''", "namespace: expected a string, found the string ``"),
        ("set = [1]", "set: expected a list of strings, found a list"),
        ("files = ['a']\ncluster = true", "cluster: expected one of `files` and `cluster`, found both"),
        ("lenient = true\nlenient = true", "expected TOML: cannot overwrite a value"),
        ("a" * 3, "expected TOML: expected '=' after a key in a key/value pair"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_with_file_and_key(folder: Path, text: str, said: str) -> None:
    (folder / "fsm-egress.toml").write_text(text)
    found = run(*DECIDE, "-f", "closed.json")
    assert (found.exit_code, found.stdout) == (3, "")
    assert found.stderr.startswith(f"../../fsm-egress.toml: {said}"), found.stderr


def test_all_that_is_wrong_is_said_at_once(folder: Path) -> None:
    (folder / "fsm-egress.toml").write_text("lenint = true\ndefaults = 7\n")
    lenint, defaults = run(*DECIDE).stderr.splitlines()
    assert lenint.endswith("found `lenint`; write `lenient`")
    assert defaults.endswith("defaults: expected one of `fsm`, `chart`, found the number `7`")


@pytest.mark.parametrize("content", [b"a = '\xff'", b"a = " + b"[" * 20_000])
def test_a_file_that_is_no_toml_at_all_is_told(folder: Path, content: bytes) -> None:
    (folder / "fsm-egress.toml").write_bytes(content)
    found = run(*DECIDE)
    assert (found.exit_code, "../../fsm-egress.toml: expected TOML: " in found.stderr) == (3, True)


def test_a_table_is_a_table(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool]\nfsm-egress = 7\n")
    assert run(*DECIDE).stderr == (
        "../../pyproject.toml: tool.fsm-egress: expected a table, found the number `7`\n"
    )


def test_a_file_that_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "fsm-egress.toml").write_text(FILES)

    def refuse(_: Path, __: str) -> IO[bytes]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert run(*DECIDE).stderr == (
        "../../fsm-egress.toml: expected a file that can be read: permission denied\n"
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("LENIENT", "maybe", "FSM_EGRESS_LENIENT: expected `true` or `false`, found `maybe`"),
        ("FAIL_ON", "bad", "FSM_EGRESS_FAIL_ON: expected one of `error`, `warning`, `info`, found `bad`"),
    ],
)
def test_a_variable_that_is_wrong_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name}", text)
    found = run("check", "closed.json")
    assert (found.exit_code, said in found.stderr) == (2, True), found.stderr


def test_variables_that_contradict_each_other_are_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSM_EGRESS_NAMESPACE", "shop")
    monkeypatch.setenv("FSM_EGRESS_ALL_NAMESPACES", "true")
    found = run("check", "closed.json")
    assert found.exit_code == 2
    assert "give one of FSM_EGRESS_NAMESPACE and FSM_EGRESS_ALL_NAMESPACES" in found.stderr


def test_toml_needs_a_package_on_the_oldest_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "fsm-egress.toml").write_text(FILES)
    for module in ("tomllib", "tomli"):
        monkeypatch.setitem(sys.modules, module, None)
    found = run(*DECIDE)
    assert "reading fsm-egress.toml needs the extra `cli`" in str(found.exception)


# --- who asks --------------------------------------------------------------------------------------------


def test_help_and_completion_do_without(folder: Path) -> None:
    (folder / "fsm-egress.toml").write_text("nonsense")
    assert run("check", "--help").exit_code == 0
    assert run("explain-code", "FSE034").exit_code == 0
    completion = ShellComplete(app, {}, "fsm-egress", COMPLETE)
    assert "--lenient" in [it.value for it in completion.get_completions(["check"], "--le")]


def test_accounts_are_completed_from_the_files_that_are_set(folder: Path) -> None:
    (folder / "fsm-egress.toml").write_text(FILES)
    completion = ShellComplete(app, {}, "fsm-egress", COMPLETE)
    assert [it.value for it in completion.get_completions(["decide", "--as"], "cu")] == ["curl.curl"]


def test_every_command_that_reads_a_mesh_has_the_settings_of_a_mesh() -> None:
    of_all = set(KEYS) - {"fail-on", "strict-names"}
    for name in COMMANDS:
        options = {word for it in command_of(name).params for word in it.opts}
        if "-f" in options:
            assert {f"--{key}".replace("--files", "--file") for key in of_all} <= options, name


def test_the_documentation_names_every_setting() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "settings.md").read_text(encoding="utf-8")
    assert [key for key in KEYS if f"\n| `{key}` |" not in page] == []
