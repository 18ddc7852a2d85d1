"""Logs: streams cut into blocks, blocks read as records, and what is no record told with its line."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from small import load
from traffic import ENTRY, EVENTS, GET, ISTIO, OTHER_TLS, PLAIN, TLS, WRITERS, as_json, log, log_of

import fsm_egress as fe
from fsm_egress.replaying import logs
from fsm_egress.replaying.dialects import Format
from fsm_egress.replaying.logs import Log, begin_of, cut, read
from fsm_egress.replaying.records import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYOUT = Layout()
HEADER = b"identity,destination,port\n"
LINE = b"curl.curl,54.9.9.9,80\n"
WHERE = b'{"identity": "curl.curl", "destination": "54.9.9.9", "port": 80}'

Found = tuple[int, Any, fe.Connection]


def found(*given: Log, layout: Layout = LAYOUT) -> list[Found]:
    """All records: line, identity and connection."""
    records = [read(block, layout) for block in cut(given, layout)]
    return [
        (part.lines[row], part.identities[row], part.connections[row])
        for part in records
        for row in range(len(part))
    ]


def told(*given: Log, layout: Layout = LAYOUT) -> list[str]:
    """What is no record, and why."""
    records = [read(block, layout) for block in cut(given, layout)]
    return [str(problem) for part in records for each in part.unreadable for problem in each.problems]


@pytest.fixture(params=[1, 3, 64, 2**20], ids="blocks of {} bytes".format)
def any_block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of any size."""
    monkeypatch.setattr(logs, "BLOCK", request.param)


@pytest.mark.parametrize("written", list(WRITERS))
def test_a_record_is_the_same_in_every_format(written: Format) -> None:
    with_headers = {**GET, "method": "PUT", "headers": {"x-env": "prod"}}
    assert found(log_of(GET, TLS, PLAIN, with_headers, written=written)) == [
        (line + (written is Format.CSV), identity, connection)
        for line, identity, connection in [
            (1, "curl.curl", fe.http("54.9.9.9", 80, "GET", "a.com/get")),
            (2, "curl.curl", fe.tls("54.9.9.9", 443, "b.com")),
            (3, "wget.shop", fe.tcp("54.9.9.9", 9000)),
            (4, "curl.curl", fe.http("54.9.9.9", 80, "PUT", "a.com/get", {"x-env": "prod"})),
        ]
    ]


def test_logs_are_read_one_after_the_other() -> None:
    first, second = log_of(GET), log_of(TLS, PLAIN, written=Format.CSV)
    blocks = list(cut([first, second], LAYOUT))
    assert [(block.first.log, block.first.line) for block in blocks] == [(0, 1), (1, 2)]


