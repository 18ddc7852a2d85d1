"""How a log is written, found out from its first bytes: compressed or not, and in which format."""

from __future__ import annotations

import gzip
import re
from functools import partial
from importlib import import_module
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any, BinaryIO

from ..values.errors import MissingExtra
from .dialects import Format

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["recognised", "uncompressed"]

HEAD = 2**16  # bytes that are looked at

_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"

# The keys that only records of this program have.
_KEYS = {
    Format.FSM: (rb'"remoteAddr"', rb'"(?:reqTime|localAddr)"'),
    Format.HUBBLE: (rb'"IP"\s*:\s*\{', rb'"(?:traffic_direction|trafficDirection|verdict)"'),
    Format.ENVOY: (rb'"downstream_local_address"',),
}


def uncompressed(stream: BinaryIO, name: str) -> tuple[BinaryIO, bytes]:
    """What a stream holds beneath gzip and zstd, and the first bytes of that, which it still gives.

    Args:
        stream: open for reading, at its beginning.
        name: of the log, for the error.

    Raises:
        MissingExtra: it is compressed with zstd, and nothing is installed that unpacks it.
    """
    head = _begun(stream)
    unpack = _unpacking(head, name)
    if head[:4] == _PARQUET and stream.seekable():
        stream.seek(0)  # as its columns stand anywhere in it
        return stream, head
    whole = _headed(head, stream)
    return uncompressed(unpack(whole), name) if unpack else (whole, head)


def _begun(stream: BinaryIO) -> bytes:
    """The first bytes; a stream may give few at a time."""
    head = b""
    while len(head) < HEAD and (more := stream.read(HEAD - len(head))):
        head += more
    return head


def _unpacking(head: bytes, name: str) -> Callable[[BinaryIO], Any] | None:
    """What opens the stream, where it is compressed."""
    if head.startswith(_GZIP):
        return lambda stream: gzip.GzipFile(fileobj=stream)
    return partial(_zstd, name=name) if head.startswith(_ZSTD) else None


def _zstd(stream: BinaryIO, name: str) -> Any:
    """Unpacked by Python itself, which can since 3.14, or else by Arrow."""
    try:
        return import_module("compression.zstd").ZstdFile(stream)
    except ModuleNotFoundError:
        pass
    try:
        return import_module("pyarrow").CompressedInputStream(stream, "zstd")
    except ModuleNotFoundError:
        raise MissingExtra(f"reading zstd (`{name}`) before Python 3.14", "parquet") from None


class _Headed(RawIOBase):
    """A stream that has been read from, as if it had not."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        content = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(content)] = content
        return len(content)


def _headed(head: bytes, rest: BinaryIO) -> BinaryIO:
    return BufferedReader(_Headed(head, rest), HEAD)


def recognised(head: bytes) -> Format:
    """The format that the first bytes of a log are of; nothing at all is a log without records."""
    if head[:4] == _PARQUET:
        return Format.PARQUET
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in {b"{", b"[", b""}:
        keyed = (written for written, keys in _KEYS.items() if all(re.search(key, text) for key in keys))
        return next(keyed, Format.JSON)
    return Format.CSV
