"""The controller at work, quickly: kmock plays the Kubernetes API; a repo keeps what it is sent over HTTP."""

from __future__ import annotations

import asyncio
import base64
import ssl
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import kmock
import kopf
import pytest
from aiohttp import test_utils, web
from attrs import define
from cluster import certificate, free_port
from pods import RULES, pod
from small import WHO, config, egress
from standin import StandIn
from test_controller_state import BROKEN, CURL, DB, STALE, WEB, at

import fsm_egress as fe
from examples.controller import handlers, kube
from examples.controller import repo as codebases
from examples.controller.__main__ import certify
from examples.controller.admission import warnings_of
from examples.controller.handlers import Glue, Options, registry_of
from examples.controller.kinds import SERVED, ref_of
from examples.controller.kube import Cluster, session_of
from examples.controller.repo import MARK, Codebase, Repo, RepoError
from examples.controller.running import WITHHELD, Controller, Pace, pauses
from examples.controller.state import Gone, Listed, Seen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from examples.controller.kinds import Served

Tree = dict[str, Any]
OTHER = fe.ServiceIdentity.parse("other.curl")
QUICK = Pace(settle=0.01, resync=0.2, relist=0.2, deleting=0.2, first=0.01, longest=0.05)
PATH = f"/fsm-egress/{WHO}"
VERBS = ["list", "watch", "patch"]
GROUP = "policy.flomesh.io/v1alpha1"


def of_other(document: Tree) -> Tree:
    source = {**document["spec"]["sources"][0], "name": "other"}
    return {**document, "spec": {**document["spec"], "sources": [source]}}


OTHERS = of_other(DB)


@pytest.fixture
def repo() -> Iterator[StandIn]:
    it = StandIn()
    yield it
    if it.is_up:
        it.stop()


class NoNamespaces(Cluster):
    """kmock cannot read the path of all namespaces."""

    async def listed(self, served: Served) -> Listed:
        if served.kind == fe.Namespace.kind:
            return Listed(served.kind, 1, ())
        return await super().listed(served)


@define(eq=False)
class World:
    """What the controller lives in."""

    api: Any
    cluster: Cluster
    repo: Repo
    version: int = 10

    def put(self, *documents: Mapping[str, Any]) -> None:
        """Makes objects be there, silently."""
        for document in documents:
            self.version += 1
            ref = ref_of(document)
            served = SERVED[ref.kind]
            known = (served.group, served.version, served.plural)
            self.api.objects[kmock.resource(*known), ref.namespace, ref.name] = at(self.version, document)

    def listing(self, request: Any) -> Tree:
        """A list as a real server gives it, with its revision."""
        wanted = (request.resource.group or "", request.resource.plural)
        found = [
            it.raw
            for (resource, _, _), it in self.api.objects.items()
            if (resource.group or "", resource.plural) == wanted and not it.deleted
        ]
        return {"metadata": {"resourceVersion": str(self.version)}, "items": found}


