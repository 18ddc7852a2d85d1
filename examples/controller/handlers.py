"""The glue to kopf: its watches, its webhook, its start and end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import kopf
from attrs import field, frozen

import fsm_egress as fe

from .admission import warnings_of
from .kinds import SERVED
from .kube import Cluster, session_of
from .repo import Repo
from .running import Controller, Pace
from .state import Gone, Seen, State

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Options", "registry_of"]

UNPROCESSABLE = 422
logger = logging.getLogger(__name__)
OPERATIONS: Final = ("CREATE", "UPDATE")


@frozen
class Options:
    """How the controller is started.

    Attributes:
        repo: the URL of the Pipy repo.
        prefix: the codebase below which those of the identities are.
        base: the codebase that they derive from, empty for none.
        enforce: whether they get the module that enforces what the stock scripts cannot.
        webhook: where the webhook listens, and with which certificate; `None` for no webhook.
        managed: the name of the ValidatingWebhookConfiguration that is kept up to date, empty for none.
        pace: how often things are done.
    """

    repo: str
    prefix: str = "fsm-sidecar"
    base: str = ""
    enforce: bool = False
    webhook: kopf.WebhookServer | None = None
    managed: str = ""
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
    running: list[Controller] = []
    ending = contextlib.AsyncExitStack()

    kopf.on.login(registry=registry)(_login)

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **arguments: Any) -> None:
        settings.posting.enabled = False
        settings.admission.server = options.webhook
        settings.admission.managed = options.managed or None
        info = _login(settings=settings, **arguments)
        if info is None:
            raise kopf.PermanentError("no service account and no kubeconfig")
        cluster = Cluster(await ending.enter_async_context(session_of(info)), info.server)
        timeout = aiohttp.ClientTimeout(total=30)
        http = await ending.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        repo = Repo(http, options.repo.rstrip("/"))
        state = State(enforce=options.enforce)
        controller = Controller(cluster, repo, options.prefix, options.base, options.pace, state)
        running.append(controller)
        task = asyncio.get_running_loop().create_task(controller.run())
        task.add_done_callback(partial(stopped, stop))
        ending.push_async_callback(_ended, task)
        started(controller)

    @kopf.on.cleanup(registry=registry)
    async def end(**_: Any) -> None:
        await ending.aclose()

    def seen(event: Any, **_: Any) -> None:
        change = Gone if event["type"] == "DELETED" else Seen
        running[0].take(change(event["object"]))

    async def admit(body: kopf.Body, warnings: list[str], **_: Any) -> None:
        try:
            found = await asyncio.to_thread(
                warnings_of, running[0].state.mesh, dict(body), enforce=options.enforce
            )
        except fe.LoadError as error:
            raise kopf.AdmissionError(str(error), code=UNPROCESSABLE) from error
        warnings.extend(found)

    for served in SERVED.values():
        where = served.group, served.version, served.plural
        kopf.on.event(*where, id="seen", registry=registry)(seen)
        if served.is_of_mesh and options.webhook is not None:
            kopf.on.validate(
                *where, id=served.plural, operations=OPERATIONS, side_effects=False, registry=registry
            )(admit)
    return registry


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


def stopped(stop: asyncio.Event, task: asyncio.Task[None]) -> None:
    """The controller has ended; by itself it never does, so that is told."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("the controller has ended", exc_info=task.exception())
    stop.set()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
