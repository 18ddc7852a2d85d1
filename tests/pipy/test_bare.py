"""What is kept of a config holds no secret, and tells the sidecar all that it looks at."""

from __future__ import annotations

import pickle

import pytest
from small import WHO, config, egress, load

import fsm_egress as fe
from fsm_egress.pipy.bare import bare_tree
from fsm_egress.pipy.sidecar import Sidecar

KEY = "the key"
CERT = {"CertChain": "chain", "PrivateKey": KEY, "IssuingCA": "issuer"}
CONFIG = {
    "Certificate": CERT,
    "Spec": {"Traffic": {"EnableEgress": True}, "Observability": {"remoteLogging": {"Authorization": KEY}}},
    "Outbound": {
        "ClustersConfigs": {"a": {"Endpoints": {"a.org:80": {"Weight": 1}}, "SourceCert": CERT}},
        "TrafficMatches": {
            "80": [
                {
                    "Port": 80,
                    "Protocol": "tcp",
                    "DestinationIPRanges": {
                        "10.0.0.0/8": {"SourceCert": {"CertChain": "", "PrivateKey": ""}}
                    },
                    "TcpServiceRouteRules": {"TargetClusters": {"a": 1}, "Plugins": {"token": KEY}},
                }
            ]
        },
    },
}


def test_a_bare_config_holds_no_secret_and_is_its_own() -> None:
    bare = bare_tree(CONFIG)
    assert not any(text in repr(bare) for text in (KEY, "chain", "issuer"))
    assert "Observability" not in bare["Spec"]
    assert "Forward" not in bare
    assert bare_tree(bare) == bare
    assert bare_tree({}) == {"Spec": {}}


def test_a_pickled_sidecar_holds_no_secret_and_does_the_same() -> None:
    sidecar = Sidecar.read(CONFIG)
    pickled = pickle.dumps(sidecar)
    assert KEY.encode() not in pickled
    copy: Sidecar = pickle.loads(pickled)  # noqa: S301  # because it has just been made
    sent = fe.tcp("10.0.0.1", 80)
    assert copy.handle(sent) == sidecar.handle(sent)
    assert copy.tree == sidecar.tree


def test_a_sidecar_that_was_not_read_has_no_config_to_show() -> None:
    read = Sidecar.read(CONFIG)
    made: Sidecar = pickle.loads(pickle.dumps(Sidecar(read.config)))  # noqa: S301  # because it has just been made
    assert made.handle(fe.tcp("10.0.0.1", 80)) == read.handle(fe.tcp("10.0.0.1", 80))
    with pytest.raises(fe.InvalidValue, match="a sidecar that was read from a config"):
        _ = made.tree


def test_a_pickled_verification_has_the_same_certificate() -> None:
    found = fe.verify(load(config(), egress("db", "tcp 3306")), WHO)
    copy: fe.Verification = pickle.loads(pickle.dumps(found))  # noqa: S301  # because it has just been made
    assert copy.certificate() == found.certificate()


def test_what_is_no_text_is_neither_a_key_nor_a_certificate() -> None:
    odd = {"CertChain": ["c"], "PrivateKey": {"a": 1}, "IssuingCA": 7}
    assert bare_tree({"Certificate": odd}) == {"Certificate": odd, "Spec": {}}
