"""`learn`: the documents that logs teach, and what is said of them."""

from __future__ import annotations

import json
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner, Result

import fsm_egress as fe
from fsm_egress.cli import learning
from fsm_egress.cli.app import app

if TYPE_CHECKING:
    from typing import NoReturn

MESH = """\
apiVersion: config.flomesh.io/v1alpha3
kind: MeshConfig
metadata: {name: fsm-mesh-config, namespace: fsm-system}
spec:
  traffic: {enableEgress: true}
  featureFlags: {enableEgressPolicy: true}
"""
TLS = {
    "identity": "curl.curl",
    "destination": "54.9.9.9:443",
    "server_name": "a.com",
    "time": "2026-11-30T03:00:00Z",
}
BYTES = {"identity": "db.shop", "destination": "54.9.9.8:5432", "time": "2026-11-30T04:00:00Z"}
HTTP = {"identity": "curl.curl", "destination": "54.9.9.9:80", "host": "a.com", "path": "/users/7"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mesh.yaml").write_text(MESH, encoding="utf-8")
    wrote(TLS, BYTES)
    return tmp_path


def wrote(*records: dict[str, Any]) -> None:
    Path("a.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")


def learned(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["learn", "-f", "mesh.yaml", "--workers", "1", "a.jsonl", *arguments])


def test_the_report_is_followed_by_the_documents() -> None:
    result = learned()
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "2 records: 2 count\n"
        "2 policies allow 2 of 2 connections of 2 accounts\n"
        "Replayed with enableEgress off: 2 of 2 records are allowed, each by a policy\n"
        "They open, beyond what was seen:\n"
        "  54.9.9.8/32 on port 5432 (tcp): nothing beyond what was seen\n"
        "  a.com on port 443 (https): at whatever address has the name\n"
        "They deny at once, though passthrough is on:\n"
    )
    for title in ("Is it time to close?", "What came up last:", "Findings:"):
        assert title in result.stdout
    report, _, documents = result.stdout.partition("---\n")
    assert "  the mesh: not ready; " in report
    assert [it["kind"] for it in yaml.safe_load_all(documents)] == ["Egress", "Egress"]


def test_what_comes_through_a_pipe_is_not_replayed() -> None:
    content = Path("a.jsonl").read_bytes()
    arguments = ["learn", "-f", "mesh.yaml", "--workers", "1", "-"]
    result = CliRunner().invoke(app, arguments, input=content)
    assert result.exit_code == 0
    assert "\nNot replayed: of each need one record is allowed" in result.stdout
    assert "2 of 2 connections" in result.stdout


def test_how_a_log_is_written_is_said_once() -> None:
    about = {
        "IP": {"source": "10.0.0.1", "destination": "54.9.9.9"},
        "l4": {"TCP": {"destination_port": 443}},
    }
    wrote({"flow": {**about, "verdict": "FORWARDED", "traffic_direction": "EGRESS"}})
    assert learned().stderr.count("read as flows of Cilium Hubble") == 1


def test_the_documents_alone_can_be_applied() -> None:
    loaded = fe.loads(learned("-o", "yaml").stdout)
    assert [it.name for it in loaded] == ["curl-a-com-443", "db-54-9-9-8-32-5432"]


def test_each_document_has_a_file_of_its_own() -> None:
    result = learned("-O", "policies/new")
    assert "2 documents written to policies/new" in result.stdout
    assert "---" not in result.stdout
    assert sorted(path.name for path in Path("policies/new").iterdir()) == [
        "curl-egress-curl-a-com-443.yaml",
        "shop-egress-db-54-9-9-8-32-5432.yaml",
    ]
    assert len(fe.load("policies/new")) == 2


def test_a_folder_that_cannot_be_made_is_told() -> None:
    Path("taken").write_text("", encoding="utf-8")
    result = learned("-O", "taken/new")
    assert result.exit_code == 3
    assert "taken/new: cannot be written: not a directory" in result.stderr.lower()


def test_a_folder_holds_what_was_learned_last_and_nothing_that_was_not_learned() -> None:
    learned("-O", "policies/new")
    learned("-O", "policies/new", "--only", "a.com")
    assert [path.name for path in Path("policies/new").iterdir()] == ["curl-egress-curl-a-com-443.yaml"]
    Path("policies/new/mine.yaml").write_text("# mine\n", encoding="utf-8")
    result = learned("-O", "policies/new")
    assert result.exit_code == 3
    assert "policies/new: cannot be written: it holds `mine.yaml`, which was not written by" in result.stderr
    assert len(list(Path("policies/new").iterdir())) == 2


def test_it_is_there_for_machines_and_as_a_page() -> None:
    mapping = json.loads(learned("-o", "json").stdout)
    assert (mapping["allowed"], mapping["replayed"]["connections"]) == (2, 2)
    assert learned("-o", "page").stdout.startswith("<!doctype html>")


def test_records_are_chosen_by_time_account_host_and_port() -> None:
    def counted(*arguments: str) -> Any:
        return json.loads(learned("-o", "json", *arguments).stdout)["records"]["counted"]

    assert counted("--since", "2026-11-30T03:30:00Z") == 1
    assert counted("--until", "1796007600") == 0
    assert counted("--only", "a.com") == 1
    assert counted("--only", "443", "--only", "5432") == 2
    assert counted("--without", "db.shop") == 1
    assert (
        counted("--only", "A.com") == counted("--only", "54.9.9.8") == counted("--without", "54.9.9.8") == 1
    )
    ranged = learned("--only", "54.9.9.0/24")
    assert (ranged.exit_code, "expected an account, a host, an address or a port" in ranged.stderr) == (
        2,
        True,
    )
    for text in ("0.0.0.0", "x"):
        wide = learned("--widest", text)
        assert (wide.exit_code, "'--widest': expected an address range" in wide.stderr) == (2, True), (
            wide.stderr
        )
        assert "sidecar" not in wide.stderr
    result = learned("--since", "yesterday")
    assert result.exit_code == 2
    assert "a moment, as RFC 3339 writes it" in result.stderr


def test_denied_ones_are_learned_where_they_are_asked_for() -> None:
    closed = ("--set", "fsm.enableEgress=false")
    assert learned(*closed).stdout.startswith("2 records: 0 count, 2 denied\n0 policies allow 0 of 0")
    assert learned(*closed, "--verdict", "both").stdout.startswith("2 records: 2 count\n")


def test_routes_and_ranges_are_as_asked_for() -> None:
    wrote(HTTP, BYTES, {**BYTES, "destination": "54.9.9.11:5432"})
    text = learned("-o", "yaml", "--routes", "--ranges", "1", "--widest", "0.0.0.0/30").stdout
    assert "pathRegex: ^/users/[0-9]+$" in text
    assert "54.9.9.8/30" in text
    result = learned("--ranges", "1", "--widest", "0.0.0.0/32")
    assert result.exit_code != 0
    assert "at least 2 ranges" in result.stderr


def test_what_no_policy_can_allow_ends_with_1_and_what_cannot_be_read_with_3() -> None:
    wrote(TLS, {**HTTP, "method": "PURGE"})
    result = learned()
    assert result.exit_code == 1
    assert "1 that no policy can allow" in result.stdout
    wrote(TLS, {**TLS, "destination": "nowhere"})
    result = learned()
    assert result.exit_code == 3
    assert "a.jsonl:2" in result.stderr


def test_a_worker_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> NoReturn:
        raise BrokenProcessPool

    monkeypatch.setattr(learning, "learn_from", broken)
    result = learned()
    assert result.exit_code == 3
    assert "a worker process has ended before its work was done" in result.stderr
