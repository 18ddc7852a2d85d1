"""Logs: streams cut into blocks, blocks read as records, and what is no record told with its line."""

from __future__ import annotations

import json
import os
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from traffic import GET, OTHER_TLS, PLAIN, TLS, WRITERS, log, log_of

import fsm_egress as fe
from fsm_egress.replaying import logs
from fsm_egress.replaying.logs import Format, Log, cut, read
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


@pytest.mark.parametrize("written", list(Format))
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


@pytest.mark.parametrize("written", list(Format))
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
            (b"9" * 5_000, ":2:1: expected a JSON object, found too many digits or levels"),
            (b'{"host": "\xff"}', ":2:1: expected UTF-8, found the byte `0xff`"),
        ],
        ids=["syntax", "two objects", "list", "string", "depth", "digits", "bytes"],
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


class TestCSV:
    def test_cells_may_be_quoted(self) -> None:
        content = b'"identity","destination","port","path"\r\n"curl.curl","54.9.9.9","80","/a,""b"""\r\n'
        assert found(log(content, "csv")) == [
            (2, "curl.curl", fe.http("54.9.9.9", 80, "GET", '/a,"b"')),
        ]

    def test_a_column_may_stand_twice(self) -> None:
        content = b"identity,destination,port,x,x\ncurl.curl,54.9.9.9,80,,\n"
        assert len(found(log(content, "csv"))) == 1

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
        monkeypatch.setattr(logs, "BATCH", 2)
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


def test_there_are_three_formats() -> None:
    with pytest.raises(
        fe.InvalidValue, match="expected one of `json`, `csv`, `parquet`, found the string `xml`"
    ):
        log(b"", "xml")


def test_a_log_shows_its_name_and_format_alone() -> None:
    assert repr(log(json.dumps(GET).encode())) == "Log(name='access', format=<Format.JSON: 'json'>)"
