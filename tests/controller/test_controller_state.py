"""The state of the controller: in whatever order and how often things come, what is published is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pods import RULES, pod
from small import WHO, config, egress, routes, service

import fsm_egress as fe
from examples.controller.kinds import SERVED, bare, ref_of
from examples.controller.state import Gone, Listed, Seen, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from examples.controller.state import Change

Tree = dict[str, Any]
CURL = fe.ServiceIdentity.parse(WHO)
WEB = egress("web", "http 80", hosts=["a.com"])
DB = egress("db", "tcp 3306", ipAddresses=["54.0.0.0/8"])
BROKEN = egress("web", "smtp 80")
VARIANTS: tuple[tuple[Tree, ...], ...] = (
    (WEB, egress("web", "http 8080", hosts=["b.com"]), egress("web", "tcp 9000")),
    (DB, egress("db", "tcp 3307", ipAddresses=["55.0.0.0/8"])),
    (routes("paths", {"pathRegex": "/a"}), routes("paths", {"pathRegex": "/b"})),
    (config(), config({"enableEgress": True})),
)


def at(version: int, document: Mapping[str, Any]) -> Tree:
    """An object as a server has it at a revision."""
    metadata = {**document["metadata"], "resourceVersion": str(version), "managedFields": [{"manager": "x"}]}
    return {**document, "metadata": metadata}


def lists(version: int, documents: Iterable[Tree] = ()) -> list[Change]:
    found = tuple(documents)
    return [Listed(kind, version, tuple(it for it in found if it["kind"] == kind)) for kind in SERVED]


def known(*documents: Tree, enforce: bool = False) -> State:
    """The state of a cluster that has these objects at revision 10."""
    return State(enforce=enforce).after(*lists(10, [at(10, it) for it in documents]))


def due(*documents: Tree) -> Mapping[fe.ServiceIdentity, Mapping[str, bytes]]:
    mesh = fe.load(list(documents))
    return {who: fe.pipy_codebase(mesh, who) for who in mesh.identities()}


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Change], list[Tree], int]:
    """What a server tells of a cluster's history, what is there at the end, and the last revision."""
    there: dict[fe.ResourceRef, Tree] = {}
    told: list[Change] = []
    version = 0
    for version in range(1, draw(st.integers(1, 12)) + 1):
        document = at(version, draw(st.sampled_from(draw(st.sampled_from(VARIANTS)))))
        ref = ref_of(document)
        if ref in there and draw(st.booleans()):
            del there[ref]
            told.append(Gone(document))
        else:
            there[ref] = document
            told.append(Seen(document))
        if draw(st.booleans()):
            told += lists(version, there.values())
    return told, list(there.values()), version


@given(histories(), st.randoms(use_true_random=False), st.data())
def test_law_no_order_and_no_repetition_changes_what_is_published(
    history: tuple[list[Change], list[Tree], int], random: Any, data: st.DataObject
) -> None:
    told, there, version = history
    again = [change for change in told if data.draw(st.booleans())]
    changes = [*told, *again, *lists(version, there)]
    random.shuffle(changes)
    state, at_once = State(), State().after(*changes)
    while changes:
        some = data.draw(st.integers(1, len(changes)))
        state, changes = state.after(*changes[:some]), changes[some:]
    assert state.codebases == at_once.codebases == due(*map(bare, there))
    assert set(state.versions) == {ref_of(it) for it in there}


