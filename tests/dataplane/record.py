"""Random meshes, enforced by the module, and what a real sidecar does with their connections.

`python tests/dataplane/record.py MESHES` observes them, prints every connection that did not go where it
is decided, and keeps the observations in `tests/vectors/dataplane.json.gz`. It needs what `observe.py` needs,
and openssl for a certificate of the sidecar's own.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

import random_meshes  # noqa: E402  # because the tests are no package
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402  # ditto
from observe import observe  # noqa: E402  # ditto
from observed import goes_as_due  # noqa: E402  # ditto

import fsm_egress as fe  # noqa: E402  # ditto
from fsm_egress.pipy.enforcement import MODULE, module_source  # noqa: E402  # ditto
from fsm_egress.values.net import IPV6_START  # noqa: E402  # ditto
from fsm_egress.verification.sides import intercepted, own_config  # noqa: E402  # ditto

KEPT = TESTS / "vectors" / "dataplane.json.gz"
ABOUT = (
    "random meshes and identities, the config.json that is written for them with the module that enforces it,"
    " and where a real sidecar (Pipy 1.5.14, the scripts of fsm f1b55bd8) sent each connection: observed in a"
    " network namespace of its own, with connections redirected by iptables, by record.py; certificates were"
    " real there, and `names` are the addresses of the outside hosts"
)

Wire = dict[str, Any]


def meshes(count: int, number: int) -> list[tuple[list[Any], str, list[Wire]]]:
    """Random documents, an identity, and connections that reach a sidecar."""
    found: list[tuple[list[Any], str, list[Wire]]] = []

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(random_meshes.cases(40))
    def collect(case: tuple[list[Any], str, list[Wire]]) -> None:
        mesh, identity, connections = case
        found.append((mesh, identity, [wire for wire in connections if _can_be_sent(wire)]))

    collect()
    return found


def _can_be_sent(wire: Wire) -> bool:
    """Whether a client sends it: no Host is none of HTTP/1.1, and an address is no server name of TLS."""
    connection = fe.Connection.from_mapping(wire)
    name = wire["request"]["host"] if wire["sends"] == "http" else wire.get("sni") or "none"
    is_address = wire["sends"] == "tls" and name.replace(".", "").isdecimal()
    return connection.key < IPV6_START and name != "" and not is_address


def certificate() -> Wire:
    """A certificate and its key, made for the occasion."""
    with tempfile.TemporaryDirectory() as folder:
        key, cert = Path(folder, "key.pem"), Path(folder, "cert.pem")
        command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 300 -subj /CN=x -keyout {key} -out {cert}"
        subprocess.run(command.split(), check=True, capture_output=True)  # noqa: S603  # our own
        return {"CertChain": cert.read_text(), "PrivateKey": key.read_text(), "IssuingCA": cert.read_text()}


def with_certificates(value: Any, real: Wire) -> Any:
    """The config with a real certificate for every one that is not empty."""
    if isinstance(value, dict):
        read = {key: with_certificates(item, real) for key, item in value.items()}
        return read | {key: text for key, text in real.items() if read.get(key)}
    return [with_certificates(item, real) for item in value] if isinstance(value, list) else value


def endpoints(config: Wire) -> list[tuple[str, int]]:
    """Every host and port that the config leads to."""
    outbound, forward = config["Outbound"] or {}, config.get("Forward") or {}
    holders = (
        *(outbound.get("ClustersConfigs") or {}).values(),
        *(forward.get("EgressGateways") or {}).values(),
    )
    texts = [text for holder in holders for text in holder["Endpoints"] or {}]
    return [(host, int(port)) for host, _, port in (text.rpartition(":") for text in texts)]


def outside_names(config: Wire) -> dict[str, str]:
    """An address for each outside host; none for a wildcard, which is no name."""
    hosts = sorted({host for host, _ in endpoints(config) if ":" not in host and "*" not in host})
    names = [host for host in hosts if not host.replace(".", "").isdecimal()]
    return {name: f"54.200.0.{index + 1}" for index, name in enumerate(names)}


def observed(case: tuple[list[Any], str, list[Wire]]) -> Wire | None:
    """A mesh and an identity, with what a sidecar did; None where nothing would listen."""
    mesh, identity, listed = case
    snapshot = fe.load(mesh)
    policy = fe.resolve(snapshot, identity)
    seen = [wire for wire in listed if intercepted(policy.interception, fe.Connection.from_mapping(wire))]
    config = own_config(snapshot, policy, enforce=True).to_mapping()
    if not (seen and (config["Outbound"] or policy.spec.enable_egress)):
        return None
    config["Spec"]["SidecarTimeout"] = 1
    names = outside_names(config)
    ports = sorted({wire["port"] for wire in seen} | {port for _, port in endpoints(config)})
    codebase = {
        "config.json": json.dumps(with_certificates(config, certificate())).encode(),
        MODULE: module_source(),
    }
    found = observe(codebase, names, ports, [{"connection": wire} for wire in seen])
    pairs = [{"connection": wire, "observed": what} for wire, what in zip(seen, found, strict=True)]
    return {"documents": mesh, "identity": identity, "config": config, "names": names, "probes": pairs}


def differing(case: Wire) -> Iterator[Wire]:
    """The connections of a case that did not go where it is decided."""
    sides = fe.Sides.of(fe.load(case["documents"]), case["identity"], enforce=True)
    for pair in case["probes"]:
        if not goes_as_due(sides, pair, case["names"]):
            yield pair


def main(count: int, number: int, workers: int = 6) -> None:
    """Observe, compare with what is decided, keep."""
    asked = meshes(count, number)
    with ProcessPoolExecutor(workers) as pool:  # they wait, mostly
        found = list(pool.map(observed, asked))
    for index, case in enumerate(found):
        if case and list(differing(case)):  # on a busy machine an answer comes too late, perhaps: once more
            found[index] = observed(asked[index])
    kept = [case for case in found if case is not None]
    others = [pair for case in kept for pair in differing(case)]
    for pair in others:
        print(json.dumps(pair))  # noqa: T201  # a script of the tests
    module = sha256(module_source()).hexdigest()
    text = json.dumps({"about": ABOUT, "module": module, "cases": kept}, separators=(",", ":"))
    KEPT.write_bytes(gzip.compress(text.encode(), mtime=0))
    connections = sum(len(case["probes"]) for case in kept)
    summary = f"{connections} connections of {len(kept)} meshes, {len(others)} not as decided"
    print(summary)  # noqa: T201  # ditto


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