def test_a_log_is_read_as_it_is_asked_for() -> None:
    def endless() -> Iterator[Log]:
        while True:
            yield log_of(GET)

    blocks = cut(endless(), LAYOUT)
    assert [next(blocks).first.log for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("written", list(WRITERS))
def test_a_log_without_records_has_none(written: Format) -> None:
    assert found(log_of(written=written)) == []
    assert told(log_of(written=written)) == []


GOOD = (WHERE, b'{"port": 1}', WHERE + b" ", b" " + WHERE)
BAD = (b"", b"  ", b"{", b"[]", b"7", b"\xff", b'"a', b"a,b,c")
LINES = st.sampled_from(GOOD + BAD)


@given(st.lists(LINES), st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.integers(1, 200))
def test_wherever_it_is_cut_a_log_holds_the_same(
    lines: list[bytes], end: bytes, ends: bool, size: int
) -> None:
    content = end.join(lines) + (end if ends else b"")
    as_csv = HEADER + content
    whole = [told(log(content)), told(log(as_csv, "csv"))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "BLOCK", size)
        if size > len(HEADER):
            assert told(log(as_csv, "csv")) == whole[1]
        assert told(log(content)) == whole[0]
        places = [line for block in cut([log(content)], LAYOUT) for line in read(block, LAYOUT).lines]
    assert places == [number for number, line in enumerate(lines, 1) if line in GOOD]


@pytest.mark.usefixtures("any_block")
class TestLines:
    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            (b'{"port": }', ":2:10: expected a JSON object: expecting value"),
            (b"{}{}", ":2:3: expected a JSON object: extra data"),
            (b"[1, 2]", ":2:1: expected a JSON object, found a list"),
            (b'"curl.curl"', ":2:1: expected a JSON object, found the string `curl.curl`"),
            (b"[" * 100_000, ":2:1: expected a JSON object, found too many digits or levels"),
            (b"[" * 65, ":2:1: expected a JSON object, found too many digits or levels"),
            (b"[" * 64, ":2:65: expected a JSON object: expecting value"),
            (b"[" * 64 + b"]" * 64, ":2:1: expected a JSON object, found a list"),
            (
                b'{"a":' * 65 + b"1" + b"}" * 65,
                ":2:1: expected a JSON object, found too many digits or levels",
            ),
            (b"9" * 5_000, ":2:1: expected a JSON object, found too many digits or levels"),
            (b'{"host": "\xff"}', ":2:1: expected UTF-8, found the byte `0xff`"),
        ],
        ids=[
            *("syntax", "two objects", "list", "string"),
            *("depth", "levels and no end", "no end", "levels of lists", "levels of objects"),
            *("digits", "bytes"),
        ],
    )
    def test_what_is_no_json_object_is_told_and_passed_over(self, line: bytes, problem: str) -> None:
        content = b"\n".join([WHERE, line, WHERE])
        assert told(log(content)) == [f"access{problem}"]
        assert [number for number, *_ in found(log(content))] == [1, 3]

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            (b"curl.curl,54.9.9.9\n", ":3:1: expected 3 cells, as the header has, found 2"),
            (b"curl.curl,54.9.9.9,80,\n", ":3:1: expected 3 cells, as the header has, found 4"),
            (b'"curl.curl,54.9.9.9,80\n', ":3:1: expected a line of CSV: unexpected end of data"),
            (b'"curl"x,54.9.9.9,80\n', ":3:1: expected a line of CSV: ',' expected after '\"'"),
            (b"curl.curl,\xff,80\n", ":3:1: expected UTF-8, found the byte `0xff`"),
        ],
        ids=["few", "many", "open quote", "quote inside", "bytes"],
    )
    def test_what_is_no_line_of_csv_is_told_and_passed_over(
        self, line: bytes, problem: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(logs, "BLOCK", max(logs.BLOCK, len(HEADER)))
        content = HEADER + LINE + line + LINE
        assert told(log(content, "csv")) == [f"access{problem}"]
        assert [number for number, *_ in found(log(content, "csv"))] == [2, 4]

    def test_blank_lines_hold_nothing(self) -> None:
        content = b"\n".join([b"", WHERE, b"  ", b"", WHERE, b""])
        assert [number for number, *_ in found(log(content))] == [2, 5]
        assert told(log(content)) == []

    def test_a_line_may_end_as_it_does_elsewhere(self) -> None:
        assert [number for number, *_ in found(log(WHERE + b"\r\n " + WHERE + b"\r\n"))] == [1, 2]

    def test_a_byte_order_mark_is_none_of_the_first_record(self) -> None:
        assert [number for number, *_ in found(log(b"\xef\xbb\xbf" + WHERE + b"\n" + WHERE))] == [1, 2]

    def test_a_line_that_is_too_long_is_not_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logs, "BLOCK", min(logs.BLOCK, 100))
        monkeypatch.setattr(logs, "MAX_LINE", 100)
        long = b'{"x": "' + b"y" * 1_000 + b'"}'
        content = b"\n".join([WHERE, long, WHERE, long])
        assert [number for number, *_ in found(log(content))] == [1, 3]
        assert told(log(content)) == [
            "access:2:1: expected at most 100 bytes, found more",
            "access:4:1: expected at most 100 bytes, found more",
        ]
        assert max(len(block.content) for block in cut([log(content)], LAYOUT)) <= 301

    @pytest.mark.parametrize("written", ["json", "csv"])
    @pytest.mark.parametrize("ends", [b"", b"\n"])
    def test_one_that_is_cut_inside_a_character_is_counted_once(
        self, written: str, ends: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(logs, "BLOCK", 60)
        monkeypatch.setattr(logs, "MAX_LINE", 100)
        begin = HEADER + LINE if written == "csv" else WHERE + b"\n" + WHERE + b"\n"
        for shift in range(4):
            content = begin + b"x" * shift + "\N{GRINNING FACE}".encode() * 200 + ends
            assert told(log(content, written)) == ["access:3:1: expected at most 100 bytes, found more"]
            assert {line for line, *_ in found(log(content, written))} <= {1, 2}


ROWS = st.sampled_from(
    [
        b"curl.curl,54.9.9.9,80",
        b'"curl',
        b'.curl",54.9.9.9,80',
        b'"curl.curl","54.9.9.9","80"',
        b'"',
        b'"a""b",54.9.9.9,80',
        b'a,"b',
        b"",
        b"\xff",
    ]
)


@given(st.lists(ROWS, max_size=12), st.integers(len(HEADER) + 1, 150))
def test_law_wherever_it_is_cut_a_csv_holds_the_same(rows: list[bytes], size: int) -> None:
    content = HEADER + b"\n".join(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "MAX_LINES", 4)
        whole = [
            (part.lines[row], part.identities[row])
            for part in (read(block, LAYOUT) for block in cut([log(content, "csv")], LAYOUT))
            for row in range(len(part))
        ]
        problems = sorted(told(log(content, "csv")))
        patch.setattr(logs, "BLOCK", size)
        parts = [read(block, LAYOUT) for block in cut([log(content, "csv")], LAYOUT)]
        assert [(it.lines[row], it.identities[row]) for it in parts for row in range(len(it))] == whole
        assert sorted(told(log(content, "csv"))) == problems


class TestCSV:
    def test_cells_may_be_quoted(self) -> None:
        content = b'"identity","destination","port","path"\r\n"curl.curl","54.9.9.9","80","/a,""b"""\r\n'
        assert found(log(content, "csv")) == [
            (2, "curl.curl", fe.Connection("54.9.9.9", 80, fe.HTTPRequest("GET", "", '/a,"b"'))),
        ]

    def test_a_column_may_stand_twice_that_is_not_read(self) -> None:
        content = b"identity,destination,port,x,x\ncurl.curl,54.9.9.9,80,,\n"
        assert len(found(log(content, "csv"))) == 1

    @pytest.mark.parametrize("name", ["port", "host", "headers"])
    def test_one_that_is_read_may_not(self, name: str) -> None:
        content = f"identity,destination,port,{name},{name}\ncurl.curl,54.9.9.9,80,,\n".encode()
        with pytest.raises(fe.InvalidValue, match=f"^access: expected one column `{name}`, found several$"):
            found(log(content, "csv"))

    @pytest.mark.usefixtures("any_block")
    @pytest.mark.parametrize("end", [b"\n", b"\r\n"])
    def test_a_cell_may_hold_line_breaks(self, end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """What stands behind one is no record of its own, though it looks like one."""
        monkeypatch.setattr(logs, "BLOCK", max(logs.BLOCK, 40))
        header = b"identity,destination,port,note"
        rows = [b'curl.curl,54.9.9.9,80,"a', b"evil.evil,54.9.9.9,81,b", b'"', b"curl.curl,54.9.9.9,82,c"]
        content = end.join([header, *rows, *rows])
        assert [(line, who, it.port) for line, who, it in found(log(content, "csv"))] == [
            (line, "curl.curl", port) for line, port in ((2, 80), (5, 82), (6, 80), (9, 82))
        ]
        assert told(log(content, "csv")) == []

    def test_a_row_of_very_many_lines_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logs, "MAX_LINES", 3)
        short, long = (b'"curl' + b"\n" * count + b'.curl",54.9.9.9,80\n' for count in (2, 3))
        assert [line for line, *_ in found(log(HEADER + short + LINE, "csv"))] == [2, 5]
        assert told(log(HEADER + short + LINE, "csv")) == []
        assert [line for line, *_ in found(log(HEADER + long + LINE, "csv"))][-1] == 6
        assert told(log(HEADER + long + LINE, "csv")) == [
            "access:2:1: expected a line of CSV: unexpected end of data"
        ]

    def test_a_row_that_is_too_long_is_not_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logs, "BLOCK", 50)
        monkeypatch.setattr(logs, "MAX_LINE", 100)
        content = HEADER + b'"' + (b"x" * 60 + b"\n") * 40 + b'",,\n' + LINE
        assert [line for line, *_ in found(log(content, "csv"))] == [43]
        assert max(len(block.content) for block in cut([log(content, "csv")], LAYOUT)) <= 201

    @pytest.mark.parametrize("content", [b"\xff,b\n", b'"identity\n', b'"a"b,c\n'])
    def test_the_header_has_to_be_one(self, content: bytes) -> None:
        with pytest.raises(fe.InvalidValue, match=r"^access: expected a header with the names of the"):
            found(log(content, "csv"))

    @pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbfidentity,dest\n"])
    def test_the_header_has_to_name_what_is_needed(self, content: bytes) -> None:
        with pytest.raises(fe.InvalidValue, match=r"^access: expected a column"):
            found(log(content, "csv"))


