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

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answers.comparison import Alteration, Effect, MeshDiff, diff, equivalent, implies
    from .answers.partition import Partition, Portion, partition
    from .answers.predicates import Where
    from .answers.proofs import Answer, Witness
    from .answers.reach import Reachability, Way, never, reachable
    from .answers.regions import Region, Unproven
    from .answers.residual import Partial, Residual, residual
    from .api import compile, pipy_codebase, pipy_config  # noqa: A004  # because this is what it does, as in `re`
    from .certificates.checking import Certified, certify
    from .connections.columns import Columns
    from .connections.connection import Connection
    from .connections.decision import Decision, Reason, Target, Verdict
    from .connections.descriptions import Requests, http, requests, server_first, tcp, tls, udp
    from .connections.findings import Code, Finding, Findings
    from .connections.payloads import HTTPRequest, Sends, TLSClientHello
    from .documents.chart import helm_set
    from .documents.helm import apply_set
    from .documents.patch import merge_patch
    from .engine import Engine
    from .explanation import Difference, Edit, Explanation, NearMiss, Nearness, Stage, StageName, explain
    from .interception.kinds import kinds_of_pods
    from .learning import learn
    from .learning.evidence import Evidence, Need, Seen
    from .learning.lessons import Lesson, Remark
    from .learning.openings import Opening
    from .learning.readiness import HeldOut, Readiness
    from .learning.unseen import Unseen
    from .linting import lint
    from .linting.rules import rules_markdown
    from .linting.rules.rule import LintRule
    from .manifests.dump import dump_json, dump_yaml
    from .manifests.schemas import json_schema
    from .manifests.writing import to_mapping
    from .outputs.frames import frame, rows
    from .outputs.junit import junit_xml
    from .outputs.pictures import as_dot, as_mermaid, as_page
    from .outputs.sarif import sarif_log
    from .patterns import Pattern
    from .pipy.config import PipyConfig
    from .pipy.outcome import Fate, Outcome
    from .pipy.sidecar import Sidecar
    from .policy import OutboundPolicy
    from .policytests.coverage import Coverage, Part, PartKind
    from .policytests.document import Expected, MeshSource, PolicyTest, PolicyTests, read_tests
    from .policytests.running import TestReport, TestResult, run_tests
    from .replaying import replay
    from .replaying.dialects import Format
    from .replaying.logs import Log
    from .replaying.tally import Change, Changed, Ruling, Summary
    from .resolution import resolve
    from .resolution.everyone import subjects_of
    from .resources.core import Endpoints, Namespace, Pod, Secret, Service, ServiceAccount
    from .resources.egress import (
        EgressGateway,
        EgressPolicy,
        Isolation,
        Retry,
        TrafficWarmup,
        UpstreamTrafficSetting,
    )
    from .resources.losses import Bearing, Loss
    from .resources.machines import VirtualMachine
    from .resources.meshconfig import Defaults, MeshConfig
    from .resources.multicluster import GlobalTrafficPolicy, ServiceImport
    from .resources.plugins import Plugin, PluginChain, PluginConfig
    from .resources.resource import ObjectMeta, ServiceIdentity
    from .resources.smi import HTTPRouteGroup, TrafficSplit, TrafficTarget
    from .resources.subjects import AnyOtherAccount, Pods, Unnamed
    from .resources.words import Protocol, ServiceAccessMode
    from .snapshot import Snapshot, load, loads
    from .values.errors import (
        FSMEgressError,
        IncompleteMesh,
        InvalidValue,
        LoadError,
        MissingExtra,
        PatchError,
        Problem,
        Severity,
    )
    from .values.net import Address, Prefix
    from .values.references import FieldRef, Mark, ResourceRef, Source
    from .verification.agreement import Verification, verify
    from .verification.enforceability import enforceability
    from .verification.sides import Disagreement, Sides, Undecided
    from .verification.stock_config import stock_config
    from .verification.stock_findings import stock_findings
    from .workload import Workload

__version__ = "0.1.0"

__all__ = [
    "Address",
    "Alteration",
    "Answer",
    "AnyOtherAccount",
    "Bearing",
    "Certified",
    "Change",
    "Changed",
    "Code",
    "Columns",
    "Connection",
    "Coverage",
    "Decision",
    "Defaults",
    "Difference",
    "Disagreement",
    "Edit",
    "Effect",
    "EgressGateway",
    "EgressPolicy",
    "Endpoints",
    "Engine",
    "Evidence",
    "Expected",
    "Explanation",
    "FSMEgressError",
    "Fate",
    "FieldRef",
    "Finding",
    "Findings",
    "Format",
    "GlobalTrafficPolicy",
    "HTTPRequest",
    "HTTPRouteGroup",
    "HeldOut",
    "IncompleteMesh",
    "InvalidValue",
    "Isolation",
    "Lesson",
    "LintRule",
    "LoadError",
    "Log",
    "Loss",
    "Mark",
    "MeshConfig",
    "MeshDiff",
    "MeshSource",
    "MissingExtra",
    "Namespace",
    "NearMiss",
    "Nearness",
    "Need",
    "ObjectMeta",
    "Opening",
    "OutboundPolicy",
    "Outcome",
    "Part",
    "PartKind",
    "Partial",
    "Partition",
    "PatchError",
    "Pattern",
    "PipyConfig",
    "Plugin",
    "PluginChain",
    "PluginConfig",
    "Pod",
    "Pods",
    "PolicyTest",
    "PolicyTests",
    "Portion",
    "Prefix",
    "Problem",
    "Protocol",
    "Reachability",
    "Readiness",
    "Reason",
    "Region",
    "Remark",
    "Requests",
    "Residual",
    "ResourceRef",
    "Retry",
    "Ruling",
    "Secret",
    "Seen",
    "Sends",
    "Service",
    "ServiceAccessMode",
    "ServiceAccount",
    "ServiceIdentity",
    "ServiceImport",
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
    "TrafficWarmup",
    "Undecided",
    "Unnamed",
    "Unproven",
    "Unseen",
    "UpstreamTrafficSetting",
    "Verdict",
    "Verification",
    "VirtualMachine",
    "Way",
    "Where",
    "Witness",
    "Workload",
    "__version__",
    "apply_set",
    "as_dot",
    "as_mermaid",
    "as_page",
    "certify",
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
    "kinds_of_pods",
    "learn",
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
    "requests",
    "residual",
    "resolve",
    "rows",
    "rules_markdown",
    "run_tests",
    "sarif_log",
    "server_first",
    "stock_config",
    "stock_findings",
    "subjects_of",
    "tcp",
    "tls",
    "to_mapping",
    "udp",
    "verify",
]

