"""What is shown by few of the classes is what all of them show."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import pytest
import random_meshes
from hypothesis import given, settings
from hypothesis import strategies as st
from meeting import POLICIES, half, mesh_of
from small import WHO, config, egress, flat
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.findings import Code
from fsm_egress.verification import stock_findings as stock
from fsm_egress.verification.stock_exhibits import Choosing, Exhibits
from fsm_egress.verification.stock_mesh import Shown, StockMesh, Suspicion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FLAGS = st.fixed_dictionaries(
    {"enableEgressPolicy": st.sampled_from((True, True, None)), "enableAutoDefaultRoute": st.booleans()},
    optional={"enableSidecarPrettyConfig": st.booleans()},
)
EGRESS = st.booleans().map(lambda is_on: {"enableEgress": is_on})
VERSIONS = st.sampled_from((None, None, "1.4", "1.3.7"))


class Everything(Choosing):
    """Chooses all."""

    def choose(
        self, by_name: Sequence[fe.Connection], by_part: Sequence[fe.Connection]
    ) -> Iterator[tuple[int, int]]:
        yield from product(range(len(by_name)), range(len(by_part)))


def told(mesh: fe.Snapshot, identity: str = WHO, fsm: str | None = None) -> list[tuple[Any, ...]]:
    found = stock.stock_findings(mesh, identity, fsm=fsm)
    return [(it.code, it.rule, it.severity, it.message, it.witness) for it in found]


def told_by_all(mesh: fe.Snapshot, identity: str = WHO, fsm: str | None = None) -> list[tuple[Any, ...]]:
    with patch.object(stock, "Choosing", Everything):
        return told(mesh, identity, fsm)


# --- laws ------------------------------------------------------------------------------------------------


@settings(max_examples=examples(60))
@given(POLICIES, FLAGS, EGRESS, VERSIONS)
def test_law_few_classes_show_what_all_do(
    drawn: list[Any], flags: dict[str, Any], traffic: dict[str, Any], fsm: str | None
) -> None:
    spec = {name: value for name, value in flags.items() if value is not None}
    mesh = mesh_of(drawn, config(traffic, featureFlags=spec))
    if flags["enableEgressPolicy"] is None:
        mesh = mesh.patched({"spec": {"featureFlags": {"enableEgressPolicy": None}}})
    assert told(mesh, fsm=fsm) == told_by_all(mesh, fsm=fsm)


@settings(max_examples=examples(10))
@given(random_meshes.cases(0), VERSIONS)
def test_law_few_classes_of_any_mesh_show_what_all_do(
    case: tuple[list[Any], str, list[Any]], fsm: str | None
) -> None:
    documents, identity, _ = case
    assert told(fe.load(documents), identity, fsm) == told_by_all(fe.load(documents), identity, fsm)


# --- named cases -----------------------------------------------------------------------------------------


def test_of_names_and_ranges_each_range_is_looked_at_once() -> None:
    with patch.object(stock, "Shown", wraps=Shown) as looked_at:
        told(half(16))
    with patch.object(stock, "Shown", wraps=Shown) as all_looked_at:
        told_by_all(half(16))
    assert looked_at.call_count < all_looked_at.call_count - 7 * 8


def test_a_host_in_capitals_is_shown_by_its_own_name() -> None:
    """Nothing but the name tells it where the same host is dialled in its letters, too."""
    named = [egress(name, "https 443", hosts=[host]) for name, host in (("a", "a.com"), ("b", "B.com"))]
    ranges = [
        egress(f"r{it}", "https 443", hosts=[f"r{it}.com"], ipAddresses=[f"20.{it}.0.0/16"]) for it in "12"
    ]
    mesh = fe.load(flat([config(), *named, *ranges]), strict=False)
    assert Code.HOST_AS_WRITTEN in {code for code, *_ in told(mesh)}
    assert told(mesh) == told_by_all(mesh)


def test_what_nothing_explains_is_told_of_each_rule() -> None:
    with patch.object(stock, "suspicions", lambda _: iter(())):
        found = told(half(8))
        assert found == told_by_all(half(8))
    named = {rule.resource.name for code, rule, *_ in found if code is Code.STOCK_CONTROLLER_DIFFERS}
    assert {f"p{it}" for it in range(8)} <= named


def test_what_nothing_shows_is_tried_on_nothing() -> None:
    class Untouchable(tuple[Shown, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[Shown]:
            raise AssertionError

    (policy,) = fe.load(egress("a", "http 80"))
    exhibits = Exhibits(Untouchable(), cast("StockMesh", None))
    assert exhibits.first(Suspicion(Code.NAMED_TWICE, policy.at("spec.ports[1]"))) is None
    with pytest.raises(AssertionError):
        exhibits.first(Suspicion(Code.NAMED_TWICE, policy.at("spec.ports[1]"), lambda _: False))
