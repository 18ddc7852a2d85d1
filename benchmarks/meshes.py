"""The meshes of the workload, each made once for all rows."""

from __future__ import annotations

from functools import cache

import fsm_egress as fe

from .workload import Tree, crowded, lonely
from .workload import documents as made

__all__ = ["crowd", "documents", "fresh", "lone", "mesh", "policies"]


@cache
def documents(size: int) -> list[Tree]:
    """The documents of the mesh with so many policies."""
    return made(size)


def policies(size: int) -> list[Tree]:
    """Its Egress policies alone."""
    return [tree for tree in documents(size) if tree["kind"] == "Egress"]


@cache
def mesh(size: int) -> fe.Snapshot:
    """The mesh with so many policies."""
    return fe.load(documents(size))


@cache
def crowd(size: int) -> fe.Snapshot:
    """The mesh with so many policies, all of which name the first identity."""
    return fe.load(crowded(size))


@cache
def lone(others: int) -> fe.Snapshot:
    """The mesh with ten policies that name `LONE`, and so many others."""
    return fe.load(lonely(others))


def fresh(snapshot: fe.Snapshot) -> fe.Snapshot:
    """The same resources in a snapshot that has not been asked anything."""
    return fe.Snapshot.of(snapshot)
