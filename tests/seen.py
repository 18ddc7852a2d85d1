"""Records of traffic that was seen, drawn at random, and what is learned from them."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from small import config, load, service

from fsm_egress.learning import learn
from fsm_egress.replaying.logs import Log

if TYPE_CHECKING:
    from collections.abc import Iterable

    import fsm_egress as fe
    from fsm_egress.learning.lessons import Lesson

Record = dict[str, Any]

OPEN = load(
    config({"enableEgress": True}),
    service("cart", "http 80", ip="10.96.0.9", pods=["10.0.0.5"]),
    service("db", "tcp 9", ip="None", pods=["10.0.0.7"]),
)
WHO = ("curl.curl", "wget.shop", "db.shop")
NAMES = ("a.com", "b.a.com", "c.a.com", "d.a.com", "54.9.9.9")
PATHS = ("/", "/users/7", "/users/42", "/users/deadbeef01", "/x?q=1")
ADDRESSES = ("54.9.9.1", "54.9.9.2", "54.9.9.9", "54.9.9.200", "203.0.113.7")


@st.composite
def records(draw: st.DrawFn) -> Record:
    sends = draw(st.sampled_from(["tls", "http", "bytes", "nothing", "nameless"]))
    record: Record = {
        "identity": draw(st.sampled_from(WHO)),
        "destination": draw(st.sampled_from(ADDRESSES)),
        "port": draw(st.sampled_from([80, 443])),
        "time": draw(st.integers(1_790_000_000, 1_790_000_900)),
    }
    if sends == "tls":
        return {**record, "server_name": draw(st.sampled_from(NAMES[:4]))}
    if sends == "http":
        method = draw(st.sampled_from(["GET", "POST"]))
        return {
            **record,
            "host": draw(st.sampled_from(NAMES)),
            "path": draw(st.sampled_from(PATHS)),
            "method": method,
        }
    return {**record, "sends": "tls" if sends == "nameless" else sends}


LOGS = st.lists(records(), min_size=1, max_size=12)
MANNERS = st.fixed_dictionaries({"routes": st.booleans(), "ranges": st.integers(3, 5)})


def log(entries: Iterable[Record], name: str = "a.jsonl") -> Log:
    return Log(BytesIO("".join(f"{json.dumps(record)}\n" for record in entries).encode()), name)


def learned(entries: Iterable[Record], mesh: fe.Snapshot = OPEN, **options: Any) -> Lesson:
    return learn(mesh, [log(entries)], **options)
