"""Records that come again and again: each once, and what is said of them is as if all were read."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from thoroughness import examples
from traffic import ENTRY, GET, NOWHERE, OTHER_TLS, PLAIN, RECORDS, TLS, as_json, log, mesh

import fsm_egress as fe
from fsm_egress.replaying import Decider, logs, repeated
from fsm_egress.replaying.dialects import Format
from fsm_egress.replaying.logs import cut, read
from fsm_egress.replaying.records import Layout
from fsm_egress.replaying.repeated import gathered
from fsm_egress.replaying.tally import Summary

if TYPE_CHECKING:
    from fsm_egress.replaying.logs import Block, Log

BEFORE, AFTER = mesh(), mesh(enable_egress=True)
LAYOUT = Layout()
TIMED: tuple[dict[str, Any], ...] = (
    {**GET, "time": 1},
    {"time": "2026-01-01T00:00:00Z", **PLAIN},
    {**NOWHERE, "time": 2},
)
LOST: dict[str, Any] = {**GET, "lost": 2}
LINES = [
    *(json.dumps(record).encode() for record in (*RECORDS, *TIMED, LOST, [GET])),
    b"",
    b" ",
    b"nonsense",
    b"\xff",
    b"\0",
    b'{"time": 1}',
]
ROWS = [
    b"curl.curl,54.9.9.9,80",
    b"curl.curl,54.9.9.9",
    b"wget.shop,54.9.9.9,443",
    b"",
    b"\xff",
    b'"',
    b"curl.curl,x,1",
]
SIZES = st.tuples(
    st.sampled_from([1, 3, 2**16]), st.sampled_from([1, 2**16]), st.sampled_from([40, 300, 2**20])
)


def each(given: Log) -> Summary:
    """What is said of a log of which every record is read."""
    decider = Decider(BEFORE, AFTER)
    return Summary.of(decider.summary(read(block, LAYOUT)) for block in cut([given], LAYOUT))


def once(given: Log, sizes: tuple[int, int, int] = (2**16, 2**13, 2**20)) -> Summary:
    """What is said of a log of which records that are alike are read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeated, "KEPT", sizes[0])
        patch.setattr(repeated, "PIECE", sizes[1])
        patch.setattr(repeated, "PASSED", 1)
        patch.setattr(logs, "BLOCK", sizes[2])
        return fe.replay(BEFORE, [given], AFTER)


@settings(max_examples=examples(100))
@given(st.lists(st.sampled_from(LINES), max_size=40), SIZES, st.booleans())
def test_law_lines_that_are_alike_are_counted_as_if_each_were_read(
    lines: list[bytes], sizes: tuple[int, int, int], ends: bool
) -> None:
    content = b"\n".join(lines) + (b"\n" if ends else b"")
    assert once(log(content, "json"), sizes) == each(log(content, "json"))


@settings(max_examples=examples(50))
@given(st.lists(st.sampled_from(ROWS), max_size=30), SIZES)
def test_law_rows_of_csv_are(rows: list[bytes], sizes: tuple[int, int, int]) -> None:
    content = b"identity,destination,port\n" + b"\n".join(rows)
    assert once(log(content, "csv"), sizes) == each(log(content, "csv"))


@settings(max_examples=examples(50))
@given(st.lists(st.sampled_from(RECORDS), min_size=1, max_size=40), SIZES, st.booleans(), st.booleans())
def test_law_rows_of_parquet_are(
    records: list[dict[str, Any]], sizes: tuple[int, int, int], encoded: bool, nested: bool
) -> None:
    names = ("identity", "destination", "port", "host", "server_name", "method", "path")
    table = pa.Table.from_pylist([{name: it.get(name) for name in names} for it in records])
    if nested:
        table = table.append_column(
            "headers", pa.array([[("x", "1")]] * len(table), pa.map_(pa.string(), pa.string()))
        )
    file = BytesIO()
    parquet.write_table(table, file, use_dictionary=encoded, row_group_size=7)
    content = file.getvalue()
    assert once(log(content, "parquet"), sizes) == each(log(content, "parquet"))


def test_posted_arrays_are_counted_as_often_as_they_come() -> None:
    content = f"{json.dumps([ENTRY, {**ENTRY, 'type': 'inbound'}])}\n".encode() * 5
    summary = once(log(content, "fsm"))
    assert (summary.connections, summary.left_out) == (5, {"inbound": 5})
    assert summary == each(log(content, "fsm"))


def blocks_of(content: bytes, written: str = "json") -> list[Block]:
    return list(gathered(cut([log(content, written)], LAYOUT), ["time"]))


def test_each_different_line_is_kept_once_with_its_first_places() -> None:
    lines = [json.dumps(it).encode() for it in (GET, TLS, *[GET] * 20)]
    (block,) = blocks_of(b"\n".join(lines))
    assert block.content.splitlines() == lines[:2]
    assert block.repeats is not None
    assert block.repeats.counts == [21, 1]
    assert block.repeats.lines == [[1, *range(3, 12)], [2]]


