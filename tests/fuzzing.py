"""Bytes that a coverage-guided fuzzer makes up: whatever they are, only the library's errors come of them.

    python -m pip install atheris
    python tests/fuzzing.py -max_total_time=3600 corpus tests/hostile

atheris is libFuzzer for Python; its options begin with one dash, and the folders hold texts to begin with:
what is found worth keeping is written to the first. A crash leaves a file `crash-…` behind; give the file in
the place of the folders to see it again.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import fsm_egress as fe
from fsm_egress.manifests.loader import NamedText, load_resources

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = (
    '{"apiVersion": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "metadata": {"name": "g",'
    ' "namespace": "a"}, "spec": {"matches": [{"name": "m", "pathRegex": %s, "headers": [{"x": %s}]}]}}'
)
SEARCHED = "/abcab-" * 9


def of_yaml(content: bytes) -> None:
    load_resources(NamedText(content, "a.yaml"), strict=False, lenient_fields=True)


def of_json(content: bytes) -> None:
    load_resources(NamedText(content, "a.json"), strict=False, lenient_fields=True)


def of_pattern(content: bytes) -> None:
    """A pattern in a mesh: loaded, linted and searched, or left out."""
    quoted = json.dumps(content.decode("utf-8", "replace"))
    mesh = fe.load(GROUP % (quoted, quoted), strict=False)
    fe.lint(mesh)
    for group in mesh.kind(fe.HTTPRouteGroup):
        for match in group.spec.matches:
            if match.path_regex is not None:
                match.path_regex.search(SEARCHED)


FORMS: tuple[Callable[[bytes], object], ...] = (
    of_yaml,
    of_json,
    of_pattern,
    fe.Sidecar.read,
    fe.read_tests,
    lambda content: fe.http("192.0.2.1", 80, "GET", content.decode("utf-8", "replace")),
    lambda content: fe.apply_set({}, content.decode("utf-8", "replace")),
)


def attempt(content: bytes) -> None:
    """One try: the first byte says what the others are."""
    if content:
        try:
            FORMS[content[0] % len(FORMS)](content[1:])
        except fe.FSMEgressError as error:
            str(error)


def main() -> None:
    atheris = import_module("atheris")
    for form in range(len(FORMS)):
        attempt(bytes([form]) + b"a: 1")  # which loads the modules that are to be watched
    atheris.instrument_all()
    atheris.Setup(sys.argv, attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
