"""A client of the other doors: properties by the strategies, and logs replayed on Dask and Spark."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import fsm_egress as fe
from fsm_egress import replay_dask, replay_spark, strategies

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import SearchStrategy

MESHES: SearchStrategy[fe.Snapshot] = strategies.meshes()
CONNECTIONS: SearchStrategy[fe.Connection] = strategies.connections()
REPLAYS: Sequence[Callable[[object, fe.Snapshot], fe.Summary]] = (replay_dask.replay, replay_spark.replay)


def near(mesh: fe.Snapshot, identity: fe.ServiceIdentity) -> SearchStrategy[fe.Connection]:
    """Connections that the rules of an identity tell apart."""
    return strategies.connections_near(mesh, identity)


def decided_frame(frame: object, mesh: fe.Snapshot) -> object:
    """A data frame with what is decided for each row."""
    return replay_dask.decide_frame(frame, mesh, columns={"destination": "upstream"})


if __name__ == "__main__":
    print(*(strategy.__class__.__name__ for strategy in (MESHES, CONNECTIONS)), file=sys.stderr)
    print(*(replay.__module__ for replay in REPLAYS))
