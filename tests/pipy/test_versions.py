"""What older FSMs read, and what their scripts do."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from small import WHO, config, egress, load, service

import fsm_egress as fe
from fsm_egress.pipy.outcome import Fate
from fsm_egress.pipy.versions import _TABLE, LATEST, fsm_version

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
        ("1.2", "untargeted zero plain open unnamed unpacked local"),
        ("1.3.7", "untargeted zero plain open unnamed unpacked local"),
        ("1.3.8", "untargeted zero open local"),
        ("1.3.9", "untargeted zero local"),
        ("1.4.2", "untargeted zero local"),
        ("1.4.3", "untargeted zero"),
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
        "local": not version.shortens_elsewhere,
    }
    assert [name for name, is_so in told.items() if is_so] == says.split()
    assert version.isolates_sources is (version.since >= (1, 4, 4))


KEPT = json.loads((Path(__file__).parents[1] / "vectors" / "versions.json").read_text())
SCRIPTS = [(text, it["seen"]) for it in KEPT["observed"] for text in it["versions"]]
SOURCES = [(text, it["has"]) for it in KEPT["read"] for text in it["versions"]]


@pytest.mark.parametrize(("text", "seen"), SCRIPTS)
def test_the_scripts_of_each_version_were_seen_to_do_so(text: str, seen: dict[str, str]) -> None:
    """What was observed with the scripts of the version is what the model of it says."""

    def told(config: str, host: str) -> str:
        outcome = fe.Sidecar.read(KEPT["configs"][config], text).handle(
            fe.http("9.9.9.9", 80, "GET", f"{host}/")
        )
        return f"answered {outcome.status}" if outcome.status else outcome.fate.value

    assert {
        "written": told("written", "a.com"),
        "plain": told("plain", "a.com"),
        "unknown written": told("written", "b.com"),
        "unknown plain": told("plain", "b.com"),
        "gzip": "dialled" if fsm_version(text).reads_gzip else seen["gzip"],
    } == seen
    assert (seen["gzip"] == "dialled") is fsm_version(text).reads_gzip


@pytest.mark.parametrize(("text", "has"), SOURCES)
def test_the_sources_of_each_version_have_it_so(text: str, has: dict[str, bool]) -> None:
    assert {name: getattr(fsm_version(text), name) for name in has} == has


def test_every_version_that_was_released_was_looked_at() -> None:
    assert [text for text, _ in SCRIPTS] == [text for text, _ in SOURCES]
    assert {fsm_version(text).since for text, _ in SCRIPTS} == {it.since for it in _TABLE}


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