class TestParquet:
    def test_rows_are_read_in_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logs, "PIECE", 2)
        given = log_of(GET, TLS, PLAIN, written=Format.PARQUET)
        assert [block.first.line for block in cut([given], LAYOUT)] == [1, 3]

    def test_columns_may_stand_inside_of_others(self) -> None:
        rows = [{"flow": {"who": "a.b", "to": {"ip": "54.9.9.9", "port": 443}}, "other": 1}]
        content = BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), content)
        inside = {"identity": "flow.who", "destination": "flow.to.ip", "port": "flow.to.port"}
        given = log(content.getvalue(), "parquet")
        assert found(given, layout=Layout(inside)) == [(1, "a.b", fe.tcp("54.9.9.9", 443))]
        (block,) = cut([log(content.getvalue(), "parquet")], Layout(inside))
        assert block.content.schema.names == ["flow"]

    def test_what_is_needed_has_to_be_there(self) -> None:
        content = BytesIO()
        parquet.write_table(pa.Table.from_pylist([{"who": "a.b", "to": {"ip": "54.9.9.9"}}]), content)
        with pytest.raises(fe.InvalidValue) as error:
            found(
                log(content.getvalue(), "parquet"), layout=Layout({"destination": "to.ip", "host": "from.ip"})
            )
        assert str(error.value).splitlines() == [
            "access: expected a column `identity`, found `who`, `to`",
            "access: expected a column `from.ip`, found `who`, `to`",
        ]

    @pytest.mark.parametrize("name", ["port", "host"])
    def test_a_column_that_stands_twice_is_told(self, name: str) -> None:
        names = ["identity", "destination", "port", name, name]
        table = pa.Table.from_arrays([pa.array(["a.b"])] * 5, names=names)
        content = BytesIO()
        parquet.write_table(table, content)
        with pytest.raises(fe.InvalidValue, match=f"^access: expected one column `{name}`, found several$"):
            found(log(content.getvalue(), "parquet"))

    @pytest.mark.parametrize("name", ["identity", "pod", "destination", "host", "method", "path", "time"])
    @pytest.mark.parametrize("kind", ["text", "date", "nested"])
    def test_what_python_cannot_hold_spoils_no_other_record(self, name: str, kind: str) -> None:
        good = {"identity": "curl.curl", "destination": "54.9.9.9", "port": 80, "method": "GET"}
        table = pa.Table.from_pylist(
            [{**good, "time": "2026-01-01", "host": "a.com", "path": "/", "pod": ""}] * 2
        )
        damaged = {
            "text": lambda: pa.array([b"a", b"\xff"]).cast(pa.binary()).view(pa.string()),
            "date": lambda: pa.array([0, 2**51]).view(pa.timestamp("ms")),
            "nested": lambda: pa.array([[0], [2**51]]).cast(pa.list_(pa.timestamp("ms"))),
        }[kind]()
        content = BytesIO()
        at = table.schema.get_field_index(name)
        parquet.write_table(table.set_column(at, name, damaged), content)
        summary = fe.replay(load(), [log(content.getvalue(), "parquet")])
        assert summary.connections + summary.unreadable == 2

    def test_the_record_with_it_is_told(self) -> None:
        content = BytesIO()
        table = pa.Table.from_pylist([{"identity": "curl.curl", "port": 80}] * 2)
        texts = pa.array([b"54.9.9.9", b"\xff"]).cast(pa.binary()).view(pa.string())
        parquet.write_table(table.append_column("destination", texts), content)
        summary = fe.replay(load(), [log(content.getvalue(), "parquet")])
        assert summary.connections == 1
        assert [str(it) for record in summary.first_unreadable for it in record.problems] == [
            "access:2:1: destination: expected an IP address, found what is no text, or no date that there is"
        ]

    def test_another_file_is_told(self) -> None:
        with pytest.raises(fe.InvalidValue, match=r"^access: expected a Parquet file: parquet file size"):
            found(log(b"", "parquet"))

    def test_a_pipe_is_told(self) -> None:
        read_end, write_end = os.pipe()
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe, pytest.raises(fe.InvalidValue, match="illegal seek"):
            found(Log(pipe, "access", Format.PARQUET))

    def test_a_file_that_breaks_off_is_told(self) -> None:
        content = bytearray(WRITERS[Format.PARQUET]([OTHER_TLS] * 10))
        content[4:200] = bytes(196)
        with pytest.raises(fe.InvalidValue, match=r"^access: expected a Parquet file: "):
            found(log(bytes(content), "parquet"))

    def test_what_is_missing_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given = log_of(GET, written=Format.PARQUET)
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(fe.MissingExtra, match=r"reading Parquet \(`access`\) needs the extra `parquet`"):
            found(given)


