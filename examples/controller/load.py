"""How quick the controller is, and what it holds: `python -m examples.controller.load`.

The mesh has 1,000 identities and 10,000 policies; the repo is a real HTTP server of this process. What is
measured is the whole way from an event to the answer to the last request that publishes it, without the
API server; then an hour's worth of events, one a second, without the waiting between them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import statistics
import time
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from .kinds import SERVED
from .kube import Cluster
from .repo import MARK, Repo
from .running import Controller
from .state import Listed, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .kinds import Tree

__all__ = ["main", "measured"]

IDENTITIES, POLICIES, EVENTS = 1_000, 10_000, 3_600
SHOWN = 50  # events of which the time is taken


def policy(number: int, identities: int, version: int) -> Tree:
    """A policy of one identity; it changes with its version."""
    source = {"kind": "ServiceAccount", "name": f"account-{number % identities}", "namespace": "load"}
    ports = [
        {"number": 1024 + (number * 7 + version) % 60_000, "protocol": ("http", "tcp", "https")[number % 3]}
    ]
    hosts = (
        {"ipAddresses": [f"54.{number % 250}.0.0/16"]} if number % 3 == 1 else {"hosts": [f"h{number}.com"]}
    )
    return {
        "apiVersion": SERVED["Egress"].api_version,
        "kind": "Egress",
        "metadata": {"name": f"policy-{number}", "namespace": "load", "resourceVersion": str(version)},
        "spec": {"sources": [source], "ports": ports, **hosts},
    }


class Endpoint:
    """A repo that keeps the files and versions that it is sent."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.versions: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """As a Pipy repo does."""
        kind, _, path = request.path.removeprefix("/api/v1/").partition("/")
        if request.method == "GET" and path not in self.versions:
            return (
                web.Response(status=404)
                if path
                else web.Response(text="".join(f"/{name}\n" for name in self.versions))
            )
        if request.method == "GET":
            info = {"version": self.versions[path], "files": [MARK], "editFiles": [], "erasedFiles": []}
            return web.json_response(info)
        if kind == "repo-files":
            self.files[path] = await request.read()
        else:
            self.versions[path] = json.loads(await request.read())["version"]
        return web.Response(status=201)


def held() -> float:
    """The memory of this process now, in MiB."""
    gc.collect()
    with open("/proc/self/statm") as pages:  # noqa: PTH123  # because it is no file of a project
        return int(pages.read().split()[1]) * resource.getpagesize() / 2**20


async def measured(identities: int, policies: int, events: int) -> Iterator[str]:
    """The figures, as lines."""
    endpoint = Endpoint()
    runner = web.AppRunner(application(endpoint))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        controller = Controller(Cluster(session, url), Repo(session, url))
        lines = [line async for line in _lines(controller, identities, policies, events)]
    await runner.cleanup()
    return iter(lines)


def application(endpoint: Endpoint) -> web.Application:
    """The repo's HTTP server."""
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", endpoint.answer)
    return app


async def _lines(controller: Controller, identities: int, policies: int, events: int) -> Any:
    found = tuple(policy(number, identities, 1) for number in range(policies))
    start = time.perf_counter()
    controller.take(*(Listed(kind, 1, found if kind == "Egress" else ()) for kind in SERVED))
    await controller.follow()
    known = time.perf_counter()
    await controller.publish(full=True)
    end = time.perf_counter()
    del found
    size = f"{len(controller.published):,} identities, {policies:,} policies"
    yield f"{size}: known in {known - start:.1f} s, all published in {end - known:.1f} s more"
    await controller.publish(full=True)
    yield f"compared again, nothing to send: {time.perf_counter() - end:.1f} s"
    before = held()
    times = []
    for event in range(events):
        start = time.perf_counter()
        controller.take(Seen(policy(event * 37 % policies, identities, event + 2)))
        await controller.follow()
        await controller.publish(full=False)
        times.append(time.perf_counter() - start)
        if event + 1 == min(SHOWN, events):
            before = held()
    ordered = sorted(times)
    middle, worst = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    yield f"from an event to the last publish: {middle * 1e3:.0f} ms, 99 of 100 within {worst * 1e3:.0f} ms"
    yield f"memory: {before:.0f} MiB after the first events, {held():.0f} MiB after {events:,}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.controller.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--identities", type=int, default=IDENTITIES, help="how many there are (%(default)s)")
    parser.add_argument("--policies", type=int, default=POLICIES, help="how many there are (%(default)s)")
    parser.add_argument("--events", type=int, default=EVENTS, help="how many come (%(default)s)")
    given = parser.parse_args(arguments)
    for line in asyncio.run(measured(given.identities, given.policies, given.events)):
        print(line)


if __name__ == "__main__":
    main()
