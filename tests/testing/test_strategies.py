"""The public strategies: what they draw is valid, meets, and shrinks to plain counterexamples."""

from __future__ import annotations

import doctest
import subprocess
import sys
from importlib import reload
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from small import WHO, config, egress, load, routes, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.payloads import HTTPRequest, Sends, TLSClientHello
from fsm_egress.patterns.automata import Undecided
from fsm_egress.testing import connections_near as aimed
from fsm_egress.testing import hypothesis_extra, parts, resources
from fsm_egress.testing import strategies as fst
from fsm_egress.testing.hypothesis_plugin import setup

if TYPE_CHECKING:
    from collections.abc import Callable

FEW = settings(max_examples=examples(40))
SEARCH = settings(
    max_examples=9_000, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

TYPES: tuple[type[Any], ...] = (
    fe.Address,
    fe.Prefix,
    fe.ServiceIdentity,
    fe.HTTPRequest,
    fe.TLSClientHello,
    fe.Connection,
    fe.EgressPolicy,
    fe.HTTPRouteGroup,
    fe.MeshConfig,
    fe.Snapshot,
    fe.Verdict,
    fe.Reason,
    fe.Service,
    fe.Endpoints,
    fe.Namespace,
    fe.ServiceAccount,
    fe.Pod,
    fe.Secret,
    fe.EgressGateway,
    fe.UpstreamTrafficSetting,
    fe.Retry,
    fe.TrafficSplit,
    fe.TrafficTarget,
)


# --- what is drawn ---------------------------------------------------------------------------------------


@given(fst.documents())
@FEW
def test_documents_are_valid(tree: dict[str, Any]) -> None:
    mesh = fe.load(tree)
    assert len(mesh) == 1
    assert mesh.problems == ()


@given(fst.invalid_documents())
@FEW
def test_invalid_documents_are_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(fe.LoadError):
        fe.load(tree)


def test_each_way_of_spoiling_is_drawn() -> None:
    for way in resources._SPOILING:  # noqa: SLF001  # because it is what is to be seen
        spoiled = fst.documents().map(lambda tree, way=way: way(tree, __import__("random").Random(1)))  # type: ignore[misc]
        with pytest.raises(fe.LoadError):
            fe.load(find(spoiled, resources._is_refused, settings=SEARCH))  # noqa: SLF001  # ditto


@given(fst.meshes(max_policies=2))
@FEW
def test_meshes_are_meshes(mesh: fe.Snapshot) -> None:
    assert len(mesh.kind(fe.EgressPolicy)) <= 2
    assert len(mesh.kind(fe.MeshConfig)) == 1
    for identity in mesh.identities():
        fe.compile(mesh, identity)


@given(fst.addresses(version=4), fst.addresses(version=6), fst.prefixes(version=4), fst.prefixes())
def test_versions(ipv4: fe.Address, ipv6: fe.Address, narrow: fe.Prefix, any_: fe.Prefix) -> None:
    assert (ipv4.version, ipv6.version, narrow.version) == (4, 6, 4)
    assert any_.network in any_
    assert fe.Address(str(ipv6)) == ipv6


def test_another_version_is_refused() -> None:
    with pytest.raises(fe.InvalidValue, match="expected 4, 6 or None"):
        fst.addresses(version=5)


@given(fst.ports(), fst.hosts(), fst.identities(), fst.requests(), fst.connections())
@FEW
def test_parts(port: int, host: str, who: fe.ServiceIdentity, sent: HTTPRequest, it: fe.Connection) -> None:
    assert 1 <= port <= 65_535
    assert TLSClientHello(host).name == host
    assert fe.ServiceIdentity.parse(str(who)) == who
    assert fe.HTTPRequest(sent.method, sent.host, sent.path, sent.headers) == sent
    assert fe.Connection.from_mapping(it.to_mapping()) == it


@given(fst.requests(st.just("x.org"), st.just("/only")))
@FEW
def test_requests_of_given_parts(sent: HTTPRequest) -> None:
    assert (sent.host, sent.path) == ("x.org", "/only")


# --- near a mesh -----------------------------------------------------------------------------------------

NAMED = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}
MESH = load(
    config({"enableEgress": False, "outboundIPRangeExclusionList": ["54.9.9.0/24"]}),
    egress("web", "http 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"], matches=[NAMED]),
    egress("tls", "https 65535", hosts=["b.com"], ipAddresses=["0.0.0.0/0", "::/0"]),
    routes("r", {"methods": ["PATCH"], "pathRegex": "^/v7/", "headers": [{"x-rare": "^seven"}]}),
    service("web", "http-web 8080"),
)