# The room of each public name, which is opened when the name is first asked for (PEP 562).
_ROOMS = {
    "outputs.pictures": "as_dot as_mermaid as_page",
    "outputs.frames": "frame rows",
    "answers.comparison": "Alteration Effect MeshDiff diff equivalent implies",
    "answers.predicates": "Where",
    "answers.proofs": "Answer Witness",
    "answers.reach": "Reachability Way never reachable",
    "answers.regions": "Region Unproven",
    "api": "compile pipy_codebase pipy_config",
    "certificates.checking": "Certified certify",
    "resources.words": "Protocol ServiceAccessMode",
    "verification.stock_findings": "stock_findings",
    "resources.core": "Endpoints Namespace Pod Secret Service ServiceAccount",
    "connections.columns": "Columns",
    "connections.connection": "Connection",
    "connections.payloads": "HTTPRequest Sends TLSClientHello",
    "connections.decision": "Decision Reason Target Verdict",
    "manifests.dump": "dump_json dump_yaml",
    "resources.egress": "EgressGateway EgressPolicy Isolation Retry TrafficWarmup UpstreamTrafficSetting",
    "engine": "Engine",
    "values.errors": (
        "FSMEgressError IncompleteMesh InvalidValue LoadError MissingExtra PatchError Problem Severity"
    ),
    "explanation": "Difference Edit Explanation NearMiss Nearness Stage StageName explain",
    "connections.findings": "Code Finding Findings",
    "documents.chart": "helm_set",
    "documents.helm": "apply_set",
    "linting.rules": "rules_markdown",
    "interception.kinds": "kinds_of_pods",
    "learning": "learn",
    "learning.evidence": "Evidence Need Seen",
    "learning.lessons": "Lesson Remark",
    "learning.openings": "Opening",
    "learning.readiness": "HeldOut Readiness",
    "learning.unseen": "Unseen",
    "linting": "lint",
    "replaying.dialects": "Format",
    "replaying.logs": "Log",
    "manifests.writing": "to_mapping",
    "resources.machines": "VirtualMachine",
    "resources.meshconfig": "Defaults MeshConfig",
    "resources.multicluster": "GlobalTrafficPolicy ServiceImport",
    "resources.plugins": "Plugin PluginChain PluginConfig",
    "values.net": "Address Prefix",
    "documents.patch": "merge_patch",
    "patterns": "Pattern",
    "pipy.config": "PipyConfig",
    "pipy.outcome": "Fate Outcome",
    "pipy.sidecar": "Sidecar",
    "policy": "OutboundPolicy",
    "policytests.coverage": "Coverage Part PartKind",
    "policytests.document": "Expected MeshSource PolicyTest PolicyTests read_tests",
    "outputs.junit": "junit_xml",
    "policytests.running": "TestReport TestResult run_tests",
    "values.references": "FieldRef Mark ResourceRef Source",
    "replaying": "replay",
    "resolution": "resolve",
    "resources.resource": "ObjectMeta ServiceIdentity",
    "resources.losses": "Bearing Loss",
    "resources.subjects": "AnyOtherAccount Pods Unnamed",
    "resolution.everyone": "subjects_of",
    "manifests.schemas": "json_schema",
    "verification.enforceability": "enforceability",
    "outputs.sarif": "sarif_log",
    "resources.smi": "HTTPRouteGroup TrafficSplit TrafficTarget",
    "snapshot": "Snapshot load loads",
    "verification.stock_config": "stock_config",
    "replaying.tally": "Change Changed Ruling Summary",
    "verification.agreement": "Verification verify",
    "verification.sides": "Disagreement Sides Undecided",
    "workload": "Workload",
    "connections.descriptions": "Requests http requests server_first tcp tls udp",
    "linting.rules.rule": "LintRule",
    "answers.partition": "Partition Portion partition",
    "answers.residual": "Partial Residual residual",
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


class _Absent:
    """What the import system asks last about a module: one of ours that is not there may have been once.

    So whoever unpickles what that version wrote is told what is amiss, and not that a module is missing.
    """

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Nothing, if the module is none of ours; else an error that says why it may be named."""
        if name.startswith(f"{__name__}."):
            advice = import_module(f"{__name__}.values.moved").advice(__name__)
            raise ModuleNotFoundError(f"there is no module `{name}`: {advice}", name=name)


sys.meta_path.append(_Absent)
