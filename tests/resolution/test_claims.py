"""Claims of Egress policies, the groups that unite them, and what is found wrong with them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_meshes import DESTINATIONS, FLOMESH, PREFIXES, resource
from small import WHO, config, egress, found, load, resolved, routes

import fsm_egress as fe
from fsm_egress.policy.parts import Claim
from fsm_egress.resolution.claims import (
    changed_claims,
    claims_on,
    groups_of,
    host_clusters,
    resolve_claims,
)
from fsm_egress.values.references import FieldRef, ResourceRef

if TYPE_CHECKING:
    from fsm_egress.policy.groups import EgressGroup

CURL = fe.ServiceIdentity.parse(WHO)
HTTP, HTTPS, TCP = fe.Protocol.HTTP, fe.Protocol.HTTPS, fe.Protocol.TCP


def claim(name: str, prefixes: tuple[str, ...] = (), protocol: fe.Protocol = TCP, **rest: Any) -> Claim:
    rule = FieldRef(ResourceRef("Egress", "curl", name), "spec.ports[0]")
    return Claim(rule, 80, protocol, tuple(sorted(set(map(fe.Prefix, prefixes)))), **rest)


def claims_of(*entries: Any, port: int = 80) -> tuple[Claim, ...]:
    return resolve_claims(load(*entries), CURL).by_port[port]


def names(group: EgressGroup) -> list[str]:
    return [claim.rule.resource.name for claim in group.claims]


# --- groups against a naive oracle -----------------------------------------------------------------------

nested = st.sampled_from(
    (
        *PREFIXES,
        "54.9.9.0/24",
        "54.9.9.8/31",
        "54.8.0.0/15",
        "128.0.0.0/1",
        "10.0.0.0/30",
        "10.0.0.1/32",
        "2001:db8::/64",
        "2000::/3",
        "::ffff:54.0.0.0/104",  # 54.0.0.0/8 in disguise
    )
)
several_claims = st.lists(st.lists(nested, max_size=3, unique=True), min_size=1, max_size=6).map(
    lambda drawn: [claim(f"e{index}", tuple(prefixes)) for index, prefixes in enumerate(drawn)]
)
ADDRESSES = [
    *(text for text in DESTINATIONS if not text.startswith("::ffff")),
    "54.8.1.1",
    "200.1.1.1",
    "2001:db8:1::1",
]


def contains(prefix: fe.Prefix, address: str) -> bool:
    return ip_address(address) in ip_network(str(prefix))


def scanned(claims: list[Claim], address: str) -> list[str]:
    """The claims on an address, by looking at each."""
    return [
        claim.rule.resource.name
        for claim in claims
        if not claim.prefixes or any(contains(prefix, address) for prefix in claim.prefixes)
    ]


def of_longest_prefix(groups: tuple[EgressGroup, ...], address: str) -> list[str]:
    """The claims of the group with the longest prefix around an address, else of the one without prefixes."""
    around = [
        (prefix.length, group) for group in groups for prefix in group.prefixes if contains(prefix, address)
    ]
    rest = [(-1, group) for group in groups if not group.prefixes]
    best = max([*around, *rest], key=lambda pair: pair[0], default=None)
    return names(best[1]) if best else []


def of_first_match(groups: tuple[EgressGroup, ...], address: str) -> list[str]:
    """The claims of the first group that takes an address, as the sidecar reads them."""
    for group in groups:
        if not group.prefixes or any(contains(prefix, address) for prefix in group.prefixes):
            return names(group)
    return []


@given(several_claims)
def test_law_the_group_of_an_address_has_the_claims_that_a_plain_scan_finds(claims: list[Claim]) -> None:
    groups = groups_of(80, claims, frozenset())
    for address in ADDRESSES:
        expected = scanned(claims, address)
        assert of_longest_prefix(groups, address) == expected
        assert of_first_match(groups, address) == expected


@given(several_claims)
def test_law_groups_are_in_canonical_order(claims: list[Claim]) -> None:
    *ranged, last = groups_of(80, claims, frozenset())
    if last.prefixes:
        ranged.append(last)
    assert all(group.prefixes for group in ranged)
    ranks = [(-len(group.claims), group.prefixes[0]) for group in ranged]
    assert ranks == sorted(ranks)
    for group in ranged:
        assert list(group.prefixes) == sorted(set(group.prefixes))
        assert not any(a is not b and a.covers(b) for a in group.prefixes for b in group.prefixes)
    assert len({tuple(names(group)) for group in ranged}) == len(ranged)


@given(several_claims, st.sets(st.sampled_from(("54.9.9.9/32", "2001:db8::5/128", "10.0.0.1/32"))))
def test_law_a_prefix_that_is_an_in_mesh_address_is_dropped_and_no_other(
    claims: list[Claim], taken: set[str]
) -> None:
    owned = frozenset(map(fe.Prefix, taken))
    groups = groups_of(80, claims, owned)
    assert not owned & {prefix for group in groups for prefix in group.prefixes}
    for address in ADDRESSES:
        if not any(contains(prefix, address) for prefix in owned):
            assert of_first_match(groups, address) == scanned(claims, address)


def test_the_page_s_groups() -> None:
    claims = [claim("a", ("54.0.0.0/8", "54.9.0.0/16")), claim("b", ("54.9.9.9/32",)), claim("c")]
    groups = groups_of(80, claims, frozenset())
    assert [(list(map(str, group.prefixes)), names(group)) for group in groups] == [
        (["54.9.9.9/32"], ["a", "b", "c"]),
        (["54.0.0.0/8"], ["a", "c"]),
        ([], ["c"]),
    ]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        (
            {"a": ["54.0.0.0/8", "54.9.9.0/24"], "b": ["54.9.0.0/16"]},
            [(["54.9.0.0/16"], ["a", "b"]), (["54.0.0.0/8"], ["a"])],
        ),
        (  # the same claims, once with one around the other and once the other way
            {"a": ["54.0.0.0/8", "10.0.0.1/32"], "b": ["54.9.0.0/16", "10.0.0.0/30"]},
            [
                (["10.0.0.1/32", "54.9.0.0/16"], ["a", "b"]),
                (["10.0.0.0/30"], ["b"]),
                (["54.0.0.0/8"], ["a"]),
            ],
        ),
        (
            {
                "a": ["10.0.0.0/8", "54.9.9.0/24"],
                "b": ["10.9.0.0/16", "54.9.0.0/16"],
                "c": ["10.9.9.0/24", "54.0.0.0/8"],
                "d": [],
            },
            [
                (["10.9.9.0/24", "54.9.9.0/24"], ["a", "b", "c", "d"]),
                (["10.9.0.0/16"], ["a", "b", "d"]),
                (["54.9.0.0/16"], ["b", "c", "d"]),
                (["10.0.0.0/8"], ["a", "d"]),
                (["54.0.0.0/8"], ["c", "d"]),
                ([], ["d"]),
            ],
        ),
        (
            {"a": ["54.9.9.8/31"], "b": ["54.9.9.9/32"]},
            [(["54.9.9.9/32"], ["a", "b"]), (["54.9.9.8/31"], ["a"])],
        ),
        (
            {"a": [], "b": ["54.9.0.0/16"], "c": ["54.9.0.0/16", "54.9.9.9/32"], "d": ["54.0.0.0/8"]},
            [(["54.9.0.0/16"], ["a", "b", "c", "d"]), (["54.0.0.0/8"], ["a", "d"]), ([], ["a"])],
        ),
    ],
)
def test_addresses_that_the_same_claims_cover_are_one_group(
    ranges: dict[str, list[str]], expected: list[tuple[list[str], list[str]]]
) -> None:
    groups = groups_of(80, [claim(name, tuple(prefixes)) for name, prefixes in ranges.items()], frozenset())
    assert [(list(map(str, group.prefixes)), names(group)) for group in groups] == expected


def test_nothing_is_claimed_without_claims() -> None:
    assert groups_of(80, [], frozenset()) == ()
    assert groups_of(80, [claim("a", ("10.0.0.1/32",))], frozenset({fe.Prefix("10.0.0.1/32")})) == ()


# --- what a group allows ---------------------------------------------------------------------------------


def test_the_cluster_of_server_names_is_named_after_its_port_or_its_first_prefix() -> None:
    ranged = claim("a", ("54.0.0.0/8", "2001:db8::/32"), HTTPS, hosts=("a.com",))
    rangeless = claim("b", (), HTTPS, hosts=("b.com",))

    def clusters(*claims: Claim) -> list[str]:
        return [group.tls_cluster for group in groups_of(443, claims, frozenset())]

    assert clusters(ranged) == ["443"]
    assert clusters(rangeless) == ["443"]
    assert clusters(ranged, rangeless) == ["443@54.0.0.0/8", "443"]
    other = claim("c", ("55.0.0.0/8",), HTTPS, hosts=("c.com",))
    assert clusters(other, ranged) == ["443@54.0.0.0/8", "443@55.0.0.0/8"]


def test_a_group_unites_what_its_claims_allow() -> None:
    (group,) = groups_of(
        443,
        claims_of(
            egress("a", "https 443", "http 443", hosts=["b.com", "a.com"]),
            egress("b", "https 443", "http 443", hosts=["b.com", "c.com"]),
            port=443,
        ),
        frozenset(),
    )
    assert [(name.host, name.rule.resource.name) for name in group.server_names] == [
        ("a.com", "a"),
        ("b.com", "a"),
        ("c.com", "b"),
    ]
    assert [(host.name, host.rule.resource.name) for host in group.virtual_hosts] == [
        ("a.com", "a"),
        ("b.com", "a"),
        ("c.com", "b"),
    ]
    assert group.virtual_hosts[0].hostnames == ("a.com", "a.com:443")
    assert [cluster.name for cluster in group.virtual_hosts[0].routes[0].clusters] == ["a.com:443"]
    assert (group.stream, group.any_tls) == (None, None)


def test_what_a_group_allows_comes_by_host_whatever_policy_it_is_from() -> None:
    policies = (
        egress("a", "https 80", "http 80", hosts=["z.com"]),
        egress("b", "https 80", "http 80", hosts=["a.com"]),
    )
    (group,) = groups_of(80, claims_of(*policies), frozenset())
    assert [name.host for name in group.server_names] == ["a.com", "z.com"]
    assert [host.name for host in group.virtual_hosts] == ["a.com", "z.com"]


def test_only_requests_to_hosts_have_clusters() -> None:
    policies = egress("a", "https 80", "tcp 80", hosts=["a.com"]), egress("b", "http 80", hosts=["a.com"])
    clusters, findings = host_clusters(80, claims_of(setting("u", 4), *policies))
    assert [(name, it.rule.resource.name) for name, it in clusters.items()] == [("a.com:80", "b")]
    assert findings == ()


def test_the_first_whole_claim_opens_the_stream_or_any_tls() -> None:
    broken = claim("a", broken=True)
    first, second = claim("b"), claim("c", protocol=fe.Protocol.TCP_SERVER_FIRST)
    tls = claim("d", protocol=HTTPS)
    (group,) = groups_of(80, [broken, tls, first, second], frozenset())
    assert group.stream is first
    assert group.any_tls is tls
    assert group.has(TCP)
    assert not group.has(HTTP)
    (group,) = groups_of(80, [broken, claim("d", (), HTTPS, broken=True)], frozenset())
    assert (group.stream, group.any_tls) == (None, None)


# --- claims ----------------------------------------------------------------------------------------------


def test_claims_come_by_namespace_name_and_port_and_each_port_once() -> None:
    claims = resolve_claims(
        load(
            egress("b", "http 80", "HTTP 80", "tcp 25", hosts=["b.com", "a.com", "a.com"]),
            egress("a", "https 80", ipAddresses=["54.0.0.0/8", "10.0.0.0/8", "54.0.0.0/8"]),
            egress("a", "tcp 80", space="app"),
        ),
        CURL,
    ).by_port
    assert list(claims) == [25, 80]
    assert [str(claim.rule) for claim in claims[80]] == [
        "Egress app/a spec.ports[0]",
        "Egress curl/a spec.ports[0]",
        "Egress curl/b spec.ports[0]",
    ]
    app, ranged, hosted = claims[80]
    assert list(map(str, ranged.prefixes)) == ["10.0.0.0/8", "54.0.0.0/8"]
    assert hosted.hosts == ("a.com", "b.com")
    assert (app.hosts, app.routes, ranged.routes) == ((), (), ())
    assert claims[25][0].hosts == ()
    assert [route.path.text for route in hosted.routes] == [".*"]


CHANGES = [  # of one policy after the other: what it claims now, or that it is gone
    ("b", ["http 80"]),  # without hosts, which is reported
    ("a", ["tcp 80", "tcp 25"]),
    ("c", ["https 80", "tcp 443"]),
    ("a", ["http 80"]),
    ("b", ["tcp 25"]),
    ("c", ["https 80", "tcp 443"]),
    ("d", ["http 443"]),
    ("a", ["http 25"]),
    ("b", []),
    ("c", ["http 80"]),
    ("a", []),
    ("c", []),
]


def test_claims_follow_each_change_of_a_policy_as_if_they_were_worked_out_anew() -> None:
    mesh = load(egress("e", "tcp 7", hosts=["*.e.com"]))
    claims = resolve_claims(mesh, CURL)
    for name, ports in CHANGES:
        changed = load(egress(name, *ports)).kind(fe.EgressPolicy) if ports else ()
        mesh = mesh.with_(*changed) if ports else mesh.without(ResourceRef("Egress", "curl", name))
        claims = changed_claims(mesh, CURL, claims)
        anew = resolve_claims(mesh, CURL)
        assert claims == anew
        assert (list(claims.by_port), claims.findings) == (list(anew.by_port), anew.findings)
        assert changed_claims(mesh, CURL, claims) is claims
        assert set(claims.found) == {finding.rule.resource for finding in claims.findings}
        policies = mesh.policies_for(CURL)
        for port in (7, 25, 80, 443):
            assert claims_on(mesh, CURL, port, policies) == claims.by_port.get(port, ())


def test_what_is_said_of_the_flag_follows_the_number_of_policies() -> None:
    off = config(featureFlags={"enableEgressPolicy": False})
    mesh = load(off, egress("a", "tcp 25"))
    claims = resolve_claims(mesh, CURL)
    more = changed_claims(mesh.with_(*load(egress("b", "tcp 25")).kind(fe.EgressPolicy)), CURL, claims)
    assert ["the flag is off: 1 " in it.message for it in claims.findings] == [True]
    assert ["the flag is off: 2 " in it.message for it in more.findings] == [True]


def group_match(name: str) -> dict[str, Any]:
    return {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": name}


def setting_match(name: str) -> dict[str, Any]:
    return {"apiGroup": FLOMESH, "kind": "UpstreamTrafficSetting", "name": name}


def setting(name: str, connections: int) -> dict[str, Any]:
    spec = {"host": "a.com", "connectionSettings": {"tcp": {"maxConnections": connections}}}
    return resource(FLOMESH, "UpstreamTrafficSetting", "curl", name, spec=spec)


def test_routes_are_those_of_the_groups_in_the_policy_s_namespace() -> None:
    (found_claim,) = claims_of(
        routes("r0", {"pathRegex": "/a"}, {"pathRegex": "/b"}),
        routes("r1", {"pathRegex": "/c"}),
        routes("r0", {"pathRegex": "/other"}, space="shop"),
        egress("e", "http 80", hosts=["a.com"], matches=[group_match("r0"), group_match("r1")]),
    )
    assert [route.path.text for route in found_claim.routes] == ["/a", "/b", "/c"]


def test_hosts_come_by_name_and_once() -> None:
    listed = [f"h{number}.com" for number in range(9)]
    (hosted,) = claims_of(egress("e", "http 80", hosts=[*reversed(listed), *listed]))
    assert list(hosted.hosts) == listed


def test_settings_come_with_the_clusters_of_hosts() -> None:
    named = [group_match("r"), setting_match("u")]
    mesh = load(setting("u", 4), routes("r", {}), egress("e", "http 80", hosts=["a.com"], matches=named))
    clusters, findings = host_clusters(80, resolve_claims(mesh, CURL).by_port[80])
    settings = clusters["a.com:80"].connection_settings
    assert settings is not None
    assert settings.tcp is not None
    assert settings.tcp.max_connections == 4
    assert findings == ()


# --- certificates ----------------------------------------------------------------------------------------

CERT = {"subjectAltNames": ["a"], "expiration": "2030-01-01"}


def secret(space: str) -> dict[str, Any]:
    return resource(
        "v1", "Secret", space, "s0", data={"tls.crt": "Y3J0", "tls.key": "a2V5", "ca.crt": "/w=="}
    )


def test_claims_are_worked_out_once_for_all_whom_a_policy_names_but_for_their_certificates() -> None:
    me, other = ({"kind": "ServiceAccount", "name": name, "namespace": "curl"} for name in ("curl", "wget"))
    plain = egress("plain", "http 80", hosts=["a.com"], sources=[me, other])
    shown = egress("shown", "http 81", hosts=["a.com"], sources=[{**me, "mtls": {"issuer": "fsm"}}, other])
    mesh, wget = load(plain, shown), fe.ServiceIdentity("wget", "curl")
    mine, theirs, again = (resolve_claims(mesh, who).by_port for who in (CURL, wget, CURL))
    assert mine[80][0] is theirs[80][0]
    assert [claims[81][0].source_cert is not None for claims in (mine, theirs, again)] == [True, False, True]


def test_fsm_issues_a_certificate_in_any_letter_case() -> None:
    (made,) = claims_of(egress("e", "http 80", hosts=["a.com"], mtls={"issuer": "Fsm"}))
    assert made.source_cert is not None
    assert made.source_cert.fsm_issued
    assert not made.broken


@pytest.mark.parametrize(
    ("reference", "space"), [({"name": "s0"}, "curl"), ({"name": "s0", "namespace": "shop"}, "shop")]
)
def test_a_secret_is_looked_for_where_it_is_said_else_beside_the_policy(
    reference: dict[str, str], space: str
) -> None:
    mtls = {"issuer": "other", "cert": {**CERT, "secret": reference}}
    (made,) = claims_of(secret(space), egress("e", "http 80", hosts=["a.com"], mtls=mtls))
    cert = made.source_cert
    assert cert is not None
    assert (cert.fsm_issued, cert.subject_alt_names, cert.expiration) == (False, ("a",), "2030-01-01")
    assert (cert.cert_chain, cert.private_key, cert.issuing_ca) == ("crt", "key", "\N{REPLACEMENT CHARACTER}")
    assert "key" not in repr(cert).replace("private_key", "")


@pytest.mark.parametrize(
    "mtls",
    [
        {"issuer": "other"},
        {"issuer": "other", "cert": CERT},
        {"issuer": "other", "cert": {**CERT, "secret": {"name": "gone"}}},
    ],
)
def test_a_certificate_without_its_secret_breaks_the_claim(mtls: dict[str, Any]) -> None:
    policy = egress("e", "http 80", hosts=["a.com"], mtls=mtls)
    (made,) = claims_of(policy)
    assert made.broken
    assert host_clusters(80, [made]) == ({}, ())
    assert found(resolved(policy)) == [("FSE004", "Egress curl/e spec.sources[0].mtls")]


def test_only_the_first_source_that_is_the_identity_counts() -> None:
    me = {"kind": "ServiceAccount", "name": "curl", "namespace": "curl"}
    mtls = {"issuer": "fsm"}
    others = [{**me, "name": "wget", "mtls": mtls}, {**me, "kind": "Group", "mtls": mtls}]
    (plain,) = claims_of(egress("e", "http 80", sources=[*others, me, {**me, "mtls": mtls}]))
    (shown,) = claims_of(egress("e", "http 80", sources=[*others, {**me, "mtls": mtls}, me]))
    assert plain.source_cert is None
    assert shown.source_cert is not None


# --- findings --------------------------------------------------------------------------------------------

FSM = {"issuer": "fsm"}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "curl"}}
ABSENT = {**config(), "spec": {"traffic": {"enablePermissiveTrafficPolicyMode": True}}}
MESH = "MeshConfig fsm-system/fsm-mesh-config spec.featureFlags.enableEgressPolicy"


def port(index: int = 0, name: str = "e") -> str:
    return f"Egress curl/{name} spec.ports[{index}]"


@pytest.mark.parametrize(
    ("entries", "findings"),
    [
        (
            [egress("e", "http 80", hosts=["a.com"], matches=[setting_match("gone")])],
            [("FSE001", "Egress curl/e spec.matches[0]")],
        ),
        (
            [egress("e", "http 80", hosts=["a.com"], matches=[group_match("gone")])],
            [("FSE002", port())],
        ),
        (
            [egress("e", "tcp 25", "https 443", hosts=["a.com"], mtls=FSM)],
            [("FSE005", port()), ("FSE005", port(1)), ("FSE006", port(1))],
        ),
        (
            [egress("e", "tcp 25", "https 443", hosts=["a.com"], ipAddresses=["54.0.0.0/8"], mtls=FSM)],
            [("FSE006", port(1))],
        ),
        (
            [setting("u", 4), egress("e", "tcp-server-first 25", "https 443", matches=[setting_match("u")])],
            [("FSE007", port()), ("FSE007", port(1))],
        ),
        (
            [
                setting("u", 4),
                setting("v", 5),
                *(
                    egress(name, "http 80", hosts=["a.com"], matches=matches)
                    for name, matches in (
                        ("e", [setting_match("u")]),
                        ("f", [setting_match("u")]),
                        ("g", [setting_match("v")]),
                        ("h", []),
                    )
                ),
            ],
            [("FSE008", port(name="g")), ("FSE008", port(name="h"))],
        ),
        (
            [
                egress("e", "http 80", hosts=["a.com"]),
                egress("f", "http 80", hosts=["a.com"], mtls=FSM),
            ],
            [("FSE008", port(name="f"))],
        ),
        (
            [egress("e", "http 80", hosts=["a.com", "*.a.com"])],
            [("FSE009", "Egress curl/e spec.hosts[1]")],
        ),
        ([ABSENT, egress("e", "tcp 25")], [("FSE010", MESH)]),
        ([ABSENT], []),
        ([config(featureFlags={"enableEgressPolicy": False}), egress("e", "tcp 25")], [("FSE011", MESH)]),
        ([config(featureFlags={"enableEgressPolicy": False})], []),
        (
            [egress("e", "http 80", "https 80", hosts=["a.com"])],
            [("FSE012", port())],
        ),
        ([egress("e", "http 80")], [("FSE013", port())]),
        ([NAMESPACE, egress("e", "tcp 25")], [("FSE026", "Egress curl/e")]),
        ([egress("e", "http 80", "https 443", "tcp 25", hosts=["a.com"])], []),
    ],
)
def test_a_policy_that_does_not_do_what_it_says_is_found(
    entries: list[Any], findings: list[tuple[str, str]]
) -> None:
    assert found(resolved(*entries)) == findings


def test_a_policy_with_a_missing_setting_claims_nothing() -> None:
    policy = resolved(egress("e", "http 80", hosts=["a.com"], matches=[setting_match("gone")]))
    assert policy.ports == ()


def test_policies_that_are_switched_off_or_unmonitored_claim_nothing() -> None:
    off = config(featureFlags={"enableEgressPolicy": False})
    assert resolved(off, egress("e", "tcp 25")).ports == ()
    assert resolved(NAMESPACE, egress("e", "tcp 25")).ports == ()


def test_a_missing_flag_reads_as_true() -> None:
    assert [port.port for port in resolved(ABSENT, egress("e", "tcp 25")).ports] == [25]
