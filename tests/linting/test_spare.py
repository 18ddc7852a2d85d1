"""Ports of policies that may go without a difference; `test_linting.py` has the laws."""

from __future__ import annotations

from small import config, egress, load

import fsm_egress as fe


def test_a_claim_that_no_client_can_dial_is_never_met() -> None:
    mesh = load(config(), egress("local", "tcp 5432", ipAddresses=["127.0.0.0/8"]))
    (finding,) = fe.lint(mesh, only=[fe.Code.NEVER_MATCHES])
    assert finding.message == "nothing is decided by it: no client can dial what it claims"
    assert finding.witness is None
