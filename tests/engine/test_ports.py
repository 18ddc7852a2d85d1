"""The tables of a port are laid out once, when somebody asks about it, and hold nothing in the end."""

from __future__ import annotations

import gc
import pickle
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from small import WHO, config, egress, load, service, whole

import fsm_egress as fe
from fsm_egress.engine.ports import Ports, Shared
from fsm_egress.resolution.grouping import grouped
from fsm_egress.values.segments import Segments

if TYPE_CHECKING:
    import pytest

MESH: list[Any] = [
    config({"outboundPortExclusionList": [9000]}),
    service("web", "http-web 80"),
    egress("a", "tcp 25", "tcp 26", "tcp 9000", ipAddresses=["54.0.0.0/8"]),
    egress("b", "https 443", hosts=["a.com"]),
]
NUMBERS = (25, 26, 80, 443, 9000)


def line(number: int) -> Segments[Any]:
    return Segments((0,), (number,))


OTHER = line(0)


def test_a_line_is_laid_out_once_when_it_is_asked_for() -> None:
    asked: list[int] = []

    def lay_out(number: int) -> Segments[Any]:
        asked.append(number)
        return line(number)

    named = {number: Shared(partial(lay_out, number)) for number in (80, 443)}
    ports, changed = Ports(named, OTHER), Ports(named, line(1))
    assert asked == []
    assert ports[443] is ports[443] is changed[443]
    assert ports[9] is ports[10] is OTHER is not changed[9]
    assert asked == [443]
    assert changed[80] is ports[80]
    assert asked == [443, 80]


def test_of_two_that_come_at_once_both_have_the_line_of_the_first() -> None:
    first: list[Segments[Any]] = []

    def lay_out() -> Segments[Any]:
        if not first:  # while this one is still at it, another one comes and is done before
            first.append(OTHER)
            first[:] = [shared.line()]
        return line(7)

    shared = Shared(lay_out)
    assert shared.line() is first[0] is shared.line()


def test_pickled_it_is_whole() -> None:
    ports = Ports({80: Shared(lambda: line(80)), 443: Shared(lambda: line(443))}, OTHER)
    assert ports[9] is OTHER
    again: Any = pickle.loads(pickle.dumps(ports))  # noqa: S301  # because it is ours
    assert (again, sorted(again.named)) == ({}, [80, 443])
    assert (again[80].values, again[443].values, again[9].values) == ((80,), (443,), (0,))


def test_only_the_ports_that_are_asked_about_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[int] = []

    def noted(port: int, *rest: Any) -> Any:
        resolved.append(port)
        return grouped(port, *rest)

    monkeypatch.setattr("fsm_egress.resolution.ports.grouped", noted)
    engine = fe.compile(load(*MESH), WHO)
    assert resolved == []
    for port in (25, 25, 9, 9000):
        engine.classify(fe.tcp("54.9.9.9", port))
    assert resolved == [25]


def test_an_engine_that_was_asked_about_all_ports_lets_go_of_the_mesh() -> None:
    mesh = load(*MESH)
    engine = fe.compile(mesh, WHO)
    held = weakref.ref(mesh.kind(fe.Service))
    del mesh
    decisions = [whole(engine.classify(fe.tcp("54.9.9.9", port))) for port in NUMBERS]
    gc.collect()
    assert held() is None
    assert [whole(engine.classify(fe.tcp("54.9.9.9", port))) for port in NUMBERS] == decisions


def test_a_port_that_stays_is_laid_out_once_for_both_engines_whichever_is_asked_first() -> None:
    mesh = load(*MESH)
    workload = fe.Workload.of(mesh, WHO)
    changed = [
        load(egress("b", f"https {port}", hosts=["a.com"])).kind(fe.EgressPolicy) for port in (444, 445)
    ]
    after = [workload.after(mesh.with_(*policies)) for policies in changed]
    first = after[1].engine.classify(fe.tcp("54.9.9.9", 25))
    assert first is workload.engine.classify(fe.tcp("54.9.9.9", 25))
    assert first is after[0].engine.classify(fe.tcp("54.9.9.9", 25))


def test_what_is_not_laid_out_yet_keeps_no_policy_of_before() -> None:
    mesh = load(*MESH)
    workload = fe.Workload.of(mesh, WHO)
    before: list[weakref.ref[Any]] = []
    for port in range(30, 40):  # each of which stays from then on
        mesh = mesh.with_(*load(egress(f"e{port}", f"tcp {port}")).kind(fe.EgressPolicy))
        before += map(weakref.ref, (workload.policy, workload.engine))
        workload = workload.after(mesh)
    gc.collect()
    assert [it() for it in before] == [None] * 20
    assert workload.engine.classify(fe.tcp("54.9.9.9", 25)).verdict is fe.Verdict.EGRESS_POLICY
