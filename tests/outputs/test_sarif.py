"""The SARIF log: what the standard requires of it, and that every finding is in it, with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import random_meshes
from attrs import frozen
from hypothesis import given, settings
from small import WHO, config, egress, load
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.findings import Code, Finding
from fsm_egress.linting import lint
from fsm_egress.outputs.sarif import sarif_log, sarif_log_of_problems
from fsm_egress.values.errors import Severity
from fsm_egress.values.references import FieldRef, Mark, ResourceRef, Source

EGRESS = ResourceRef("Egress", "curl", "a")
YAML = """\
# a policy
apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata:
  name: a
  namespace: curl
  annotations: {fsm-egress/ignore: FSE085}
spec:
  sources: [{kind: ServiceAccount, name: curl, namespace: curl}]
  ipAddresses: [54.0.0.0/8, 54.9.0.0/16]
  ports:
    - {number: 25, protocol: tcp}
    - {number: 25, protocol: TCP}
"""


# --- the standard ----------------------------------------------------------------------------------------


@frozen
class Shape:
    """An object of SARIF 2.1.0: the properties that it must and may have, as far as they are written here."""

    must: frozenset[str]
    may: dict[str, Callable[[Any], bool]]

    def fits(self, value: Any) -> bool:
        assert isinstance(value, dict)
        assert self.must <= set(value) <= set(self.may), set(value)
        for name, check in self.may.items():
            assert name not in value or check(value[name]), (name, value[name])
        return True


def shape(*must: str, **may: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return Shape(frozenset(must), may).fits


def a_list_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: value in words


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def place(value: Any) -> bool:
    return type(value) is int and value >= 1


def index(value: Any) -> bool:
    return type(value) is int and value >= 0


def uri(value: Any) -> bool:
    """A reference by RFC 3986, and no first segment that reads as a scheme unless it is one."""
    return re.fullmatch(r"(file://)?(?:[A-Za-z0-9_.~!$&'()*+,;=@/-]|%[0-9A-F]{2})+", value) is not None


LEVEL = one_of("none", "note", "warning", "error")
MESSAGE = shape("text", text=text, markdown=text)
RULE = shape(
    "id",
    id=text,
    name=lambda value: re.fullmatch(r"([A-Z][A-Za-z0-9]*)+", value) is not None,
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    help=MESSAGE,
    defaultConfiguration=shape(level=LEVEL),
)
LOCATION = shape(
    physicalLocation=shape(
        "artifactLocation",
        artifactLocation=shape("uri", uri=uri),
        region=shape("startLine", startLine=place, startColumn=place),
    ),
    logicalLocations=a_list_of(shape(fullyQualifiedName=text, kind=text)),
)
RESULT = shape(
    "message",
    "ruleId",
    "level",
    "locations",
    ruleId=text,
    ruleIndex=index,
    level=LEVEL,
    message=MESSAGE,
    locations=a_list_of(LOCATION),
    suppressions=a_list_of(shape("kind", kind=one_of("inSource", "external"))),
    properties=lambda value: isinstance(value, dict) and value != {},
)
DRIVER = shape("name", "version", "rules", name=text, version=text, rules=a_list_of(RULE))
LOG = shape(
    "version",
    "runs",
    "$schema",
    **{"$schema": text},
    version=one_of("2.1.0"),
    runs=a_list_of(
        shape(
            "tool",
            "results",
            tool=shape("driver", driver=DRIVER),
            columnKind=one_of("utf16CodeUnits", "unicodeCodePoints"),
            results=a_list_of(RESULT),
        )
    ),
)


def results(*findings: Finding) -> list[dict[str, Any]]:
    """The results of a log that meets the standard, each of the rule that it names."""
    log = sarif_log(findings, "1.2.3")
    assert json.loads(json.dumps(log)) == log
    assert LOG(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rules[it["ruleIndex"]]["id"] == it["ruleId"] for it in run["results"])
    found: list[dict[str, Any]] = run["results"]
    return found


# --- a log -----------------------------------------------------------------------------------------------


def test_a_log_without_findings_has_the_rules_all_the_same() -> None:
    assert results() == []
    log = sarif_log((), "1.2.3")
    driver = log["runs"][0]["tool"]["driver"]
    assert (driver["name"], driver["version"], len(driver["rules"])) == ("fsm-egress", "1.2.3", len(Code))
    rule = driver["rules"][list(Code).index(Code.WILDCARD_HOST)]
    assert rule["id"] == "FSE009"
    assert rule["name"] == "WildcardHost"
    assert rule["shortDescription"] == {"text": "A host with a wildcard."}
    assert rule["defaultConfiguration"] == {"level": "warning"}
    assert rule["help"]["markdown"].startswith("### FSE009: a host with a wildcard\n")


def test_a_finding_of_a_file_has_its_line_and_its_witness() -> None:
    mesh = fe.load([_Named(YAML, "policies/two words.yaml"), config()])
    shown = lint(mesh, sidecar=False, suppressed=True)
    named, ranged = results(*shown)
    assert named == {
        "ruleId": "FSE059",
        "ruleIndex": list(Code).index(Code.NAMED_TWICE),
        "level": "note",
        "message": {
            "text": "it repeats `ports[0]`, and counts once; to do: leave it out, or write what was meant"
        },
        "locations": [
            {
                "logicalLocations": [{"fullyQualifiedName": "Egress curl/a spec.ports[1]", "kind": "member"}],
                "physicalLocation": {
                    "artifactLocation": {"uri": "policies/two%20words.yaml"},
                    "region": {"startLine": 13, "startColumn": 7},
                },
            }
        ],
    }
    assert ranged["ruleId"] == "FSE085"
    assert ranged["suppressions"] == [{"kind": "inSource"}]


def test_a_witness_and_its_identity_are_kept() -> None:
    (result,) = results(*lint(load(egress("a", "tcp 25")), sidecar=False))
    assert result["properties"] == {
        "identity": WHO,
        "witness": {"destination": "192.0.2.1", "port": 25, "sends": "bytes"},
    }
    assert "physicalLocation" not in result["locations"][0]


@pytest.mark.parametrize(
    ("document", "uri"),
    [
        ("mesh.yaml", "mesh.yaml"),
        ("/etc/mesh/a#b.yaml", "file:///etc/mesh/a%23b.yaml"),
        ("c:mesh.yaml", "c%3Amesh.yaml"),
        ("größe.yaml", "gr%C3%B6%C3%9Fe.yaml"),
    ],
)
def test_a_document_is_named_by_a_uri(document: str, uri: str) -> None:
    rule = FieldRef(EGRESS, "", Source(document))
    (result,) = results(Finding(Code.NOT_TCP, rule, "a"))
    assert result["locations"][0] == {
        "logicalLocations": [{"fullyQualifiedName": "Egress curl/a", "kind": "member"}],
        "physicalLocation": {"artifactLocation": {"uri": uri}},
    }
    assert result["message"] == {"text": "a"}


def test_what_was_read_from_no_file_has_no_line() -> None:
    rule = FieldRef(EGRESS, "spec", Source("<stdin>", {"spec": Mark(3, 1)}))
    (result,) = results(Finding(Code.NOT_TCP, rule, "a"))
    assert result["locations"] == [
        {"logicalLocations": [{"fullyQualifiedName": "Egress curl/a spec", "kind": "member"}]}
    ]


@given(random_meshes.meshes())
@settings(max_examples=examples(10), deadline=None)
def test_law_every_finding_is_in_the_log(entries: random_meshes.Documents) -> None:
    findings = lint(fe.load(entries), sidecar=False)
    levels = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    assert [(it["ruleId"], it["level"]) for it in results(*findings)] == [
        (it.code.code, levels[it.severity]) for it in findings
    ]


class _Named:
    """A text with a name, as a stream."""

    def __init__(self, content: str, name: str) -> None:
        self.content, self.name = content, name

    def read(self) -> str:
        return self.content


# --- what is wrong with documents ------------------------------------------------------------------------


def test_the_problems_of_documents_are_a_log_of_one_rule() -> None:
    mesh = fe.loads(YAML.replace("sources", "source"), "a b.yaml", strict=False)
    nowhere = fe.load("nowhere.yaml", {"kind": 7}, strict=False)
    log = sarif_log_of_problems((*mesh.problems, *nowhere.problems), "1.2.3")
    assert json.loads(json.dumps(log)) == log
    assert LOG(log)
    first, *_ = log["runs"][0]["results"]
    assert first["level"] == "error"
    assert first["message"]["text"].startswith("Egress curl/a spec")
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a%20b.yaml"},
                "region": {"startLine": 9, "startColumn": 3},
            },
            "logicalLocations": [{"fullyQualifiedName": "Egress curl/a spec.source", "kind": "member"}],
        }
    ]
    unread, *strange = log["runs"][0]["results"][-3:]
    assert unread["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "nowhere.yaml"}}}]
    assert [it["locations"] for it in strange] == [
        [{"logicalLocations": [{"fullyQualifiedName": name, "kind": "member"}]}]
        for name in ("kind", "apiVersion")
    ]


def test_a_problem_without_a_place_has_none() -> None:
    (result,) = sarif_log_of_problems([fe.Problem("a mesh")], "1")["runs"][0]["results"]
    assert result["locations"] == []
    assert result["message"] == {"text": "expected a mesh"}
