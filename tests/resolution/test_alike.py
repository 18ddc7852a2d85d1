"""What follows from a policy is worked out once for identities that have the same."""

from __future__ import annotations

from pods import pod
from small import config, egress, load

import fsm_egress as fe
from fsm_egress.resolution.alike import once_for_all

CURL, WGET, OTHER = (fe.ServiceIdentity(name, "curl") for name in ("curl", "wget", "other"))


def sources(*names: str) -> list[dict[str, str]]:
    return [{"kind": "ServiceAccount", "name": name, "namespace": "curl"} for name in names]


def test_policies_that_differ_in_nothing_but_whose_they_are_are_asked_about_once() -> None:
    both, one = egress("both", "http 80", hosts=["a.com"]), egress("one", "http 80", hosts=["b.com"])
    both["spec"]["sources"] = sources("curl", "wget", "other")
    one["spec"]["sources"] = sources("other")
    mesh = load(config({"enableEgress": False}), both, one)
    asked: list[str] = []

    def work(policy: fe.OutboundPolicy) -> str:
        asked.append(str(policy.identity))
        return str(policy.identity)

    once = once_for_all(work)
    found = [once(fe.resolve(mesh, who)) for who in (CURL, WGET, OTHER, CURL)]
    assert found == ["curl.curl", "curl.curl", "other.curl", "curl.curl"]
    assert asked == ["curl.curl", "other.curl"]


def test_a_list_of_what_passes_by_tells_policies_apart() -> None:
    annotated = pod("a", outbound_port_exclusion_list="25")
    mesh, bare = load(annotated, egress("e", "tcp 80")), load(egress("e", "tcp 80"))
    once = once_for_all(lambda policy: policy.interception)
    assert once(fe.resolve(mesh, CURL)) != once(fe.resolve(bare, CURL))