def test_there_is_no_other_format() -> None:
    with pytest.raises(fe.InvalidValue, match=r"expected one of `json`, .*, `envoy`, found the string `xml`"):
        log(b"", "xml")


def test_a_log_shows_its_name_and_format_alone() -> None:
    assert repr(log(json.dumps(GET).encode())) == "Log(name='access', format=<Format.JSON: 'json'>)"


# --- logs of other programs, and compressed ones ---------------------------------------------------------

INBOUND = {**ENTRY, "type": "inbound"}
CHARGES = "api.payments.example/v1/charges"
WITHOUT_TIME = {**GET, "time": "-"}


def left_out(*given: Log, layout: Layout = LAYOUT) -> dict[str, int]:
    """How many records tell of no connection, by reason."""
    total: Counter[str] = Counter()
    for block in cut(given, layout):
        total.update(read(block, layout).left_out)
    return dict(total)


def entries(*lines: Any) -> bytes:
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def test_entries_of_fsm_are_read_as_posted_and_as_stored() -> None:
    stored, posted = entries(ENTRY, INBOUND, ENTRY), entries([ENTRY, INBOUND], [], [ENTRY])
    request = fe.http(
        "203.0.113.10", 80, "POST", "api.payments.example/v1/charges?limit=3", {"x-env": "prod"}
    )
    for content, lines in ((stored, [1, 3]), (posted, [1, 3])):
        unnamed = Log(BytesIO(content), "log")
        assert found(unnamed) == [(line, "checkout.shop", request) for line in lines]
        assert left_out(log(content, "fsm")) == {"inbound": 1}


