"""The table of injection rules, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from small import config, load

import fsm_egress as fe
from fsm_egress.interception.hosts import hosts_of
from fsm_egress.interception.injection import State, injection_of

Wire = dict[str, Any]
KEY = "flomesh.io/sidecar-injection"
WATCHED = {"flomesh.io/monitored-by": "fsm"}
SIDECAR = {"name": "sidecar", "image": "pipy"}
APP = {"name": "app", "image": "app"}


def pod(said: str | None = None, space: str = "shop", labels: Wire | None = None, **spec: Any) -> Wire:
    status = spec.pop("status", {})
    annotations = {} if said is None else {KEY: said}
    metadata = {"name": "a", "namespace": space, "annotations": annotations, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def space(said: str | None = None, labels: Wire | None = None, name: str = "shop") -> Wire:
    annotations = {} if said is None else {KEY: said}
    metadata = {"name": name, "labels": WATCHED if labels is None else labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def state(*entries: Wire) -> State:
    snapshot = load(*entries)
    (host,) = hosts_of(snapshot)
    found = injection_of(snapshot, host)
    assert found.why
    return found.state


NODE = config({"interceptionMode": "NodeLevel"})
RUNS: Wire = {"podIPs": [{"ip": "10.244.1.5"}]}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([pod("yes", hostNetwork=True), space("yes")], State.NO),
        ([pod("bad", hostNetwork=True), space("yes")], State.NO),
        ([pod("yes", "kube-system"), space("yes", name="kube-system")], State.NO),
        ([pod("yes", "kube-public"), space("yes", name="kube-public")], State.NO),
        ([pod("yes", "fsm-system"), space("yes", name="fsm-system"), config()], State.NO),
        ([pod("yes"), space("yes", labels={})], State.NO),
        ([pod("yes"), space("yes", name="other")], State.NO),
        ([pod("yes"), space("yes", labels={**WATCHED, "flomesh.io/ignore": "true"})], State.NO),
        ([pod("yes"), space("yes", labels={**WATCHED, "flomesh.io/ignore": "false"})], State.NO),
        ([pod("odd"), space("yes", labels={**WATCHED, "control-plane": "manager"})], State.NO),
        ([pod("yes"), space("yes", labels={**WATCHED, "name": "fsm-system"}), config()], State.NO),
        ([pod("yes"), space("yes", labels={**WATCHED, "name": "shop"}), config()], State.YES),
        ([pod("yes"), space("yes", labels={**WATCHED, "flomesh.io/ignored": "true"})], State.YES),
        (
            [pod("yes", containers=[SIDECAR]), space("yes", labels={**WATCHED, "control-plane": ""})],
            State.YES,
        ),
        *(([pod(said), space()], State.YES) for said in ("enabled", "yes", "true", "YES", "True", "Enabled")),
        *(([pod(said), space("yes")], State.NO) for said in ("disabled", "no", "false", "NO", "False")),
        *(([pod(said), space("yes")], State.NEVER_CREATED) for said in ("on", "", "1", " yes")),
        ([pod("yes"), space("no")], State.YES),
        ([pod("yes"), space("odd")], State.NEVER_CREATED),
        ([pod(), space("odd")], State.NEVER_CREATED),
        ([pod(), space("yes")], State.YES),
        ([pod(), space("no")], State.NO),
        ([pod(), space()], State.NO),
        ([pod("no"), space()], State.NO),
        ([pod()], State.YES),
        ([pod("no")], State.NO),
        ([pod("yes"), space(), NODE], State.UNKNOWN),
        ([pod("no"), space(), NODE], State.NO),
        ([pod("no", containers=[APP, SIDECAR]), space("no")], State.YES),
        ([pod("yes", containers=[APP], status=RUNS), space("yes")], State.NO),
        ([pod("yes", containers=[APP], nodeName="n"), space("yes")], State.NO),
        ([pod("yes", containers=[APP], nodeName="n", hostNetwork=True), space("yes")], State.NO),
        ([pod("yes", containers=[APP]), space("yes")], State.YES),
        ([pod(labels={"fsm-proxy-uuid": "x"}, containers=[APP], status=RUNS), space("yes")], State.UNKNOWN),
    ],
)
def test_injected_or_not(entries: list[Wire], expected: State) -> None:
    assert state(*entries) is expected


def test_it_is_said_where_it_was_decided() -> None:
    snapshot = load(pod("yes"), space("yes", labels={"team": "web"}))
    (host,) = hosts_of(snapshot)
    found = injection_of(snapshot, host)
    assert str(found.rule) == "Namespace shop metadata.labels"
    assert found.why == "the mesh does not watch namespace `shop`"


def test_a_namespace_that_the_injector_is_not_asked_about_lets_its_pods_out() -> None:
    ignored = space("yes", labels={**WATCHED, "flomesh.io/ignore": "true"})
    mesh = load(pod("yes"), ignored, config())
    decision = fe.compile(mesh, "default.shop").classify(fe.tcp("203.0.113.9", 443))
    assert (decision.verdict, decision.reason) == (fe.Verdict.PASSTHROUGH, fe.Reason.NO_SIDECAR)
    assert str(decision.rule) == "Namespace shop metadata.labels.flomesh.io/ignore"
    assert not fe.never(mesh, fe.Where.outside())


def template(*containers: Wire, labels: Wire | None = None, init: str = "setup") -> Wire:
    spec = {"containers": list(containers), "initContainers": [{"name": init, "image": "x"}]}
    made = {"metadata": {"labels": labels or {}}, "spec": spec}
    metadata = {"name": "a", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": made}}


def test_a_container_called_sidecar_in_a_template_may_be_anybodys() -> None:
    assert state(template(APP, SIDECAR), space("yes", labels={})) is State.NO
    assert state(template(APP, SIDECAR), space("yes")) is State.YES
    assert state(template(APP, SIDECAR, init="fsm-init"), space("yes", labels={})) is State.YES
    assert state(template(APP, SIDECAR, labels={"fsm-proxy-uuid": "x"}), space("no")) is State.YES


def test_a_template_is_named_without_a_dot_at_its_end() -> None:
    snapshot = load(template(APP), space())
    (host,) = hosts_of(snapshot)
    assert str(injection_of(snapshot, host).rule) == "Deployment shop/a spec.template"


AS_SIDECAR = {**APP, "securityContext": {"runAsUser": 1500}}


@pytest.mark.parametrize("entry", [template(AS_SIDECAR), pod("yes", containers=[AS_SIDECAR, SIDECAR])])
def test_nothing_is_proven_of_a_pod_that_runs_as_the_sidecars_user(entry: Wire) -> None:
    mesh = load(entry, space("yes"), config())
    answer = fe.never(mesh, fe.Where.outside(), ["default.shop"])
    assert answer.proven is None
    assert "`app` runs as user 1500, the sidecar's, whose connections pass by the sidecar" in str(answer)
    assert not fe.equivalent(mesh, mesh).proven
