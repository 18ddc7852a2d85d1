"""Pickles of answers hold no secrets, and what comes out of them says so where one is needed."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from small import config, egress, load

import fsm_egress as fe
from fsm_egress.resources.core import Secret
from fsm_egress.resources.resource import APPLIED
from fsm_egress.values.secrecy import NOT_KEPT, bare, kept

KEY = "the key"
WHO = "curl.curl"
SECRET = Secret(
    fe.ObjectMeta("client", "curl", annotations={APPLIED: KEY, "note": "mine"}),
    data={"tls.crt": b"chain", "tls.key": KEY.encode(), "ca.crt": b""},
)
LOGGING = {"remoteLogging": {"enable": True, "address": "10.0.0.9", "port": 1, "authorization": KEY}}
BY_CERTIFICATE = egress("web", "https 443", hosts=["a.com"], mtls={"cert": {"secret": {"name": "client"}}})


def mesh(*, logs: bool = False) -> fe.Snapshot:
    return load(config(observability=LOGGING if logs else {}), BY_CERTIFICATE).with_(SECRET)


def sent(answer: Any) -> Any:
    """What comes out of the pickle of an answer, which holds no secret."""
    pickled = pickle.dumps(answer)
    assert KEY.encode() not in pickled
    return pickle.loads(pickled)  # noqa: S301  # because it has just been made


def test_a_bare_secret_has_its_names_and_tells_what_is_empty() -> None:
    plain = bare(SECRET)
    assert plain.data == {"tls.crt": NOT_KEPT.encode(), "tls.key": NOT_KEPT.encode(), "ca.crt": b""}
    assert plain.metadata.annotations == {APPLIED: NOT_KEPT, "note": "mine"}
    assert plain.ref == SECRET.ref
    assert SECRET.data["tls.key"] == KEY.encode()


@pytest.mark.parametrize("logs", [False, True])
def test_an_answer_is_the_same_elsewhere_but_for_its_secrets(logs: bool) -> None:
    asked = mesh(logs=logs)
    proof = fe.never(asked, fe.Where.to("192.0.2.0/24"))
    assert sent(proof) == proof
    assert sent(proof).certificate() == proof.certificate()
    verified = sent(fe.verify(asked, WHO))
    assert verified.agreed is fe.verify(asked, WHO).agreed
    assert verified.sides.policy.identity == fe.resolve(asked, WHO).identity


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_a_copy_in_the_same_process_is_the_answer_itself(way: Any) -> None:
    proof = fe.never(mesh(), fe.Where.to("192.0.2.0/24"))
    assert way(proof) is proof


@pytest.mark.parametrize("logs", [False, True])
def test_no_config_is_written_of_what_has_lost_its_secrets(logs: bool) -> None:
    asked = load(config(observability=LOGGING)) if logs else mesh()
    assert fe.pipy_config(asked, WHO)
    read = sent(fe.learn(asked, []))
    with pytest.raises(fe.InvalidValue, match="a mesh that was loaded, with the data of its Secrets"):
        fe.pipy_config(read.mesh, WHO)


def test_what_was_refused_is_not_kept() -> None:
    broken = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": KEY}}
    lost = fe.load(config(), broken, strict=False)
    assert lost.refused[0].document["data"]["a"] == KEY
    assert not sent(fe.never(lost, fe.Where.to("192.0.2.0/24"))).asked.meshes[0].refused[0].document


def test_a_connection_in_an_explanation_keeps_no_credential() -> None:
    request = fe.HTTPRequest("GET", "a.com", "/", {"authorization": KEY, "accept": "text/html"})
    told = fe.explain(mesh(), WHO, fe.Connection("192.0.2.1", 80, request))
    headers = sent(told).connection.sends.headers
    assert headers == {"authorization": "(not shown)", "accept": "text/html"}
    assert sent(told).decision == told.decision


def test_what_is_kept_is_written() -> None:
    assert kept(KEY) == KEY
