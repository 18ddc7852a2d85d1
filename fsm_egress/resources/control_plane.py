"""What FSM's control plane was told when it was started, as the documents of `fsm-controller` have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.references import item_path

if TYPE_CHECKING:
    from .core import PodSpec

__all__ = ["DEFAULT_MESH_NAME", "DEFAULT_TRUST_DOMAIN", "MESH_NAME", "TRUST_DOMAIN", "argument"]

CONTROLLER = "fsm-controller"
MESH_NAME = "--mesh-name"
TRUST_DOMAIN = "--trust-domain"
DEFAULT_MESH_NAME = "fsm"  # as the chart has it
DEFAULT_TRUST_DOMAIN = "cluster.local"


def argument(spec: PodSpec, flag: str) -> tuple[str, str] | None:
    """What `fsm-controller` was told by a flag, and the path where, in a pod; None where nothing was said.

    It is one argument with its value, `--mesh-name=fsm`, or two.
    """
    for at, container in enumerate(spec.containers):
        arguments = container.args if container.name == CONTROLLER else ()
        for index, text in enumerate(arguments):
            name, is_whole, value = text.partition("=")
            told = value if is_whole else next(iter(arguments[index + 1 :]), "")
            if name == flag and told:
                return told, f"{item_path('containers', at)}.{item_path('args', index)}"
    return None