@pytest.mark.parametrize(
    "made",
    [
        lambda at: {"time": at, **GET},
        lambda at: {**GET, "time": f"2026-01-01T00:00:{at:02}Z"},
        lambda at: {**PLAIN, "time": 1.5 * at, "end": None},
        lambda at: {**PLAIN, "a": True, "time": -at},
    ],
    ids=["first", "last", "in the middle", "behind a word"],
)
def test_the_time_does_not_tell_lines_apart(made: Any) -> None:
    (block,) = blocks_of("".join(f"{json.dumps(made(at))}\n" for at in range(9)).encode())
    assert json.loads(block.content) == made(0)
    assert block.repeats is not None
    assert block.repeats.counts == [9]


TOKENS = st.sampled_from(
    [
        '"time"',
        '"a"',
        ":",
        ",",
        "{",
        "}",
        " ",
        "1",
        "-2.5",
        "01",
        '"x"',
        '"a, "',
        '"',
        "\\",
        "true",
        "\0",
        '"time": 1, ',
    ]
)
OBJECTS = st.builds(
    lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}",
    st.lists(
        st.tuples(
            st.sampled_from(['"time"', '"a"', '"b\\"time"', '"c"']),
            st.sampled_from(
                ["1", "2", "-2.5e3", "null", '"x"', '"\\""', '{"time": 1}', "[]", '"\\u0041"', '"a, "', "01"]
            ),
        ),
        max_size=4,
    ),
)


def without_time(line: bytes) -> object:
    """What a line holds besides a time; nothing where it holds no object."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return {name: it for name, it in value.items() if name != "time"} if isinstance(value, dict) else None


@settings(max_examples=examples(400))
@given(st.lists(OBJECTS | st.lists(TOKENS, max_size=12).map("".join), min_size=1, max_size=6))
def test_law_lines_that_are_taken_for_alike_hold_the_same_but_for_the_time(texts: list[str]) -> None:
    lines = ['{"time": 1, "z": 1}', *texts] if len(texts) % 2 else ['{"z": 1, "time": 1}', *texts]
    content = "\n".join(lines).encode()
    for block in blocks_of(content):
        repeats = block.repeats
        assert repeats is not None
        for kept, places in zip(block.content.split(b"\n"), repeats.lines, strict=False):
            for place in places:
                assert repr(without_time(lines[place - 1].encode())) == repr(without_time(kept))


def test_where_hardly_any_are_alike_they_pass_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated, "KEPT", 3)
    monkeypatch.setattr(logs, "BLOCK", 250)
    records = [{**PLAIN, "port": 1_000 + at} for at in range(40)]
    found = blocks_of(as_json(records))
    assert {block.repeats is None for block in found} == {True, False}
    assert sum(len(read(block, LAYOUT)) for block in found) == 40


def test_memory_is_bounded_by_the_bytes_of_lines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated, "BYTES", 1_000)
    monkeypatch.setattr(repeated, "PASSED", 0)
    monkeypatch.setattr(logs, "BLOCK", 400)
    records = [{**PLAIN, "port": 1_000 + at} for at in range(40)] * 2
    assert max(len(block.content) for block in blocks_of(as_json(records))) < 1_500


def test_a_log_that_changes_its_columns_is_another() -> None:
    first, second = (
        b"identity,destination,port\na.b,54.9.9.9,80\n",
        b"port,destination,identity\n80,54.9.9.9,a.b\n",
    )
    summary = fe.replay(BEFORE, [log(first, "csv"), log(second, "csv")])
    assert (summary.connections, summary.unreadable) == (2, 0)


def test_what_is_learned_from_lines_that_are_alike_counts_each() -> None:
    records = [
        {**OTHER_TLS, "time": 1_790_000_000},
        {**PLAIN, "time": 1_790_000_100},
        {**GET, "server_name": "b.com"},
    ]
    several = fe.learn(AFTER, [log(as_json(records * 30), "json")])
    assert several.evidence.read == 90
    assert several.evidence.times.counts == dict.fromkeys(several.evidence.times.counts, 30)
    proven = several.proven([log(as_json(records * 30), "json")])
    assert proven.replayed is not None
    assert proven.replayed.connections + sum(proven.replayed.left_out.values()) == 90


@pytest.mark.parametrize("choice", [{"since": 1_790_000_050}, {"until": 1_790_000_050}])
def test_times_that_are_asked_for_count_each_too(choice: dict[str, Any]) -> None:
    records = [{**PLAIN, "time": 1_790_000_000}, {**PLAIN, "time": 1_790_000_100}, PLAIN]
    lesson = fe.learn(AFTER, [log(as_json(records * 7), "json")], **choice)
    assert lesson.evidence.left_out == {"the record has no time": 7, "outside of the time asked for": 7}
    assert lesson.evidence.counted == 7
    proven = lesson.proven([log(as_json(records * 7), "json")])
    assert proven.replayed is not None
    assert proven.replayed.connections == 7


def test_formats_say_of_themselves_what_they_are() -> None:
    assert {block.format for block in blocks_of(as_json([GET]))} == {Format.JSON}
