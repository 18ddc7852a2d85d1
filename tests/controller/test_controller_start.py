"""How the controller is started: options, manifests, what it needs, and what it says where it cannot."""

from __future__ import annotations

import ast
import re
import ssl
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kopf
import pytest
import yaml
from cluster import certificate
from hypothesis import given
from hypothesis import strategies as st
from test_controller_running import kubeconfig

from examples.controller import __main__, load
from examples.controller.__main__ import certify, options_of
from examples.controller.handlers import NoCluster, Options, login
from examples.controller.kinds import FOLLOWED
from examples.controller.repo import STOCK, is_own_prefix

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

Tree = dict[str, Any]
FOLDER = Path(__main__.__file__).parent
DEPLOY = FOLDER / "deploy"
PROJECT = FOLDER.parents[1] / "pyproject.toml"


def manifests() -> Iterator[Tree]:
    for path in sorted(DEPLOY.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def of_kind(kind: str) -> list[Tree]:
    return [it for it in manifests() if it["kind"] == kind]


def arguments() -> list[str]:
    """Those of the shipped Deployment."""
    (deployment,) = of_kind("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return list(container["args"])


# --- options ---------------------------------------------------------------------------------------------


def test_the_command_line_says_how_it_is_started() -> None:
    plain = options_of(["--repo", "http://r"])
    assert plain == Options("http://r")
    assert (plain.prefix, plain.adopt, plain.at_most, plain.unlimited) == ("fsm-egress", False, 20, False)
    given = ["--repo", "http://r", "--prefix", "/p/", "--base", "b", "--enforce", "--managed", "m"]
    options = options_of(
        [*given, "--webhook-port", "9443", "--webhook-host", "h", "--adopt", "--delete-at-most=5", "--yes"]
    )
    assert (options.prefix, options.base, options.enforce, options.managed) == ("p", "b", True, "m")
    assert (options.adopt, options.at_most, options.unlimited) == (True, 5, True)
    assert options.webhook is not None
    assert (options.webhook.port, options.webhook.host) == (9443, "h")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--prefix=fsm-sidecar"],
        ["--prefix=/fsm-base/"],
        ["--prefix=east/fsm-sidecar/x"],
        ["--prefix="],
        ["--prefix=a//b"],
        ["--delete-at-most=101"],
        ["--delete-at-most=-1"],
        ["--delete-at-most=many"],
    ],
)
def test_what_makes_no_sense_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        options_of(["--repo", "http://r", *wrong])
    assert "expected" in capsys.readouterr().err


@given(st.lists(st.sampled_from([*STOCK, "a", "east"]), max_size=4))
def test_law_no_prefix_is_within_or_around_what_a_stock_controller_writes(parts: list[str]) -> None:
    prefix = "/".join(parts)
    apart = not any(f"/{name}/" in f"/{prefix}/" for name in STOCK)
    assert is_own_prefix(prefix) is (bool(parts) and apart)


def test_help_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    for main in (__main__.main, load.main):
        with pytest.raises(SystemExit, match="0"):
            main(["--help"])
        assert capsys.readouterr().out.startswith("usage: python -m examples.controller")


def test_the_figures_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    load.main(["--identities=3", "--policies=9", "--events=2"])
    assert "3 identities, 9 policies: known in" in capsys.readouterr().out


