"""What could not be read of a cluster is a document, whose kind is lost."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from small import config, egress

import fsm_egress as fe
from fsm_egress.documents.compressed import pack, unpack
from fsm_egress.manifests.unread import Unread

if TYPE_CHECKING:
    from pathlib import Path

ANYTHING = "open what is called denied or deny what is called allowed or lead elsewhere"
EVERY = Unread("Service", "may not be listed: no")
OUTSIDE = Unread("Egress", "no", "shop")
ONE = Unread("Secret", "may not be read: no", "shop", "client")


@pytest.mark.parametrize(
    ("unread", "said", "lost"),
    [
        (
            EVERY,
            "Service */*: expected every Service, found none: may not be listed: no",
            f"Service */* (<mapping 1>) could not be read, and could {ANYTHING}",
        ),
        (
            OUTSIDE,
            "Egress */*: expected every Egress, found those of namespace `shop` alone: no",
            f"Egress */* (<mapping 1>) could not be read, and could {ANYTHING}",
        ),
        (
            ONE,
            "Secret shop/client: expected a Secret that can be read, found none: may not be read: no",
            "Secret shop/client (<mapping 1>) could not be read, and could open what is called denied",
        ),
    ],
    ids=["every", "outside", "one"],
)
def test_it_is_lost_whatever_it_is(unread: Unread, said: str, lost: str) -> None:
    mesh = fe.load(unread.to_mapping(), config(), strict=False)
    assert [str(it) for it in mesh.problems] == [f"<mapping 1>: {said}"]
    assert [str(it) for it in mesh.lost] == [lost]
    assert mesh.refused == ()
    with pytest.raises(fe.LoadError):
        fe.load(unread.to_mapping())


def test_it_is_told_in_words() -> None:
    assert list(map(str, (EVERY, OUTSIDE, ONE))) == [
        "Service: may not be listed: no",
        "Egress outside namespace shop: no",
        "Secret shop/client: may not be read: no",
    ]


@pytest.mark.parametrize(
    ("unread", "path", "expected"),
    [
        (7, "unread", "a mapping"),
        ({"kind": 7}, "unread.kind", "one of `kind`, `namespace`, `name`, `why`, as a string"),
        ({"kind": "Service", "since": "now"}, "unread.since", "one of `kind`"),
        ({"kind": "Service"}, "unread", "`kind` and `why`"),
    ],
)
def test_one_that_says_nothing_is_an_error_and_anything_may_be_lost(
    unread: Any, path: str, expected: str
) -> None:
    document = {**EVERY.to_mapping(), "unread": unread}
    mesh = fe.load(document, strict=False)
    (problem,) = mesh.problems
    assert (problem.path, problem.expected.startswith(expected)) == (path, True)
    (lost,) = mesh.lost
    assert lost.ref is None


def test_a_mesh_config_that_may_not_be_read_is_lost_whole() -> None:
    mesh = fe.load(Unread("MeshConfig", "no").to_mapping(), strict=False)
    (lost,) = mesh.lost
    assert (lost.fields, bool(lost.bearing)) == ((), True)


def test_a_pod_may_be_among_those_that_may_not_be_listed() -> None:
    mesh = fe.load(Unread("Pod", "no").to_mapping(), strict=False)
    with pytest.raises(fe.IncompleteMesh, match="every Pod"):
        fe.partition(mesh, "pod/a.shop")
    with pytest.raises(fe.InvalidValue, match="a pod or a template of the mesh"):
        fe.partition(mesh, "deployment/a.shop")


# --- compressed files ------------------------------------------------------------------------------------


def test_a_compressed_file_is_read_as_what_it_holds(tmp_path: Path) -> None:
    content = json.dumps({"kind": "List", "items": [config(), egress("a", "tcp 25")]}).encode()
    (tmp_path / "mesh.json.gz").write_bytes(pack(content))
    (tmp_path / "notes.gz").write_bytes(b"no gzip file")
    whole = fe.load(content)
    assert len(whole) == 2
    assert fe.load(tmp_path / "mesh.json.gz") == fe.load(tmp_path) == fe.load(pack(content)) == whole


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x1f\x8bnonsense", "error -3 while decompressing data: unknown compression method"),
        (gzip.compress(b"{}", mtime=0)[:-1], "the gzip file is incomplete, or followed by something else"),
        (gzip.compress(b"{}", mtime=0) + b"{}", "the gzip file is incomplete, or followed by something else"),
    ],
)
def test_a_compressed_file_that_is_damaged_is_told(content: bytes, reason: str) -> None:
    (problem,) = fe.load(content, strict=False).problems
    assert str(problem) == f"<text>: expected a gzip file: {reason}"


def test_no_more_is_unpacked_than_is_allowed() -> None:
    assert unpack(pack(b"a" * 100), 100) == b"a" * 100
    with pytest.raises(ValueError, match=r"^more than 99 bytes when unpacked$"):
        unpack(pack(b"a" * 100), 99)
