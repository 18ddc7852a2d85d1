"""What pages get from the package itself, so that it cannot go stale: reference, findings, a diagram."""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from mkdocs.structure.files import File

import fsm_egress as fe
from fsm_egress.cli.app import COMMANDS, app, command_of
from fsm_egress.explanation.reasons import reasons_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

WIDTH, ROW, TOP = 860, 24, 34
COLOURS = {"IN_MESH": "#0891b2", "EGRESS_POLICY": "#16a34a", "PASSTHROUGH": "#ca8a04", "DENIED": "#dc2626"}
ROUTES = "specs.smi-spec.io/v1alpha4"
QUESTIONS = {
    "interception": "does the sidecar see it at all?",
    "in-mesh": "does a service that the identity may reach have the destination?",
    "egress policies": "does a port of an Egress policy claim the destination?",
    "passthrough": "is enableEgress on?",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the package."""
    made = {
        "reference/api.md": api_page(),
        "reference/cli.md": cli_page(),
        "lint.md": f"# Findings\n\n{fe.rules_markdown()}",
        "reasons.md": f"# Reasons\n\n{reasons_markdown()}",
        "decision.svg": decision_svg(),
    }
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def api_page() -> str:
    """Every public name, by the wing that it is from."""
    wings: dict[str, list[str]] = {}
    for module, names in sorted(fe._ROOMS.items()):  # noqa: SLF001  # because it is the table of public names
        wings.setdefault(module.partition(".")[0], []).extend(f"{module}.{name}" for name in names.split())
    lines = ["# Python", "", "All names are in `fsm_egress`; here they stand by the wings of the package."]
    for wing, names in sorted(wings.items()):
        lines.extend(["", f"## {wing}", "", first_line_of(wing), ""])
        lines.extend(f"::: fsm_egress.{name}" for name in names)
    for door in ("replay_dask", "replay_spark", "strategies"):
        lines.extend(["", f"## {door}", "", f"::: fsm_egress.{door}"])
    return "\n".join(lines) + "\n"


def first_line_of(wing: str) -> str:
    """What a wing, or a module of the root, says that it is for."""
    folder = Path(fe.__file__).parent / wing
    source = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0]


def cli_page() -> str:
    """The help of every command."""
    parent = click.Context(app, info_name="fsm-egress", max_content_width=100)
    lines = ["# Command line", "", "```text", app.get_help(parent), "```"]
    for name in COMMANDS:
        command = command_of(name)
        context = click.Context(command, info_name=name, parent=parent, max_content_width=100)
        lines.extend(["", f"## {name}", "", "```text", command.get_help(context), "```"])
    return "\n".join(lines) + "\n"


# --- the diagram -----------------------------------------------------------------------------------------


def _resource(group: str, kind: str, space: str, name: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": space}, **content}


def _egress(name: str, number: int, protocol: str, **spec: Any) -> dict[str, Any]:
    source = {"kind": "ServiceAccount", "name": "curl", "namespace": "curl", **spec.pop("source", {})}
    entries = {"sources": [source], "ports": [{"number": number, "protocol": protocol}], **spec}
    return _resource("policy.flomesh.io/v1alpha1", "Egress", "curl", name, spec=entries)


def _service(name: str, address: str, port: dict[str, Any], *pods: str) -> list[dict[str, Any]]:
    subset = {"addresses": [{"ip": pod} for pod in pods], "ports": [port]}
    return [
        _resource("v1", "Service", "shop", name, spec={"clusterIP": address, "ports": [port]}),
        _resource("v1", "Endpoints", "shop", name, subsets=[subset]),
    ]


def _mesh(*, enable: bool) -> fe.Snapshot:
    """A mesh in which everything happens that can be decided."""
    spec = {
        "traffic": {"enableEgress": enable, "enablePermissiveTrafficPolicyMode": True},
        "featureFlags": {"enableEgressPolicy": True},
    }
    match = {"name": "get", "methods": ["GET"], "pathRegex": "^/get"}
    named = {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": "get"}
    gone = {"mtls": {"issuer": "other", "cert": {"secret": {"name": "gone", "namespace": "curl"}}}}
    return fe.load(
        _resource("config.flomesh.io/v1alpha3", "MeshConfig", "fsm-system", "fsm-mesh-config", spec=spec),
        _resource(ROUTES, "HTTPRouteGroup", "curl", "get", spec={"matches": [match]}),
        _egress("http", 80, "http", hosts=["a.com"], matches=[named]),
        _egress("https", 443, "https", hosts=["a.com"]),
        _egress("any", 8443, "https"),
        _egress("tcp", 5432, "tcp"),
        _egress("cert", 6432, "tcp", source=gone),
        _service("web", "10.96.0.1", {"name": "http-web", "port": 8000}, "10.0.0.1"),
        _service("db", "10.96.0.2", {"name": "tcp-db", "port": 3306}, "10.0.0.1"),
        _service("off", "10.96.0.3", {"name": "tcp-off", "port": 25}),
        _resource("v1", "Pod", "curl", "bare", spec={"serviceAccountName": "bare", "hostNetwork": True}),
    )


def decided() -> dict[str, dict[tuple[str, str, int | None], None]]:
    """What each stage may decide, as the engine does when it is asked about all classes of connections."""
    found: dict[str, dict[tuple[str, str, int | None], None]] = {name: {} for name in QUESTIONS}
    for enable in (True, False):
        mesh = _mesh(enable=enable)
        for who in ("curl.curl", "pod/bare.curl"):
            for portion in fe.partition(mesh, who).portions:
                stage = fe.explain(mesh, who, portion.witness).stages[-1].name.value
                it = portion.decision
                found[stage][it.verdict.value, it.reason.value, it.status] = None
    missing = set(fe.Reason) - {fe.Reason(reason) for stage in found.values() for _, reason, _ in stage}
    if missing:
        raise ValueError(f"the diagram lacks {missing}")
    return found


def decision_svg() -> str:
    """The stages one below the other, each with what it may decide."""
    parts: list[str] = []
    y = 10
    for stage, outcomes in decided().items():
        ordered = sorted(outcomes, key=lambda it: (list(COLOURS).index(it[0]), it[1]))
        height = TOP + ROW * len(ordered) + 12
        parts.extend(_stage(stage, ordered, y, height))
        y += height + 30
        if stage != "passthrough":
            parts.append(f'<path d="M150 {y - 30}v22M144 {y - 14}l6 8 6-8" class="line"/>')
            parts.append(f'<text x="166" y="{y - 12}" class="soft">no: goes on</text>')
    style = (
        "svg{color:#222}@media(prefers-color-scheme:dark){svg{color:#ddd}}"
        "text{font:15px system-ui,sans-serif;fill:currentColor}.soft{opacity:.7}"
        ".box{fill:none;stroke:currentColor;stroke-opacity:.4}.line{fill:none;stroke:currentColor;stroke-width:1.5}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        f'aria-label="The stages of a decision"><style>{style}</style>{"".join(parts)}</svg>'
    )


def _stage(stage: str, outcomes: list[tuple[str, str, int | None]], y: int, height: int) -> Iterator[str]:
    yield f'<rect x="1" y="{y}" width="{WIDTH - 2}" height="{height}" rx="8" class="box"/>'
    yield f'<text x="16" y="{y + 23}" font-weight="600">{escape(stage)}: {escape(QUESTIONS[stage])}</text>'
    for index, (verdict, reason, status) in enumerate(outcomes):
        line = y + TOP + ROW * index + 16
        end = f"HTTP {status}" if status else ("closed" if verdict == "DENIED" else "")
        yield f'<text x="32" y="{line}" style="fill:{COLOURS[verdict]};font-weight:600">{verdict}</text>'
        yield f'<text x="220" y="{line}">{reason}</text><text x="440" y="{line}" class="soft">{end}</text>'
