"""Any config as the scripts read it: what is malformed is said with its path; ranges, merging are theirs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.pipy.netmask import Mask
from fsm_egress.pipy.scripts import Match, OutboundConfig, read_outbound
from fsm_egress.values.errors import InvalidValue
from fsm_egress.values.net import LAST_KEY, Address, Prefix


def read(*matches: dict[str, Any], **ports: list[dict[str, Any]]) -> OutboundConfig:
    """The config of matches on port 80, and on others (`p81=[…]`)."""
    listed = {"80": list(matches), **{port[1:]: given for port, given in ports.items()}}
    return read_outbound({"Outbound": {"TrafficMatches": listed}})


def match(*ranges: str, port: int = 80, protocol: str = "tcp", **more: Any) -> dict[str, Any]:
    """A match of these ranges; none for every address."""
    listed = dict.fromkeys(ranges) or None
    return {"DestinationIPRanges": listed, "Port": port, "Protocol": protocol, **more}


def ranges_of(found: Match) -> list[str] | None:
    return None if found.ranges is None else [entry.text for entry in found.ranges]


KEY = "-----BEGIN PRIVATE KEY-----"
PLACES = [
    ("Certificate",),
    ("Certificate", "PrivateKey"),
    ("Certificate", "CertChain"),
    ("Certificate", "FsmIssued"),
    ("Outbound", "ClustersConfigs", "a:80", "SourceCert"),
    ("Outbound", "ClustersConfigs", "a:80", "SourceCert", "PrivateKey"),
    ("Outbound", "ClustersConfigs", "a:80", "SourceCert", "FsmIssued"),
]


@pytest.mark.parametrize("place", PLACES, ids=".".join)
@pytest.mark.parametrize("value", [KEY, [KEY], {"key": KEY}], ids=["text", "list", "mapping"])
def test_law_what_is_in_a_certificate_is_never_shown(place: tuple[str, ...], value: Any) -> None:
    tree: Any = value
    for name in reversed(place):
        tree = {name: tree}
    try:
        shown = repr(read_outbound(tree))
    except InvalidValue as error:
        shown = f"{error} {error!r}"
    assert KEY not in shown


# --- malformed -------------------------------------------------------------------------------------------

MALFORMED = [
    ([], "expected a mapping, found an empty list"),
    ({"Spec": 1}, "Spec: expected a mapping, found the number `1`"),
    (
        {"Spec": {"Traffic": {"EnableEgress": "yes"}}},
        "Spec.Traffic.EnableEgress: expected `true` or `false`, found the string `yes`",
    ),
    ({"Chains": {"outbound-tcp": [1]}}, "Chains.outbound-tcp[0]: expected a string, found the number `1`"),
    ({"Chains": {"outbound-tcp": {}}}, "Chains.outbound-tcp: expected a list, found an empty mapping"),
    (
        {"Outbound": {"TrafficMatches": {"80": None}}},
        "Outbound.TrafficMatches.80: expected a list, found `null`",
    ),
    (
        {"Outbound": {"TrafficMatches": {"80": [{"Protocol": "tcp"}]}}},
        "Outbound.TrafficMatches.80[0].Port: expected a whole number from 0 on, found `null`",
    ),
    (
        {"Outbound": {"TrafficMatches": {"80": [{"Port": 80}]}}},
        "Outbound.TrafficMatches.80[0].Protocol: expected a string, found `null`",
    ),
    (
        {"Outbound": {"ClustersConfigs": {"a": {"Endpoints": {"b:80": {"Weight": 0.5}}}}}},
        (
            "Outbound.ClustersConfigs.a.Endpoints.b:80.Weight: expected a whole number from 0 on,"
            " found the number `0.5`"
        ),
    ),
    (
        {"Forward": {"ForwardMatches": {"*": {"gw": -1}}}},
        "Forward.ForwardMatches.*.gw: expected a whole number from 0 on, found the number `-1`",
    ),
    (
        {"Forward": {"ForwardMatches": {"*": {"gw": True}}}},
        "Forward.ForwardMatches.*.gw: expected a whole number from 0 on, found the boolean `true`",
    ),
    (
        {"Outbound": {"TrafficMatches": {"http": []}}},
        "Outbound.TrafficMatches.http: expected a port number as the key, found the string `http`",
    ),
]


@pytest.mark.parametrize(("tree", "message"), MALFORMED)
def test_what_is_malformed_is_said_with_its_path(tree: Any, message: str) -> None:
    with pytest.raises(InvalidValue) as error:
        read_outbound(tree)
    assert str(error.value) == message


def test_everything_malformed_is_said_at_once_and_once() -> None:
    tree = {"Spec": [], "Certificate": {"CertChain": 1}, "Forward": 2}
    with pytest.raises(InvalidValue) as error:
        read_outbound(tree)
    assert [problem.path for problem in error.value.problems] == ["Certificate.CertChain", "Spec", "Forward"]


def test_what_is_malformed_very_often_is_said_up_to_a_bound() -> None:
    with pytest.raises(InvalidValue) as error:
        read(*[5] * 4_000)  # type: ignore[arg-type]  # as this is what is wrong
    *listed, last = error.value.problems
    assert (len(listed), str(last)) == (1_000, "expected at most 1000 mistakes, found more")
    assert len(set(listed)) == 1_000


@pytest.mark.parametrize(
    "wrong",
    [match(protocol="tcp|80_http_*|"), match("1.0.0.0/8||80_tcp_*")],
    ids=["protocol", "range"],
)
def test_what_matches_are_told_apart_by_is_in_no_text(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=r"expected a text without `\|`, found the string"):
        read(wrong)


def test_the_content_of_a_malformed_value_stays_secret() -> None:
    with pytest.raises(InvalidValue) as error:
        read_outbound({"Certificate": {"PrivateKey": {"pem": "(secret)"}}})
    assert "secret" not in str(error.value)


def test_an_empty_config_says_nothing_and_is_read() -> None:
    config = read_outbound({})
    assert (config.present, config.enable_egress, config.cert) == (False, False, None)
    assert read_outbound({"Outbound": {}}).present


# --- ranges ----------------------------------------------------------------------------------------------

EVERY_IPV4 = Mask(0, 2**32 - 1)
EVERY_IPV6 = Mask(2**32, LAST_KEY)
RANGES = {
    "54.1.0.0/16": Mask(Prefix("54.1.0.0/16").first, Prefix("54.1.0.0/16").last),
    "54.1.2.3/16": Mask(Prefix("54.1.0.0/16").first, Prefix("54.1.0.0/16").last),
    "54.9.9.9": EVERY_IPV4,
    "54.9.9.9/": EVERY_IPV4,
    "54.9.9.9/0x8": EVERY_IPV4,
    "54.9.9.9/08": Mask(54 << 24, (55 << 24) - 1),
    "54.9.9.9/32x": Mask(Address("54.9.9.9").key, Address("54.9.9.9").key),
    ".1.2.3/32": Mask(Address("0.1.2.3").key, Address("0.1.2.3").key),
    "2001:db8::": EVERY_IPV6,
    "::/0": EVERY_IPV6,
    "abc": EVERY_IPV6,
    "2001:db8::/32": Mask(Prefix("2001:db8::/32").first, Prefix("2001:db8::/32").last),
    "fe80::1%eth0/128": Mask(Address("fe80::1").key, Address("fe80::1").key),
    "1:2:3:4:5:6:7:8/128": Mask(Address("1:2:3:4:5:6:7:8").key, Address("1:2:3:4:5:6:7:8").key),
    "1:2/32": Mask(Prefix("1:2::/32").first, Prefix("1:2::/32").last),
}
BROKEN = (
    "",
    "bogus",
    "54.9/16",
    "54.9.9.9/33",
    "54.9.9.9/-1",
    "054.9.9.9/32",
    " 54.9.9.9/32",
    "54.9.9.256/24",
    "54.9.9.9.1/32",
    "::1/129",
    "1:2%x",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4::5:6:7:8",
    "1::2::3",
    "::ffff:54.9.9.9/128",
    "0" * 100,
)


@pytest.mark.parametrize("text", RANGES)
def test_ranges_are_read_as_the_sidecar_reads_them(text: str) -> None:
    ((found,),) = read(match(text)).matches.values()
    assert found.ranges
    assert found.ranges[0].mask == RANGES[text]


@pytest.mark.parametrize("text", BROKEN)
def test_a_range_that_cannot_be_read_has_no_mask(text: str) -> None:
    ((found,),) = read(match(text)).matches.values()
    assert found.ranges
    assert found.ranges[0].mask is None


def test_a_range_of_mapped_addresses_holds_no_connection() -> None:
    ((found,),) = read(match("::ffff:0:0/96")).matches.values()
    assert found.ranges
    mask = found.ranges[0].mask
    assert mask is not None
    assert not mask.contains(Address("::ffff:54.9.9.9").key)
    assert not mask.contains(Address("::fffe:0:0").key)


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_a_mask_holds_what_the_prefix_holds(network: int, length: int, key: int) -> None:
    prefix = Prefix.around(Address.from_key(network), length)
    ((found,),) = read(match(str(prefix))).matches.values()
    assert found.ranges
    mask = found.ranges[0].mask
    assert mask is not None
    assert mask.contains(key) == (Address.from_key(key) in prefix)


# --- merging ---------------------------------------------------------------------------------------------


def hosts(*names: str) -> dict[str, Any]:
    return {
        "HttpHostPort2Service": {name: {"RuleName": name} for name in names},
        "HttpServiceRouteRules": {name: {"RouteRules": []} for name in names},
    }


def web(*ranges: str, names: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return match(*ranges, protocol="http", **(hosts(*names) if names else {}), **more)


def test_equal_matches_become_one() -> None:
    merged = read(web(names=("a",)), web(names=("b",))).matches["80"]
    assert [list(found.hosts or ()) for found in merged] == [["a", "b"]]
    assert [list(found.rules or ()) for found in merged] == [["a", "b"]]


def test_a_match_within_an_earlier_one_is_folded_into_it() -> None:
    merged = read(web("1.0.0.0/8", "2.0.0.0/8", names=("a",)), web("2.0.0.0/8", names=("b",))).matches["80"]
    assert [(ranges_of(found), list(found.hosts or ())) for found in merged] == [
        (["1.0.0.0/8", "2.0.0.0/8"], ["a", "b"])
    ]


def test_a_match_around_an_earlier_one_stands_beside_it() -> None:
    merged = read(web("2.0.0.0/8", names=("b",)), web("1.0.0.0/8", "2.0.0.0/8", names=("a",))).matches["80"]
    assert [list(found.hosts or ()) for found in merged] == [["b"], ["a"]]


def test_only_neighbouring_ranges_are_within() -> None:
    merged = read(web("1.0.0.0/8", "2.0.0.0/8", "3.0.0.0/8"), web("1.0.0.0/8", "3.0.0.0/8")).matches["80"]
    assert len(merged) == 2


def test_hosts_are_lost_in_a_match_that_has_none() -> None:
    (merged,) = read(web(), web(names=("a",))).matches["80"]
    assert merged.hosts is None
    assert merged.rules is None


def test_a_stream_that_is_folded_loses_its_routes() -> None:
    (merged,) = read(match(), match(TcpServiceRouteRules={"AllowedEgressTraffic": True})).matches["80"]
    assert not merged.allowed


def test_a_match_is_folded_into_one_of_another_port() -> None:
    config = read(web(names=("a",)), p81=[web(names=("b",))])
    assert [list(found.hosts or ()) for found in config.matches["80"]] == [["a", "b"]]
    assert config.matches["81"] == ()


def test_of_two_matches_of_no_range_at_all_the_later_counts() -> None:
    nowhere: dict[str, Any] = {"DestinationIPRanges": {}}
    found = read({**web(names=("a",)), **nowhere}, {**web(names=("b",)), **nowhere}).matches["80"]
    assert [list(it.hosts or ()) for it in found] == [["b"]]


SEVERAL = st.lists(st.sampled_from("123"), max_size=3, unique=True)


def slowly_merged(listed: list[list[str]]) -> list[list[str]]:
    """The hosts of the matches of these ranges, as `config.js` unites them: by a search in texts."""
    found: dict[str, list[str]] = {}
    for number, ranges in enumerate(listed):
        identity = "".join(f"|80_http_{it}.0.0.0/8|" for it in sorted(ranges))
        home = next((it for it in found if identity in it), "")
        found[home or identity] = [*(found[home] if home else ()), str(number)]
    return list(found.values())


@given(st.lists(SEVERAL, max_size=7))
def test_law_matches_are_merged_as_the_script_merges_them(listed: list[list[str]]) -> None:
    matches = [
        {**web(*(f"{it}.0.0.0/8" for it in ranges), names=(str(number),)), "Port": 80}
        for number, ranges in enumerate(listed)
    ]
    for ranges, it in zip(listed, matches, strict=True):
        it["DestinationIPRanges"] = {f"{one}.0.0.0/8": None for one in ranges}
    assert [list(it.hosts or ()) for it in read(*matches).matches["80"]] == slowly_merged(listed)


def test_a_match_of_no_range_at_all_is_within_every_other() -> None:
    nowhere = {**web(names=("b",)), "DestinationIPRanges": {}}
    assert len(read(web(names=("a",)), nowhere).matches["80"]) == 1
    assert [ranges_of(found) for found in read(nowhere, web(names=("a",))).matches["80"]] == [[], None]


def test_of_two_matches_of_no_range_the_later_stays() -> None:
    nowhere = [{**web(names=(name,)), "DestinationIPRanges": {}} for name in "ab"]
    assert [list(found.hosts or ()) for found in read(*nowhere).matches["80"]] == [["b"]]


# --- certificates ----------------------------------------------------------------------------------------

OWN = {"CertChain": "(PEM)", "PrivateKey": "(PEM)"}


@pytest.mark.parametrize(
    ("own", "shown", "usable"),
    [
        (None, OWN, True),
        (None, {"FsmIssued": True}, False),
        (None, {"CertChain": "(PEM)"}, False),
        (OWN, {"FsmIssued": True}, True),
        (OWN, {"FsmIssued": False}, False),
        ({"CertChain": "(PEM)"}, {"FsmIssued": True}, False),
    ],
)
def test_a_certificate_is_its_own_or_that_of_the_sidecar(own: Any, shown: Any, usable: bool) -> None:
    tree = {"Certificate": own, "Outbound": {"ClustersConfigs": {"a": {"SourceCert": shown}}}}
    cert = read_outbound(tree).clusters["a"].cert
    assert cert is not None
    assert cert.usable is usable
