"""The reference meets FSM's documentation and its own page's laws, and the strategies reach all of it."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from random_meshes import (
    OWN_IPS,
    Document,
    Documents,
    cases,
    connections,
    egress_policies,
    meshes,
    meshes_and_more,
    permuted,
    subjects_of,
)
from reference import (
    Claim,
    Part,
    address,
    claims_on,
    decide,
    disabled,
    host_of,
    hostnames_of,
    is_account,
    mesh_config,
    monitored,
    of_kind,
    rule_of,
    services_on,
    splits_of,
)
from thoroughness import examples

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTED = json.loads((Path(__file__).parent / "vectors" / "documented.json").read_text(encoding="utf-8"))
VERDICTS = {
    "IN_MESH": {"tcp_service", "http_route"},
    "EGRESS_POLICY": {"tcp_port", "http_route", "tls_server_name", "tls_any"},
    "PASSTHROUGH": {"no_sidecar", "not_intercepted", "egress_enabled"},
    "DENIED": {
        "no_host",
        "no_route",
        "no_endpoints",
        "no_server_name",
        "protocol_mismatch",
        "no_certificate",
        "egress_disabled",
    },
}
BRIEFLY = settings(max_examples=examples(30), deadline=None)


# What FSM documents


@pytest.mark.parametrize(
    ("case", "documented"),
    [
        pytest.param(case, documented, id=f"{case['name']} {index}")
        for case in DOCUMENTED["cases"]
        for index, documented in enumerate(case["connections"])
    ],
)
def test_documented_connections(case: Document, documented: Document) -> None:
    decided = decide(case["resources"], case["identity"], documented["connection"])
    expected = documented["expect"]
    assert decided["verdict"] == expected["verdict"]
    if "status" in expected:
        assert decided["status"] == expected["status"]
    if "target" in expected:
        assert decided["targets"] == [[expected["target"], 1]]


def test_there_are_55_documented_connections() -> None:
    assert sum(len(case["connections"]) for case in DOCUMENTED["cases"]) == 55


# The laws of decision.md


@BRIEFLY
@given(cases())
def test_every_connection_gets_one_well_formed_decision(case: tuple[Documents, str, Documents]) -> None:
    documents, identity, tried = case
    for connection in tried:
        decided = decide(documents, identity, connection)
        denied = decided["verdict"] == "DENIED"
        assert decided["reason"] in VERDICTS[decided["verdict"]]
        assert decided["status"] in ((403, 404, None) if denied else (None,))
        assert sum(share for _, share in decided["targets"]) == (0 if denied else 1)
        assert decided["targets"] == sorted(decided["targets"])
        assert not decided["gateway"] or decided["verdict"] in ("EGRESS_POLICY", "PASSTHROUGH")


@BRIEFLY
@given(cases(), st.data())
def test_deciding_is_free_of_order(case: tuple[Documents, str, Documents], data: st.DataObject) -> None:
    documents, identity, tried = case
    other = data.draw(permuted(documents))
    for connection in tried:
        assert decide(other, identity, connection) == decide(documents, identity, connection)


@BRIEFLY
@given(cases(), egress_policies(names=("added",)))
def test_adding_a_policy_is_monotone(case: tuple[Documents, str, Documents], policy: Document) -> None:
    documents, identity, tried = case
    # A new hostname may become the first one, to which unknown hosts are sent: the one exception.
    documents = with_setting(documents, "featureFlags", "enableAutoDefaultRoute", value=False)
    for connection in tried:
        before = decide(documents, identity, connection)
        after = decide([*documents, policy], identity, connection)
        assert (before["verdict"], after["verdict"]) in {
            (before["verdict"], before["verdict"]),
            ("DENIED", "EGRESS_POLICY"),
            ("PASSTHROUGH", "EGRESS_POLICY"),
            ("PASSTHROUGH", "DENIED"),
        }


@BRIEFLY
@given(cases(), egress_policies(names=("added",)))
def test_a_policy_for_others_changes_nothing(
    case: tuple[Documents, str, Documents], policy: Document
) -> None:
    documents, identity, tried = case
    host = host_of(documents, identity)
    account = f"{host.account}.{host.namespace}" if host else identity
    others = [source for source in policy["spec"]["sources"] if not is_account(source, account)]
    policy["spec"]["sources"] = others or [{"kind": "ServiceAccount", "name": "nobody", "namespace": "curl"}]
    for connection in tried:
        assert decide([*documents, policy], identity, connection) == decide(documents, identity, connection)


@BRIEFLY
@given(cases())
def test_without_egress_and_policies_only_the_mesh_is_open(case: tuple[Documents, str, Documents]) -> None:
    documents, identity, tried = case
    closed = with_setting(documents, "traffic", "enableEgress", value=False)
    closed = [document for document in closed if document["kind"] != "Egress"]
    for connection in tried:
        decided = decide(closed, identity, connection)
        assert decided["verdict"] in ("IN_MESH", "DENIED") or decided["reason"] in (
            "not_intercepted",
            "no_sidecar",
        )


@BRIEFLY
@given(cases())
def test_enabling_egress_opens_what_was_disabled_and_nothing_else(
    case: tuple[Documents, str, Documents],
) -> None:
    documents, identity, tried = case
    off = with_setting(documents, "traffic", "enableEgress", value=False)
    on = with_setting(documents, "traffic", "enableEgress", value=True)
    for connection in tried:
        before, after = decide(off, identity, connection), decide(on, identity, connection)
        if before["reason"] == "egress_disabled":
            assert (after["verdict"], after["reason"]) == ("PASSTHROUGH", "egress_enabled")
        else:
            assert after == before


@BRIEFLY
@given(cases())
def test_policies_change_nothing_in_the_mesh(case: tuple[Documents, str, Documents]) -> None:
    documents, identity, tried = case
    bare = [document for document in documents if document["kind"] != "Egress"]
    for connection in tried:
        decided = decide(documents, identity, connection)
        if decided["verdict"] == "IN_MESH" or (decided["rule"] or "").startswith("Service "):
            assert decide(bare, identity, connection) == decided


def with_setting(documents: Documents, section: str, key: str, *, value: bool) -> Documents:
    changed = deepcopy(documents)
    for document in changed:
        if document["kind"] == "MeshConfig":
            document["spec"].setdefault(section, {})[key] = value
    return changed


# What the strategies promise


@BRIEFLY
@given(meshes(), st.data())
def test_a_permuted_mesh_holds_the_same(documents: Documents, data: st.DataObject) -> None:
    assert unordered(data.draw(permuted(documents))) == unordered(documents)


def unordered(value: Any) -> Any:
    """A text in which the order of lists and of keys plays no part."""
    if isinstance(value, list):
        value = sorted(unordered(item) for item in value)
    if isinstance(value, dict):
        value = {key: unordered(item) for key, item in value.items()}
    return json.dumps(value, sort_keys=True)


@BRIEFLY
@given(meshes(), connections())
def test_meshes_and_connections_are_plain_json(documents: Documents, connection: Document) -> None:
    assert json.loads(json.dumps([documents, connection])) == [documents, connection]


@BRIEFLY
@given(meshes())
def test_no_two_documents_have_one_place(documents: Documents) -> None:
    names = [rule_of(document) for document in documents]
    assert len(set(names)) == len(names)


class Met(NamedTuple):
    """A connection that was decided, and the mesh around it."""

    documents: Documents
    identity: str
    connection: Document
    decided: Document

    @property
    def account(self) -> str:
        host = host_of(self.documents, self.identity)
        return f"{host.account}.{host.namespace}" if host else self.identity

    def setting(self, section: str, key: str) -> Any:
        return mesh_config(self.documents, section).get(key)

    def decided_as(self, verdict: str, reason: str) -> bool:
        return (self.decided["verdict"], self.decided["reason"]) == (verdict, reason)

    @property
    def in_mesh(self) -> bool:
        return bool(self.decided["verdict"] == "IN_MESH")

    @property
    def host(self) -> str:
        return str(self.connection["request"]["host"]) if self.connection["sends"] == "http" else ""

    @property
    def deciding(self) -> Document:
        found = [document for document in self.documents if rule_of(document) == self.decided["rule"]]
        return found[0] if found else {"apiVersion": "", "kind": "", "metadata": {}, "spec": {}}

    @property
    def claims(self) -> list[Claim]:
        return claims_on(self.documents, self.account, self.connection)

    @property
    def claimants(self) -> Documents:
        rules = {claim.rule for claim in self.claims}
        return [policy for policy in self.documents if rule_of(policy) in rules]

    @property
    def services(self) -> list[Part]:
        return services_on(self.documents, self.account, self.connection["port"])

    @property
    def owners(self) -> list[Part]:
        destination = address(self.connection["destination"])
        return [
            part for part in self.services if destination in map(address, (*part.addresses, *part.everyones))
        ]

    @property
    def splits(self) -> Documents:
        return [split for owner in self.owners[:1] for split in splits_of(self.documents, owner)]


def one_inside_another(policies: Documents) -> bool:
    prefixes = [prefix for policy in policies for prefix in policy["spec"].get("ipAddresses", [])]
    networks = {ip_network(prefix, strict=False) for prefix in prefixes}
    return any(one != other and one.network_address in other for one in networks for other in networks)


def named_by_two(met: Met) -> bool:
    return sum(met.host in hostnames_of(met.documents, met.account, part) for part in met.services) > 1


def twice_with_other_certificates(policy: Document, identity: str) -> bool:
    named = [source.get("mtls") for source in policy["spec"]["sources"] if is_account(source, identity)]
    return any(mtls != named[0] for mtls in named)


def hidden_by_namespace(met: Met) -> bool:
    return any(
        document not in monitored(met.documents, document["kind"])
        for document in met.documents
        if document["kind"] in ("Service", "Egress")
    )


COLLISIONS: dict[str, Callable[[Met], bool]] = {
    "two policies on one destination": lambda met: len(met.claimants) > 1,
    "prefixes inside one another": lambda met: one_inside_another(met.claimants),
    "http and https on one port": lambda met: {"http", "https"} <= {claim.protocol for claim in met.claims},
    "http and tcp on one port": lambda met: {"http", "tcp"} <= {claim.protocol for claim in met.claims},
    "a service inside a policy's range": lambda met: met.in_mesh and bool(met.claims),
    "two services on one address": lambda met: met.in_mesh and len(met.owners) > 1,
    "streams and HTTP on one port": lambda met: len({part.protocol == "tcp" for part in met.services}) > 1,
    "a hostname of two services": lambda met: met.in_mesh and named_by_two(met),
    "a Host of another service than the owner's": lambda met: (
        met.decided_as("IN_MESH", "http_route") and met.deciding not in [part.service for part in met.owners]
    ),
    "a missing certificate beside a good one": lambda met: (
        met.decided["verdict"] == "EGRESS_POLICY" and any(claim.broken for claim in met.claims)
    ),
    "one source with two certificates": lambda met: any(
        twice_with_other_certificates(policy, met.account) for policy in met.claimants
    ),
    "a policy without its setting": lambda met: any(
        disabled(met.documents, policy) for policy in of_kind(met.documents, "Egress")
    ),
    "a policy of the old API group": lambda met: "openservicemesh" in met.deciding["apiVersion"],
    "a policy's host in capitals": lambda met: (
        met.decided["verdict"] == "EGRESS_POLICY"
        and met.decided["reason"] in ("http_route", "tls_server_name")
        and met.decided["targets"][0][0].partition(":")[0] not in met.deciding["spec"]["hosts"]
    ),
    "a Host in capitals": lambda met: met.host.isupper() and met.decided["reason"] == "http_route",
    "an unknown Host with a default route": lambda met: (
        met.decided["reason"] == "http_route" and "other.net" in met.host
    ),
    "a route of a policy": lambda met: (
        met.decided_as("EGRESS_POLICY", "http_route") and bool(met.deciding["spec"].get("matches"))
    ),
    "an egress gateway": lambda met: bool(met.decided["gateway"]),
    "a split by weight": lambda met: met.in_mesh and len({share for _, share in met.decided["targets"]}) > 1,
    "a split with routes": lambda met: (
        met.decided["reason"] == "http_route" and any(split["spec"].get("matches") for split in met.splits)
    ),
    "two splits of one service": lambda met: met.in_mesh and len(met.splits) > 1,
    "a backend of another namespace": lambda met: met.in_mesh and "/" in json.dumps(met.splits),
    "a service by hostname": lambda met: met.in_mesh and any("." in part.name for part in met.owners),
    "a service of every access mode": lambda met: (
        met.in_mesh and met.setting("traffic", "serviceAccessMode") == "domain"
    ),
    "a service behind a TrafficTarget": lambda met: (
        met.in_mesh and not met.setting("traffic", "enablePermissiveTrafficPolicyMode")
    ),
    "a service of which only some pods are open": lambda met: (
        met.in_mesh and any(0 < len(part.endpoints) < len(part.addresses) - 1 for part in met.owners)
    ),
    "an IPv6 service": lambda met: met.in_mesh and ":" in met.connection["destination"],
    "an IPv4 address in disguise": lambda met: (
        met.connection["destination"].startswith("::ffff:") and met.decided["verdict"] == "EGRESS_POLICY"
    ),
    "an exclusion by a pod": lambda met: (
        met.decided["reason"] == "not_intercepted" and met.deciding["kind"] == "Pod"
    ),
    "an exclusion by a template": lambda met: (
        met.decided["reason"] == "not_intercepted" and met.deciding["kind"] == "Deployment"
    ),
    "a pod that dials itself": lambda met: (
        met.decided["rule"] is None and met.connection["destination"] in OWN_IPS
    ),
    "a pod that was started with rules": lambda met: (
        met.decided["reason"] == "not_intercepted" and "initContainers" in met.deciding["spec"]
    ),
    "a pod without a sidecar beside one that has it": lambda met: (
        met.decided["reason"] == "no_sidecar" and len(subjects_of(met.documents, met.account)) > 1
    ),
    "a policy that lets a pod out": lambda met: (
        "/" in met.identity and met.decided["verdict"] == "EGRESS_POLICY"
    ),
    "an exclusion by the mesh": lambda met: (
        met.decided["reason"] == "not_intercepted" and met.deciding["kind"] == "MeshConfig"
    ),
    "a namespace that does not count": hidden_by_namespace,
    "an end in another cluster": lambda met: (
        met.in_mesh and any(target.startswith("10.20.") for target, _ in met.decided["targets"])
    ),
    "an end there and one here": lambda met: (
        met.in_mesh and len({target.startswith("10.20.") for target, _ in met.decided["targets"]}) > 1
    ),
}


def test_the_strategies_collide_as_promised() -> None:
    missing = dict(COLLISIONS)
    outcomes = {(verdict, reason) for verdict, reasons in VERDICTS.items() for reason in reasons}

    def nothing_missing(case: tuple[Documents, str, Documents]) -> bool:
        documents, identity, tried = case
        for connection in tried:
            met = Met(documents, identity, connection, decide(documents, identity, connection))
            for name in [name for name, holds in missing.items() if holds(met)]:
                del missing[name]
            outcomes.discard((met.decided["verdict"], met.decided["reason"]))
        return not missing and not outcomes

    tries = settings(max_examples=5_000, phases=[Phase.generate], derandomize=True, deadline=None)
    with suppress(NoSuchExample):
        find(cases(30, meshes_and_more()), nothing_missing, settings=tries)
    assert (set(missing), outcomes) == (set(), set())