def live(test: Callable[[World], Awaitable[None]], repo: StandIn) -> None:
    """Runs a test in a world of its own."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            api = await stack.enter_async_context(kmock.KubernetesEmulator())
            server = await stack.enter_async_context(kmock.Server(api))
            url = str(server.url).rstrip("/")
            session = await stack.enter_async_context(session_of(kopf.ConnectionInfo(server=url)))
            http = await stack.enter_async_context(aiohttp.ClientSession())
            world = World(api, NoNamespaces(session, url), Repo(http, repo.url))
            for served in filter(lambda it: it.kind != fe.Namespace.kind, SERVED.values()):
                known = kmock.resource(served.group, served.version, served.plural)
                api.resources[known] = {
                    "kind": served.kind,
                    "namespaced": True,
                    "verbs": VERBS,
                    "subresources": ["status"],
                }
                api["list", known] ** -1 << world.listing
            await test(world)

    asyncio.run(run())


async def settled(controller: Controller) -> None:
    """Lists everything and makes the state follow."""
    await controller.relist()
    await controller.follow()
    await controller.read_secrets()
    await controller.follow()


def test_a_codebase_is_made_and_sent_once(repo: StandIn) -> None:
    async def test(world: World) -> None:
        codebase = Codebase("fsm-egress/a.b", {"config.json": b"{}"})
        assert await world.repo.put(codebase)
        assert not await world.repo.put(codebase)
        assert repo.codebases["/fsm-egress/a.b"].files["/config.json"] == b"{}"
        assert repo.codebases["/fsm-egress/a.b"].version == codebase.version
        assert len(repo.changes) == 4
        packed = Codebase("fsm-egress/a.b", {"config.json.gz": b"x", "modules/fsm-egress.js": b"y"})
        assert await world.repo.put(packed)
        files = repo.codebases["/fsm-egress/a.b"].files
        assert set(files) == {"/main.js", "/config.json.gz", "/modules/fsm-egress.js", f"/{MARK}"}
        assert await world.repo.paths() == ["fsm-egress/a.b"]
        await world.repo.delete("fsm-egress/a.b")
        await world.repo.delete("fsm-egress/a.b")
        assert await world.repo.paths() == []

    live(test, repo)


def test_a_codebase_left_half_written_is_written_again(repo: StandIn) -> None:
    async def test(world: World) -> None:
        codebase = Codebase("fsm-egress/a.b", {"config.json": b"1"})
        await world.repo.put(codebase)
        repo.codebases["/fsm-egress/a.b"].edits["/config.json"] = b"2"
        assert await world.repo.put(codebase)
        repo.codebases["/fsm-egress/a.b"].erased.add("/config.json")
        assert await world.repo.put(codebase)
        assert repo.codebases["/fsm-egress/a.b"].files["/config.json"] == b"1"

    live(test, repo)


def test_a_base_is_derived_from_and_must_be_there(repo: StandIn) -> None:
    async def test(world: World) -> None:
        codebase = Codebase("fsm-egress/a.b", {"config.json": b"1"}, "fsm-base")
        with pytest.raises(RepoError, match="POST repo/fsm-egress/a.b: 400 Base codebase not found"):
            await world.repo.put(codebase)
        await world.repo.put(Codebase("fsm-base", {"main.js": b"pipy()"}))
        assert await world.repo.put(codebase)
        assert repo.codebases["/fsm-egress/a.b"].base == "/fsm-base"

    live(test, repo)


@pytest.mark.parametrize(
    ("failures", "pause"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 32.0), (8, 60), (10_000, 60)]
)
def test_pauses_grow_up_to_a_limit(failures: int, pause: float) -> None:
    assert pauses(Pace(), failures) == pause


def test_published_and_reported(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(WEB, OTHERS)
        controller = Controller(world.cluster, world.repo)
        await controller.publish(full=True)
        await controller.report()
        assert repo.asked == []  # nothing is known yet
        await settled(controller)
        await controller.report()
        assert not world.api["patch"]  # what the repo has is not known yet
        controller.is_compared = True
        await controller.report()
        assert status(world, "web") == ("pending", "the config is not published yet")
        await controller.publish(full=True)
        await controller.relist()
        await controller.follow()
        await controller.report()
        assert repo.config(WHO) == fe.pipy_config(fe.load([WEB]), WHO).to_mapping()
        assert status(world, "web") == status(world, "db") == ("published", "")
        sent = len(repo.changes)
        await controller.publish(full=True)
        await controller.publish(full=False)
        assert len(repo.changes) == sent
        await Controller(world.cluster, world.repo, state=controller.state).publish(full=True)
        assert len(repo.changes) == sent  # after a restart neither

    live(test, repo)


def status(world: World, name: str) -> tuple[str, str]:
    (found,) = (it.raw["status"] for (_, _, own), it in world.api.objects.items() if own == name)
    return found["currentStatus"], found["reason"]


def test_whom_nobody_names_any_more_loses_its_codebase_and_others_keep_theirs(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(WEB, OTHERS)
        controller = Controller(world.cluster, world.repo)
        await settled(controller)
        await world.repo.put(Codebase("elsewhere/x.y", {"config.json": b"1"}))
        await controller.publish(full=True)
        controller.take(Gone(at(90, WEB)))
        await controller.follow()
        await controller.publish(full=False)
        assert set(repo.codebases) == {"/fsm-egress/other.curl", "/elsewhere/x.y"}

    live(test, repo)


def test_a_repo_that_is_away_gets_everything_when_it_is_back(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(WEB)
        controller = Controller(world.cluster, world.repo)
        await settled(controller)
        repo.stop()
        with pytest.raises(aiohttp.ClientError):
            await controller.publish(full=True)
        assert "Connect" in controller.pending(controller.state)[CURL]
        repo.start()
        await controller.publish(full=True)
        assert controller.pending(controller.state) == {}
        repo.codebases.clear()  # it keeps everything in memory, and has been started anew
        await controller.publish(full=True)
        assert PATH in repo.codebases

    live(test, repo)


def test_what_the_repo_refuses_keeps_nothing_else_back(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(WEB, OTHERS)
        controller = Controller(world.cluster, world.repo)
        await settled(controller)
        repo.refuses.add(WHO)
        with pytest.raises(RepoError, match=rf"GET repo/fsm-egress/{WHO}: 500 out of order"):
            await controller.publish(full=True)
        assert "/fsm-egress/other.curl" in repo.codebases
        assert list(controller.pending(controller.state)) == [CURL]
        await controller.report()
        assert status(world, "web") == ("pending", f"GET repo/fsm-egress/{WHO}: 500 out of order")

    live(test, repo)


def test_after_a_restart_an_invalid_policy_leaves_in_force_what_is_published(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(WEB, OTHERS)
        before = Controller(world.cluster, world.repo)
        await settled(before)
        await before.publish(full=True)
        world.put(BROKEN)
        after = Controller(world.cluster, world.repo)
        await settled(after)
        for full in (True, False):
            await after.publish(full=full)
        assert repo.config(WHO) == fe.pipy_config(fe.load([WEB]), WHO).to_mapping()
        world.put(DB)
        await settled(after)
        await after.publish(full=False)
        assert after.pending(after.state) == {CURL: WITHHELD}
        assert repo.config(WHO) == fe.pipy_config(fe.load([WEB]), WHO).to_mapping()
        after.take(Gone(at(91, WEB)))
        await after.follow()
        await after.publish(full=False)
        assert repo.config(WHO) == fe.pipy_config(fe.load([DB]), WHO).to_mapping()

    live(test, repo)


@pytest.mark.parametrize("missing", ["sources", "destination", "both"])
def test_a_target_whose_accounts_have_no_namespace_stops_nobody_at_any_start(
    repo: StandIn, missing: str
) -> None:
    """Neither what is published nor what the webhook says of anybody's policy."""
    there = {"sources": "curl", "destination": "shop"}
    gone = set(there) if missing == "both" else {missing}
    source, destination = (
        {
            "kind": "ServiceAccount",
            "name": "curl",
            **({} if side in gone else {"namespace": space}),
        }
        for side, space in there.items()
    )
    target = {
        "apiVersion": "access.smi-spec.io/v1alpha3",
        "kind": "TrafficTarget",
        "metadata": {"name": "t", "namespace": "shop"},
        "spec": {
            "sources": [source],
            "destination": destination,
            "rules": [{"kind": "HTTPRouteGroup", "name": "r"}],
        },
    }
    mesh_config = config({"enablePermissiveTrafficPolicyMode": False})

    async def test(world: World) -> None:
        world.put(mesh_config, target, WEB)
        for _ in range(2):  # it meets the target again at each start
            controller = Controller(world.cluster, world.repo)
            await settled(controller)
            await controller.publish(full=True)
            assert controller.pending(controller.state) == {}
            await controller.report()
            assert status(world, "web")[0] == "published"
            assert warnings_of(controller.state.mesh, WEB) == ()
        assert repo.config(WHO) == fe.pipy_config(fe.load([mesh_config, target, WEB]), WHO).to_mapping()

    live(test, repo)