@given(histories())
def test_law_what_no_list_has_is_gone_and_what_no_event_told_is_there(
    history: tuple[list[Change], list[Tree], int],
) -> None:
    told, there, version = history
    half = State().after(*lists(0)).after(*told[: len(told) // 2])
    assert half.after(*lists(version, there)).codebases == due(*map(bare, there))


def test_nothing_is_published_before_every_kind_is_listed() -> None:
    *most, last = lists(10, [at(9, WEB)])
    state = State().after(*most, Seen(at(9, WEB)))
    assert not state.codebases
    assert not state.is_known
    assert state.after(last).codebases == due(WEB)


def test_what_a_change_does_not_touch_is_the_same_object() -> None:
    other = {**DB, "spec": {**DB["spec"], "sources": [{**DB["spec"]["sources"][0], "name": "other"}]}}
    state = known(WEB, other)
    after = state.after(Seen(at(11, egress("web", "http 81", hosts=["a.com"]))))
    untouched = fe.ServiceIdentity.parse("other.curl")
    assert after.workloads[untouched] is state.workloads[untouched]
    assert after.codebases[untouched] is state.codebases[untouched]
    assert after.codebases[CURL] != state.codebases[CURL]


def test_a_status_or_a_revision_alone_is_no_change() -> None:
    state = known(WEB)
    after = state.after(Seen({**at(11, WEB), "status": {"currentStatus": "published", "reason": ""}}))
    assert after.mesh is state.mesh
    assert after.codebases is state.codebases
    assert after.reports({}) == {}


def test_the_last_good_form_stays_in_force_and_the_problem_is_reported() -> None:
    state = known(WEB).after(Seen(at(11, BROKEN)))
    assert state.codebases == due(WEB)
    assert state.withheld == frozenset()
    ((ref, status),) = state.reports({}).items()
    assert (str(ref), status.current) == ("Egress curl/web", "invalid")
    assert status.reason.startswith("spec.ports[0].protocol: expected")
    mended = state.after(Seen(at(12, WEB)))
    assert mended.refused == {}
    assert mended.codebases is state.codebases
    assert [it.current for it in mended.reports({}).values()] == ["published"]


def test_an_invalid_object_that_is_deleted_leaves_nothing() -> None:
    state = known(WEB).after(Seen(at(11, BROKEN))).after(Gone(at(12, BROKEN)))
    assert (state.refused, state.codebases, state.reports({})) == ({}, {}, {})


def test_deleted_and_made_again_in_one_go() -> None:
    state = known(WEB).after(Gone(at(11, WEB)), Seen(at(12, WEB)))
    assert state.codebases == due(WEB)
    broken = known(WEB).after(Gone(at(11, WEB)), Seen(at(12, BROKEN)))
    assert broken.codebases == {}
    made = known().after(Seen(at(11, WEB)), Gone(at(12, WEB)))
    assert (len(made.mesh), made.codebases) == (0, {})


@pytest.mark.parametrize(
    ("document", "withheld"),
    [
        (BROKEN, frozenset({CURL})),
        ({**BROKEN, "spec": {"sources": [{"kind": "Group", "name": "x", "namespace": "y"}]}}, frozenset()),
        ({**BROKEN, "spec": {"sources": [{"kind": "ServiceAccount"}]}}, None),
        ({**BROKEN, "spec": {"sources": [{"kind": "ServiceAccount", "name": "a", "namespace": "B!"}]}}, None),
        ({**BROKEN, "spec": {"sources": 3}}, None),
        ({**BROKEN, "spec": {"hosts": 3}}, None),
        ({**BROKEN, "spec": []}, None),
        ({**config(), "spec": {"traffic": 3}}, None),
    ],
)
def test_what_was_invalid_from_the_beginning_holds_whom_it_concerns(document: Tree, withheld: Any) -> None:
    state = known(document, DB)
    assert state.withheld == withheld
    assert state.after(Seen(at(11, document))).withheld == withheld
    assert state.after(Gone(at(12, document))).withheld == frozenset()


OTHER = {**DB, "spec": {**DB["spec"], "sources": [{**DB["spec"]["sources"][0], "name": "other"}]}}
REFERENCE = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "odd"}
REFERRING = {**WEB, "spec": {**WEB["spec"], "matches": [REFERENCE]}}


def target(name: str, **spec: Any) -> Tree:
    to = {"kind": "ServiceAccount", "name": "shop", "namespace": "shop"}
    rules = [{"kind": "HTTPRouteGroup", "name": "odd"}]
    return {
        "apiVersion": "access.smi-spec.io/v1alpha3",
        "kind": "TrafficTarget",
        "metadata": {"name": name, "namespace": "curl"},
        "spec": {"destination": to, "rules": rules, **spec},
    }


SPLIT = {
    "apiVersion": "split.smi-spec.io/v1alpha4",
    "kind": "TrafficSplit",
    "metadata": {"name": "split", "namespace": "curl"},
    "spec": {"service": "web", "backends": [], "matches": [{"kind": "HTTPRouteGroup", "name": "odd"}]},
}
SOURCES = [{"kind": "ServiceAccount", "name": "third", "namespace": "curl"}]
THIRD = fe.ServiceIdentity.parse("third.curl")


@pytest.mark.parametrize(
    ("others", "withheld"),
    [
        ([], frozenset()),
        ([WEB], frozenset()),
        ([REFERRING], frozenset({CURL})),
        ([REFERRING, target("t", sources=SOURCES)], frozenset({CURL, THIRD})),
        ([target("t", sources=[{"kind": "ServiceAccount", "name": "third"}])], frozenset()),
        ([REFERRING, SPLIT], None),
    ],
)
def test_routes_of_one_team_that_cannot_be_read_hold_those_who_are_referred_to_them(
    others: list[Tree], withheld: Any
) -> None:
    group = routes("odd", {"pathRegex": "/a"})
    group["spec"]["matches"] = 3
    state = known(group, OTHER, *others)
    assert state.withheld == withheld


def test_a_target_that_cannot_be_read_holds_its_sources() -> None:
    assert known(OTHER, target("t", sources=SOURCES, rules=7)).withheld == frozenset({THIRD})


def test_what_becomes_invalid_later_holds_nobody() -> None:
    assert known(DB).after(Seen(at(11, BROKEN))).withheld == frozenset()


def test_a_policy_waits_for_all_its_sources_and_tells_what_is_found() -> None:
    lost = egress("lost", "http 80", hosts=["a.com"], matches=[{"kind": "HTTPRouteGroup", "name": "nowhere"}])
    lost["spec"]["matches"][0]["apiGroup"] = "specs.smi-spec.io/v1alpha4"
    group = {
        **DB,
        "spec": {**DB["spec"], "sources": [{"kind": "Group", "name": "curl", "namespace": "curl"}]},
    }
    state = known(WEB, lost, {**group, "metadata": {"name": "group", "namespace": "curl"}})
    waiting = {ref.name: it.current for ref, it in state.reports({CURL: "no repo"}).items()}
    assert waiting == {"web": "pending", "lost": "pending", "group": "published"}
    found = {ref.name: it for ref, it in state.reports({}).items()}
    assert found["web"].current == "published"
    assert "FSE" in found["lost"].reason
    assert "nowhere" in found["lost"].reason


def test_with_the_module_the_codebase_has_it() -> None:
    state = known(WEB, enforce=True)
    assert state.codebases[CURL] == fe.pipy_codebase(fe.load(WEB), CURL, enforce=True)
    plain = known(WEB, config(sidecar={"compressConfig": False}))
    assert list(plain.codebases[CURL]) == ["config.json"]


# --- pods ------------------------------------------------------------------------------------------------

STALE = pod("a", "10.244.0.9", RULES, "sidecar", outbound_port_exclusion_list="25")


def test_of_a_pod_what_is_read_is_kept_and_nothing_else() -> None:
    user = {"runAsUser": 7}
    container = {"name": "app", "image": "shop", "args": ["--password=x"], "securityContext": user}
    document = {
        **STALE,
        "spec": {**STALE["spec"], "containers": [container], "hostNetwork": True, "tolerations": [{}]},
        "status": {**STALE["status"], "phase": "Running", "conditions": [{"type": "Ready"}]},
    }
    kept = bare(document)
    assert kept["status"] == STALE["status"]
    assert kept["spec"] == {
        **STALE["spec"],
        "containers": [{"name": "app", "securityContext": user}],
        "hostNetwork": True,
    }
    assert "status" not in bare({**WEB, "status": {}})
    odd = {**STALE, "spec": {"containers": 3, "initContainers": [7]}, "status": 5}
    assert {key: bare(odd)[key] for key in ("spec", "status")} == {
        key: odd[key] for key in ("spec", "status")
    }


def test_of_what_makes_pods_the_template_is_kept_and_who_made_it() -> None:
    template = {"metadata": {"annotations": {"a": "b"}, "labels": {}}, "spec": {"hostNetwork": True}}
    owner = [{"kind": "Deployment", "name": "shop"}]
    made = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "shop-1", "namespace": "curl", "ownerReferences": owner},
        "spec": {"replicas": 2, "template": template},
        "status": {"replicas": 2},
    }
    assert bare(made) == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "shop-1", "namespace": "curl", "ownerReferences": owner},
        "spec": {"template": template},
    }


