"""The groups that unite the claims of a port, what they allow, and what of them a change leaves."""

from __future__ import annotations

import pickle
from ipaddress import ip_address, ip_network
from operator import is_
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import DESTINATIONS, PREFIXES
from small import WHO, egress, load
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.policy.parts import Claim
from fsm_egress.resolution.claims import resolve_claims
from fsm_egress.resolution.grouping import Grouping, _Covers, grouped
from fsm_egress.resolution.routes import wildcard
from fsm_egress.values.references import FieldRef, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_egress.policy.groups import EgressGroup

CURL = fe.ServiceIdentity.parse(WHO)
HTTP, HTTPS, TCP = fe.Protocol.HTTP, fe.Protocol.HTTPS, fe.Protocol.TCP


def claim(name: str, prefixes: tuple[Any, ...] = (), protocol: fe.Protocol = TCP, **rest: Any) -> Claim:
    rule = FieldRef(ResourceRef("Egress", "curl", name), "spec.ports[0]")
    ranges = tuple(sorted({fe.Prefix(str(it)) for it in prefixes}))
    return Claim(rule, 80, protocol, ranges, place=("curl", name, 0), **rest)


def claims_of(*entries: Any, port: int = 80) -> tuple[Claim, ...]:
    return resolve_claims(load(*entries), CURL).by_port[port]


def names(group: EgressGroup) -> list[str]:
    return [claim.rule.resource.name for claim in group.claims]


def groups_of(port: int, claims: Iterable[Claim], taken: frozenset[fe.Prefix]) -> tuple[EgressGroup, ...]:
    return grouped(port, claims, taken).groups


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


# --- what a change leaves --------------------------------------------------------------------------------

protocols = st.sampled_from((TCP, TCP, HTTP, HTTPS))
hosts = st.lists(st.sampled_from(("a.com", "b.com", "a.com:80")), unique=True, max_size=2)
drawn_claims = st.tuples(st.lists(nested, max_size=3, unique=True), protocols, hosts, st.booleans())
some_claims = st.lists(st.tuples(drawn_claims, st.booleans(), st.booleans()), min_size=1, max_size=8)


def made(index: int, drawn: tuple[list[str], fe.Protocol, list[str], bool]) -> Claim:
    prefixes, protocol, named, broken = drawn
    given_hosts = () if protocol is TCP else tuple(sorted(named))
    made_routes = (wildcard(ANY),) if protocol is HTTP else ()
    return claim(f"e{index}", tuple(prefixes), protocol, hosts=given_hosts, routes=made_routes, broken=broken)


ANY = FieldRef(ResourceRef("Egress", "curl", "any"), "spec.ports[0]")


def inside_out(group: EgressGroup) -> tuple[Any, ...]:
    """Whatever hangs on a group, and on what lies around it."""
    around = inside_out(group.around) if group.around else None
    allowed = group.server_names, group.virtual_hosts, group.cluster, group.stream, group.any_tls
    return group, group.claims, allowed, group.firsts, group.protocols, around


@settings(max_examples=examples(100))
@given(some_claims, st.booleans())
def test_law_groups_that_follow_are_those_made_anew_and_those_of_the_same_claims_the_same(
    drawn: list[tuple[Any, bool, bool]], owned: bool
) -> None:
    pool = [(made(index, parts), first, then) for index, (parts, first, then) in enumerate(drawn)]
    before = [it for it, is_there, _ in pool if is_there]
    after = [it for it, _, is_there in pool if is_there]
    taken = frozenset([fe.Prefix("54.9.9.9/32")] if owned else [])
    first = grouped(80, before, taken)
    follows, anew = (grouped(80, after, taken, it) for it in (first, Grouping()))
    assert list(map(inside_out, follows.groups)) == list(map(inside_out, anew.groups))
    for group in follows.groups:
        assert all(group is it for it in first.groups if inside_out(it) == inside_out(group))
    assert before != after or follows.groups == first.groups


def test_a_claim_that_comes_and_goes_leaves_all_other_groups() -> None:
    claims = [claim(name, (f"54.{at}.0.0/16",)) for at, name in enumerate("abc")]
    every = claim("d", (), HTTPS, hosts=("a.com",))
    first = grouped(80, [*claims, every], frozenset())
    less = grouped(80, [claims[0], claims[2], every], frozenset(), first)
    assert [first.groups.index(group) for group in less.groups] == [0, 2, 3]
    assert all(any(group is it for it in first.groups) for group in less.groups)
    other = grouped(80, claims, frozenset(), less)
    assert not any(group is it for group in other.groups for it in less.groups)


def test_only_claims_that_share_addresses_with_what_changes_are_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ranges = {
        "a": ("54.0.0.0/8",),
        "b": ("54.9.0.0/16", "60.0.0.0/8"),
        "c": ("60.1.0.0/16", "70.0.0.0/8"),
        "d": ("80.0.0.0/8", "::/0"),
        "e": ("80.0.0.0/9",),
        "f": (),
    }
    claims = [claim(name, prefixes) for name, prefixes in ranges.items()]
    looked_at: list[list[str]] = []

    def noted(given: tuple[Claim, ...]) -> Any:
        looked_at.append([it.rule.resource.name for it in given])
        return _Covers(given)

    first = grouped(80, claims, frozenset())
    monkeypatch.setattr("fsm_egress.resolution.grouping._Covers", noted)
    for changed, near in (("a", "abcf"), ("c", "abcf"), ("d", "def"), ("f", "abcdef")):
        moved = [claim("z", it.prefixes) if it.rule.resource.name == changed else it for it in claims]
        assert grouped(80, moved, frozenset(), first).groups
        grouped(80, [it for it in claims if it.rule.resource.name != changed], frozenset(), first)
        both = [[it if it != changed else "z" for it in near], [it for it in near if it != changed]]
        assert looked_at == both
        looked_at.clear()
    grouped(80, claims, frozenset({fe.Prefix("54.0.0.0/8")}), first)
    grouped(80, claims, frozenset(), first)
    assert looked_at == [list("abcdef"), ["f"]]


def test_where_only_one_group_is_left_its_cluster_is_named_after_the_port() -> None:
    claims = [claim(name, (f"54.{at}.0.0/16",), HTTPS, hosts=("a.com",)) for at, name in enumerate("ab")]
    (group,) = grouped(443, claims[:1], frozenset(), grouped(443, claims, frozenset())).groups
    assert (group.tls_cluster, group.cluster and group.cluster.name) == ("443", "443")


def test_a_pickled_grouping_knows_its_groups() -> None:
    claims = [claim("a", ("54.0.0.0/8",)), claim("b")]
    again, claims = pickle.loads(pickle.dumps((grouped(80, claims, frozenset()), claims)))  # noqa: S301  # because it has just been made here
    assert again.groups == grouped(80, claims, frozenset()).groups
    assert all(map(is_, grouped(80, claims, frozenset(), again).groups, again.groups))
