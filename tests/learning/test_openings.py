"""Openings: what policies open beyond what was seen is exact, and told with nothing left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from seen import LOGS, MANNERS, OPEN, Record, learned
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.payloads import Sends

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_egress.learning.lessons import Lesson

BYTES: Record = {"identity": "db.shop", "destination": "54.9.9.1", "port": 5432}
HTTP: Record = {**BYTES, "port": 80, "host": "a.com", "path": "/users/7"}
TLS: Record = {**BYTES, "port": 443, "server_name": "a.com"}


def keys(prefixes: Iterable[fe.Prefix]) -> set[int]:
    return {key for prefix in prefixes for key in range(prefix.first, prefix.last + 1)}


def open_to_bytes(lesson: Lesson, account: str, port: int) -> set[int]:
    """The addresses to which the closed mesh lets an account's bytes out, by its partition."""
    portions = fe.partition(lesson.closed, account).portions
    spans = (
        span
        for portion in portions
        if portion.decision.verdict is fe.Verdict.EGRESS_POLICY
        and any(first <= port <= last for first, last in portion.region.ports)
        and any(sent.kind is Sends.BYTES for sent in portion.region.sent)
        for span in portion.region.spans
    )
    return {key for first, last in spans for key in range(first, last + 1)}


@settings(max_examples=examples(40))
@given(LOGS, MANNERS)
def test_law_the_addresses_beyond_are_those_of_the_partition_that_nobody_was_seen_to_reach(
    entries: list[Record], manner: dict[str, Any]
) -> None:
    lesson = learned(entries, OPEN, **manner)
    for opening in lesson.openings:
        pairs = [(account, port) for account in opening.grant.accounts for port, _ in opening.grant.ports]
        seen = [
            {need.address for need in lesson.evidence.seen if (need.identity, need.port) == pair}
            for pair in pairs
        ]
        if not opening.grant.ranges:
            assert opening.to_mapping()["beyond"] is None
            continue
        for pair in pairs:
            assert open_to_bytes(lesson, *pair) == keys(opening.grant.ranges)
        beyond = keys(opening.grant.ranges).difference(seen[0].intersection(*seen[1:]))
        assert (keys(opening.addresses), opening.beyond) == (beyond, len(beyond))


def test_each_address_beyond_is_told() -> None:
    far = [{**BYTES, "destination": f"54.9.9.{octet}"} for octet in (1, 2, 9)]
    lesson = learned([*far, TLS], ranges=1)
    beyond = ["54.9.9.0/32", "54.9.9.3/32", "54.9.9.4/30", "54.9.9.8/32", "54.9.9.10/31", "54.9.9.12/30"]
    assert [str(it) for it in lesson.openings] == [
        f"54.9.9.0/28 on port 5432 (tcp): 13 addresses beyond those seen: {', '.join(beyond)}",
        "a.com on port 443 (https): at whatever address has the name",
    ]
    assert [it.to_mapping()["beyond"] for it in lesson.openings] == [13, None]
    assert lesson.openings[0].to_mapping()["addresses"] == beyond
    assert "nothing beyond what was seen" in str(learned([BYTES]).openings[0])


def test_what_one_of_two_accounts_was_not_seen_to_reach_is_beyond() -> None:
    entries = [
        {**BYTES, "identity": who, "destination": f"54.9.9.{octet}"}
        for who, octets in {"db.shop": (0, 1, 3), "curl.curl": (0, 2, 3)}.items()
        for octet in octets
    ]
    (opening,) = learned(entries, ranges=1).openings
    assert (opening.beyond, list(map(str, opening.addresses))) == (2, ["54.9.9.1/32", "54.9.9.2/32"])


def test_each_route_is_told() -> None:
    entries = [HTTP, {**HTTP, "method": "POST"}, {**HTTP, "path": "/status"}]
    (opening,) = learned(entries, routes=True).openings
    assert str(opening) == (
        "a.com on port 80 (http): GET ^/status$, GET/POST ^/users/[0-9]+$, at whatever address has the name"
    )
    assert opening.to_mapping()["routes"] == [
        {"path": "^/status$", "methods": ["GET"]},
        {"path": "^/users/[0-9]+$", "methods": ["GET", "POST"]},
    ]


def test_a_long_list_is_cut_short_for_people_alone() -> None:
    (opening,) = learned([{**HTTP, "path": f"/{chr(97 + at)}"} for at in range(18)], routes=True).openings
    assert "GET ^/p$, 2 more, at whatever" in str(opening)
    assert len(opening.to_mapping()["routes"]) == 18