def test_an_array_of_anything_else_is_told() -> None:
    assert told(log(entries([ENTRY, 7]), "fsm")) == [
        "access:1:1: expected a JSON object, found the number `7`"
    ]
    assert told(log(entries([GET]), "json")) == ["access:1:1: expected a JSON object, found a list"]


@pytest.mark.parametrize(
    ("record", "connection"),
    [
        (EVENTS["syn"][0], fe.tls("203.0.113.10", 443, "api.payments.example")),
        (EVENTS["other-port"][0], fe.tcp("203.0.113.10", 5432)),
        (ISTIO, fe.http("203.0.113.10", 80, "GET", CHARGES, {"user-agent": "curl/8.5.0"})),
        ({**ISTIO, "protocol": None, "method": None, "requested_server_name": "b.com"}, fe.tls(
            "203.0.113.10", 80, "b.com"
        )),
    ],
)  # fmt: skip
def test_the_first_records_show_whose_they_are(record: Any, connection: fe.Connection) -> None:
    ((_, _, seen),) = found(Log(BytesIO(entries(record)), "log"))
    assert seen == connection


def test_who_names_columns_reads_json_as_it_is() -> None:
    layout = Layout({"destination": "upstream_host", "host": "authority"}, "curl.curl")
    ((_, who, seen),) = found(Log(BytesIO(entries(ISTIO)), "log"), layout=layout)
    assert (who, seen) == ("curl.curl", fe.http("203.0.113.10", 80, "GET", "api.payments.example/v1/charges"))


