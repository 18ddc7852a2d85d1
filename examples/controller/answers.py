"""What a server answers, read as far as it is not too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

__all__ = ["content_of"]


async def content_of(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The bytes of an answer; None where they are more than so many, and the rest is not read.

    Raises:
        aiohttp.ClientError: they did not come.
    """
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > most:
            return None
    return bytes(content)
