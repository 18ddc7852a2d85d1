"""Certificates of answers: what is proven here, a solver proves; what is refuted, it refutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
import small
from hypothesis import given
from hypothesis import strategies as st
from seeds import told_with_each_seed
from small import WHO, config, egress, load, routes, service
from solving import agrees, in_turns, many, solved
from universe import changes

import fsm_egress as fe
from fsm_egress.certificates.documents import BUILT, digests

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Where = fe.Where
GROUP = [{"apiGroup": small.ROUTES, "kind": "HTTPRouteGroup", "name": "r"}]


def questions() -> SearchStrategy[fe.Where]:
    """What is asked of all connections: mostly what leaves the mesh, so that much is proven."""
    things = st.one_of(
        st.sampled_from((Where.allowed(), Where.outside(), Where.governed(), Where.sends("tls"))),
        st.sampled_from(fe.Verdict).map(Where.verdict),
        st.sampled_from(fe.Reason).map(Where.reason),
        st.sampled_from((80, 443, 25, 1)).map(Where.port),
        st.sampled_from(("54.0.0.0/8", "9.9.9.9", "10.0.0.0/8", "::/0", "127.0.0.0/8")).map(Where.to),
        st.sampled_from(("a.com", "A.com:80", "other.net", "")).map(Where.host),
        st.sampled_from(fe.Sends).map(Where.sends),
        st.sampled_from(("GET", "DELETE", "TRACE")).map(Where.method),
    )
    limits = st.lists(st.one_of(things, things.map(lambda it: ~it)), min_size=1, max_size=4)
    joined = limits.map(lambda them: [Where.outside(), *them])
    return st.one_of(
        joined.map(_all),
        st.tuples(things, things).map(lambda pair: pair[0] | pair[1]),
        things,
    )


def _all(them: list[fe.Where]) -> fe.Where:
    first, *others = them
    for it in others:
        first = first & it
    return first


@in_turns
@given(random_meshes.cases(0), st.lists(questions(), min_size=8, max_size=8))
@many(2, 110)
def test_law_the_solver_answers_what_never_happens_as_we_do(
    case: tuple[list[Any], str, list[Any]], asked: list[fe.Where]
) -> None:
    mesh, identity, _ = case
    snapshot = fe.load(mesh)
    assert [where for where in asked if not agrees(fe.never(snapshot, where, identity))] == []


@in_turns
@given(random_meshes.cases(0), st.lists(questions(), min_size=2, max_size=2))
@many(1, 20)
def test_law_the_solver_answers_for_all_identities(
    case: tuple[list[Any], str, list[Any]], asked: list[fe.Where]
) -> None:
    snapshot = fe.load(case[0])
    assert [where for where in asked if not agrees(fe.never(snapshot, where))] == []


@in_turns
@given(changes())
@many(3, 30)
def test_law_the_solver_compares_meshes_as_we_do(pair: tuple[fe.Snapshot, fe.Snapshot]) -> None:
    before, after = pair
    compared = (fe.equivalent(before, after), fe.implies(before, after), fe.implies(after, before))
    assert [answer for answer in compared if not agrees(answer)] == []


MESH = (
    egress("web", "http 80", "https 443", hosts=["a.com"], matches=GROUP, ipAddresses=["54.0.0.0/8"]),
    routes("r", {"pathRegex": "^/v1/", "methods": ["GET"], "headers": [{"x-env": "prod"}]}),
)
PROVEN = Where.outside() & ~Where.origin("a.com", 80) & ~Where.origin("a.com", 443)


def test_a_proof_is_a_script_that_people_read() -> None:
    script = fe.never(load(config(), *MESH), PROVEN, WHO).certificate()
    head, _, rest = script.partition("(set-info :smt-lib-version 2.6)\n")
    claim, expected, whose, document, asked = head.splitlines()
    assert claim.startswith("; claim: never (outside and not (port `80` and host `a.com` or `a.com:80`)")
    assert (expected, whose) == ("; expected: unsat, as it holds", "; of: curl.curl")
    assert document.startswith("; document: sha256 ")
    assert document.endswith(" (built in Python)")
    assert asked == (
        "; question: Is there a connection of which that holds? UDP and IPv6 pass by every sidecar, "
        "and do not count."
    )
    assert rest.startswith("(set-info :status unsat)\n(set-logic ALL)\n\n(declare-datatypes ((Sends 0)) ")
    for line in (
        "(define-fun |claimed by Egress curl/web spec.ports[0]| () Bool",
        "  (and (= port #x0050) |to 54.0.0.0/8|))",
        "(define-fun |matches HTTPRouteGroup curl/r spec.matches[0]| () Bool",
        '  (and (= method "GET") |path has ^/v1/| |header x-env has prod|))',
        '  (re.++ (str.to_re "/v1/") re.all))',
    ):
        assert line in rest.splitlines()
    assert rest.endswith("\n(assert |contradicted by curl.curl|)\n(check-sat)\n")
    assert script.isascii()
    assert solved(script) == "unsat"


def test_what_is_defined_is_named_after_its_line() -> None:
    text = """\
apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata: {name: mail, namespace: curl}
spec:
  sources: [{kind: ServiceAccount, name: curl, namespace: curl}]
  ports: [{number: 25, protocol: tcp}]
"""
    mesh = fe.loads(text, "mail.yaml")
    script = fe.never(mesh, Where.outside() & ~Where.port(25), WHO).certificate()
    assert "|claimed by Egress curl/mail spec.ports[0] (mail.yaml:6)|" in script
    (name, digest), *_ = digests(mesh)
    assert f"\n; document: sha256 {digest} {name}\n" in script
    assert name == "mail.yaml"
    changed = mesh.helm_set("fsm.enableEgress=true")
    assert dict(digests(mesh, changed))["after: mail.yaml"] == digest
    assert set(dict(digests(changed))) - {"mail.yaml"}


def test_the_digest_is_of_what_was_read() -> None:
    one, other = load(config(), egress("e", "tcp 25")), load(config(), egress("e", "tcp 26"))
    assert [name for name, _ in digests(one)] == [BUILT]
    assert digests(one) != digests(other)
    assert digests(one) == digests(load(egress("e", "tcp 25"), config()))


def test_a_witness_is_fixed() -> None:
    answer = fe.never(load(config(), *MESH), Where.outside(), WHO)
    script = answer.certificate()
    assert answer.witness is not None
    assert (
        f"\n; connection: {answer.witness.connection}\n; expected: sat, as the connection refutes it\n"
        in script
    )
    assert "(set-info :status sat)" in script
    assert "(assert (= sends sends-http))" in script
    assert solved(script) == "sat"
    assert solved(script.replace("(assert (= port #x0050))", "(assert (= port #x0051))")) == "unsat"


def test_of_a_connection_the_rules_of_its_port_are_written_down() -> None:
    mesh = load(config(), *MESH, egress("mail", "tcp 25"), egress("db", "tcp 3306"))
    script = fe.never(mesh, Where.outside() & Where.port(25), WHO).certificate()
    assert " Rules of other ports than 25, where it goes, are not written down.\n" in script
    assert "claimed by Egress curl/mail" in script
    assert "3306" not in script
    assert "curl/web" not in script
    assert solved(script) == "sat"
    broken = script.replace("(assert (= port #x0019))", "(assert (= port #x001a))")
    assert solved(broken) == "unsat"


def test_a_question_about_two_meshes_is_asked_port_by_port() -> None:
    before, after = load(config(), *MESH), load(config(), *MESH, egress("mail", "tcp 25"))
    implied = fe.implies(before, after, WHO).certificate()
    assert "(and |port 80| (and |on port 80 was allowed| (not |on port 80 is allowed|)))" in implied
    assert "(not (or |port 25| |port 80| |port 443|))" in implied
    same = fe.equivalent(before, load(config(), *MESH), WHO).certificate()
    assert "(distinct |on port 443 before: DENIED and closed| |on port 443 after: DENIED and closed|)" in same


@pytest.mark.parametrize("where", [Where.sends("datagram"), Where.to("2001:db8::/32") & Where.sends("tls")])
def test_what_passes_by_every_sidecar_refutes_what_is_asked_of_it_alone(where: fe.Where) -> None:
    answer = fe.never(load(config(), *MESH), where, WHO)
    assert answer.proven is False
    assert agrees(answer)


def test_a_proof_that_has_nothing_beside_it_speaks_of_udp_too() -> None:
    answer = fe.never(load(config(), *MESH), Where.governed() & Where.port(25) & Where.outside(), WHO)
    assert answer.proven
    assert "do not count" not in answer.certificate()
    assert agrees(answer)


def test_what_is_left_out_may_only_keep_from_proving() -> None:
    group = routes("r", {"pathRegex": r"^/(?:\ba)*$"}, {"pathRegex": "^/b"})
    mesh = load(config(), egress("web", "http 80", hosts=["a.com"], matches=GROUP), group)
    never = fe.never(mesh, Where.outside() & Where.method("TRACE"), WHO)
    assert "; left out: whether `^/(?:_ba)*$` is found in path" in never.certificate()
    assert solved(never.certificate()) == "unsat"
    for where in (Where.verdict("IN_MESH"), Where.governed() & Where.port(80)):
        answer = fe.never(mesh, where, WHO)
        assert "left out" not in answer.certificate()
        assert agrees(answer)


def test_a_pattern_that_is_left_out_is_the_same_before_and_after() -> None:
    group = routes("r", {"pathRegex": r"^/(?:\ba)*$"})
    before = load(config(), egress("web", "http 80", hosts=["a.com"], matches=GROUP), group)
    after = load(config(), egress("web", "http 80", hosts=["a.com", "b.com"], matches=GROUP), group)
    assert [fe.implies(before, after).proven, fe.implies(after, before).proven] == [True, False]
    assert solved(fe.implies(before, after).certificate()) == "unsat"
    assert solved(fe.implies(after, before).certificate()) == "sat"


def test_two_patterns_that_look_alike_in_remarks_are_two() -> None:
    group = routes("r", {"pathRegex": r"^/(?:\b_a)*$"}, {"pathRegex": r"^/(?:\b|a)*$", "methods": ["GET"]})
    mesh = load(config(), egress("web", "http 80", hosts=["a.com"], matches=GROUP), group)
    for method in ("GET", "TRACE"):
        answer = fe.never(mesh, Where.outside() & Where.method(method), WHO)
        assert agrees(answer)
        assert answer.certificate().count("(declare-const |found ^/(?:_b_a)*$ in path") == 2


def test_a_host_with_patterns_is_as_it_is_sent() -> None:
    group = routes("r", {"headers": [{"host": "^[A-Z]"}]})
    mesh = load(config(), egress("web", "http 80", hosts=["kiosk.org"], matches=GROUP), group)
    assert agrees(fe.never(mesh, Where.outside() & Where.host("kiosk.org"), WHO))
    assert agrees(fe.never(mesh, Where.outside() & ~Where.host("kiosk.org", "kiosk.org:80"), WHO))


def test_what_is_neither_proven_nor_refuted_has_no_certificate() -> None:
    broken = fe.load(egress("e", "tcp 25", ipAddresses=["54.0.0.0"]), strict=False)
    answer = fe.never(broken, Where.outside(), WHO)
    assert answer.proven is None
    with pytest.raises(fe.InvalidValue, match="an answer that is proven or refuted"):
        answer.certificate()


def test_what_becomes_of_all_connections_alike_is_compared_too() -> None:
    mesh = load(config({"outboundIPRangeExclusionList": ["0.0.0.0/0"]}))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "curl"},
           "spec": {"serviceAccountName": "curl", "hostNetwork": True}}  # fmt: skip
    same = load(config(), pod)
    assert agrees(fe.equivalent(same, load(config(), pod, egress("e", "tcp 25")), WHO))
    assert agrees(fe.equivalent(same, mesh, WHO))


def test_many_identities_are_counted() -> None:
    mesh = load(config(), egress("e", "tcp 25"))
    whom = [f"a{number}.curl" for number in range(25)]
    script = fe.never(mesh, Where.outside(), whom).certificate()
    assert script.count("\n; of: ") == 21
    assert "\n; of: 5 more identities\n" in script
    assert script.count("define-fun |contradicted by a0.curl and 24 more| ") == 1  # all are governed alike
    assert solved(script) == "unsat"


def test_conditions_are_told() -> None:
    other = {"apiVersion": "multicluster.flomesh.io/v1alpha1", "kind": "GlobalTrafficPolicy",
             "metadata": {"name": "s", "namespace": "shop"}, "spec": {"lbType": "ActiveActive"}}  # fmt: skip
    answer = fe.never(load(config(), *service("s", "http-web 80"), other), Where.outside(), WHO)
    assert len(answer.conditions) == answer.certificate().count("\n; under: ")


SHOWN = """\
import sys
import fsm_egress as fe
before, after = (fe.loads(text, "m.json") for text in sys.stdin.read().splitlines())
print(fe.never(before, fe.Where.port(26)).certificate())
print(fe.equivalent(before, after).certificate())
"""


def test_the_same_answer_has_the_same_certificate_anywhere() -> None:
    items = [config(), *MESH, *service("s", "http-web 80", pods=["10.0.0.1", "10.0.0.2"])]
    meshes = [{"kind": "List", "apiVersion": "v1", "items": them} for them in (items, items[1:])]
    package = str(Path(fe.__file__).parents[1])
    shown = told_with_each_seed(SHOWN, "\n".join(map(json.dumps, meshes)), PYTHONPATH=package)
    assert len(shown) == 1
    assert shown.pop().count("(check-sat)") == 2


ROOT = Path(__file__).parents[2]
DEMO = ("examples/egress-demo/mesh-config.yaml", "examples/egress-demo/http-two-routes.yaml")


def test_the_certificates_of_the_examples_are_as_they_are_written_today(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    mesh = fe.load(*DEMO)
    opened = mesh.helm_set("fsm.enableEgress=true")
    put = Where.allowed() & Where.port(80) & Where.host("httpbin.org") & Where.method("PUT")
    written = {
        "only-httpbin": fe.never(mesh, Where.outside() & ~Where.origin("httpbin.org", 80)),
        "never-put": fe.never(mesh, put),
        "something-leaves": fe.never(mesh, Where.outside()),
        "opening-takes-nothing": fe.implies(mesh, opened),
        "opening-changes": fe.equivalent(mesh, opened),
    }
    kept = {path.stem: path.read_text() for path in (ROOT / "examples" / "certificates").glob("*.smt2")}
    assert kept == {name: answer.certificate() for name, answer in written.items()}
