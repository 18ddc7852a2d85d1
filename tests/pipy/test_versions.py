"""What older FSMs read, and what their scripts do."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from small import WHO, config, egress, load, service

import fsm_egress as fe
from fsm_egress.pipy.outcome import Fate
from fsm_egress.pipy.versions import LATEST, fsm_version

MESH = load(
    config(sidecar={"compressConfig": True}),
    service("web", "http 80"),
    egress("a", "http 81", hosts=["a.com"]),
    egress("b", "tcp 82"),
)
KNOWN, UNKNOWN = fe.http("10.96.0.1", 80, "GET", "web.shop/"), fe.http("10.96.0.1", 80, "GET", "gone/")


@pytest.mark.parametrize(
    ("text", "plain", "closes", "gzip"),
    [
        ("1.2", True, False, False),
        ("1.3.7", True, False, False),
        ("1.3.8", False, True, False),
        ("1.3", False, True, False),
        ("1.4.1", False, True, False),
        ("1.4.3", False, True, True),
        ("1.4", False, False, True),
        ("1.7", False, False, True),
    ],
)
def test_what_holds_in_a_version(text: str, *, plain: bool, closes: bool, gzip: bool) -> None:
    version = fsm_version(text)
    assert (version.plain_hosts, version.closes_unknown_hosts, version.reads_gzip) == (plain, closes, gzip)
    written = fe.pipy_config(MESH, WHO, fsm=text)
    assert written.compressed is gzip
    assert fe.stock_config(MESH, WHO, fsm=text).compressed is gzip
    names = written.to_mapping()["Outbound"]["TrafficMatches"]["81"][0]["HttpHostPort2Service"]
    assert names["a.com"] == ("a.com" if plain else {"RuleName": "a.com"})
    sidecar = fe.Sidecar.read(written, text)
    assert sidecar.handle(KNOWN).fate is Fate.DIALLED
    assert sidecar.handle(UNKNOWN).fate is (Fate.CLOSED if closes else Fate.ANSWERED)
    assert pickle.loads(pickle.dumps(sidecar)).version == version  # noqa: S301  # because it is ours


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1.2", "untargeted zero plain open unnamed unpacked"),
        ("1.3.7", "untargeted zero plain open unnamed unpacked"),
        ("1.3.8", "untargeted zero open"),
        ("1.3.9", "untargeted zero"),
        ("1.4.6", "untargeted zero"),
        ("1.4.7", "untargeted"),
        ("1.4", "untargeted"),
        ("1.5.0", ""),
        ("1.7", ""),
    ],
)
def test_what_a_controller_does_otherwise(text: str, says: str) -> None:
    version = fsm_version(text)
    told = {
        "untargeted": version.keeps_untargeted,
        "zero": version.keeps_zero_weights,
        "plain": version.plain_hosts,
        "open": not version.isolates,
        "unnamed": not version.names_services,
        "unpacked": not version.packs,
    }
    assert [name for name, is_so in told.items() if is_so] == says.split()
    assert version.isolates_sources is (version.since >= (1, 4, 4))


@pytest.mark.parametrize(("writer", "reader"), [("1.2", "1.5"), ("1.5", "1.2")])
def test_scripts_of_one_form_refuse_the_configs_of_the_other(writer: str, reader: str) -> None:
    outcome = fe.Sidecar.read(fe.pipy_config(MESH, WHO, fsm=writer), reader).handle(KNOWN)
    assert (outcome.fate, outcome.status) == (Fate.ANSWERED, 403)


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4", "1.7"])
def test_the_comparison_is_with_the_scripts_that_the_config_is_for(version: str) -> None:
    sides = fe.verify(MESH, WHO, fsm=version).sides
    assert sides.outcome(KNOWN).fate is Fate.DIALLED
    assert sides.outcome(UNKNOWN).fate is (Fate.CLOSED if version == "1.3" else Fate.ANSWERED)


def test_the_newest_is_what_is_meant_without_a_version() -> None:
    assert fsm_version("1.6") is LATEST
    assert fe.pipy_config(MESH, WHO, fsm="1.5") == fe.pipy_config(MESH, WHO)
    empty: Any = fe.pipy_config(fe.Snapshot(), WHO, fsm="1.2").to_mapping()
    assert empty["Outbound"] is None


@pytest.mark.parametrize("text", ["1", "1.1", "2.0", "v1.4", "1.4.", ""])
def test_other_versions_are_refused(text: str) -> None:
    with pytest.raises(fe.InvalidValue, match="a version of FSM"):
        fsm_version(text)
