"""Certificates on the command line: written beside an answer, and checked."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml
import z3
from click.testing import CliRunner, Result
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
    assert result.stdout.startswith("proof.smt2: not known whether proven: never ")


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
