"""What else a stock controller makes of a mesh: splits, names, Isolations, old notations (FSE120 and on)."""

from __future__ import annotations

from ...connections.findings import Code
from .examples import ACCOUNT, FLOMESH, document, joined, permissive, service, spec
from .rule import MESH_CONTROLLER, LintRule

__all__ = ["RULES"]

RULES = (
    LintRule(
        Code.ISOLATED_SERVICE,
        "every address of a service is isolated",
        "An Isolation takes addresses out of the mesh. Of a service without any other a stock controller"
        " writes a match without ranges, which takes the whole port, whatever the destination.",
        "leave an address of the service out of the Isolation, or take the service away",
        joined(
            permissive(),
            ACCOUNT,
            document(FLOMESH, "Isolation", "all", *spec("cidrs: [10.0.0.0/8]")),
            service("web", "name: tcp-x, port: 80"),
        ),
        (("10.0.0.0/8", "10.0.0.1/32"),),
        MESH_CONTROLLER,
    ),
)
