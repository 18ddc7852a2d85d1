"""The HTTP API of a Pipy repo: codebases are created, their files written, and committed with a version.

A repo has several writers. What this one has written bears its mark, and it touches nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from attrs import field, frozen

from .answers import content_of

__all__ = ["MARK", "STOCK", "Codebase", "Repo", "RepoError", "is_own_prefix"]

MARK = "fsm-egress-controller.json"
_MARK = b'{"writtenBy":"fsm-egress-controller"}\n'
OURS = ("config.json", "config.json.gz", "modules/fsm-egress.js", MARK)
"""The files that this controller writes: of other files in a codebase it knows nothing."""
STOCK = ("fsm-base", "fsm-sidecar")
"""Below these a stock `fsm-controller` has its codebases, and deletes what it does not know."""
BEGUN = "fsm-egress-controller"  # the version of a codebase that it has created, and not committed yet


def is_own_prefix(prefix: str) -> bool:
    """Whether a controller may have a prefix for itself: a path, and no part of a stock controller's."""
    parts = prefix.split("/")
    return all(parts) and not set(STOCK) & {part.strip() for part in parts}


NOT_FOUND = 404
MOST = 64 << 20  # bytes of an answer: the names of half a million codebases


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
    def marked(self) -> Mapping[str, bytes]:
        """The files, and the mark of whose they are."""
        return {**self.files, MARK: _MARK}

    @property
    def version(self) -> str:
        """A hash of the files: equal for equal content."""
        digest = hashlib.sha256()
        for name, content in sorted(self.marked.items()):
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
        """The names of all codebases.

        Raises:
            RepoError: it refused, or did not answer with names.
        """
        text = await self._ask("GET", "repo", (200,)) or ""
        lines = [line for line in text.split("\n") if line]
        if not all(line.startswith("/") for line in lines):
            raise RepoError(f"GET repo: a list of codebases expected, found {text[:60]!r}")
        return [line.strip("/") for line in lines]

    async def is_ours(self, path: str) -> bool:
        """Whether a codebase bears the mark of this controller, or there is none."""
        info = await self._info(path)
        return info is None or _is_marked(info)

    async def put(self, codebase: Codebase, *, adopt: bool = False) -> bool:
        """Makes a codebase what it should be; whether anything had to be sent.

        It is seen by sidecars when it is committed, so as a whole or not at all; a half-written one is
        written again.

        Args:
            codebase: what it should be.
            adopt: whether to do so where somebody else has written it.

        Raises:
            RepoError: it refused, or the codebase is somebody else's.
        """
        info = await self._info(codebase.path)
        if info is None:
            await self._create(codebase)
        elif not (adopt or _is_marked(info)):
            raise RepoError(f"{codebase.path}: it is there, and was not written by this controller")
        elif codebase.is_in(info):
            return False
        there = _files_of(info) if info else set()
        for name, content in sorted(codebase.marked.items(), key=lambda it: it[0] != MARK):
            await self._ask("POST", f"repo-files/{codebase.path}/{name}", (201,), content)
        for name in OURS:
            if name in there and name not in codebase.marked:
                await self._ask("DELETE", f"repo-files/{codebase.path}/{name}", (204,))
        await self._ask("PATCH", f"repo/{codebase.path}", (201,), _json(version=codebase.version))
        return True

    async def delete(self, path: str) -> None:
        """Deletes a codebase; one that is not there is no error."""
        await self._ask("DELETE", f"repo/{path}", (204, 404))

    async def _create(self, codebase: Codebase) -> None:
        base = {"base": f"/{codebase.base}"} if codebase.base else {}
        await self._ask("POST", f"repo/{codebase.path}", (201,), _json(version=BEGUN, **base))

    async def _info(self, path: str) -> Mapping[str, Any] | None:
        text = await self._ask("GET", f"repo/{path}", (200, 404))
        if text is None:
            return None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not (
            isinstance(found, dict) and _INFO.items() <= {key: type(found[key]) for key in found}.items()
        ):
            raise RepoError(f"GET repo/{path}: a codebase expected, found {text[:60]!r}")
        return found

    async def _ask(self, method: str, path: str, expected: tuple[int, ...], body: bytes = b"") -> str | None:
        """What the repo answers; None where it has no such thing, if that is to be expected."""
        async with self.session.request(method, f"{self.url}/api/v1/{path}", data=body) as response:
            content = await content_of(response, MOST)
            if content is None:
                raise RepoError(f"{method} {path}: an answer of more than {MOST:,} bytes")
            text = content.decode(errors="replace")
            if response.status not in expected:
                raise RepoError(f"{method} {path}: {response.status} {text[:200].strip() or response.reason}")
            return None if response.status == NOT_FOUND else text


_INFO = {"version": str, "files": list, "editFiles": list, "erasedFiles": list}


def _files_of(info: Mapping[str, Any]) -> set[str]:
    """The files of a codebase, committed or not."""
    return {str(name).strip("/") for name in (*info["files"], *info["editFiles"])}


def _is_marked(info: Mapping[str, Any]) -> bool:
    """Whether this controller has written a codebase, or has been kept from it just after it made it."""
    return info["version"] == BEGUN or MARK in _files_of(info)


def _json(**content: str) -> bytes:
    return json.dumps(content).encode()
