"""Certificates that are checked: what is said of them, and what is none."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import z3
from small import WHO, config, egress, load

import fsm_egress as fe

MESH = load(config(), egress("mail", "tcp 25"))
PROVEN = fe.never(MESH, fe.Where.outside() & ~fe.Where.port(25), WHO)
REFUTED = fe.never(MESH, fe.Where.outside(), WHO)


def test_a_proof_holds() -> None:
    found = fe.certify(PROVEN.certificate())
    assert found
    assert (found.holds, found.expected, found.found) == (True, "unsat", "unsat")
    assert found.identities == (WHO,)
    assert found.connection == ""
    (document,) = found.documents
    assert str(found) == (
        "proven: never (outside and not port `25`) (the solver says unsat)\n"
        f"  of curl.curl\n  about {document}"
    )
    mapping = found.to_mapping()
    assert json.loads(json.dumps(mapping)) == mapping
    assert (mapping["holds"], mapping["claim"]) == (True, PROVEN.claim)
    assert "connection" not in mapping


def test_a_refutation_holds() -> None:
    found = fe.certify(REFUTED.certificate())
    assert found
    assert found.expected == "sat"
    assert REFUTED.witness is not None
    assert found.connection == found.to_mapping()["connection"] == str(REFUTED.witness.connection)
    assert str(found).startswith(
        f"refuted: never outside (the solver says sat)\n  by {found.connection}\n  of "
    )


def test_a_certificate_that_does_not_hold() -> None:
    found = fe.certify(PROVEN.certificate().replace("(not |port 25|)", "|port 25|"))
    assert not found
    assert found.holds is False
    assert str(found).startswith("not proven: never (outside and not port `25`) (the solver says sat)")


def test_a_solver_may_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(z3.Solver, "check", lambda _: z3.unknown)
    found = fe.certify(PROVEN.certificate())
    assert (found.holds, bool(found)) == (None, False)
    assert str(found).startswith("not decided whether proven: never ")
    assert "(the solver says unknown: " in str(found)


PORTS = """\
; claim: c
(set-info :status unsat)
(declare-const port (_ BitVec 16))
(define-fun |port 80| () Bool
  (= port #x0050))
(define-fun |port 81| () Bool
  (= port #x0051))
(assert ASSERTED)
(check-sat)
"""


@pytest.mark.parametrize(
    ("asserted", "found"),
    [
        ("(and |port 80| |port 81|)", "unsat"),
        ("|port 80|", "sat"),
        ("|port 81|", "sat"),
        ("(not (or |port 80| |port 81|))", "sat"),
    ],
)
def test_ports_that_are_taken_one_by_one_are_all_of_them(asserted: str, found: str) -> None:
    assert fe.certify(PORTS.replace("ASSERTED", asserted)).found == found


HARD = """\
; claim: c
(set-info :status unsat)
(declare-const x Int) (declare-const y Int) (declare-const z Int)
(assert (and (> x 1) (> y 1) (> z 1) (= (+ (* x x x) (* y y y)) (* z z z))))
(check-sat)
"""


def test_a_solver_is_stopped_when_its_time_is_up() -> None:
    found = fe.certify(HARD, timeout=0.2)
    assert found.holds is None
    assert found.why == "the solver was stopped after 0.2 s"
    assert str(found) == "not decided whether proven: c (the solver was stopped after 0.2 s)"
    assert found.to_mapping()["why"] == found.why
    assert fe.certify(PROVEN.certificate(), timeout=60)


@pytest.mark.parametrize("seconds", [0, -1, 1_000_001, float("nan"), True, "5"])
def test_time_is_a_positive_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(fe.InvalidValue, match=r"timeout: expected a positive number of seconds"):
        fe.certify(PROVEN.certificate(), timeout=seconds)


def test_what_stands_under_a_condition_and_what_is_left_out_is_said() -> None:
    text = (
        "; claim: c\n; but for: a tide\n; under: the moon\n; left out: whether `x`\n"
        "(set-info :status unsat)\n(assert false)\n(check-sat)\n"
    )
    found = fe.certify(text)
    assert (found.conditions, found.left_out) == (("the moon",), ("whether `x`",))
    assert found.exceptions == tuple(found.to_mapping()["exceptions"]) == ("a tide",)
    assert str(found).splitlines()[1:] == [
        "  but for a tide",
        "  under the moon",
        "  left out: whether `x`",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a certificate, with a claim and a status"),
        ("(check-sat)", "expected a certificate, with a claim and a status"),
        ("; claim: c\n(assert false)\n(check-sat)", "expected a certificate, with a claim and a status"),
        (
            "(set-info :status unsat)\n(assert false)\n(check-sat)",
            "expected a certificate, with a claim and a status",
        ),
        ("; claim: c\n(set-info :status unsat)\n(assert x)\n(check-sat)", "unknown constant x"),
        (
            "; claim: c\n(set-info :status unsat)\n(assert (check-sat)",
            "expected a certificate that a solver reads",
        ),
        ("x" * 1_000_000, "with a claim and a status, found the string `x{80}`$"),
    ],
)
def test_what_is_no_certificate(text: str, said: str) -> None:
    with pytest.raises(fe.InvalidValue, match=said):
        fe.certify(text)


@pytest.mark.parametrize("answer", [PROVEN, REFUTED], ids=["proven", "refuted"])
def test_a_certificate_that_was_cut_is_none(answer: fe.Answer) -> None:
    script = answer.certificate()
    for lines in (script.splitlines()[:-1], script.splitlines()[: script.count("\n") // 2]):
        with pytest.raises(fe.InvalidValue, match=r"which ends with `\(check-sat\)`"):
            fe.certify("\n".join(lines))


def test_without_a_solver_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: Any = None
    monkeypatch.setitem(sys.modules, "z3", missing)
    with pytest.raises(fe.MissingExtra, match=r"checking a certificate needs the extra `proof`"):
        fe.certify(PROVEN.certificate())