def test_an_unknown_mesh_config_holds_everyone_who_has_a_codebase(repo: StandIn) -> None:
    async def test(world: World) -> None:
        await world.repo.put(Codebase(f"fsm-egress/{WHO}", {"config.json": b"{}"}))
        await world.repo.put(Codebase("fsm-egress/gone.curl", {"config.json": b"{}"}))
        broken = {**config(), "spec": {"traffic": 3}}
        world.put(WEB, OTHERS, broken)
        controller = Controller(world.cluster, world.repo)
        await settled(controller)
        await controller.publish(full=True)
        assert repo.config(WHO) == {}
        assert set(repo.codebases) == {PATH, "/fsm-egress/gone.curl", "/fsm-egress/other.curl"}
        world.api["create"] << {}
        for _ in range(2):
            await controller.report()
        (event,) = (it.data for it in world.api["post"])
        assert (event["reason"], event["type"]) == ("Invalid", "Warning")
        assert event["involvedObject"]["kind"] == "MeshConfig"
        assert event["message"].startswith("spec.traffic: expected")

    live(test, repo)


def test_a_pod_of_old_lists_gets_one_event_however_often_it_is_looked_at(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(WEB, STALE)
        controller = Controller(world.cluster, world.repo)
        await settled(controller)
        await controller.publish(full=True)
        world.api["create"] << 409  # it is there: the controller has been started anew
        for _ in range(2):
            await controller.report()
        (event,) = (it.data for it in world.api["post"])
        assert (event["reason"], event["involvedObject"]["kind"]) == ("StaleRules", "Pod")
        assert event["message"].startswith("FSE113: it was started with other lists")
        assert event["metadata"]["name"].startswith("a.")
        controller.take(Seen(at(90, pod("a", "10.244.0.9", RULES, "sidecar"))))
        await controller.follow()
        await controller.report()
        controller.take(Seen(at(91, STALE)))
        await controller.follow()
        await controller.report()
        assert len(world.api["post"]) == 2

    live(test, repo)


def test_an_event_that_cannot_be_posted_keeps_no_other_back_and_is_posted_again(repo: StandIn) -> None:
    told: list[str] = []

    class FirstLost(NoNamespaces):
        async def warn(self, ref: fe.ResourceRef, *_: str) -> None:
            told.append(ref.name)
            if len(told) == 1:
                raise aiohttp.ClientConnectionError

    async def test(world: World) -> None:
        world.put(WEB, STALE, {**STALE, "metadata": {**STALE["metadata"], "name": "b"}})
        controller = Controller(FirstLost(world.cluster.session, world.cluster.server), world.repo)
        await settled(controller)
        await controller.publish(full=True)
        with pytest.raises(aiohttp.ClientConnectionError):
            await controller.report()
        for _ in range(2):
            await controller.report()
        assert told == ["a", "b", "a"]

    live(test, repo)


def configuration(world: World) -> None:
    known = kmock.resource("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations")
    world.api.objects[known, None, "a.b.c"] = {}


def test_the_webhook_is_told_to_the_api_server_and_taken_back(
    repo: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(world: World) -> None:
        controller = Controller(world.cluster, world.repo, managed="a.b.c")
        await controller.tell()
        await controller.unregister()
        assert not world.api["patch"]
        controller.register({"url": "https://h:9443", "caBundle": "QQ=="})
        configuration(world)
        await controller.tell()
        await controller.unregister()
        sent = [it.data["webhooks"] for it in world.api["patch"]]
        assert [[it["name"] for it in hooks] for hooks in sent] == [["mesh.a.b.c", "pods.a.b.c"], []]

    async def test_missing(world: World) -> None:
        controller = Controller(world.cluster, world.repo, managed="a.b.c")
        controller.register({"url": "https://h:9443", "caBundle": "QQ=="})
        await controller.tell()
        (made,) = (it.data for it in world.api["post"])
        assert (made["kind"], made["metadata"]["name"]) == ("ValidatingWebhookConfiguration", "a.b.c")
        assert len(made["webhooks"]) == 2

    async def test_away(world: World) -> None:
        controller = Controller(world.cluster, world.repo, managed="a.b.c")
        controller.register({"url": "https://h:9443", "caBundle": "QQ=="})
        configuration(world)
        world.api["patch", HOOKS] << 500
        with pytest.raises(aiohttp.ClientResponseError):
            await controller.tell()
        await controller.unregister()
        assert "the webhook `a.b.c` is still asked: " in caplog.text

    for one in (test, test_missing, test_away):
        live(one, repo)


def test_one_status_that_cannot_be_written_keeps_no_other_back(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(WEB, OTHERS)
        controller = Controller(world.cluster, world.repo)
        await settled(controller)
        await controller.publish(full=True)
        world.api["patch", f"/apis/{GROUP}/namespaces/curl/egresses/db/status"] << 409
        with pytest.raises(aiohttp.ClientResponseError):
            await controller.report()
        assert status(world, "web")[0] == "published"

    live(test, repo)


def test_a_policy_that_is_gone_needs_no_status_and_a_kind_that_is_unknown_has_no_objects(
    repo: StandIn,
) -> None:
    async def test(world: World) -> None:
        await world.cluster.set_status(ref_of(WEB), {"currentStatus": "published"})
        world.api["list", f"/apis/{GROUP}/retries"] << 404
        assert (await world.cluster.listed(SERVED["Retry"])).version == 0

    live(test, repo)


@pytest.mark.parametrize("page", [{}, [], {"items": 3}, {"items": [], "metadata": {"resourceVersion": "x"}}])
def test_a_list_that_is_none_is_a_failure_like_any_other(repo: StandIn, page: Any) -> None:
    async def test(world: World) -> None:
        world.api["get", f"/apis/{GROUP}/egresses"] << (lambda _: page)
        with pytest.raises(aiohttp.ClientPayloadError, match="egresses: no list: "):
            await Cluster(world.cluster.session, world.cluster.server).listed(SERVED["Egress"])

    live(test, repo)


@pytest.mark.parametrize(
    "answer", [b"{", b"[]", b"\xff", b"[" * 100_000], ids=["end", "list", "bytes", "deep"]
)
def test_an_object_that_is_none_is_a_failure_like_any_other(answer: bytes) -> None:
    async def answered(_: web.Request) -> web.Response:
        return web.Response(body=answer, content_type="application/json")

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", answered)
        async with test_utils.TestServer(app) as server, aiohttp.ClientSession() as http:
            cluster = Cluster(http, str(server.make_url("")).rstrip("/"))
            with pytest.raises(aiohttp.ClientPayloadError, match="Secret curl/s0: no object: "):
                await cluster.read(ref_of(secret()))
            with pytest.raises(aiohttp.ClientPayloadError, match="egresses: no list: "):
                await cluster.listed(SERVED["Egress"])

    asyncio.run(test())


def test_long_lists_come_in_pages(repo: StandIn) -> None:
    def page(request: Any) -> Tree:
        if "continue" in request.params:
            return {"metadata": {"resourceVersion": "7"}, "items": [at(5, DB)]}
        return {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [at(4, WEB)]}

    async def test(world: World) -> None:
        world.api["get", f"/apis/{GROUP}/egresses"] << page
        found = await Cluster(world.cluster.session, world.cluster.server).listed(SERVED["Egress"])
        assert [it["metadata"]["name"] for it in found.documents] == ["web", "db"]
        assert found.version == 7

    live(test, repo)


@pytest.mark.parametrize("token", [lambda _: "same", str], ids=["the same", "always another"])
def test_a_list_without_end_is_not_followed(
    repo: StandIn, token: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube, "PAGES", 9)
    asked: list[str] = []

    def page(request: Any) -> Tree:
        asked.append(request.params.get("continue", ""))
        return {"metadata": {"resourceVersion": "7", "continue": token(len(asked))}, "items": []}

    async def test(world: World) -> None:
        world.api["get", f"/apis/{GROUP}/egresses"] << page
        with pytest.raises(aiohttp.ClientPayloadError, match="egresses: a list without end$"):
            await Cluster(world.cluster.session, world.cluster.server).listed(SERVED["Egress"])

    live(test, repo)
    assert len(asked) == (2 if token(0) == "same" else 9)


@pytest.mark.parametrize("most", [9, 10])
def test_an_answer_is_read_as_far_as_it_is_not_too_much(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers, and in however many pieces."""
    monkeypatch.setattr(kube, "MOST", most)
    monkeypatch.setattr(codebases, "MOST", most)

    async def answered(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in ("/a", "/b", "/c", "/d", "/e"):
            await response.write(piece.encode())
        return response

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", answered)
        async with test_utils.TestServer(app) as server, aiohttp.ClientSession() as http:
            url = str(server.make_url("")).rstrip("/")
            if most == 10:
                assert await Repo(http, url).paths() == ["a/b/c/d/e"]
            else:
                with pytest.raises(RepoError, match="GET repo: an answer of more than 9 bytes"):
                    await Repo(http, url).paths()
                with pytest.raises(aiohttp.ClientPayloadError, match="an answer of more than 9 bytes"):
                    await Cluster(http, url).read(ref_of(secret()))

    asyncio.run(test())


# --- Secrets ---------------------------------------------------------------------------------------------

CERTIFIED = egress("web", "http 80", hosts=["a.com"], mtls={"cert": {"secret": {"name": "s0"}}})
PEM = {"ca.crt": "Y2E=", "tls.crt": "Y3J0", "tls.key": "a2V5"}


def secret(name: str = "s0", **data: str) -> Tree:
    """A Secret with more than is read, and the copy of it that kubectl leaves."""
    copy = {"kubectl.kubernetes.io/last-applied-configuration": "bWFya2Vk"}
    metadata = {"name": name, "namespace": "curl", "annotations": copy}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {**PEM, **data}}


def test_of_secrets_those_are_read_that_policies_name(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(CERTIFIED, secret(password="bWFya2Vk"), secret("other"))
        controller = Controller(world.cluster, world.repo)
        await controller.read_secrets()
        assert not world.api["get", "/api/v1/namespaces/curl/secrets/s0"]  # no policy is known yet
        await settled(controller)
        await controller.publish(full=True)
        (held,) = controller.state.mesh.kind(fe.Secret)
        assert set(held.data) == set(PEM)
        assert "bWFya2Vk" not in str(fe.to_mapping(held))
        assert not world.api["list", "/api/v1/secrets"]
        assert not world.api["get", "/api/v1/namespaces/curl/secrets/other"]
        assert repo.config(WHO) == fe.pipy_config(fe.load([CERTIFIED, secret()]), WHO).to_mapping()
        world.put(secret(**{"tls.key": "bmV3"}))
        await controller.read_secrets()
        await controller.follow()
        (held,) = controller.state.mesh.kind(fe.Secret)
        assert held.data["tls.key"] == b"new"
        world.put(WEB)
        await settled(controller)
        assert len(controller.state.mesh.kind(fe.Secret)) == 0

    live(test, repo)


def test_a_secret_that_is_not_there_and_one_that_may_not_be_read(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(CERTIFIED)
        controller = Controller(world.cluster, world.repo)
        await settled(controller)
        assert controller.state.is_known
        assert controller.unreadable == frozenset()
        path = "/api/v1/namespaces/curl/secrets/s0"
        world.api["get", path] << 403
        await controller.read_secrets()
        await controller.publish(full=True)
        await controller.report()
        (event,) = (it.data for it in world.api["post"])
        assert (event["reason"], event["involvedObject"]["name"]) == ("Forbidden", "s0")
        assert event["message"].startswith("Egress policies name it, and the controller may not read it")

    async def test_away(world: World) -> None:
        world.put(CERTIFIED)
        controller = Controller(world.cluster, world.repo)
        await settled(controller)
        world.api["get", "/api/v1/namespaces/curl/secrets/s0"] << 500
        with pytest.raises(aiohttp.ClientResponseError):
            await controller.read_secrets()

    for one in (test, test_away):
        live(one, repo)


async def until(wanted: Callable[[], object], seconds: float = 10) -> None:
    async def poll() -> None:
        while not wanted():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), seconds)


def test_it_goes_on_by_itself_through_failures(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(WEB)
        repo.stop()
        controller = Controller(world.cluster, world.repo, pace=QUICK)
        work = asyncio.ensure_future(controller.run())
        await until(lambda: controller.failures)
        await asyncio.sleep(0.3)
        repo.start()
        await until(lambda: PATH in repo.codebases)
        await until(lambda: controller.pending(controller.state) == {})
        repo.codebases.clear()
        await until(lambda: PATH in repo.codebases)
        controller.take(Seen(at(80, DB)))
        await until(lambda: repo.config(WHO) == fe.pipy_config(fe.load([WEB, DB]), WHO).to_mapping())
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    live(test, repo)


def test_a_repo_that_is_away_is_not_asked_in_a_busy_loop(repo: StandIn) -> None:
    async def test(world: World) -> None:
        world.put(WEB)
        repo.refuses.add("repo")
        controller = Controller(world.cluster, world.repo, pace=QUICK)
        work = asyncio.ensure_future(controller.run())
        await until(lambda: repo.asked)
        for version in range(60, 80):
            controller.take(Seen(at(version, egress("web", f"http {version}", hosts=["a.com"]))))
            await asyncio.sleep(0.02)
        assert len(repo.asked) <= 15
        repo.refuses.clear()
        last = egress("web", "http 79", hosts=["a.com"])
        await until(lambda: repo.config(WHO) == fe.pipy_config(fe.load([last]), WHO).to_mapping())
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    live(test, repo)


# --- credentials -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_files", [True, False])
def test_the_credentials_that_kopf_finds_are_used(tmp_path: Path, *, in_files: bool) -> None:
    chain, key = certificate(tmp_path)
    if in_files:
        info = kopf.ConnectionInfo(
            server="https://h", ca_path=str(chain), certificate_path=str(chain), private_key_path=str(key)
        )
    else:
        info = kopf.ConnectionInfo(
            server="https://h",
            ca_data=chain.read_text(),
            certificate_data=base64.b64encode(chain.read_bytes()).decode(),
            private_key_data=base64.b64encode(key.read_bytes()),
            insecure=True,
            scheme="Basic",
            token="t",
        )

    async def run() -> None:
        async with session_of(info) as session:
            assert session.headers.get("Authorization") == (None if in_files else "Basic t")
            context = session.connector._ssl  # type: ignore[union-attr]  # noqa: SLF001  # because it tells nobody
            assert context.check_hostname is in_files
            assert [it["subject"] for it in context.get_ca_certs()] == [((("commonName", "server"),),)]

    asyncio.run(run())


def test_a_wrong_key_is_not_taken(tmp_path: Path) -> None:
    (chain, _), (_, key) = certificate(tmp_path), certificate(tmp_path, "other")
    info = kopf.ConnectionInfo(server="https://h", certificate_path=str(chain), private_key_path=str(key))
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        session_of(info)


# --- kopf ------------------------------------------------------------------------------------------------


def test_kopf_starts_it_and_tells_it_of_objects(
    repo: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(world: World) -> None:
        monkeypatch.setattr(handlers, "Cluster", NoNamespaces)
        kubeconfig(tmp_path, world.cluster.server, monkeypatch)
        hook = kopf.WebhookServer(addr="127.0.0.1", port=free_port(), host="127.0.0.1")
        certify(hook, tmp_path)
        options = Options(repo.url, webhook=hook, managed="a.b.c", pace=QUICK)
        stop, started = asyncio.Event(), list[Controller]()
        world.put(WEB)
        registry = registry_of(options, stop, started.append)
        work = asyncio.ensure_future(
            kopf.operator(registry=registry, stop_flag=stop, standalone=True, clusterwide=True)
        )
        await until(lambda: PATH in repo.codebases)
        await until(lambda: world.api["patch", HOOKS])
        told, *_ = (it.data["webhooks"] for it in world.api["patch", HOOKS])
        assert {it["clientConfig"]["url"] for it in told} == {f"https://127.0.0.1:{hook.port}/admit"}
        async with aiohttp.ClientSession() as session:
            asked = (WEB, BROKEN, EVERY, SHARES, UNREADABLE)
            answers = [await admitted(session, hook, document) for document in asked]
        assert [it["allowed"] for it in answers] == [True, False, True, True, True]
        assert answers[1]["status"]["code"] == 422
        assert "spec.ports[0].protocol: expected" in answers[1]["status"]["message"]
        assert any("FSE075" in it for it in answers[2]["warnings"])
        assert any("FSE112" in it for it in answers[3]["warnings"])
        assert any("spec.template: expected" in it for it in answers[4]["warnings"])
        served = SERVED["Egress"]
        world.version = 200
        resource = kmock.resource(served.group, served.version, served.plural)
        del world.api.objects[resource, "curl", "web"]
        started[0].take(Gone(at(200, WEB)))
        await until(lambda: PATH not in repo.codebases)
        stop.set()
        await work
        *_, last = (it.data["webhooks"] for it in world.api["patch", HOOKS])
        assert last == []

    live(test, repo)


def test_what_kopf_sees_is_taken(repo: StandIn) -> None:
    async def test(world: World) -> None:
        glue = Glue(Options(repo.url), asyncio.Event(), lambda _: None)
        controller = Controller(world.cluster, world.repo)
        glue.running.append(controller)
        await controller.relist()
        glue.see({"type": "MODIFIED", "object": at(20, WEB)})
        glue.see({"type": None, "object": at(21, DB)})
        glue.see({"type": "DELETED", "object": at(22, WEB)})
        await controller.follow()
        assert [it.name for it in controller.state.mesh] == ["db"]

    live(test, repo)


HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/a.b.c"
UNREADABLE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "curl"},
    "spec": {"template": 3},
}
SHARES = pod("shares")
SHARES["spec"] = {**SHARES["spec"], "securityContext": {"runAsUser": 1500}}
EVERY = egress("all", "tcp 1", ipAddresses=["0.0.0.0/0"])


async def admitted(session: aiohttp.ClientSession, hook: kopf.WebhookServer, document: Tree) -> Tree:
    trusting = ssl.create_default_context(cafile=str(hook.cafile))
    served = SERVED[document["kind"]]
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "operation": "CREATE",
            "resource": {"group": served.group, "version": served.version, "resource": served.plural},
            "kind": {"group": served.group, "version": served.version, "kind": served.kind},
            "userInfo": {"username": "x"},
            "object": document,
            "oldObject": None,
        },
    }
    async with session.post(f"https://127.0.0.1:{hook.port}/admit", json=review, ssl=trusting) as response:
        answer: Tree = (await response.json())["response"]
    return answer


def kubeconfig(folder: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "config"
    path.write_text(
        f"{{current-context: c, contexts: [{{name: c, context: {{cluster: c, user: c}}}}],"
        f" clusters: [{{name: c, cluster: {{server: '{server}'}}}}],"
        " users: [{name: c, user: {token: t}}]}"
    )
    monkeypatch.setenv("KUBECONFIG", str(path))


def test_a_fault_of_its_own_ends_it_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    async def test() -> None:
        stop = asyncio.Event()
        task = asyncio.ensure_future(fail())
        task.add_done_callback(partial(handlers.stopped, stop))
        await stop.wait()
        cancelled = asyncio.ensure_future(asyncio.sleep(60))
        cancelled.add_done_callback(partial(handlers.stopped, stop := asyncio.Event()))
        cancelled.cancel()
        await stop.wait()

    asyncio.run(test())
    assert [record.getMessage() for record in caplog.records] == ["the controller has ended"]
