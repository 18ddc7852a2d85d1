"""The egress decision model of FSM (Flomesh Service Mesh).

Documents become frozen resources, a set of which is a `Snapshot`; for one identity it is resolved into one
`OutboundPolicy`, and that is read twice: as the tables of an `Engine`, which decides about connections, and
as the `config.json` that the identity's sidecar reads.

    >>> import fsm_egress as fe
    >>> mesh = fe.load({"apiVersion": "config.flomesh.io/v1alpha3", "kind": "MeshConfig",
    ...                 "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
    ...                 "spec": {"traffic": {"enableEgress": True}}})
    >>> decision = fe.compile(mesh, "curl.curl").classify(fe.tls("54.9.9.9", 443, "httpbin.org"))
    >>> print(decision.verdict, decision.reason)
    PASSTHROUGH egress_enabled
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answers.comparison import Alteration, Effect, MeshDiff, diff, equivalent, implies
    from .answers.pictures import as_dot, as_mermaid, as_page
    from .answers.predicates import Where
    from .answers.proofs import Answer, Witness
    from .answers.reach import (
        Partial,
        Partition,
        Portion,
        Reachability,
        Residual,
        Way,
        never,
        partition,
        reachable,
        residual,
    )
    from .answers.regions import Region, Unproven
    from .api import compile, pipy_codebase, pipy_config  # noqa: A004  # because this is what it does, as in `re`
    from .checks import Protocol, ServiceAccessMode
    from .columns import Columns
    from .connection import (
        Connection,
        HTTPRequest,
        Sends,
        TLSClientHello,
        http,
        server_first,
        tcp,
        tls,
        udp,
    )
    from .controller import stock_findings
    from .core import Endpoints, Namespace, Pod, Secret, Service, ServiceAccount
    from .decision import Decision, Reason, Target, Verdict
    from .dump import dump_json, dump_yaml
    from .egress import EgressGateway, EgressPolicy, Retry, UpstreamTrafficSetting
    from .engine import Engine
    from .errors import (
        FSMEgressError,
        InvalidValue,
        LoadError,
        MissingExtra,
        PatchError,
        Problem,
        Severity,
    )
    from .explanation import Difference, Edit, Explanation, NearMiss, Nearness, Stage, StageName, explain
    from .findings import Code, Finding, Findings
    from .frames import frame, rows
    from .helm import apply_set, helm_set
    from .linting import lint
    from .linting.rules import LintRule, rules_markdown
    from .manifest import to_mapping
    from .meshconfig import MeshConfig
    from .net import Address, Prefix
    from .patch import merge_patch
    from .patterns import Pattern
    from .pipy.config import PipyConfig
    from .pipy.outcome import Fate, Outcome
    from .pipy.sidecar import Sidecar
    from .policy import OutboundPolicy
    from .policytests.coverage import Coverage, Part, PartKind
    from .policytests.document import Expected, MeshSource, PolicyTest, PolicyTests, read_tests
    from .policytests.junit import junit_xml
    from .policytests.running import TestReport, TestResult, run_tests
    from .references import FieldRef, Mark, ResourceRef, Source
    from .replaying import replay
    from .replaying.logs import Format, Log
    from .replaying.tally import Change, Changed, Ruling, Summary
    from .resolution import resolve
    from .resource import ObjectMeta, ServiceIdentity
    from .sarif import sarif_log
    from .schemas import json_schema
    from .shortcomings import enforceability
    from .smi import HTTPRouteGroup, TrafficSplit, TrafficTarget
    from .snapshot import Snapshot, load, loads
    from .stock import stock_config
    from .verification import Disagreement, Sides, Undecided, Verification, verify
    from .workload import Workload

__version__ = "0.1.0"

__all__ = [
    "Address",
    "Alteration",
    "Answer",
    "Change",
    "Changed",
    "Code",
    "Columns",
    "Connection",
    "Coverage",
    "Decision",
    "Difference",
    "Disagreement",
    "Edit",
    "Effect",
    "EgressGateway",
    "EgressPolicy",
    "Endpoints",
    "Engine",
    "Expected",
    "Explanation",
    "FSMEgressError",
    "Fate",
    "FieldRef",
    "Finding",
    "Findings",
    "Format",
    "HTTPRequest",
    "HTTPRouteGroup",
    "InvalidValue",
    "LintRule",
    "LoadError",
    "Log",
    "Mark",
    "MeshConfig",
    "MeshDiff",
    "MeshSource",
    "MissingExtra",
    "Namespace",
    "NearMiss",
    "Nearness",
    "ObjectMeta",
    "OutboundPolicy",
    "Outcome",
    "Part",
    "PartKind",
    "Partial",
    "Partition",
    "PatchError",
    "Pattern",
    "PipyConfig",
    "Pod",
    "PolicyTest",
    "PolicyTests",
    "Portion",
    "Prefix",
    "Problem",
    "Protocol",
    "Reachability",
    "Reason",
    "Region",
    "Residual",
    "ResourceRef",
    "Retry",
    "Ruling",
    "Secret",
    "Sends",
    "Service",
    "ServiceAccessMode",
    "ServiceAccount",
    "ServiceIdentity",
    "Severity",
    "Sidecar",
    "Sides",
    "Snapshot",
    "Source",
    "Stage",
    "StageName",
    "Summary",
    "TLSClientHello",
    "Target",
    "TestReport",
    "TestResult",
    "TrafficSplit",
    "TrafficTarget",
    "Undecided",
    "Unproven",
    "UpstreamTrafficSetting",
    "Verdict",
    "Verification",
    "Way",
    "Where",
    "Witness",
    "Workload",
    "__version__",
    "apply_set",
    "as_dot",
    "as_mermaid",
    "as_page",
    "compile",
    "diff",
    "dump_json",
    "dump_yaml",
    "enforceability",
    "equivalent",
    "explain",
    "frame",
    "helm_set",
    "http",
    "implies",
    "json_schema",
    "junit_xml",
    "lint",
    "load",
    "loads",
    "merge_patch",
    "never",
    "partition",
    "pipy_codebase",
    "pipy_config",
    "reachable",
    "read_tests",
    "replay",
    "residual",
    "resolve",
    "rows",
    "rules_markdown",
    "run_tests",
    "sarif_log",
    "server_first",
    "stock_config",
    "stock_findings",
    "tcp",
    "tls",
    "to_mapping",
    "udp",
    "verify",
]

# The room of each public name, which is opened when the name is first asked for (PEP 562).
_ROOMS = {
    "answers.pictures": "as_dot as_mermaid as_page",
    "frames": "frame rows",
    "answers.comparison": "Alteration Effect MeshDiff diff equivalent implies",
    "answers.predicates": "Where",
    "answers.proofs": "Answer Witness",
    "answers.reach": "Partial Partition Portion Reachability Residual Way never partition reachable residual",
    "answers.regions": "Region Unproven",
    "api": "compile pipy_codebase pipy_config",
    "checks": "Protocol ServiceAccessMode",
    "controller": "stock_findings",
    "core": "Endpoints Namespace Pod Secret Service ServiceAccount",
    "columns": "Columns",
    "connection": "Connection HTTPRequest Sends TLSClientHello http server_first tcp tls udp",
    "decision": "Decision Reason Target Verdict",
    "dump": "dump_json dump_yaml",
    "egress": "EgressGateway EgressPolicy Retry UpstreamTrafficSetting",
    "engine": "Engine",
    "errors": "FSMEgressError InvalidValue LoadError MissingExtra PatchError Problem Severity",
    "explanation": "Difference Edit Explanation NearMiss Nearness Stage StageName explain",
    "findings": "Code Finding Findings",
    "helm": "apply_set helm_set",
    "linting.rules": "LintRule rules_markdown",
    "linting": "lint",
    "replaying.logs": "Format Log",
    "manifest": "to_mapping",
    "meshconfig": "MeshConfig",
    "net": "Address Prefix",
    "patch": "merge_patch",
    "patterns": "Pattern",
    "pipy.config": "PipyConfig",
    "pipy.outcome": "Fate Outcome",
    "pipy.sidecar": "Sidecar",
    "policy": "OutboundPolicy",
    "policytests.coverage": "Coverage Part PartKind",
    "policytests.document": "Expected MeshSource PolicyTest PolicyTests read_tests",
    "policytests.junit": "junit_xml",
    "policytests.running": "TestReport TestResult run_tests",
    "references": "FieldRef Mark ResourceRef Source",
    "replaying": "replay",
    "resolution": "resolve",
    "resource": "ObjectMeta ServiceIdentity",
    "schemas": "json_schema",
    "shortcomings": "enforceability",
    "sarif": "sarif_log",
    "smi": "HTTPRouteGroup TrafficSplit TrafficTarget",
    "snapshot": "Snapshot load loads",
    "stock": "stock_config",
    "replaying.tally": "Change Changed Ruling Summary",
    "verification": "Disagreement Sides Undecided Verification verify",
    "workload": "Workload",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
