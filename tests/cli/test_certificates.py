"""Certificates on the command line: written beside an answer, and checked."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml
import z3
from click.testing import CliRunner, Result
from random_meshes import resource
from small import config, egress

import fsm_egress as fe
from fsm_egress.cli.app import app

MESH = ("-f", "mesh.yaml", "--as", "curl.curl")
OPEN = ("--after-set", "fsm.enableEgress=true")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mesh.yaml").write_text(yaml.safe_dump_all([config(), egress("mail", "tcp 25")]))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, prog_name="fsm-egress")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("never", *MESH, "--port", "26"),
            0,
            "proven: never (allowed and port `26`) (the solver says unsat)",
        ),
        (("never", *MESH, "--outside"), 1, "refuted: never outside (the solver says sat)"),
        (
            ("implies", *MESH, *OPEN),
            0,
            "proven: what is allowed before is allowed after (the solver says unsat)",
        ),
        (("equivalent", *MESH, *OPEN), 1, "refuted: every connection fares the same (the solver says sat)"),
        (("equivalent", *MESH, "--after", "mesh.yaml"), 0, "proven: every connection fares the same"),
    ],
)
def test_what_is_answered_is_certified(arguments: tuple[str, ...], code: int, said: str) -> None:
    plain, answered = run(*arguments), run(*arguments, "--certificate", "proofs/proof.smt2")
    assert (answered.exit_code, answered.stdout) == (code, plain.stdout)
    path = Path("proofs/proof.smt2")
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    checked = run("certify", str(path))
    assert checked.exit_code == 0
    first, *rest = checked.stdout.splitlines()
    assert first.startswith(f"proofs/proof.smt2: {said}")
    assert "  of curl.curl" in rest
    assert rest[-1].startswith("  about sha256 ")
    assert rest[-1].endswith(" mesh.yaml")


def test_what_does_not_hold_is_found() -> None:
    run("never", *MESH, "--port", "26", "--certificate", "proof.smt2")
    Path("forged.smt2").write_text(
        Path("proof.smt2").read_text().replace("(= port #x001a)", "(= port #x0019)")
    )
    result = run("certify", "proof.smt2", "forged.smt2", "-o", "json")
    assert result.exit_code == 1
    good, forged = map(json.loads, result.stdout.splitlines())
    assert (good["file"], good["holds"]) == ("proof.smt2", True)
    assert (forged["file"], forged["holds"], forged["found"]) == ("forged.smt2", False, "sat")


def test_what_a_solver_cannot_tell_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    run("never", *MESH, "--port", "26", "--certificate", "proof.smt2")
    monkeypatch.setattr(z3.Solver, "check", lambda _: z3.unknown)
    result = run("certify", "proof.smt2")
    assert result.exit_code == 3
    assert result.stdout.startswith("proof.smt2: not decided whether proven: never ")


def test_what_is_no_certificate_is_said() -> None:
    result = run("certify", "mesh.yaml")
    assert result.exit_code == 3
    assert result.stderr.startswith("mesh.yaml: expected a certificate, with a claim and a status, found ")


def test_what_is_neither_proven_nor_refuted_is_not_certified() -> None:
    lost = egress("web", "tcp 443", ipAddresses=["54.0.0.0"])
    Path("mesh.yaml").write_text(yaml.safe_dump_all([config(), egress("mail", "tcp 25"), lost]))
    asked = ("never", *MESH, "--lenient", "--port", "443", "--certificate", "proof.smt2")
    result = run(*asked)
    assert result.exit_code == 3
    assert "note: what is neither proven nor refuted has no certificate" in result.stderr
    assert not Path("proof.smt2").exists()


def test_a_certificate_that_cannot_be_written_is_no_answer() -> None:
    result = run("never", *MESH, "--port", "26", "--certificate", "mesh.yaml/proof.smt2")
    assert result.exit_code == 3
    assert result.stderr.startswith("mesh.yaml/proof.smt2: cannot be written: ")


def test_the_command_writes_what_python_writes() -> None:
    run("never", *MESH, "--port", "26", "--certificate", "proof.smt2")
    answer = fe.never(fe.load("mesh.yaml"), fe.Where.allowed() & fe.Where.port(26), "curl.curl")
    assert Path("proof.smt2").read_text() == answer.certificate()


def test_verify_writes_one_for_all_and_one_for_each_difference() -> None:
    ask = ("verify", *MESH)
    plain, answered = run(*ask), run(*ask, "--certificate", "proofs/verify.smt2", "--without", "FSE027")
    assert answered.exit_code == plain.exit_code
    found = fe.verify(fe.load("mesh.yaml"), "curl.curl")
    written = sorted(path.name for path in Path("proofs").iterdir())
    numbers = range(1, len(found.disagreements) + 1)
    assert written == sorted(["verify.smt2", *(f"verify-{number}.smt2" for number in numbers)])
    assert len(numbers) > 1
    assert Path("proofs/verify.smt2").read_text() == found.certificate()
    assert Path("proofs/verify-2.smt2").read_text() == found.certificate(found.disagreements[1])
    checked = run("certify", *(f"proofs/{name}" for name in written))
    assert checked.exit_code == 0
    assert (
        "proofs/verify.smt2: proven: the sidecar does what is decided, but for what is told" in checked.stdout
    )
    assert f"  but for {found.disagreements[0]}" in checked.stdout.splitlines()
    assert checked.stdout.count("refuted: the sidecar does what is decided (the solver says sat)") == len(
        numbers
    )


def test_verify_writes_what_it_can() -> None:
    lost = egress("web", "tcp 443", ipAddresses=["54.0.0.0"])
    Path("mesh.yaml").write_text(yaml.safe_dump_all([config(), egress("mail", "tcp 25"), lost]))
    result = run("verify", *MESH, "--lenient", "--certificate", "verify.smt2")
    assert "note: what is neither proven nor refuted has no certificate" in result.stderr
    assert not Path("verify.smt2").exists()
    assert Path("verify-1.smt2").exists()


def test_each_sidecar_has_certificates_of_its_own() -> None:
    run("verify", "-f", "mesh.yaml", "--all", "--certificate", "proofs/verify.smt2")
    written = {path.parent.name: path.read_text() for path in Path("proofs").glob("*/verify.smt2")}
    assert set(written) == {"curl.curl", "any-other-account"}
    for whose, script in written.items():
        assert f"\n; of: {whose.replace('-', ' ')}\n" in script
        assert f" config.json of {whose.replace('-', ' ')}\n" in script
    assert Path("proofs/curl.curl/verify-1.smt2").exists()
    assert not Path("proofs/verify.smt2").exists()
    found = fe.verify(fe.load("mesh.yaml"), "curl.curl")
    assert written["curl.curl"] == found.certificate()


def test_pods_that_are_intercepted_differently_have_certificates_of_their_own() -> None:
    pods = [
        resource(
            "v1",
            "Pod",
            "curl",
            name,
            spec={"serviceAccountName": "curl", "containers": [{"name": "app", "image": "app"}]},
        )
        for name in ("plain", "spared")
    ]
    pods[1]["metadata"]["annotations"] = {"flomesh.io/outbound-port-exclusion-list": "26"}
    Path("mesh.yaml").write_text(yaml.safe_dump_all([config(), egress("mail", "tcp 25"), *pods]))
    run("verify", *MESH, "--certificate", "verify.smt2")
    written = {path.parent.name for path in Path().glob("*/verify.smt2")}
    assert written == {"pod-plain.curl", "pod-spared.curl"}


def test_a_solver_is_given_the_time_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    run("never", *MESH, "--port", "26", "--certificate", "proof.smt2")
    monkeypatch.setattr(z3.Solver, "check", lambda _: z3.unknown)
    monkeypatch.setattr(z3.Solver, "reason_unknown", lambda _: "timeout")
    result = run("certify", "--timeout", "0.5", "proof.smt2")
    assert result.exit_code == 3
    assert result.stdout.splitlines()[0] == (
        "proof.smt2: not decided whether proven: never (allowed and port `26`)"
        " (the solver was stopped after 0.5 s)"
    )
    assert run("certify", "--timeout", "0", "proof.smt2").exit_code == 2
