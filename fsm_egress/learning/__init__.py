"""Policies learned from traffic that was seen, with what they open beyond it and how much is still unseen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..connections.decision import Verdict
from ..replaying import Decider
from ..replaying.records import Layout
from ..replaying.streaming import Partitions, streamed
from ..resources import checks
from ..resources.checks import one_of
from ..snapshot import Snapshot
from ..values.typed import takes
from .choosing import Choice, Learner
from .evidence import Evidence
from .grants import Manner
from .lessons import Lesson, lesson_of
from .ranges import WIDEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.context import BaseContext

    from ..replaying.logs import Log
    from ..resources.resource import ServiceIdentity
    from ..values.net import Prefix

__all__ = ["learn"]


@takes(mesh=Snapshot, logs=(Iterable, Partitions))
def learn(
    mesh: Snapshot,
    logs: Iterable[Log] | Partitions,
    *,
    verdicts: Iterable[Verdict | str] = (Verdict.PASSTHROUGH,),
    since: float | None = None,
    until: float | None = None,
    only: Iterable[str | int] = (),
    without: Iterable[str | int] = (),
    routes: bool = False,
    ranges: int = 16,
    widest: Iterable[Prefix | str] = WIDEST,
    seen_at_least: int = 1,
    hold_out: float = 0.2,
    columns: Mapping[str, str] | None = None,
    identity: ServiceIdentity | str | None = None,
    workers: int = 1,
    context: BaseContext | None = None,
) -> Lesson:
    """Learn from logs the policies that allow what was seen and no policy allows yet.

    Existing policies stay as they are. The logs are streamed: memory depends on how many destinations can be
    told apart. The lesson is the same whatever the order of the records, the logs and the workers.

    Args:
        mesh: today's mesh.
        logs: open streams, each with its name; or `Partitions` of Dask or Spark.
        verdicts: what is decided today for the connections that count: passthrough, denied, or both.
        since: when they were made, from this moment on, in seconds since 1970.
        until: ditto, before this moment.
        only: accounts, hosts and ports: what has none of these does not count; empty for all.
        without: accounts, hosts and ports that do not count.
        routes: whether requests are allowed by method and path; otherwise all to a host are.
        ranges: how many address ranges an account may have on a port, at most.
        widest: for IPv4 and for IPv6, a prefix as long as the shortest that a range may be.
        seen_at_least: how often a destination must have been seen.
        hold_out: which share of the records, the last ones, the policies of the others are tried on.
        columns: for some fields of a record, the column to read instead, as for `replay`.
        identity: whose the connections are, of records that do not say.
        workers: how many processes share the work.
        context: how worker processes are started; by default they are spawned.

    Raises:
        InvalidValue: there is no such field or verdict; a CSV or Parquet lacks a column; or an account's
            addresses on a port lie too far apart for the ranges that it may have.
        MissingExtra: a log is Parquet, and pyarrow is not installed.
    """
    chosen = frozenset(one_of(verdict, Verdict) for verdict in verdicts)
    choice = Choice(chosen, since, until, frozenset(only), frozenset(without))
    learner = Learner(Decider(mesh, layout=Layout(columns or {}, identity)), choice, routes)
    evidence = Evidence.of(streamed(learner, logs, workers, context))
    manner = Manner(routes, ranges, checks.prefixes(widest))
    return lesson_of(learner, evidence, manner, seen_at_least=seen_at_least, hold_out=hold_out)