def test_what_a_node_says_of_its_pods_is_no_change() -> None:
    state = known(WEB, STALE)
    beat = {**STALE, "status": {**STALE["status"], "conditions": [{"lastProbeTime": "now"}]}}
    assert state.after(Seen(at(11, beat))).mesh is state.mesh


def test_pods_are_passed_on() -> None:
    assert known(WEB, STALE).mesh == fe.load([WEB, STALE])


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_come_to_its_end_is_not_there(phase: str) -> None:
    over = {**STALE, "status": {**STALE["status"], "phase": phase}}
    assert len(known(over).mesh.kind(fe.Pod)) == 0
    state = known(STALE).after(Seen(at(11, over)))
    assert len(state.mesh.kind(fe.Pod)) == 0
    assert state.warnings() == {}
    assert len(state.after(Gone(at(12, over))).mesh) == 0


def test_a_pod_of_old_lists_is_warned_of_until_it_is_started_anew() -> None:
    state = known(WEB, STALE, pod("b", "10.244.0.10", RULES, "sidecar"))
    ((ref, (reason, message)),) = state.warnings().items()
    assert (str(ref), reason) == ("Pod curl/a", "StaleRules")
    assert message.startswith(
        "FSE113: it was started with other lists than a pod would get now: start it again"
    )
    assert message.endswith("shown by 192.0.2.1:25 TCP")
    same = state.after(Seen(at(11, egress("web", "tcp 1"))))
    assert same.pods[ref] is state.pods[ref]
    anew = pod("a", "10.244.0.9", RULES, "sidecar")
    assert state.after(Seen(at(11, anew))).warnings() == {}
    everyone = state.after(Seen(at(11, config({"outboundPortExclusionList": [26]}))))
    assert len(everyone.warnings()) == 2


