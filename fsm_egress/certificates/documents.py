"""Which documents a certificate is about: the digest of what was read of each."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from ..manifests.writing import to_mapping
from ..resources.kinds import KINDS
from ..values.secrecy import bare

if TYPE_CHECKING:
    from ..snapshot import Snapshot

__all__ = ["digests"]

BUILT = "(built in Python)"


def digests(*meshes: Snapshot) -> tuple[tuple[str, str], ...]:
    """The documents of meshes by name, with the SHA-256 of what was read of each, as hexadecimal digits.

    It is that of the resources as JSON, a line for each, in the order of kind, namespace and name, with
    sorted keys, without spaces, in UTF-8; what is secret in them is left out, so that nobody can try guesses
    on it. Of a mesh that was changed it is what has become of them.
    """
    found: list[tuple[str, str]] = []
    for number, mesh in enumerate(meshes):
        when = ("", "after: ")[number > 0]
        found.extend((f"{when}{name}", digest) for name, digest in mesh.once(_digests, KINDS))
    return tuple(found)


def _digests(mesh: Snapshot) -> tuple[tuple[str, str], ...]:
    lines: dict[str, list[str]] = {}
    for resource in sorted(mesh, key=lambda it: it.ref):
        name = resource.source.document if resource.source else BUILT
        wire = json.dumps(
            to_mapping(bare(resource)), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        lines.setdefault(name, []).append(f"{wire}\n")
    return tuple(
        (name, sha256("".join(texts).encode("utf-8", "surrogatepass")).hexdigest())
        for name, texts in lines.items()
    )
