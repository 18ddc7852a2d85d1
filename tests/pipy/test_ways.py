"""Unlike ways to one host and port: what a real sidecar was seen to lend, and what the model says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import fsm_egress as fe

Wire = dict[str, Any]

KEPT = json.loads((Path(__file__).parents[1] / "vectors" / "ways.json").read_text())
CASES = {case["name"]: case for case in KEPT["cases"]}


def outcome(sidecar: fe.Sidecar, step: Wire) -> fe.Outcome:
    return sidecar.handle(fe.http(KEPT["dialled"][step["by"]], 80, "GET", "a.com/"))


def way(of: fe.Outcome) -> tuple[bool, bool]:
    """Whether TLS is the sidecar's own, and whether it goes through the gateway."""
    return of.mtls, bool(of.gateways)


def seen(step: Wire) -> tuple[bool, bool]:
    return step["way"]["certificate"] is not None, step["way"]["gateway"]


@pytest.mark.parametrize("name", CASES)
def test_every_request_went_by_a_way_that_the_model_names(name: str) -> None:
    """Its own where it opened the connection; else its own or one of those that it may be lent instead."""
    sidecar = fe.Sidecar.read(CASES[name]["config"])
    for sequence in CASES[name]["sequences"]:
        known: dict[int, Wire] = {}
        for step in sequence:
            told = outcome(sidecar, step)
            if step["way"]["number"] not in known:
                assert way(told) == seen(step)
            assert seen(step) in {way(told), *map(way, told.either)}
            assert known.setdefault(step["way"]["number"], step["way"]) == step["way"]


@pytest.mark.parametrize("name", CASES)
def test_each_pair_of_ways_was_lent_for_each_other(name: str) -> None:
    """So none of the ways that the model names beside a request's own is there for nothing."""
    sidecar = fe.Sidecar.read(CASES[name]["config"])
    steps = [step for sequence in CASES[name]["sequences"] for step in sequence]
    assert all(outcome(sidecar, step).either for step in steps)
    opened: dict[tuple[int, int], str] = {}
    lent = set()
    for index, sequence in enumerate(CASES[name]["sequences"]):
        for step in sequence:
            first = opened.setdefault((index, step["way"]["number"]), step["by"])
            if first != step["by"]:
                lent.add((first, step["by"]))
    assert lent


def test_what_differs_is_said() -> None:
    """HTTP/2 where HTTP/1.1 is due, or another certificate, by its cause."""
    told = {name: fe.Sidecar.read(case["config"]) for name, case in CASES.items()}
    causes = {
        name: {it.cause for by in KEPT["dialled"] for it in outcome(sidecar, {"by": by}).either if it.cause}
        for name, sidecar in told.items()
    }
    assert causes["HTTP/1.1 or gRPC"] == {"by HTTP/1.1", "by HTTP/2"}
    assert causes["one certificate or another"] == {"with another certificate"}
    assert causes["gateway or none"] == set()


def test_what_a_server_saw_is_what_the_cause_says() -> None:
    sequences = CASES["HTTP/1.1 or gRPC"]["sequences"]
    versions = {(step["by"], step["way"]["http"]) for sequence in sequences for step in sequence}
    assert {("ranged", 2), ("anywhere", 1)} <= versions
    assert versions & {("ranged", 1), ("anywhere", 2)}
    sequences = CASES["one certificate or another"]["sequences"]
    certificates = {(step["by"], step["way"]["certificate"]) for sequence in sequences for step in sequence}
    assert {("ranged", "own"), ("other range", "other")} <= certificates
    assert certificates & {("ranged", "other"), ("other range", "own")}


@pytest.mark.parametrize("case", KEPT["cookies"], ids=lambda case: f"{case['route']} {case['sent']}")
def test_headers_that_are_sent_twice(case: Wire) -> None:
    """Of most the last counts; of cookies a route makes nothing, so that they cannot be described twice."""
    sent = [tuple(line.split(": ", 1)) for line in case["sent"]]
    names = {name.lower() for name, _ in sent}
    if len(sent) > 1 and names & {"cookie", "set-cookie"}:
        is_asked_for = bool(names & {*case["route"]})
        assert case["outcome"] == ("closed" if is_asked_for else "dialled")
        assert case["by HTTP/2"] == (502 if is_asked_for else 200)
        with pytest.raises(fe.InvalidValue, match="headers"):
            fe.http("9.9.9.9", 80, "GET", "a.com/", sent)
        return
    tree = json.loads(json.dumps(CASES["gateway or none"]["config"]))
    for match in tree["Outbound"]["TrafficMatches"]["80"]:
        match["HttpServiceRouteRules"]["a.com"]["RouteRules"][0]["Headers"] = case["route"]
    sidecar, request = fe.Sidecar.read(tree), fe.http("9.9.9.9", 80, "GET", "a.com/", sent)
    told = sidecar.handle(request)
    assert (told.fate.value, told.status) == (case["outcome"], case["status"])
    assert (sidecar.handle(request, http2=True).status or 200) == case["by HTTP/2"]
