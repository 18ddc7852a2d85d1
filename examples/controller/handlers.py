"""The glue to kopf: its watches, its webhook, its start and end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import kopf
import yaml
from attrs import define, field, frozen

import fsm_egress as fe

from .admission import MAX_WARNING, looked_at
from .kinds import FOLLOWED
from .kube import Cluster, session_of
from .repo import Repo
from .running import AT_MOST, PREFIX, Controller, NotOurs, Pace
from .state import Gone, Seen, State
from .webhooks import ASKED, PATH, is_only_warned_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Glue", "NoCluster", "Options", "login", "registry_of"]

UNPROCESSABLE = 422
logger = logging.getLogger(__name__)
OPERATIONS: Final = ("CREATE", "UPDATE")


@frozen
class Options:
    """How the controller is started.

    Attributes:
        repo: the URL of the Pipy repo.
        prefix: the codebase below which those of the identities are, and no others.
        base: the codebase that they derive from, empty for none.
        enforce: whether they get the module that enforces what the stock scripts cannot.
        webhook: where the webhook listens, and with which certificate; `None` for no webhook.
        managed: the name of the ValidatingWebhookConfiguration that is kept up to date, empty for none.
        adopt: whether what is there at the start and was not written by a controller is taken over.
        at_most: how many percent of the codebases may be deleted at once.
        unlimited: whether any number may be.
        pace: how often things are done.
    """

    repo: str
    prefix: str = PREFIX
    base: str = ""
    enforce: bool = False
    webhook: kopf.WebhookServer | None = None
    managed: str = ""
    adopt: bool = False
    at_most: int = AT_MOST
    unlimited: bool = False
    pace: Pace = field(factory=Pace)


def registry_of(
    options: Options, stop: asyncio.Event, started: Callable[[Controller], object] = lambda _: None
) -> kopf.OperatorRegistry:
    """What kopf is to call.

    Args:
        options: how the controller is started.
        stop: set when it has come to an end by itself, which is a fault: whoever started it starts it anew.
        started: told of the controller when it is.
    """
    registry = kopf.OperatorRegistry()
    glue = Glue(options, stop, started)
    kopf.on.login(registry=registry)(login)
    kopf.on.startup(registry=registry)(glue.start)
    kopf.on.cleanup(registry=registry)(glue.end)
    for served in FOLLOWED:
        where = served.group, served.version, served.plural
        kopf.on.event(*where, id="seen", registry=registry)(glue.see)
    for served in ASKED if options.webhook is not None else ():
        where = served.group, served.version, served.plural
        kopf.on.validate(*where, id=PATH, operations=OPERATIONS, side_effects=False, registry=registry)(
            glue.admit
        )
    return registry


@define(eq=False)
class Glue:
    """What kopf calls, and the controller that it is handed on to."""

    options: Options
    stop: asyncio.Event
    started: Callable[[Controller], object]
    running: list[Controller] = field(factory=list)
    ending: contextlib.AsyncExitStack = field(factory=contextlib.AsyncExitStack)
    pool: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(2, "lint"))  # no more, however long

    async def start(self, settings: kopf.OperatorSettings, **arguments: Any) -> None:
        """Starts the controller."""
        options = self.options
        settings.posting.enabled = False
        settings.admission.server = self.serve if options.webhook is not None else None
        info = login(settings=settings, **arguments)
        cluster = Cluster(await self.ending.enter_async_context(session_of(info)), info.server)
        timeout = aiohttp.ClientTimeout(total=30)
        http = await self.ending.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        controller = Controller(
            cluster,
            Repo(http, options.repo.rstrip("/")),
            options.prefix,
            options.base,
            options.pace,
            State(enforce=options.enforce),
            managed=options.managed,
            adopt=options.adopt,
            at_most=options.at_most,
            unlimited=options.unlimited,
        )
        self.running.append(controller)
        task = asyncio.get_running_loop().create_task(controller.run())
        task.add_done_callback(partial(stopped, self.stop))
        self.ending.callback(self.pool.shutdown, wait=False, cancel_futures=True)
        self.ending.push_async_callback(controller.unregister)
        self.ending.push_async_callback(_ended, task)
        self.started(controller)

    async def end(self, **_: Any) -> None:
        """Ends it, and all that it holds."""
        await self.ending.aclose()

    def see(self, event: Any, **_: Any) -> None:
        """Something has become of an object."""
        change = Gone if event["type"] == "DELETED" else Seen
        self.running[0].take(change(event["object"]))

    async def admit(self, body: kopf.Body, warnings: list[str], **_: Any) -> None:
        """Warns of an object, and refuses one of the mesh that is not valid."""
        mesh = self.running[0].state.mesh
        try:
            warnings.extend(await looked_at(self.pool, mesh, dict(body), enforce=self.options.enforce))
        except fe.LoadError as error:
            if not is_only_warned_of(body["kind"]):
                raise kopf.AdmissionError(str(error), code=UNPROCESSABLE) from error
            warnings.append(str(error)[:MAX_WARNING])

    async def serve(self, answer: Any) -> AsyncIterator[Any]:
        """Serves the webhook, and has the controller tell the API server where."""
        async with self.options.webhook as server:  # type: ignore[union-attr]  # it is there: kopf was told so
            async for client in server(answer):
                self.running[0].register(client)
                yield client


UNUSABLE = (kopf.LoginError, yaml.YAMLError, OSError, AttributeError, KeyError, TypeError, ValueError)
"""What kopf raises for a kubeconfig that is not one."""


class NoCluster(Exception):
    """There is no cluster to follow."""


def login(**arguments: Any) -> kopf.ConnectionInfo:
    """How the API server is reached: as the account of a pod, or as a kubeconfig says.

    Raises:
        NoCluster: there is neither, or it cannot be read.
    """
    try:
        found = kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)
    except UNUSABLE as error:
        raise NoCluster(f"no cluster: the kubeconfig cannot be used: {_line(error)}") from error
    if found is None or not found.server:
        raise NoCluster("no cluster: there is no service account, and no kubeconfig that names a server")
    return found


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def stopped(stop: asyncio.Event, task: asyncio.Task[None]) -> None:
    """The controller has ended; by itself it never does, so that is told."""
    error = None if task.cancelled() else task.exception()
    if isinstance(error, NotOurs):
        logger.error("%s", error)
    elif error is not None:
        logger.error("the controller has ended", exc_info=error)
    stop.set()


async def _ended(task: asyncio.Task[None]) -> None:
    """Ends the controller; the fault that it may have ended by itself has been told already."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
