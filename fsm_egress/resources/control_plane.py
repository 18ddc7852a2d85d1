"""What FSM's control plane was told when it was started, as the documents of `fsm-controller` have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.references import item_path

if TYPE_CHECKING:
    from .core import PodSpec

__all__ = [
    "DEFAULT_MESH_NAME",
    "DEFAULT_TRUST_DOMAIN",
    "MESH_NAME",
    "MULTI_CLUSTERS",
    "TRUST_DOMAIN",
    "argument",
    "is_true",
]

CONTROLLER = "fsm-controller"
MESH_NAME = "--mesh-name"
TRUST_DOMAIN = "--trust-domain"
MULTI_CLUSTERS = "--enable-multi-clusters"
DEFAULT_MESH_NAME = "fsm"  # as the chart has it
DEFAULT_TRUST_DOMAIN = "cluster.local"


SWITCHES = {MULTI_CLUSTERS}
TRUE = {"1", "t", "T", "true", "True", "TRUE"}


def is_true(text: str) -> bool:
    """Whether a switch of the controller is on."""
    return text in TRUE


def argument(spec: PodSpec, flag: str) -> tuple[str, str] | None:
    """What `fsm-controller` was told by a flag, and the path where, in a pod; None where nothing was said.

    It is one argument with its value, `--mesh-name=fsm`, or two; a switch alone is `true`.
    """
    for at, container in enumerate(spec.containers):
        arguments = container.args if container.name == CONTROLLER else ()
        for index, text in enumerate(arguments):
            name, is_whole, value = text.partition("=")
            told = value if is_whole else next(iter(arguments[index + 1 :]), "")
            if flag in SWITCHES and not is_whole:
                told = "true"
            if name == flag and told:
                return told, f"{item_path('containers', at)}.{item_path('args', index)}"
    return None
