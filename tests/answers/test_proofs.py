"""Answers that are proofs: whose connections they are about, in words and for machines."""

from __future__ import annotations

import json

import pytest
from small import WHO, config, egress, load

import fsm_egress as fe
from fsm_egress.answers.proofs import counted, extent, identities_of

CURL = fe.ServiceIdentity("curl", "curl")
API = fe.ServiceIdentity("api", "shop")


def test_whose_connections_are_meant() -> None:
    mesh = load(egress("web", "tcp 443"))
    assert identities_of(None, mesh) == (CURL,)
    assert identities_of(None, mesh, mesh) == (CURL,)
    assert identities_of(WHO, mesh) == (CURL,)
    assert identities_of(CURL, mesh) == (CURL,)
    assert identities_of(["api.shop", CURL, WHO]) == (API, CURL)
    with pytest.raises(fe.InvalidValue):
        identities_of("curl")


def test_how_much_was_looked_at() -> None:
    assert extent([CURL], 1) == "1 identity, 1 class of connections"
    assert extent([CURL, API], 12) == "2 identities, 12 classes of connections"
    assert counted([]) == "0 identities"


def test_a_proof_a_refutation_and_neither() -> None:
    mesh = load(config({"enableEgress": False}), egress("web", "tcp 443"))
    proof = fe.never(mesh, fe.Where.port(80) & fe.Where.outside())
    assert (bool(proof), proof.proven) == (True, True)
    assert proof.to_mapping()["witness"] is None
    assert repr(proof) == f"<Answer {proof}>"
    refuted = fe.never(mesh, fe.Where.outside())
    assert (bool(refuted), refuted.proven) == (False, False)
    assert refuted.witness is not None
    assert str(refuted.witness) == (
        "curl.curl: 0.0.0.0:443 TCP: EGRESS_POLICY (tcp_port) by Egress curl/web spec.ports[0]"
    )
    mapping = refuted.to_mapping()
    assert json.loads(json.dumps(mapping)) == mapping
    assert mapping["witness"]["identity"] == "curl.curl"
    assert [it["verdict"] for it in mapping["witness"]["decisions"]] == ["EGRESS_POLICY"]