@given(
    st.lists(
        st.sampled_from([ENTRY, INBOUND, [ENTRY, INBOUND], [], 7])
        | st.sampled_from([event for events in EVENTS.values() for event in events])
        | st.sampled_from([ISTIO, {**ISTIO, "upstream_cluster": "inbound|80||"}])
    ),
    st.sampled_from(["fsm", "hubble", "envoy"]),
)
def test_law_every_record_is_read_or_left_out_for_a_reason(lines: list[Any], written: str) -> None:
    records = sum(len(line) if isinstance(line, list) else 1 for line in lines)
    content = entries(*lines)
    parts = [read(block, LAYOUT) for block in cut([log(content, written)], LAYOUT)]
    assert records == sum(len(part) + len(part.unreadable) + sum(part.left_out.values()) for part in parts)


@pytest.mark.parametrize("written", ["json", "csv"])
def test_a_compressed_log_is_read_as_a_plain_one(written: str) -> None:
    content = WRITERS[Format(written)]([GET, TLS, PLAIN])
    assert found(Log(BytesIO(gzip.compress(content)), "log.gz")) == found(log(content, written))


@pytest.mark.parametrize("cut_at", [12, -9])
def test_a_compressed_log_that_ends_too_early_is_told(cut_at: int) -> None:
    content = gzip.compress(as_json([GET] * 3) + os.urandom(100_000))[:cut_at]
    with pytest.raises(fe.InvalidValue, match=r"log\.gz: expected a whole file: compressed file ended"):
        found(Log(BytesIO(content), "log.gz"))


@pytest.mark.parametrize(
    ("content", "moment"),
    [
        (b"", None),
        (as_json([GET]), None),
        (as_json([WITHOUT_TIME, {**GET, "time": 1790000061}, {**GET, "time": 1}]), 1790000061),
        (as_json([{**GET, "time": "never"}]), None),
        (b"a,b\n1,2\n", None),
        (entries(ENTRY), 1790000061.123),
    ],
)
def test_a_log_begins_with_the_first_record_that_has_a_time(content: bytes, moment: float | None) -> None:
    assert begin_of(Log(BytesIO(content), "log")) == moment