def test_a_pod_whose_lists_cannot_be_read_is_there_nevertheless_and_holds_nobody_s_config() -> None:
    odd = pod("a", "10.244.0.9", outbound_port_exclusion_list="70000")
    state = known(WEB, odd)
    assert state.withheld == frozenset()
    ((_, (reason, message)),) = state.warnings().items()
    assert (reason, "70000" in message) == ("Invalid", True)
    (there,) = state.mesh.kind(fe.Pod)
    assert [str(it.ip) for it in there.status.pod_ips] == ["10.244.0.9"]
    assert there.spec.service_account_name == "curl"
    assert state.codebases == due(WEB)
    mended = state.after(Seen(at(11, pod("a", "10.244.0.9"))))
    assert (mended.warnings(), mended.refused) == ({}, {})


def test_a_template_that_cannot_be_read_holds_nobody_s_config() -> None:
    maker = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "curl"}}
    state = known(WEB, {**maker, "spec": {"template": 3}})
    assert state.withheld == frozenset()
    ((_, (reason, message)),) = state.warnings().items()
    assert (reason, message[:14]) == ("Invalid", "spec.template:")


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Egress", "/apis/policy.flomesh.io/v1alpha1/namespaces/a/egresses/b"),
        ("Service", "/api/v1/namespaces/a/services/b"),
        ("Retry", "/apis/policy.flomesh.io/v1alpha1/namespaces/a/retries/b"),
        (
            "GlobalTrafficPolicy",
            "/apis/multicluster.flomesh.io/v1alpha1/namespaces/a/globaltrafficpolicies/b",
        ),
    ],
)
def test_where_objects_are(kind: str, path: str) -> None:
    assert SERVED[kind].path_of(fe.ResourceRef(kind, "a", "b")) == path
    assert SERVED["Namespace"].path_of(fe.ResourceRef("Namespace", "", "b")) == "/api/v1/namespaces/b"


def test_services_are_followed_too() -> None:
    shop = [config(), *service("web", "http-web 80"), WEB]
    state = known(*shop)
    assert state.codebases == due(*shop)
    gone = state.after(Gone(at(11, shop[2])))
    assert gone.codebases == due(shop[0], shop[1], WEB) != state.codebases
