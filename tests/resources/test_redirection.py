"""The annotations of pods about their sidecar: what keeps a pod from starting keeps its document out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fsm_egress as fe
from fsm_egress.resources.redirection import (
    EXCLUDED_PORTS,
    EXCLUDED_RANGES,
    INCLUDED_RANGES,
    LISTS,
    asked,
    entries_of,
    refused_by_iptables,
)

Wire = dict[str, Any]
SIXTEEN = ",".join(map(str, range(1, 17)))
BAD = {
    EXCLUDED_PORTS: ("70000", "80, 65536", SIXTEEN),
    EXCLUDED_RANGES: ("::/0", "10.0.0.0/8,2001:db8::/32", "::ffff:10.0.0.0/104"),
    INCLUDED_RANGES: ("2001:db8::5/128",),
}
SPEC: Wire = {"serviceAccountName": "curl"}


def pod(annotations: Wire, **spec: Any) -> Wire:
    metadata = {"name": "a", "namespace": "shop", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**SPEC, **spec}}


def maker(kind: str, version: str, annotations: Wire) -> Wire:
    template = {"metadata": {"annotations": annotations}, "spec": SPEC}
    spec: Wire = {"template": template}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": spec,
    }


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BAD.items() for text in texts])
def test_a_list_that_iptables_refuses_is_an_error_where_the_document_shows_it(name: str, text: str) -> None:
    with pytest.raises(fe.LoadError, match=f"metadata.annotations.{name}: .*: iptables refuses"):
        fe.load(pod({name: text}))


@pytest.mark.parametrize(
    ("kind", "version", "path"),
    [
        *((kind, "apps/v1", "spec.template") for kind in ("Deployment", "StatefulSet", "DaemonSet")),
        ("ReplicaSet", "apps/v1", "spec.template"),
        ("ReplicationController", "v1", "spec.template"),
        ("Rollout", "argoproj.io/v1alpha1", "spec.template"),
        ("Job", "batch/v1", "spec.template"),
        ("CronJob", "batch/v1", "spec.jobTemplate.spec.template"),
    ],
)
def test_so_it_is_in_a_template(kind: str, version: str, path: str) -> None:
    where = f"{kind} shop/a {path}.metadata.annotations.{EXCLUDED_PORTS}: expected a port number"
    with pytest.raises(fe.LoadError, match=where):
        fe.load(maker(kind, version, {EXCLUDED_PORTS: "70000"}))
    assert len(fe.load(maker(kind, version, {EXCLUDED_PORTS: "7000"}))) == 1


@pytest.mark.parametrize(
    "entry",
    [
        pod({EXCLUDED_PORTS: "70000"}, hostNetwork=True),
        pod({EXCLUDED_PORTS: "70000", "flomesh.io/sidecar-injection": "No"}),
        pod({EXCLUDED_PORTS: "70000"}, containers=[{"name": "sidecar"}]),
        pod({EXCLUDED_PORTS: "70000"}, initContainers=[{"name": "fsm-init"}]),
        pod({EXCLUDED_PORTS: "70000,x"}),
        pod({EXCLUDED_PORTS: SIXTEEN.replace("16", "15")}),
        pod({"other": "70000"}),
    ],
)
def test_a_pod_that_iptables_is_not_asked_for_is_loaded(entry: Wire) -> None:
    assert len(fe.load(entry)) == 1


def test_what_is_made_in_python_is_held_to_the_same() -> None:
    metadata = fe.ObjectMeta("a", "shop", annotations={EXCLUDED_PORTS: "70000"})
    with pytest.raises(fe.InvalidValue, match="iptables refuses"):
        fe.Pod(metadata)


@pytest.mark.parametrize(
    ("text", "expected"), [(None, None), ("YES", True), ("False", False), ("on", "on"), ("", "")]
)
def test_whether_a_sidecar_is_asked_for(text: str | None, expected: bool | str | None) -> None:
    annotations = {} if text is None else {"flomesh.io/sidecar-injection": text}
    assert asked(annotations) == expected


ENTRIES = st.sampled_from(("80", "443", "70000", "x", "10.0.0.0/8", "::/0", ""))


@given(st.dictionaries(st.sampled_from((*LISTS, "other")), st.lists(ENTRIES, min_size=1).map(",".join)))
def test_law_what_iptables_refuses_is_what_its_entries_say(annotations: dict[str, str]) -> None:
    entries = [it for name in LISTS for it in entries_of(annotations, name)]
    is_created = all(it.problem is None or it.by_iptables for it in entries)
    expected = sum(it.by_iptables for it in entries) if is_created else 0
    assert len(refused_by_iptables(annotations)) == expected
    assert all((it.value is None) is (it.problem is not None) for it in entries)
