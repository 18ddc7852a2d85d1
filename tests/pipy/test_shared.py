"""Connections to the outside are lent: what a real sidecar was seen to do with sequences of requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import fsm_egress as fe

Wire = dict[str, Any]

KEPT = json.loads((Path(__file__).parents[1] / "vectors" / "shared.json").read_text())
CERTIFICATE = {"CertChain": "a chain", "PrivateKey": "a key", "IssuingCA": "an authority"}


@pytest.fixture(scope="module", name="sidecar")
def _sidecar() -> fe.Sidecar:
    mesh = fe.load(KEPT["documents"])
    return fe.Sidecar.read(fe.pipy_config(mesh, KEPT["identity"], {"Certificate": CERTIFICATE}))


@pytest.mark.parametrize("sequence", KEPT["sequences"])
def test_a_request_takes_the_way_of_the_connection_that_it_is_lent(
    sequence: list[Wire], sidecar: fe.Sidecar
) -> None:
    """Its client's own to that host, else one that a client has left, whatever its way; else a new one."""
    taken: dict[tuple[int, str], int] = {}
    free: dict[str, set[int]] = {}
    way_of: dict[int, bool] = {}
    for step in sequence:
        client, host, way = step["client"], step["host"], step["way"]
        number = way["number"]
        mine = taken.get((client, host))
        if mine is not None:
            assert number == mine
        elif free.get(host):
            assert number in free[host]
            free[host].remove(number)
        else:
            assert number not in way_of
            outcome = sidecar.handle(fe.http(step["destination"], 80, "GET", f"{host}/"))
            assert outcome.mtls is way["mtls"]
        assert way["mtls"] is way_of.setdefault(number, way["mtls"])
        taken[client, host] = number
        if step["closes"]:
            for (whose, at), left in list(taken.items()):
                if whose == client:
                    free.setdefault(at, set()).add(taken.pop((whose, at)))
                    assert left in way_of


def test_some_went_by_a_way_that_is_not_their_own(sidecar: fe.Sidecar) -> None:
    steps = [step for sequence in KEPT["sequences"] for step in sequence]
    lent = [
        step
        for step in steps
        if sidecar.handle(fe.http(step["destination"], 80, "GET", f"{step['host']}/")).mtls
        is not step["way"]["mtls"]
    ]
    assert len(steps) >= 150
    assert len(lent) >= 15
