"""Chains: FSM's in FSM's order, with this library's module where it belongs."""

from __future__ import annotations

import pytest

from fsm_egress.pipy.chains import CORE, foreign_to, without_module
from fsm_egress.pipy.enforcement import HTTP_CHAIN, MODULE, TCP_CHAIN

TCP, HTTP = (tuple(f"modules/{name}.js" for name in CORE[chain]) for chain in (TCP_CHAIN, HTTP_CHAIN))
METRICS = "modules/outbound-metrics-http.js"
ORDER = "FSM's modules are not in FSM's order"


@pytest.mark.parametrize(
    ("chain", "modules", "why"),
    [
        (TCP_CHAIN, TCP, ""),
        (HTTP_CHAIN, HTTP, ""),
        (HTTP_CHAIN, (HTTP[0], METRICS, *HTTP[1:]), ""),
        (TCP_CHAIN, (METRICS, *TCP), f"`{METRICS}` is no module that this model knows"),
        (TCP_CHAIN, ("plugins/mine.js", *TCP), "`plugins/mine.js` is no module that this model knows"),
        (TCP_CHAIN, TCP[::-1], ORDER),
        (TCP_CHAIN, TCP[:1], ORDER),
        (TCP_CHAIN, (MODULE, *TCP), ""),
        (TCP_CHAIN, (*TCP, MODULE), f"`{MODULE}` is no module that this model knows"),
        (HTTP_CHAIN, (MODULE, HTTP[0], MODULE, *HTTP[1:]), ""),
    ],
)
def test_what_a_chain_has_that_is_foreign_to_fsm(chain: str, modules: tuple[str, ...], why: str) -> None:
    assert foreign_to(chain, modules) == why


@pytest.mark.parametrize(
    ("chain", "modules", "left"),
    [
        (TCP_CHAIN, TCP, TCP),
        (TCP_CHAIN, (MODULE, *TCP), TCP),
        (TCP_CHAIN, (MODULE, TCP[0], MODULE, *TCP[1:]), (TCP[0], MODULE, *TCP[1:])),
        (HTTP_CHAIN, (MODULE, HTTP[0], MODULE, *HTTP[1:]), HTTP),
        (HTTP_CHAIN, (MODULE, *HTTP), HTTP),
        (HTTP_CHAIN, (MODULE, *HTTP, MODULE), (*HTTP, MODULE)),
    ],
)
def test_the_module_is_left_out_where_it_belongs(
    chain: str, modules: tuple[str, ...], left: tuple[str, ...]
) -> None:
    assert without_module(chain, modules) == left
