"""The tables of a port are laid out once, when somebody asks about it, and hold nothing in the end."""

from __future__ import annotations

import gc
import pickle
import weakref
from typing import TYPE_CHECKING, Any

from small import WHO, config, egress, load, service, whole

import fsm_egress as fe
from fsm_egress.engine.ports import Ports
from fsm_egress.resolution.claims import groups_of
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

    ports = Ports([80, 443], lay_out, OTHER)
    assert asked == []
    assert ports[443] is ports[443]
    assert ports[9] is ports[10] is OTHER
    assert asked == [443]
    assert ports[80] is ports[80]
    assert (asked, ports.lay_out) == ([443, 80], None)


def test_a_line_that_is_known_is_not_laid_out() -> None:
    known = line(80)
    ports = Ports([80], None, OTHER, {80: known})
    assert (ports[80], ports.lay_out) == (known, None)
    assert Ports([80], line, OTHER, {80: known}).lay_out is None
    assert Ports([80, 81], line, OTHER, {80: known}).lay_out is line


def test_of_two_that_come_at_once_both_have_the_line_of_the_first() -> None:
    def lay_out(number: int) -> Segments[Any]:
        if number not in ports:
            ports[number] = first
        return line(number)

    first = line(7)
    ports = Ports([80], lay_out, OTHER)
    assert ports[80] is first


def test_pickled_it_is_whole() -> None:
    ports = Ports([80, 443], line, OTHER)
    assert ports[9] is OTHER
    again: Any = pickle.loads(pickle.dumps(ports))  # noqa: S301  # because it is ours
    assert (again.lay_out, sorted(again), again.waiting) == (None, [80, 443], set())
    assert (again[443].values, again[9].values) == ((443,), (0,))


def test_only_the_ports_that_are_asked_about_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[int] = []

    def noted(port: int, *rest: Any) -> Any:
        resolved.append(port)
        return groups_of(port, *rest)

    monkeypatch.setattr("fsm_egress.resolution.ports.groups_of", noted)
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
