"""What is compared decides alike, the workload is as it is said to be, and the command works."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fsm_egress as fe
from benchmarks import answers, beside, certificates, learning, repetition, workload
from benchmarks.deciding import connection
from benchmarks.floor import Index, plain
from benchmarks.meshes import documents, lone, mesh
from benchmarks.scan import Scan
from benchmarks.workload import IDENTITIES, LONE, calls, crowded

if TYPE_CHECKING:
    from benchmarks.workload import Account, Tree

ROOT = Path(__file__).parent.parent
NUMBER = 60  # connections of each identity


def shares(trees: list[Tree]) -> Counter[str]:
    return Counter(
        port["protocol"] for tree in trees if tree["kind"] == "Egress" for port in tree["spec"]["ports"]
    )


@pytest.mark.parametrize("account", IDENTITIES, ids=".".join)
@pytest.mark.parametrize("size", [10, 100])
def test_law_the_floor_and_the_scan_decide_as_the_engine_does(size: int, account: Account) -> None:
    index, scan = Index(mesh(size)), Scan(documents(size), account)
    engine = fe.compile(mesh(size), ".".join(account))
    floor, floor_of_texts = index.floor(account), index.floor_of_texts(account)
    for call in calls(documents(size), account, NUMBER):
        decision = engine.classify(connection(call))
        verdict, reason, (resource, path) = floor(plain(call))
        assert (verdict, reason) == (decision.verdict, decision.reason)
        assert decision.rule
        assert (resource.ref, path) == (decision.rule.resource, decision.rule.path)
        assert floor_of_texts(*call) == (verdict, reason, (resource, path))
        assert scan.decide(call) == (verdict, reason)


@pytest.mark.parametrize("size", [10, 100, 1_000])
def test_the_shares_of_protocols_are_exact(size: int) -> None:
    expected = {"tcp": 0.4, "tcp-server-first": 0.1, "http": 0.3, "https": 0.2}
    assert shares(documents(size)) == {protocol: share * size for protocol, share in expected.items()}


@pytest.mark.parametrize("size", [10, 100])
def test_every_identity_is_named_and_a_third_of_its_connections_has_each_outcome(size: int) -> None:
    verdicts: Counter[fe.Verdict] = Counter()
    for account in IDENTITIES:
        engine = fe.compile(mesh(size), ".".join(account))
        made = calls(documents(size), account, NUMBER)
        verdicts.update(decision.verdict for decision in engine.classify_many(map(connection, made)))
        assert mesh(size).policies_for(fe.ServiceIdentity(*account))
    total = NUMBER * len(IDENTITIES)
    assert verdicts.keys() == {fe.Verdict.EGRESS_POLICY, fe.Verdict.IN_MESH, fe.Verdict.DENIED}
    assert all(abs(number - total / 3) < total / 30 for number in verdicts.values())


def test_the_crowd_names_one_identity_and_the_lone_one_is_named_ten_times() -> None:
    crowd = fe.load(crowded(100))
    assert len(crowd.policies_for(fe.ServiceIdentity(*IDENTITIES[0]))) == len(crowd.kind(fe.EgressPolicy))
    assert sum(bool(policy.spec.ip_addresses) for policy in crowd.kind(fe.EgressPolicy)) == 50
    assert len(lone(100).kind(fe.EgressPolicy)) == 110
    assert len(lone(100).policies_for(fe.ServiceIdentity(*LONE))) == 10


def test_the_quick_run_measures_every_row(tmp_path: Path) -> None:
    saved = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(saved)]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300)  # noqa: S603  # because the command is our own
    figures = json.loads(saved.read_text(encoding="utf-8"))["figures"]
    rows = {figure["row"] for figure in figures}
    assert {"classify", "load", "config", "change", "memory", "import", "doors"} < rows
    assert [row for row in rows if f"{row}: " not in run.stdout] == []
    assert all(figure["value"] > 0 for figure in figures if figure["row"] != "import")


def test_an_unknown_row_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks", "speed"]
    run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300)  # noqa: S603  # because the command is our own
    assert run.returncode == 2
    assert "unknown: speed; known: classify, " in run.stderr


def test_answers_are_asked_about_a_mesh_with_so_many_identities(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workload, "SERVICES", 5)
    small = answers.mesh(4, 3)
    assert len(small.identities()) == 3
    asked = answers.answers(small)
    assert asked["diff of one changed policy, all identities"]()
    assert len(asked["lint with the sidecar, one identity"]()) > 0
    answers.main(small)
    assert len(capsys.readouterr().out.splitlines()) == len(asked)


@pytest.mark.parametrize("mode", [[], ["--dask"]], ids=["replay", "dask"])
def test_logs_that_repeat_themselves_are_measured_in_turns_with_another_build(
    mode: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs: list[tuple[str, ...]] = []

    def cost(build: Path, _script: str, path: str, *how: str) -> repetition.Cost:
        runs.append((build.name, Path(path).name, *how))
        return repetition.Cost(400, 2.0 if build == ROOT.parent else 0.5, 100.0, 7 if mode else 0)

    monkeypatch.setattr(repetition, "_cost", cost)
    repetition.main(["--records", "400", "--rounds", "2", "--beside", str(ROOT.parent), *mode])
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 4
    assert all("4.0 x the other build" in line for line in said)
    assert [run[0] for run in runs] == [ROOT.name, ROOT.parent.name] * 8


def test_a_log_that_repeats_itself_is_replayed_in_a_process_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repetition, "DIFFERENT", 5)
    paths = repetition.written(tmp_path, "a", repetition.records(90, alike=True))
    found = repetition._cost(ROOT, repetition.REPLAY, str(paths["parquet"]), "parquet")  # noqa: SLF001  # as it takes long to measure all
    assert (found.records, found.bytes) == (90, 0)
    assert "MB" in str(found)
    assert len(paths["json"].read_text().splitlines()) == 90
    assert not capsys.readouterr().out


def test_what_learning_costs_is_measured_for_each_length(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learning, "DESTINATIONS", 60)
    found = learning.costs(600)
    assert (found.records, found.destinations) == (600, 60)
    assert min(found.learned, found.proven, found.parsed, found.memory) > 0
    assert "600 records, 60 destinations: learned in " in str(found)
    learning.main([])
    assert not capsys.readouterr().out


def test_another_build_is_measured_beside_this_one() -> None:
    (line,) = beside.against(ROOT, 1, only="memory", size=10)
    assert line.split()[:4] == ["memory", "of", "a", "Snapshot"]
    assert line.endswith("1.00 x")


def test_another_build_is_not_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fsm_egress").mkdir()
    (tmp_path / "fsm_egress/__init__.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(ROOT)
    with pytest.raises(subprocess.CalledProcessError) as error:
        next(beside.against(tmp_path, 1, only="memory", size=10))
    assert error.value.returncode == 9


@pytest.mark.parametrize("row", list(beside.ROWS)[:5])  # lint and verify take seconds
def test_each_row_beside_another_build_takes_time(row: str) -> None:
    _, _, small = beside.ROWS[row]
    assert beside.measured(row, small) > 0


def test_certificates_are_measured_and_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workload, "SERVICES", 2)
    z3 = {"z3": certificates.SOLVERS["z3"]}
    monkeypatch.setattr(certificates, "SOLVERS", z3)
    first, *others = certificates.asked(3)
    said = certificates.cost(first).solved["z3"]
    assert said is not None
    assert said[0] == "unsat"
    monkeypatch.setattr(certificates, "_solved", lambda name, script: (z3[name](script), 0.1))
    certificates.main(3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| question | answer | script | written in | z3 |"
    assert len(lines) == 3 + len(others)
    assert {line.count("|") for line in lines} == {6}
    monkeypatch.setattr(certificates, "_solved", lambda _name, _script: ("unknown", 0.1))
    with pytest.raises(RuntimeError, match="`never --outside --port 22`"):
        certificates.main(3)
