"""The controller at work: changes are gathered, the state follows them, and the world is made to follow it.

Whatever fails is tried again after a pause that grows up to a limit. What is to be done is always worked out
from the newest state, so nothing is lost meanwhile and nothing outdated is sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from attrs import define, field, frozen

import fsm_egress as fe

from .kinds import FOLLOWED, version_of
from .kube import Cluster, Forbidden
from .repo import Codebase, Repo, RepoError
from .state import Change, Listed, State
from .webhooks import webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

__all__ = ["AT_MOST", "PREFIX", "Controller", "NotOurs", "Pace", "pauses"]

log = logging.getLogger(__name__)

FAILURES = (aiohttp.ClientError, asyncio.TimeoutError, OSError, RepoError)
AT_ONCE = 8  # requests to one server
PREFIX = "fsm-egress"
AT_MOST = 20  # percent
NAMED = 3  # of many, in a message
WITHHELD = "an object that is not valid may concern it: what is published stays in force"

UNREADABLE = "Egress policies name it, and the controller may not read it: a Role with its name lets it do so"

T = TypeVar("T")


class NotOurs(Exception):
    """There are codebases below the prefix that no controller of this kind has written."""

    def __init__(self, prefix: str, paths: Sequence[str]) -> None:
        more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
        super().__init__(
            f"below `{prefix}` there is what this controller did not write: {', '.join(paths[:NAMED])}{more};"
            " give it a prefix of its own, or take that over with --adopt"
        )


@frozen
class Pace:
    """How often things are done, in seconds.

    Attributes:
        settle: how long changes are gathered: a rollout makes many.
        resync: how long until the whole repo is compared again, as somebody may have emptied it.
        relist: how long until all objects are listed again, as a deletion may have been missed.
        deleting: how long deletions count as made at once.
        first: the pause after a first failure; the next ones are twice as long each.
        longest: the longest pause.
    """

    settle: float = 0.05
    resync: float = 60
    relist: float = 300
    deleting: float = 600
    first: float = 0.5
    longest: float = 60


def pauses(pace: Pace, failures: int) -> float:
    """The pause after so many failures in a row."""
    return min(pace.longest, pace.first * 2.0 ** min(failures - 1, 30))


@define
class Controller:
    """The one thing that changes: the state as it is now, and what is known to be published.

    Attributes:
        cluster: whose objects are listed and told their status.
        repo: what is published to.
        prefix: the codebase below which those of the identities are, and no others.
        base: the codebase that they derive from, empty for none.
        pace: how often things are done.
        state: what is known now.
        published: the version of each path that the repo is known to have.
        present: the paths that the repo has at all.
        adopt: whether what is there at the start and was not written by a controller is taken over.
        at_most: how many percent of the codebases may be deleted at once; one may be if any may.
        unlimited: whether any number may be.
        managed: the name of the ValidatingWebhookConfiguration that is kept up to date, empty for none.
        failures: why the others are not there.
        unreadable: the Secrets that policies name and that may not be read.
        is_compared: whether the repo has been asked what it has: before, nothing can be said of any policy.
    """

    cluster: Cluster
    repo: Repo
    prefix: str = PREFIX
    base: str = ""
    pace: Pace = field(factory=Pace)
    state: State = field(factory=State)
    published: dict[str, str] = field(factory=dict)
    present: set[str] = field(factory=set)
    failures: dict[str, str] = field(factory=dict)
    managed: str = ""
    adopt: bool = False
    at_most: int = AT_MOST
    unlimited: bool = False
    unreadable: frozenset[fe.ResourceRef] = frozenset()
    is_compared: bool = False
    _named: frozenset[fe.ResourceRef] | None = None
    _adopted: frozenset[str] | None = None
    _deleted: list[float] = field(factory=list)
    _client: Mapping[str, Any] | None = None
    _queue: list[Change] = field(factory=list)
    _warned: dict[fe.ResourceRef, tuple[str, str]] = field(factory=dict)
    _changed: asyncio.Event = field(factory=asyncio.Event)
    _unpublished: asyncio.Event = field(factory=asyncio.Event)
    _unreported: asyncio.Event = field(factory=asyncio.Event)
    _unread: asyncio.Event = field(factory=asyncio.Event)
    _unregistered: asyncio.Event = field(factory=asyncio.Event)

    def take(self, *changes: Change) -> None:
        """Changes that the state is to follow, soon."""
        self._queue.extend(changes)
        self._changed.set()

    async def run(self) -> None:
        """All that it does, until it is cancelled."""
        works = (
            self._follow(),
            self._repeat("list", self.relist, self.pace.relist, asyncio.Event()),
            self._repeat("publish", self.publish, self.pace.resync, self._unpublished),
            self._repeat("report", self.report, self.pace.relist, self._unreported),
            self._repeat("read Secrets", self.read_secrets, self.pace.resync, self._unread),
            self._repeat("register the webhook", self.tell, self.pace.relist, self._unregistered),
        )
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(self.pace.settle)
            await self.follow()

    async def follow(self) -> None:
        """Makes the state follow what has been taken; the event loop is free meanwhile."""
        self._changed.clear()
        changes, self._queue = self._queue, []
        before = self.state
        self.state = await asyncio.to_thread(before.after, *changes)
        if self.state.secrets != self._named:
            self._unread.set()
        if self.state.codebases is not before.codebases or self.state.refused != before.refused:
            self._unpublished.set()
        self._unreported.set()

    async def _repeat(
        self, name: str, work: Callable[[bool], Coroutine[Any, Any, None]], period: float, wake: asyncio.Event
    ) -> None:
        """Does a work when it is woken, and in full after a period and after a failure."""
        failures, full = 0, True
        while True:
            wake.clear()
            try:
                await work(full)
            except FAILURES as error:
                failures += 1
                full = True
                pause = pauses(self.pace, failures)
                log.warning("cannot %s: %s; tried again in %.1f s", name, _words(error), pause)
                await asyncio.sleep(pause)
                continue
            failures = 0
            try:
                await asyncio.wait_for(wake.wait(), period)
                full = False
            except asyncio.TimeoutError:
                full = True

    async def relist(self, _: bool = True) -> None:
        """Takes the whole lists of all kinds: what was missed is made up for."""
        for served in FOLLOWED:
            self.take(await self.cluster.listed(served))

    async def read_secrets(self, _: bool = True) -> None:
        """Reads the Secrets that policies name, one by one: no others are asked for.

        Raises:
            aiohttp.ClientError: the API server does not answer.
        """
        state = self.state
        if fe.EgressPolicy.kind not in state.horizons:
            return
        named = sorted(state.secrets, key=str)
        answers: list[Any] = []
        for some in _some(named):
            answers += await asyncio.gather(*map(self.cluster.read, some), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, Forbidden):
                raise answer
        read = zip(named, answers, strict=True)
        self.unreadable = frozenset(ref for ref, answer in read if isinstance(answer, Forbidden))
        found = tuple(answer for answer in answers if isinstance(answer, dict))
        versions = (*state.horizons.values(), *state.versions.values(), *map(version_of, found))
        self._named = frozenset(named)
        self.take(Listed(fe.Secret.kind, max(versions), found))

    def register(self, client: Mapping[str, Any]) -> None:
        """The webhook is there, and reached so: the API server is to be told, soon."""
        self._client = client
        self._unregistered.set()

    async def tell(self, _: bool = True) -> None:
        """Tells the API server what to ask the webhook about, and how it is reached.

        Raises:
            aiohttp.ClientError: the server did not answer, or not well.
        """
        if self.managed and self._client is not None:
            await self.cluster.set_webhooks(self.managed, webhooks(self.managed, self._client))

    async def unregister(self) -> None:
        """Has the API server ask nobody any more; where that fails, somebody is told."""
        if self.managed and self._client is not None:
            try:
                await self.cluster.set_webhooks(self.managed, [])
            except FAILURES as error:
                log.warning("the webhook `%s` is still asked: %s", self.managed, _words(error))

    def path_of(self, identity: fe.ServiceIdentity) -> str:
        """The codebase of an identity."""
        return f"{self.prefix}/{identity}"

    async def publish(self, full: bool) -> None:
        """Makes the repo have what it should; in full also where it is believed to have it.

        Raises:
            RepoError: the repo refused something; everything else has been sent nevertheless.
            aiohttp.ClientError: the repo does not answer.
            NotOurs: somebody else writes there; nothing has been sent.
        """
        state = self.state
        if not state.is_known:
            return
        wanted = {path: Codebase(path, files, self.base) for path, files in self._files(state).items()}
        try:
            if full or self._adopted is None:  # nothing is touched before it is known whose it is
                self.published.clear()
                below = f"{self.prefix}/"
                self.present = {path for path in await self.repo.paths() if path.startswith(below)}
                if self._adopted is None:
                    self._adopted = await self._claimed()
            held = self.present if state.withheld is None else set(map(self.path_of, state.withheld))
            self.failures = dict.fromkeys(held & self.present, WITHHELD)
            due = [
                codebase
                for path, codebase in wanted.items()
                if path not in self.failures and self.published.get(path) != codebase.version
            ]
            refused = [error for some in _some(due) for error in await self._put(some) if error]
            await self._delete(sorted(self.present - wanted.keys() - held))
        except FAILURES as error:
            self.failures = {path: _words(error) for path in wanted if path not in self.published}
            raise
        finally:
            self.is_compared = True
            self._unreported.set()
        if refused:
            raise refused[0]

    async def _claimed(self) -> frozenset[str]:
        """The codebases that are taken over from somebody else.

        Raises:
            NotOurs: there are some, and that was not asked for.
        """
        strangers = await self._not_ours(sorted(self.present))
        if strangers and not self.adopt:
            raise NotOurs(self.prefix, strangers)
        return frozenset(strangers)

    async def _not_ours(self, paths: Sequence[str]) -> list[str]:
        """The codebases that somebody else has written."""
        found: list[str] = []
        for some in _some(paths):
            are_ours = await asyncio.gather(*map(self.repo.is_ours, some))
            found += (path for path, is_ours in zip(some, are_ours, strict=True) if not is_ours)
        return found

    async def _delete(self, paths: Sequence[str]) -> None:
        """Deletes codebases of its own that nobody needs, unless they are too many at once."""
        adopted = self._adopted or frozenset()
        strangers = set(await self._not_ours(paths)) - adopted
        self.present -= strangers
        gone = [path for path in paths if path not in strangers]
        now = asyncio.get_running_loop().time()
        self._deleted = [at for at in self._deleted if at > now - self.pace.deleting]
        at_once, known = len(gone) + len(self._deleted), len(self.present) + len(self._deleted)
        allowed = max(known * self.at_most // 100, min(1, self.at_most))
        if at_once > allowed and gone and not self.unlimited:
            message = (
                "%d of %d codebases would be deleted at once, more than %d %%: they stay; --yes deletes them"
            )
            log.warning(message, at_once, known, self.at_most)
            return
        for path in gone:
            await self.repo.delete(path)
            self._deleted.append(now)
            self.present.discard(path)
            self.published.pop(path, None)

    async def _put(self, codebases: Sequence[Codebase]) -> list[RepoError | None]:
        """Sends some at once; what the repo says of each that it does not take."""
        return await asyncio.gather(*map(self._put_one, codebases))

    async def _put_one(self, codebase: Codebase) -> RepoError | None:
        try:
            await self.repo.put(codebase, adopt=codebase.path in (self._adopted or ()))
        except RepoError as error:
            self.failures[codebase.path] = str(error)
            return error
        self.present.add(codebase.path)
        self.published[codebase.path] = codebase.version
        return None

    def _files(self, state: State) -> dict[str, Mapping[str, bytes]]:
        return {self.path_of(who): files for who, files in state.codebases.items()}

    async def report(self, _: bool = True) -> None:
        """Tells the policies their state, and the owners of pods and other objects what is amiss with them.

        Raises:
            aiohttp.ClientError: the API server does not answer.
        """
        state = self.state
        if not (state.is_known and self.is_compared):
            return
        due = list(state.reports(self.pending(state)).items())
        failed: list[BaseException] = []
        for some in _some(due):
            written = (self.cluster.set_status(ref, it.to_mapping()) for ref, it in some)
            failed += filter(None, await asyncio.gather(*written, return_exceptions=True))
        warnings = state.warnings() | dict.fromkeys(self.unreadable, ("Forbidden", UNREADABLE))
        self._warned = {ref: said for ref, said in self._warned.items() if warnings.get(ref) == said}
        new = [(ref, said) for ref, said in warnings.items() if ref not in self._warned]
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for several in _some(new):
            told = (self.cluster.warn(ref, *said, now) for ref, said in several)
            answers = await asyncio.gather(*told, return_exceptions=True)
            self._warned.update(it for it, error in zip(several, answers, strict=True) if error is None)
            failed += filter(None, answers)
        if failed:
            raise failed[0]

    def pending(self, state: State) -> Mapping[fe.ServiceIdentity, str]:
        """The identities whose config the repo does not have yet, and why."""
        waiting = {}
        for who, files in state.codebases.items():
            path = self.path_of(who)
            if self.published.get(path) != Codebase(path, files).version:
                waiting[who] = self.failures.get(path, "the config is not published yet")
        return waiting


def _some(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