@pytest.mark.parametrize(
    "is_met",
    [
        lambda it: it.port == 81,
        lambda it: it.port == 65_535 and it.kind is Sends.TLS and it.sends.name == "b.com",
        lambda it: str(it.destination) == "53.255.255.255",
        lambda it: str(it.destination) == "54.255.255.255",
        lambda it: str(it.destination) == "54.9.10.0",
        lambda it: str(it.destination) == "10.96.0.1",
        lambda it: it.kind is Sends.HTTP and it.sends.host == "A.COM",
        lambda it: it.kind is Sends.HTTP and it.sends.host == "web.shop",
        lambda it: it.kind is Sends.HTTP and it.sends.path == "/v7/",
        lambda it: it.kind is Sends.HTTP and it.sends.header("x-rare") == "seven",
        lambda it: fe.compile(MESH, WHO).classify(it).reason is fe.Reason.HTTP_ROUTE,
        lambda it: fe.compile(MESH, WHO).classify(it).reason is fe.Reason.TLS_SERVER_NAME,
        lambda it: fe.compile(MESH, WHO).classify(it).verdict is fe.Verdict.IN_MESH,
        lambda it: fe.compile(MESH, WHO).classify(it).route is not None and it.sends.method == "PATCH",
    ],
)
def test_what_rules_tell_apart_is_met(is_met: Callable[[fe.Connection], bool]) -> None:
    assert is_met(find(fst.connections_near(MESH, WHO), is_met, settings=SEARCH))


@given(st.data())
@FEW
def test_any_mesh_has_connections_near_it(data: st.DataObject) -> None:
    mesh, who = data.draw(fst.meshes()), data.draw(fst.identities())
    connection = data.draw(fst.connections_near(mesh, who))
    assert fe.compile(mesh, who).classify(connection).reason in fe.Reason


def test_a_pattern_whose_texts_are_not_known_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise Undecided("too much")

    monkeypatch.setattr(aimed, "witness", unknown)
    found = find(fst.connections_near(MESH, WHO), lambda it: it.kind is Sends.HTTP, settings=SEARCH)
    assert isinstance(found.sends, HTTPRequest)
    assert found.sends.path in parts.PATHS


def test_a_header_host_is_left_to_the_host() -> None:
    asks = routes("r", {"methods": ["GET"], "headers": [{"host": "^a"}]})
    mesh = load(egress("web", "http 80", hosts=["a.com"], matches=[NAMED]), asks)
    found = find(fst.connections_near(mesh, WHO), lambda it: it.kind is Sends.HTTP, settings=SEARCH)
    assert isinstance(found.sends, HTTPRequest)
    assert "host" not in found.sends.headers


# --- counterexamples are small ---------------------------------------------------------------------------


BARE = load(config({"enableEgress": False}))


@st.composite
def asked(draw: st.DrawFn) -> tuple[fe.Snapshot, fe.ServiceIdentity, fe.Connection]:
    policy, groups = draw(fst.egress_policies()), draw(st.lists(fst.http_route_groups(), max_size=1))
    mesh = BARE.with_(policy, *groups)
    who = mesh.identities()[0]
    return mesh, who, draw(fst.connections_near(mesh, who))


def shrunk(bug: Callable[[fe.Decision, fe.Connection], bool]) -> tuple[fe.Snapshot, fe.Connection]:
    """The smallest mesh and connection that show a planted bug."""
    mesh, _, connection = find(
        asked(), lambda case: bug(fe.compile(case[0], case[1]).classify(case[2]), case[2]), settings=SEARCH
    )
    return mesh, connection


def test_an_engine_that_forgets_https_is_found_by_one_policy() -> None:
    mesh, connection = shrunk(lambda decision, _: decision.reason is fe.Reason.TLS_SERVER_NAME)
    (policy,) = mesh.kind(fe.EgressPolicy)
    assert len(mesh) == 2
    assert [port.protocol.value for port in policy.spec.ports] == ["https"]
    assert policy.spec.hosts == ("a.com",)
    assert connection.kind is Sends.TLS


def test_an_engine_that_reads_a_32_as_a_31_is_found_at_the_edge() -> None:
    def wrong(decision: fe.Decision, it: fe.Connection) -> bool:
        claimed = decision.match is not None and fe.Prefix("54.9.9.9/32") in decision.match.ranges
        return claimed and decision.allowed and str(it.destination) == "54.9.9.9"

    mesh, connection = shrunk(wrong)
    (policy,) = mesh.kind(fe.EgressPolicy)
    assert list(map(str, policy.spec.ip_addresses)) == ["54.9.9.9/32"]
    assert len(mesh) == 2
    assert connection.port in parts.PORTS


# --- what Hypothesis knows -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
def test_hypothesis_knows_the_type(kind: type[Any]) -> None:
    setup()
    drawn = settings(SEARCH, phases=[Phase.generate])
    assert isinstance(find(st.from_type(kind), lambda _: True, settings=drawn), kind)


def test_an_installed_package_is_known_without_a_word() -> None:
    script = (
        "from hypothesis import find, strategies as st\n"
        "import fsm_egress as fe\n"
        "print(type(find(st.from_type(fe.Connection), lambda _: True)).__name__)\n"
        "print(type(find(st.from_type(fe.EgressPolicy), lambda _: True)).__name__)\n"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # because it runs this very interpreter
    assert done.stdout.split() == ["Connection", "EgressPolicy"]


def test_the_strategies_may_be_imported_first() -> None:
    script = "import fsm_egress.strategies as fst; print(fst.connections())"
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # because it runs this very interpreter
    assert done.stdout


def test_without_hypothesis_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(fe.MissingExtra, match="hypothesis"):
        reload(hypothesis_extra)
    monkeypatch.undo()
    reload(hypothesis_extra)


def test_the_ten_lines_of_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    assert doctest.testmod(fst).failed == 0
