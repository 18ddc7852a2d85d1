"""The chains of modules that a config names: FSM's in FSM's order, with this library's module or without."""

from __future__ import annotations

from .enforcement import HTTP_CHAIN, MODULE, TCP_CHAIN

__all__ = ["foreign_to", "without_module"]

CORE = {
    TCP_CHAIN: ("outbound-tcp-routing", "outbound-tcp-load-balancing", "outbound-tcp-default"),
    HTTP_CHAIN: ("outbound-http-routing", "outbound-http-load-balancing", "outbound-http-default"),
}
WATCHERS = frozenset(  # modules that see connections, and change nothing about where they go
    {"outbound-metrics-http", "outbound-tracing-http", "outbound-logging-http", "outbound-circuit-breaker"}
)


def without_module(chain: str, modules: tuple[str, ...]) -> tuple[str, ...]:
    """A chain without this library's module, where it stands where it belongs."""
    if modules[0] != MODULE:
        return modules
    left = modules[1:]
    routing = f"modules/{CORE[HTTP_CHAIN][0]}.js"
    if chain == HTTP_CHAIN and routing in left:
        behind = left.index(routing) + 1
        if left[behind : behind + 1] == (MODULE,):
            left = (*left[:behind], *left[behind + 1 :])
    return left


def foreign_to(chain: str, modules: tuple[str, ...]) -> str:
    """Why a chain cannot be modelled: a module of somebody else's, or FSM's in another order."""
    modules = without_module(chain, modules)
    core = [f"modules/{name}.js" for name in CORE[chain]]
    watchers = {f"modules/{name}.js" for name in WATCHERS} if chain == HTTP_CHAIN else set()
    foreign = next((module for module in modules if module not in {*core, *watchers}), None)
    if foreign is not None:
        return f"`{foreign}` is no module that this model knows"
    in_order = [module for module in modules if module in core] == core
    return "" if in_order else "FSM's modules are not in FSM's order"
