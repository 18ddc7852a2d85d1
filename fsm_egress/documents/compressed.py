"""Gzip files: the same bytes for the same content, and read back in bounded memory."""

from __future__ import annotations

from gzip import compress
from zlib import decompressobj
from zlib import error as ZlibError  # noqa: N812  # because `error` alone says nothing

__all__ = ["MAGIC", "pack", "unpack"]

MAGIC = b"\x1f\x8b"  # what each begins with
_FORMAT = 31  # to zlib
_SYSTEM = 9  # the byte of the header that names one
_UNKNOWN_SYSTEM = 255


def pack(content: bytes) -> bytes:
    """The bytes of a gzip file, whose header names neither a time nor a system."""
    packed = bytearray(compress(content, mtime=0))
    packed[_SYSTEM] = _UNKNOWN_SYSTEM  # Python's versions differ in what they say
    return bytes(packed)


def unpack(content: bytes, most: int) -> bytes:
    """The bytes that a gzip file holds.

    Raises:
        ValueError: it is none, holds more than `most` bytes, is incomplete, or followed by something else.
    """
    unpacking = decompressobj(_FORMAT)
    try:
        unpacked = unpacking.decompress(content, most)
    except ZlibError as error:
        raise ValueError(str(error).lower()) from None
    if unpacking.unconsumed_tail:
        raise ValueError(f"more than {most} bytes when unpacked")
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("the gzip file is incomplete, or followed by something else")
    return unpacked
