"""Random meshes, and what a real sidecar logs of their connections under the policies of the next one.

`python tests/dataplane/record_logs.py MESHES` observes them, prints every record that does not say what was
decided, and keeps them in `tests/vectors/sidecar-logs.json.gz`. It needs what `record.py` needs.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from observe import inside, sidecar
from record import certificate, endpoints, meshes, outside_names, with_certificates

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from logged import says_what_is_due  # noqa: E402  # because the tests are no package

import fsm_egress as fe  # noqa: E402  # ditto
from fsm_egress.pipy.enforcement import module_source  # noqa: E402  # ditto
from fsm_egress.pipy.observing import observer_source  # noqa: E402  # ditto
from fsm_egress.verification.sides import intercepted  # noqa: E402  # ditto

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = Path(__file__).resolve().parents[1] / "vectors" / "sidecar-logs.json.gz"
ABOUT = (
    "random meshes and identities, random meshes whose policies were asked and not obeyed, and what a real"
    " sidecar (Pipy 1.5.14, the scripts of fsm f1b55bd8, this library's module) did with each connection, and"
    " logged of it: observed by record_logs.py"
)
TRIES = 3  # as on a busy machine a server may speak before its client, which has two records then
SETTLED = 2.5  # seconds in which a batch is written

Wire = dict[str, Any]
Case = tuple[list[Any], str, list[Wire]]


def observed(cases: tuple[Case, Case]) -> Wire | None:
    """What was logged of connections that a chain takes; None where nothing would listen."""
    (today, identity, listed), (after, _, more) = cases
    policy = fe.resolve(fe.load(today), identity)
    try:
        files = fe.pipy_codebase(fe.load(today), identity, shadow=fe.load(after), observe=True)
        for mesh in (today, after):
            fe.compile(fe.load(mesh), identity)
    except fe.InvalidValue:  # a pod that is in one of the meshes only, or an account whose pods differ
        return None
    if "/" in identity:  # a record names the account, and the pods of this one differ
        return None
    name, *scripts = files
    config = fe.PipyConfig.from_bytes(files[name]).to_mapping()
    sidecar_model = fe.Sidecar.read(config)
    seen = [
        wire
        for wire in (*listed, *more)
        for connection in (fe.Connection.from_mapping(wire),)
        if intercepted(policy.interception, connection) and sidecar_model.chain(connection)
    ]
    if not (seen and (config["Outbound"] or policy.spec.enable_egress)):
        return None
    config["Spec"]["SidecarTimeout"] = 1
    names = outside_names(config)
    ports = sorted({wire["port"] for wire in seen} | {port for _, port in endpoints(config)})
    content = json.dumps(with_certificates(config, certificate())).encode()
    task = {"listen": ports, "probes": [{"connection": wire} for wire in seen]}
    for _ in range(TRIES):
        read, write = os.pipe()
        with sidecar({"config.json": content, **{path: files[path] for path in scripts}}, names, write):
            found = inside("observe.py", task)
            time.sleep(SETTLED)
        os.close(write)
        with os.fdopen(read, "rb") as stream:
            records = [json.loads(line) for line in stream]
        if len(records) == len(seen):
            break
    else:
        return None
    probes = [
        {"connection": wire, "observed": what, "record": record}
        for wire, what, record in zip(seen, found, records, strict=True)
    ]
    return {"documents": today, "after": after, "identity": identity, "probes": probes}


def differing(case: Wire) -> Iterator[Wire]:
    """The connections of which a record does not say what was decided."""
    today, after = fe.load(case["documents"]), fe.load(case["after"])
    for probe in case["probes"]:
        if not says_what_is_due(today, after, case["identity"], probe):
            yield probe


def main(count: int, number: int = 7, workers: int = 6) -> None:
    """Observe, compare, keep."""
    pairs = list(pairwise(meshes(count, number)))
    with ProcessPoolExecutor(workers) as pool:
        found = list(pool.map(observed, pairs))
    for index, case in enumerate(found):
        if case and list(differing(case)):  # on a busy machine the server speaks first, perhaps: once more
            found[index] = observed(pairs[index])
    kept = [case for case in found if case is not None]
    for probe in (probe for case in kept for probe in differing(case)):
        print(json.dumps(probe))  # noqa: T201  # a script of the tests
    module = sha256(module_source() + observer_source()).hexdigest()
    text = json.dumps({"about": ABOUT, "module": module, "cases": kept}, separators=(",", ":"))
    KEPT.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{sum(len(case['probes']) for case in kept)} records of {len(kept)} meshes")  # noqa: T201  # ditto


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