# --- starting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_a_fault", [False, True])
def test_it_leaves_with_1_after_a_fault(
    by_a_fault: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def operator(*, stop_flag: asyncio.Event, **_: Any) -> None:
        if by_a_fault:
            stop_flag.set()

    monkeypatch.setattr(kopf, "operator", operator)
    kubeconfig(tmp_path, "http://127.0.0.1:1", monkeypatch)
    given = ["--repo", "http://r", "--webhook-port", "9443", "--webhook-host", "127.0.0.1"]
    if by_a_fault:
        with pytest.raises(SystemExit, match="1"):
            __main__.main(given)
    else:
        __main__.main(given[:2])


KUBECONFIGS = {
    "none": None,
    "missing": "",
    "no YAML": "[",
    "no mapping": "7",
    "empty": "{}",
    "no context": "{current-context: a}",
    "no server": "{current-context: c, contexts: [{name: c, context: {cluster: c, user: c}}],"
    " clusters: [{name: c, cluster: {}}], users: [{name: c, user: {token: t}}]}",
}


@pytest.mark.parametrize("case", KUBECONFIGS)
def test_without_a_cluster_it_says_so_in_one_line(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    content = KUBECONFIGS[case]
    if content is not None:
        path = tmp_path / "config"
        if content:
            path.write_text(content)
        monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(SystemExit) as left:
        __main__.main(["--repo", "http://r"])
    assert re.fullmatch(r"no cluster: [^\n]+", str(left.value.code))
    with pytest.raises(NoCluster):
        login(settings=kopf.OperatorSettings())


# --- what is shipped -------------------------------------------------------------------------------------


def test_what_is_shipped_never_shares_a_prefix_with_a_stock_controller() -> None:
    options = options_of(arguments())
    assert is_own_prefix(options.prefix)
    assert not {"--adopt", "--yes"} & set(arguments())
    assert options_of(["--repo=http://r"]).prefix == options.prefix


@pytest.mark.parametrize("shown", ["", "signed", "somebody else's"])
def test_who_asks_the_webhook_can_be_made_to_show_who_it_is(shown: str, tmp_path: Path) -> None:
    own, theirs = certificate(tmp_path, "client"), certificate(tmp_path, "stranger")
    options = options_of(["--repo=http://r", "--webhook-port=9443", f"--client-authority={own[0]}"])
    assert options.webhook is not None
    certify(options.webhook, tmp_path)
    trusted, serving = options.webhook._build_ssl()  # noqa: SLF001  # what it does first when it starts
    assert trusted is not None
    assert serving is not None
    asking = ssl.create_default_context(cadata=trusted.decode())
    if shown:
        asking.load_cert_chain(*(own if shown == "signed" else theirs))
    if shown == "signed":
        handshake(asking, serving, "localhost")
    else:
        with pytest.raises(ssl.SSLError):
            handshake(asking, serving, "localhost")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> None:
    """Client and server greet each other."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=host)
    for side in (theirs, ours, theirs, ours):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert theirs.getpeercert()


@pytest.mark.parametrize("host", ["", "127.0.0.1"])
def test_the_shipped_arguments_start_a_webhook_with_what_is_installed(host: str, tmp_path: Path) -> None:
    options = options_of([*arguments(), *([f"--webhook-host={host}"] if host else [])])
    assert options.webhook is not None
    certify(options.webhook, tmp_path)
    trusted, serving = options.webhook._build_ssl()  # noqa: SLF001  # what it does first when it starts
    assert trusted is not None
    assert serving is not None
    handshake(ssl.create_default_context(cadata=trusted.decode()), serving, str(options.webhook.host))
    assert stat.S_IMODE((tmp_path / "webhook.key").stat().st_mode) == 0o600
    before = options.webhook.certfile
    certify(options.webhook, tmp_path / "nowhere")  # it has one
    assert options.webhook.certfile == before


def test_all_that_it_imports_comes_with_its_extra() -> None:
    (extra,) = re.findall(r"^controller = \[(.*)\]$", PROJECT.read_text(), re.MULTILINE)
    names = {re.split("[><=]", it)[0].lower() for it in re.findall(r'"([^"]+)"', extra)}
    provided = {{"pyyaml": "yaml"}.get(name, name) for name in names} | {"attrs", "fsm_egress"}
    imported: set[str] = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {it.name.partition(".")[0] for it in node.names}
            if isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).partition(".")[0])
    assert imported - sys.stdlib_module_names <= provided


def test_what_is_deployed_runs_with_the_rights_that_it_is_given() -> None:
    (account,), (deployment,) = of_kind("ServiceAccount"), of_kind("Deployment")
    spec = deployment["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == account["metadata"]["name"]
    assert deployment["metadata"]["namespace"] == account["metadata"]["namespace"]
    assert len(options_of(arguments()).managed.split(".")) >= 3  # as the API server wants it
    (service,) = of_kind("Service")
    (port,) = service["spec"]["ports"]
    assert f"--webhook-port={port['port']}" in arguments()
    name, space = service["metadata"]["name"], service["metadata"]["namespace"]
    assert f"--webhook-host={name}.{space}.svc" in arguments()
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {it["mountPath"] for it in container["volumeMounts"]} == {"/tmp"}  # noqa: S108  # for the certificate


def rules() -> list[Tree]:
    return [rule for it in of_kind("ClusterRole") for rule in it["rules"]]


def test_what_is_followed_it_may_list_and_watch() -> None:
    allowed = {
        (group, resource)
        for rule in rules()
        if {"get", "list", "watch"} <= set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    lacking = {
        served.kind
        for served in FOLLOWED
        if not {(served.group, served.plural), (served.group, "*")} & allowed
    }
    assert lacking == set()


def test_of_secrets_it_may_read_those_that_are_named() -> None:
    assert "Secret" not in {served.kind for served in FOLLOWED}
    granted = [rule for kind in ("ClusterRole", "Role") for it in of_kind(kind) for rule in it["rules"]]
    found = [
        rule for rule in granted if {"secrets", "*"} & set(rule["resources"]) and "" in rule["apiGroups"]
    ]
    assert [rule["verbs"] for rule in found] == [["get"]]
    assert all(rule["resourceNames"] for rule in found)


def test_it_may_change_its_own_webhooks_and_no_others() -> None:
    (own,) = (it["metadata"]["name"] for it in of_kind("ValidatingWebhookConfiguration"))
    (rule,) = (it for it in rules() if "validatingwebhookconfigurations" in it["resources"])
    assert (rule["resourceNames"], rule["verbs"]) == ([own], ["patch"])
    assert f"--managed={own}" in arguments()
