"""The HTTP API of a Pipy repo: codebases are created, their files written, and committed with a version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from attrs import field, frozen

__all__ = ["Codebase", "Repo", "RepoError"]

OURS = ("config.json", "config.json.gz", "modules/fsm-egress.js")
"""The files that this controller writes: of other files in a codebase it knows nothing."""


class RepoError(Exception):
    """The repo did not do what it was asked."""


@frozen
class Codebase:
    """What a codebase should be.

    Attributes:
        path: its name in the repo, without a slash at either end.
        files: what is written into it, by name.
        base: the codebase that it derives the rest from, empty for none.
    """

    path: str
    files: Mapping[str, bytes] = field(repr=False)
    base: str = ""

    @property
    def version(self) -> str:
        """A hash of the files: equal for equal content."""
        digest = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            digest.update(b"%d %s %d " % (len(name), name.encode(), len(content)) + content)
        return digest.hexdigest()[:16]

    def is_in(self, info: Mapping[str, Any]) -> bool:
        """Whether the repo has it already, committed whole."""
        edits = info["editFiles"] or info["erasedFiles"]
        return not edits and info["version"] == self.version


@frozen
class Repo:
    """A Pipy repo.

    Attributes:
        session: HTTP, with its timeouts.
        url: of the repo, `http://127.0.0.1:6060`.
    """

    session: aiohttp.ClientSession = field(repr=False)
    url: str

    async def paths(self) -> list[str]:
        """The names of all codebases."""
        text = await self._ask("GET", "repo", (200,))
        return [line.strip("/") for line in text.split("\n") if line]

    async def put(self, codebase: Codebase) -> bool:
        """Makes a codebase what it should be; whether anything had to be sent.

        It is seen by sidecars when it is committed, so as a whole or not at all; a half-written one is
        written again.
        """
        info = await self._info(codebase.path)
        if info is None:
            await self._create(codebase)
        elif codebase.is_in(info):
            return False
        there = {name.strip("/") for name in (*info["files"], *info["editFiles"])} if info else set()
        for name, content in codebase.files.items():
            await self._ask("POST", f"repo-files/{codebase.path}/{name}", (201,), content)
        for name in OURS:
            if name in there and name not in codebase.files:
                await self._ask("DELETE", f"repo-files/{codebase.path}/{name}", (204,))
        await self._ask("PATCH", f"repo/{codebase.path}", (201,), _json(version=codebase.version))
        return True

    async def delete(self, path: str) -> None:
        """Deletes a codebase; one that is not there is no error."""
        await self._ask("DELETE", f"repo/{path}", (204, 404))

    async def _create(self, codebase: Codebase) -> None:
        base = {"base": f"/{codebase.base}"} if codebase.base else {}
        await self._ask("POST", f"repo/{codebase.path}", (201,), _json(version="0", **base))

    async def _info(self, path: str) -> Mapping[str, Any] | None:
        text = await self._ask("GET", f"repo/{path}", (200, 404))
        found: Mapping[str, Any] | None = json.loads(text) if text.startswith("{") else None
        return found

    async def _ask(self, method: str, path: str, expected: tuple[int, ...], body: bytes = b"") -> str:
        async with self.session.request(method, f"{self.url}/api/v1/{path}", data=body) as response:
            text = await response.text(errors="replace")
            if response.status not in expected:
                raise RepoError(f"{method} {path}: {response.status} {text[:200].strip() or response.reason}")
            return text


def _json(**content: str) -> bytes:
    return json.dumps(content).encode()
