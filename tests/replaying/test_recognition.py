"""How a log is written, found out from its first bytes."""

from __future__ import annotations

import gzip
import json
import sys
from io import BytesIO
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traffic import ENTRY, EVENTS, GET, ISTIO, TLS, as_csv, as_json, as_parquet

from fsm_egress.replaying import recognition
from fsm_egress.replaying.dialects import Format
from fsm_egress.replaying.recognition import recognised, uncompressed
from fsm_egress.values.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

FLOW = EVENTS["syn"][0]


class Pipe(BytesIO):
    """A stream that gives a few bytes at a time, and goes forward only."""

    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(-1 if size is None or size < 0 else min(size, 1000))


@pytest.mark.parametrize(
    ("head", "written"),
    [
        (b"", Format.JSON),
        (b" \n", Format.JSON),
        (as_json([GET]), Format.JSON),
        (b"\xef\xbb\xbf" + as_json([GET]), Format.JSON),
        (as_csv([GET]), Format.CSV),
        (as_parquet([GET]), Format.PARQUET),
        (json.dumps(ENTRY).encode(), Format.FSM),
        (json.dumps([ENTRY]).encode(), Format.FSM),
        (json.dumps(FLOW).encode(), Format.HUBBLE),
        (json.dumps(FLOW["flow"]).encode(), Format.HUBBLE),
        (json.dumps(EVENTS["syn"][1], indent=0).encode(), Format.HUBBLE),
        (json.dumps(ISTIO).encode(), Format.ENVOY),
        (b'{"verdict": "EGRESS_POLICY"}', Format.JSON),
    ],
)
def test_the_format_shows_in_the_first_bytes(head: bytes, written: Format) -> None:
    assert recognised(head) is written


def zstd(content: bytes) -> bytes:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(content)
    return bytes(packed.getvalue().to_pybytes())


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstd,
    "both": lambda content: zstd(gzip.compress(content)),
}


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("kind", [BytesIO, Pipe])
@pytest.mark.parametrize("size", [0, 10, recognition.HEAD, 3 * recognition.HEAD + 1])
def test_what_is_packed_is_given_as_it_was(packed: str, kind: type[BytesIO], size: int) -> None:
    content = b"0123456789" * (size // 10) + b"x" * (size % 10)
    stream, head = uncompressed(kind(PACKED[packed](content)), "log")
    assert head == content[: recognition.HEAD]
    assert read_whole(stream) == content


def read_whole(stream: BinaryIO) -> bytes:
    assert stream.readable()
    return b"".join(iter(lambda: stream.read(7_000), b""))


@given(st.binary(max_size=20))
def test_law_the_first_bytes_decide_for_any_bytes(content: bytes) -> None:
    assert recognised(content) in Format


def test_parquet_is_given_as_it_is_as_its_columns_stand_anywhere() -> None:
    whole = BytesIO(as_parquet([GET, TLS]))
    stream, head = uncompressed(whole, "log")
    assert (stream, stream.tell(), recognised(head)) == (whole, 0, Format.PARQUET)


def test_a_python_that_can_unpack_zstd_does_it_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("compression.zstd")
    monkeypatch.setattr(module, "ZstdFile", lambda _: BytesIO(b"unpacked"), raising=False)
    monkeypatch.setitem(sys.modules, "compression", ModuleType("compression"))
    monkeypatch.setitem(sys.modules, "compression.zstd", module)
    stream, _ = uncompressed(BytesIO(zstd(b"packed")), "log")
    assert read_whole(stream) == b"unpacked"


def test_zstd_that_nothing_can_unpack_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingExtra, match=r"reading zstd \(`log`\) before Python 3.14 needs the extra `parquet`"
    ):
        uncompressed(BytesIO(zstd(b"")), "log")
