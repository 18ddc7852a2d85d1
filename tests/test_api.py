"""The library's front: its two calls, its names, and the example in its docstring."""

from __future__ import annotations

import doctest

import pytest
from pods import pod
from random_meshes import resource
from small import WHO, config, egress, load, whole

import fsm_egress as fe


def test_the_example_of_the_docstring_holds() -> None:
    results = doctest.testmod(fe)
    assert (results.failed, results.attempted) == (0, 4)


def test_every_name_that_is_offered_is_there_once_and_in_order() -> None:
    assert all(hasattr(fe, name) for name in fe.__all__)
    assert len(set(fe.__all__)) == len(fe.__all__)
    assert fe.__all__ == sorted(fe.__all__)


def test_a_mesh_is_read_twice_from_one_policy() -> None:
    mesh = load(config({"enableEgress": False}), egress("e", "tcp 25"))
    policy = fe.resolve(mesh, WHO)
    decision = fe.compile(mesh, WHO).classify(fe.tcp("54.9.9.9", 25))
    assert (decision.verdict, decision.reason) == (fe.Verdict.EGRESS_POLICY, fe.Reason.TCP_PORT)
    assert whole(fe.Engine.compile(policy).classify(fe.tcp("54.9.9.9", 25))) == whole(decision)
    assert list(fe.pipy_config(mesh, WHO).to_mapping()["Outbound"]["TrafficMatches"]) == ["25"]


def test_an_identity_is_a_text_or_a_value() -> None:
    mesh = load(egress("e", "tcp 25"))
    curl = fe.ServiceIdentity("curl", "curl")
    assert fe.pipy_config(mesh, WHO) == fe.pipy_config(mesh, curl)
    connection = fe.tcp("54.9.9.9", 25)
    found, expected = (fe.compile(mesh, who).classify(connection) for who in (WHO, curl))
    assert whole(found) == whole(expected)


def test_a_pod_or_a_template_stands_instead_of_an_identity() -> None:
    job = {"template": {"spec": {"serviceAccountName": "curl", "hostNetwork": True}}}
    mesh = load(egress("e", "tcp 25"), pod("a"), resource("batch/v1", "Job", "curl", "once", spec=job))
    connection = fe.tcp("54.9.9.9", 25)
    found = {
        name: fe.compile(mesh, pod=name).classify(connection).reason for name in ("a.curl", "job/once.curl")
    }
    assert found == {"a.curl": fe.Reason.TCP_PORT, "job/once.curl": fe.Reason.NO_SIDECAR}
    assert (
        fe.compile(mesh, "pod/a.curl").identity == fe.compile(mesh, pod=fe.Pods(("pod/a",), "curl")).identity
    )
    for who, name in ((None, None), (WHO, "a.curl")):
        with pytest.raises(fe.InvalidValue, match="either an identity or a pod"):
            fe.compile(mesh, who, pod=name)
    for text in ("a", "curl/a.curl", "A.curl", "/a.curl", ""):
        with pytest.raises(fe.InvalidValue):
            fe.compile(mesh, pod=text)


def test_a_config_is_that_of_one_account() -> None:
    mesh = fe.load([])
    assert fe.compile(mesh, "any other account").identity == fe.AnyOtherAccount()
    for write in (fe.pipy_config, fe.pipy_codebase):
        with pytest.raises(fe.InvalidValue, match=r"a service identity `name\.namespace`"):
            write(mesh, "any other account")


def test_what_is_carried_reaches_the_config() -> None:
    tree = fe.pipy_config(load(), WHO, {"Inbound": {"a": 1}}).to_mapping()
    assert tree["Inbound"] == {"a": 1}


@pytest.mark.parametrize("call", [fe.compile, fe.pipy_config])
@pytest.mark.parametrize("identity", ["curl", "", ".curl", "curl.", "Curl.curl"])
def test_a_text_that_is_no_identity_is_refused(call: object, identity: str) -> None:
    assert callable(call)
    with pytest.raises(fe.InvalidValue):
        call(load(), identity)
