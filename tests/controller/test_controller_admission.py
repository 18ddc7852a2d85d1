"""What the webhook is asked about, and what it says: of policies, of pods, and of what makes pods."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from pods import RULES, pod
from random_meshes import meshes
from small import config, egress, routes
from test_controller_running import of_other
from test_controller_state import DB, WEB
from thoroughness import examples

import fsm_egress as fe
from examples.controller import admission
from examples.controller.admission import MAX_ACCOUNTS, MAX_WARNING, around, looked_at, warnings_of
from examples.controller.kinds import SERVED
from examples.controller.state import read
from examples.controller.webhooks import ASKED, webhooks

if TYPE_CHECKING:
    from collections.abc import Mapping

Tree = dict[str, Any]
EVERYTHING = egress("all", "tcp 1", ipAddresses=["0.0.0.0/0"])


def named(name: str, document: Tree) -> Tree:
    return {**document, "metadata": {**document["metadata"], "name": name}}


def codes(warnings: tuple[str, ...]) -> list[str]:
    return sorted(it.split()[0] for it in warnings)


# --- policies and what they refer to ---------------------------------------------------------------------


def test_an_invalid_object_is_refused_with_everything_that_is_wrong() -> None:
    with pytest.raises(fe.LoadError) as caught:
        warnings_of(fe.Snapshot(), egress("web", "smtp 80", hosts=[7]))
    assert {it.path for it in caught.value.problems} == {"spec.ports[0].protocol", "spec.hosts[0]"}


def test_warnings_are_the_findings_about_the_object_itself() -> None:
    mesh = fe.load([config(), DB, of_other(egress("api", "http 443", hosts=["b.com"]))])
    assert warnings_of(mesh, WEB) == ()
    assert any("FSE075" in it and len(it) <= MAX_WARNING for it in warnings_of(mesh, EVERYTHING))
    assert {it[:6] for it in warnings_of(fe.load([config(), WEB]), named("wec", WEB))} == {"FSE074"}
    assert warnings_of(mesh, config()) == ()


def test_one_policy_is_no_reason_to_look_at_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": f"a{n}", "namespace": "curl"}}
        for n in range(200)
    ]
    mesh = fe.load([config(), *accounts, of_other(DB)])
    asked: list[Any] = []
    lint = fe.lint

    def noting(among: fe.Snapshot, *, identities: Any, **others: Any) -> fe.Findings:
        asked.extend(identities)
        assert among.kind(fe.EgressPolicy).get("curl", "db") is None
        return lint(among, identities=identities, **others)

    monkeypatch.setattr(fe, "lint", noting)
    assert codes(warnings_of(mesh, EVERYTHING)) != []
    assert asked == [fe.ServiceIdentity("curl", "curl")]


def test_a_policy_of_very_many_is_looked_at_for_nobody_and_that_is_said() -> None:
    sources = [
        {"kind": "ServiceAccount", "name": f"a{n}", "namespace": "curl"} for n in range(MAX_ACCOUNTS + 1)
    ]
    many = {**EVERYTHING, "spec": {**EVERYTHING["spec"], "sources": sources}}
    *found, last = warnings_of(fe.load([config()]), many)
    assert last == "it names 51 accounts, too many to look at each now: `fsm-egress lint` does"
    assert all("FSE07" in it for it in found)


def test_of_routes_the_policies_that_refer_to_them_are_looked_at() -> None:
    twice = routes("paths", {"pathRegex": "/a"}, {"pathRegex": "/a"})
    group = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "paths"}
    policy = {**WEB, "spec": {**WEB["spec"], "matches": [group]}}
    far = named("far", of_other(policy))
    far["metadata"]["namespace"] = "elsewhere"
    near = around(fe.load([config(), policy, far, DB, routes("others")]), read(twice))
    assert [it.name for it in near.kind(fe.EgressPolicy)] == ["web"]
    assert len(near.kind(fe.HTTPRouteGroup)) == 0
    assert codes(warnings_of(fe.load([config()]), twice)) == []  # nobody uses them
    assert codes(warnings_of(fe.load([config(), policy]), twice)) == ["FSE071"]


@settings(max_examples=examples(60))
@given(meshes())
def test_law_every_warning_is_a_finding_of_the_whole_lint(documents: list[Tree]) -> None:
    mesh = fe.load(documents)
    whole = [it for it in fe.lint(mesh, sidecar=False) if it.severity is not fe.Severity.INFO]
    for document in documents:
        ref = read(document).ref
        known = [
            f"{it.code.code} {it.rule if it.rule.resource != ref else it.rule.path}".rstrip() + ":"
            for it in whole
        ]
        found = warnings_of(mesh.without(ref), document)
        assert [it for it in found if not it.startswith(tuple(known))] == []


# --- pods ------------------------------------------------------------------------------------------------


def deployment(entry: Tree, kind: str = "Deployment") -> Tree:
    """What makes such pods."""
    metadata = {"annotations": entry["metadata"]["annotations"]}
    maker = {"metadata": {"name": "shop", "namespace": "curl"}}
    template = {"template": {"metadata": metadata, "spec": entry["spec"]}}
    if kind == "CronJob":
        job = {"spec": {"jobTemplate": {"spec": template}, "schedule": "* * * * *"}}
        return {"apiVersion": "batch/v1", "kind": kind, **maker, **job}
    return {
        "apiVersion": SERVED[kind].api_version,
        "kind": kind,
        **maker,
        "spec": {**template, "replicas": 2},
    }


def on_host(entry: Tree) -> Tree:
    return {**entry, "spec": {**entry["spec"], "hostNetwork": True}}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (pod("a"), []),
        (pod("a", sidecar_injection="no"), ["FSE110", "FSE114"]),
        (on_host(pod("a")), ["FSE110", "FSE111", "FSE114"]),
        (pod("a", sidecar_injection="odd"), ["FSE025"]),
        (pod("a", outbound_port_exclusion_list="25"), ["FSE091", "FSE114"]),
        (pod("a", outbound_port_exclusion_list=",".join(map(str, range(1, 11)))), ["FSE115"]),
    ],
)
@pytest.mark.parametrize("kind", ["Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"])
def test_of_a_pod_all_is_said_that_comes_with_it(entry: Tree, expected: list[str], kind: str) -> None:
    ports = [*range(100, 110)] if "FSE115" in expected else []  # more than 15 together, and no pod starts
    mesh = fe.load([config({"outboundPortExclusionList": ports}), WEB, pod("first")])
    document = entry if kind == "Pod" else deployment(entry, kind)
    assert codes(warnings_of(mesh, document)) == expected


def test_what_is_amiss_elsewhere_says_where() -> None:
    mesh = fe.load([config(), WEB, pod("b")])
    told = warnings_of(mesh, pod("a", outbound_port_exclusion_list="25"))[-1]
    assert told.startswith("FSE114 Pod curl/b: it is intercepted otherwise than `pod/a`")
    differs, told = warnings_of(mesh, pod("c", sidecar_injection="no"))
    assert differs.startswith("FSE114: it is intercepted otherwise than `pod/b`")
    assert told.startswith("FSE110 Egress curl/web spec.sources: it is for `curl.curl`, but `pod/c`")


def test_a_policy_that_does_not_hold_for_a_pod_is_warned_of() -> None:
    mesh = fe.load([config(), pod("a", sidecar_injection="no")])
    assert "FSE110" in codes(warnings_of(mesh, WEB))


def test_pods_of_others_are_not_looked_at_but_that_accounts_are_known_is_known() -> None:
    others = [pod(f"p{n}") for n in range(5)]
    for it in others:
        it["spec"] = {**it["spec"], "serviceAccountName": "other"}
    mesh = fe.load([config(), *others])
    assert len(around(mesh, read(WEB)).kind(fe.Pod)) == 1
    assert codes(warnings_of(mesh, WEB)) == ["FSE082"]
    assert codes(warnings_of(fe.load([config()]), WEB)) == []


# --- time ------------------------------------------------------------------------------------------------


def test_what_takes_long_is_admitted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, **__: Any) -> tuple[str, ...]:
        time.sleep(0.3)
        return ()

    async def ask(document: Tree, seconds: float) -> tuple[str, ...]:
        return await looked_at(pool, fe.Snapshot(), document, seconds=seconds)

    with ThreadPoolExecutor(1) as pool:
        assert asyncio.run(ask(EVERYTHING, 10)) == warnings_of(fe.Snapshot(), EVERYTHING)
        monkeypatch.setattr(admission, "warnings_of", slow)
        assert asyncio.run(ask(WEB, 0.01)) == (
            "not looked at to the end within 0.01 s: `fsm-egress lint` does",
        )
        with pytest.raises(fe.LoadError):  # whatever else is going on
            asyncio.run(ask(egress("web", "smtp 80"), 0.01))


# --- what is asked about ---------------------------------------------------------------------------------

CLIENT = {"url": "https://h:9443/", "caBundle": "QQ=="}


def hook(name: str) -> Mapping[str, Any]:
    (found,) = (it for it in webhooks("x.y.z", CLIENT) if it["name"] == f"{name}.x.y.z")
    return found


def test_what_is_of_the_mesh_waits_for_the_webhook_and_nothing_else() -> None:
    assert hook("mesh")["failurePolicy"] == "Fail"
    asked = {plural for rule in hook("mesh")["rules"] for plural in rule["resources"]}
    assert asked == {it.plural for it in SERVED.values() if it.group.endswith(("flomesh.io", "smi-spec.io"))}
    assert "namespaceSelector" not in hook("mesh")


def test_of_pods_it_is_asked_where_the_mesh_watches_and_not_for_long() -> None:
    pods = hook("pods")
    assert pods["failurePolicy"] == "Ignore"
    assert pods["timeoutSeconds"] <= 5
    (expression,) = pods["namespaceSelector"]["matchExpressions"]
    assert expression == {"key": "flomesh.io/monitored-by", "operator": "Exists"}
    operations = {plural: rule["operations"] for rule in pods["rules"] for plural in rule["resources"]}
    both = ["CREATE", "UPDATE"]
    makers = ("deployments", "statefulsets", "daemonsets", "jobs", "cronjobs")
    assert operations == {"pods": ["CREATE"], **dict.fromkeys(makers, both)}
    assert not {"Secret", "Service", "Namespace", "ServiceAccount"} & {it.kind for it in ASKED}


def test_every_webhook_is_reached_at_its_path() -> None:
    for it in webhooks("x.y.z", CLIENT):
        assert it["clientConfig"] == {"url": "https://h:9443/admit", "caBundle": "QQ=="}
        assert (it["sideEffects"], it["admissionReviewVersions"]) == ("None", ["v1"])
    assert CLIENT["url"] == "https://h:9443/"


@pytest.mark.parametrize(("port", "expected"), [(":9443", 9443), ("", 443)])
def test_a_service_is_reached_by_its_name(port: str, expected: int) -> None:
    for it in webhooks("x.y.z", {"url": f"https://hook.fsm-system.svc{port}", "caBundle": "QQ=="}):
        service = {"name": "hook", "namespace": "fsm-system", "path": "/admit", "port": expected}
        assert it["clientConfig"] == {"caBundle": "QQ==", "service": service}


def test_a_running_pod_of_old_lists_is_warned_of_too() -> None:
    old = pod("a", "10.244.0.9", RULES, "sidecar", outbound_port_exclusion_list="25")
    assert codes(warnings_of(fe.load([config()]), old)) == ["FSE113"]
