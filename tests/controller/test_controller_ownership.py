"""What the controller may touch of a repo: what it wrote, and not too much of that at once."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from small import WHO, egress
from standin import Codebase as Held
from standin import StandIn
from test_controller_running import OTHERS, PATH, QUICK, World, live, settled, until
from test_controller_state import WEB, at

from examples.controller import handlers
from examples.controller.repo import BEGUN, MARK, RepoError
from examples.controller.running import Controller, NotOurs
from examples.controller.state import Gone, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

Tree = dict[str, Any]


@pytest.fixture
def repo() -> Iterator[StandIn]:
    it = StandIn()
    yield it
    it.stop()


def foreign(repo: StandIn, *paths: str) -> None:
    for path in paths:
        repo.codebases[path] = Held("7")
        repo.codebases[path].files["/config.json"] = b"theirs"


def named(number: int) -> Tree:
    document = egress(f"p{number:02}", "tcp 1", ipAddresses=["1.0.0.0/8"])
    source = {**document["spec"]["sources"][0], "name": f"a{number:02}"}
    return {**document, "spec": {**document["spec"], "sources": [source]}}


async def started(world: World, *documents: Tree, **options: Any) -> Controller:
    """A controller that has published these."""
    world.put(*documents)
    controller = Controller(world.cluster, world.repo, **options)
    await settled(controller)
    await controller.publish(full=True)
    return controller


# --- whose it is -----------------------------------------------------------------------------------------


def test_what_it_writes_bears_its_mark(repo: StandIn) -> None:
    async def test(world: World) -> None:
        await started(world, WEB)
        assert f"/{MARK}" in repo.codebases[PATH].files
        (first, *_) = (path for method, path in repo.changes if "repo-files" in path)
        assert first.endswith(MARK)  # so that it is known whose it is, whatever happens next

    live(test, repo)


def test_it_starts_nowhere_where_somebody_else_writes(repo: StandIn) -> None:
    strangers = [PATH, "/fsm-egress/b", "/fsm-egress/c", "/fsm-egress/d"]
    foreign(repo, *strangers, "/fsm-egress-other/x", "/fsm-sidecar/y")

    async def test(world: World) -> None:
        with pytest.raises(NotOurs) as told:
            await started(world, WEB, OTHERS)
        assert str(told.value) == (
            "below `fsm-egress` there is what this controller did not write: fsm-egress/b, fsm-egress/c,"
            f" fsm-egress/{WHO} and 1 more; give it a prefix of its own, or take that over with --adopt"
        )
        assert repo.changes == []

    live(test, repo)


def test_it_ends_with_a_line_where_it_may_not_start(repo: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    foreign(repo, PATH)

    async def test(world: World) -> None:
        world.put(WEB)
        stop = asyncio.Event()
        task = asyncio.ensure_future(Controller(world.cluster, world.repo, pace=QUICK).run())
        task.add_done_callback(partial(handlers.stopped, stop))
        await asyncio.wait_for(stop.wait(), 10)
        (record,) = (it for it in caplog.records if it.levelno == logging.ERROR)
        assert record.exc_info is None
        assert record.getMessage().startswith(
            "below `fsm-egress` there is what this controller did not write"
        )

    live(test, repo)


def test_what_it_is_told_to_adopt_becomes_its_own(repo: StandIn) -> None:
    foreign(repo, PATH, "/fsm-egress/gone.curl", "/elsewhere/x.y")

    async def test(world: World) -> None:
        await started(world, WEB, adopt=True, unlimited=True)
        assert f"/{MARK}" in repo.codebases[PATH].files
        assert set(repo.codebases) == {PATH, "/elsewhere/x.y"}
        assert (await started(world, WEB)).failures == {}

    live(test, repo)


@pytest.mark.parametrize("adopt", [False, True])
def test_what_comes_there_later_is_not_touched(repo: StandIn, adopt: bool) -> None:
    async def test(world: World) -> None:
        controller = await started(world, WEB, adopt=adopt)
        foreign(repo, "/fsm-egress/other.curl", "/fsm-egress/nobody.curl")
        controller.take(Seen(at(50, OTHERS)))
        await controller.follow()
        for full in (True, False, True):
            with pytest.raises(RepoError, match=r"other.curl: it is there, and was not written by this"):
                await controller.publish(full=full)
        for path in ("/fsm-egress/other.curl", "/fsm-egress/nobody.curl"):
            assert repo.codebases[path].files["/config.json"] == b"theirs"
            assert repo.codebases[path].version == "7"

    live(test, repo)


def test_what_it_was_kept_from_writing_is_its_own(repo: StandIn) -> None:
    repo.codebases[PATH] = Held(BEGUN)

    async def test(world: World) -> None:
        await started(world, WEB)
        assert repo.codebases[PATH].files["/config.json.gz"]

    live(test, repo)


# --- how much at once ------------------------------------------------------------------------------------

MANY = [named(number) for number in range(20)]


@pytest.mark.parametrize(
    ("gone", "options", "left"),
    [
        (4, {}, 16),  # 20 %
        (5, {}, 20),
        (20, {}, 20),
        (5, {"at_most": 25}, 15),
        (1, {"at_most": 1}, 19),  # one always may
        (2, {"at_most": 1}, 20),
        (1, {"at_most": 0}, 20),
        (20, {"unlimited": True}, 0),
    ],
)
def test_no_more_than_a_share_is_deleted_at_once(
    repo: StandIn, caplog: pytest.LogCaptureFixture, gone: int, options: Tree, left: int
) -> None:
    async def test(world: World) -> None:
        controller = await started(world, *MANY, **options)
        controller.take(*(Gone(at(90, it)) for it in MANY[:gone]))
        await controller.follow()
        for full in (False, True, True):
            await controller.publish(full=full)
        assert len(repo.codebases) == left
        told = [it.getMessage() for it in caplog.records if "would be deleted" in it.getMessage()]
        limit = options.get("at_most", 20)
        words = (
            f"{gone} of 20 codebases would be deleted at once, more than {limit} %: they stay; --yes deletes"
        )
        assert all(it.startswith(words) for it in told)
        assert bool(told) is (left == 20)

    live(test, repo)


def test_a_little_at_a_time_is_at_once_too(repo: StandIn) -> None:
    async def test(world: World) -> None:
        controller = await started(world, *MANY)
        for it in MANY:
            controller.take(Gone(at(90, it)))
            await controller.follow()
            await controller.publish(full=False)
        assert len(repo.codebases) == 16

    live(test, repo)


def test_after_a_while_as_many_may_go_again(repo: StandIn) -> None:
    async def test(world: World) -> None:
        controller = await started(world, *MANY, pace=QUICK)
        for start in (0, 4):
            controller.take(*(Gone(at(90, it)) for it in MANY[start : start + 3]))
            await controller.follow()
            await controller.publish(full=False)
            await asyncio.sleep(QUICK.deleting * 2)
        assert len(repo.codebases) == 14

    live(test, repo)


def test_what_is_needed_again_is_kept_up_to_date(repo: StandIn) -> None:
    async def test(world: World) -> None:
        controller = await started(world, *MANY)
        controller.take(*(Gone(at(90, it)) for it in MANY))
        await controller.follow()
        await controller.publish(full=True)
        sent = len(repo.changes)
        controller.take(*(Seen(at(91, it)) for it in MANY))
        await controller.follow()
        await controller.publish(full=True)
        assert (len(repo.codebases), len(repo.changes)) == (20, sent)

    live(test, repo)


# --- a repo that answers otherwise -----------------------------------------------------------------------

WELCOME = b"<html>welcome</html>"


@pytest.mark.parametrize(
    ("path", "answer", "told"),
    [
        ("/api/v1/repo", WELCOME, "GET repo: a list of codebases expected, found '<html>welcome</html>'"),
        (
            f"/api/v1/repo{PATH}",
            WELCOME,
            f"GET repo{PATH}: a codebase expected, found '<html>welcome</html>'",
        ),
        (f"/api/v1/repo{PATH}", b"[]", f"GET repo{PATH}: a codebase expected, found '[]'"),
        (f"/api/v1/repo{PATH}", b"[" * 100_000, f"GET repo{PATH}: a codebase expected, found '[[["),
        (f"/api/v1/repo{PATH}", b"", f"GET repo{PATH}: a codebase expected, found ''"),
        (f"/api/v1/repo{PATH}", b'{"version": 7}', f"GET repo{PATH}: a codebase expected, found"),
        (f"/api/v1/repo{PATH}", b'{"version": "7", "files": {}}', f"GET repo{PATH}: a codebase expected"),
    ],
)
def test_200_with_something_else_is_a_failure_like_any_other(
    repo: StandIn, caplog: pytest.LogCaptureFixture, path: str, answer: bytes, told: str
) -> None:
    async def test(world: World) -> None:
        world.put(WEB)
        repo.instead[path] = answer
        controller = Controller(world.cluster, world.repo, pace=QUICK)
        work = asyncio.ensure_future(controller.run())
        await until(lambda: f"cannot publish: {told}" in caplog.text)
        assert repo.changes == []
        repo.instead.clear()
        await until(lambda: PATH in repo.codebases and f"/{MARK}" in repo.codebases[PATH].files)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    live(test, repo)
