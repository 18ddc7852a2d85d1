"""What commands say of a live cluster, which a stand-in plays here; and what is kept of it."""

from __future__ import annotations

import gzip
import json
import re
import stat
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from kubernetes import config as kube_config
from objects_served import TOKEN, Objects, Server
from pods import pod
from small import config, egress

from fsm_egress.cli import clusters
from fsm_egress.cli.app import app
from fsm_egress.cli.app import run as run_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_SPLITS = "TrafficSplit */*: expected every TrafficSplit, found none: the cluster does not have this kind"
DENIED = 'may not be listed: services is forbidden: User "ann" cannot list resource "services"'
STRANGER = "of nobody"
TO = ("--to", "54.9.9.9:25", "--tcp")
WHO = ("--as", "curl.curl")
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "client", "namespace": "curl"},
    "data": {"tls.key": "c2VjcmV0", "tls.crt": "c2VjcmV0"},
}
MTLS = {"issuer": "other", "cert": {"secret": {"name": "client", "namespace": "curl"}}}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Serves objects as the cluster of the context `dev`, whose namespace is `curl`."""
    running: list[Server] = []

    def start(objects: Any, token: str = TOKEN) -> Server:
        server = Server(objects)
        running.append(server)
        context = {"cluster": "here", "user": "ann", "namespace": "curl"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "dev",
            "clusters": [{"name": "here", "cluster": {"server": server.url}}],
            "users": [{"name": "ann", "user": {"token": token}}],
            "contexts": [
                {"name": "dev", "context": context},
                {"name": "bare", "context": {**context, "namespace": ""}},
            ],
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(content))
        monkeypatch.setattr(kube_config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
        return server

    monkeypatch.chdir(tmp_path)
    yield start
    for server in running:
        server.stop()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_a_command_reads_the_cluster_in_place_of_files(serve: Callable[..., Server]) -> None:
    serve(Objects(config({"enableEgress": False}), egress("a", "tcp 25")))
    found = run("decide", "--cluster", *WHO, *TO)
    assert found.exit_code == 0, found.output
    assert " EGRESS_POLICY  tcp_port " in found.stdout
    assert found.stderr == "note: cluster dev: 2 objects, at revision 1000\n"


ON = ("--after-set", "fsm.enableEgress=true")
COMMANDS = [
    ("check",),
    ("decide", *WHO, *TO),
    ("explain", *WHO, *TO),
    ("partition", *WHO),
    ("residual", *WHO, "--port", "25"),
    ("reach", "--port", "25"),
    ("never", "--port", "7"),
    ("diff", *WHO, *ON),
    ("equivalent", *WHO, *ON),
    ("implies", *WHO, *ON),
    ("config", *WHO),
    ("verify", *WHO),
    ("lint", *WHO),
    ("pods",),
    ("learn", *WHO, "log.jsonl"),
    ("replay", *WHO, "log.jsonl"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=[words[0] for words in COMMANDS])
def test_each_command_answers_about_a_cluster_as_about_its_documents(
    serve: Callable[..., Server], words: tuple[str, ...]
) -> None:
    mesh = [config({"enableEgress": False}), egress("a", "tcp 25"), pod("a")]
    serve(Objects(*mesh))
    Path("mesh.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": mesh}))
    Path("log.jsonl").write_text('{"destination": "54.9.9.9", "port": 25, "sends": "bytes"}')
    files, cluster = run(words[0], "-f", "mesh.json", *words[1:]), run(words[0], "--cluster", *words[1:])
    assert files.stdout
    assert (cluster.exit_code, said(cluster, "cluster dev")) == (
        files.exit_code,
        said(files, r"mesh\.json:1(:\d+)?"),
    )


def said(result: Result, place: str) -> str:
    """What a command says, without regard to where it was read, and how wide that makes a table."""
    return re.sub(r" +", " ", re.sub(place, "here", result.stdout))


def test_what_may_not_be_listed_is_named_and_what_hangs_on_it_is_unknown(
    serve: Callable[..., Server],
) -> None:
    objects = Objects(config({"enableEgress": False}), egress("a", "tcp 25"))
    objects.denied = {"secrets", "services"}
    objects.lacking = {"trafficsplits"}
    serve(objects)
    found = run("decide", "--cluster", *WHO, *TO)
    assert found.exit_code == 3
    assert "EGRESS_POLICY?" in found.stdout
    assert "? Service */* (cluster dev) could not be read, and could open" in found.stdout
    lacking, denied = sorted(found.stderr.splitlines()[1:], reverse=True)
    assert lacking == f"cluster dev: {NO_SPLITS}"
    assert denied == f"cluster dev: Service */*: expected every Service, found none: {DENIED}"
    checked = run("check", "--cluster")
    assert (checked.exit_code, "expected every Service" in checked.stdout) == (3, True)


def test_a_document_of_others_that_cannot_be_read_stops_nothing(serve: Callable[..., Server]) -> None:
    other = egress("b", "tcp 0", space="shop")
    other["spec"]["sources"] = [{"kind": "ServiceAccount", "name": "cart", "namespace": "shop"}]
    serve(Objects(config({"enableEgress": False}), egress("a", "tcp 25"), other))
    found = run("decide", "--cluster", *WHO, *TO)
    assert (found.exit_code, "EGRESS_POLICY " in found.stdout) == (0, True)
    assert "cluster dev: Egress shop/b spec.ports[0].number: expected a port number" in found.stderr
    assert run("decide", "--cluster", "--as", "cart.shop", *TO).exit_code == 3


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ((), ["a"]),
        (("-n", "shop"), ["b"]),
        (("-A",), []),
        (("--context", "bare"), []),
    ],
)
def test_where_not_all_may_be_listed_those_of_one_namespace_are(
    serve: Callable[..., Server], words: tuple[str, ...], read: list[str]
) -> None:
    objects = Objects(egress("a", "tcp 25"), egress("b", "tcp 25", space="shop"))
    objects.denied = {"*/egresses"}
    serve(objects)
    found = run("snapshot", "--cluster", *words, "-O", "mesh.json")
    assert found.exit_code == 0, found.output
    items = json.loads(Path("mesh.json").read_text())["items"]
    assert [it["metadata"]["name"] for it in items if it["kind"] == "Egress"] == read


@pytest.mark.parametrize(("written", "read"), [("shop\n", ["b"]), (None, [])])
def test_a_pod_reads_its_own_cluster_and_namespace(
    serve: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    written: str | None,
    read: list[str],
) -> None:
    objects = Objects(egress("a", "tcp 25"), egress("b", "tcp 25", space="shop"))
    objects.denied = {"*/egresses"}
    url = serve(objects).url
    monkeypatch.setattr(kube_config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))

    def of_the_pod(client_configuration: Any) -> None:
        client_configuration.host = url
        client_configuration.api_key = {"authorization": f"Bearer {TOKEN}", "BearerToken": f"Bearer {TOKEN}"}

    monkeypatch.setattr(kube_config, "load_incluster_config", of_the_pod)
    monkeypatch.setattr(clusters, "OF_POD", tmp_path / "namespace")
    if written:
        (tmp_path / "namespace").write_text(written)
    found = run("snapshot", "--cluster", "-O", "mesh.json")
    assert found.stderr.startswith(f"note: the cluster of this pod: {len(read)} object")
    items = json.loads(Path("mesh.json").read_text())["items"]
    assert [it["metadata"]["name"] for it in items if it["kind"] == "Egress"] == read


def test_one_that_changes_while_it_is_read_is_said_to_be_of_several_moments(
    serve: Callable[..., Server],
) -> None:
    objects = Objects(config())
    objects.moments = set()

    def forgetful(path: str, query: dict[str, str]) -> Any:
        objects.moments = set() if "resourceVersion" in query else {"1000"}
        answer = objects(path, query)
        if "metadata" in answer and path.endswith("meshconfigs"):
            answer["metadata"]["resourceVersion"] = "1001"
        return answer

    serve(forgetful)
    said = run("check", "--cluster").stderr
    assert said == "note: cluster dev: 1 object, at several moments, as it keeps no older ones\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--context", "nowhere"), "no cluster: Invalid kube-config file. Expected object with name nowhere"),
        ((), "the API server refuses to answer: Unauthorized"),
    ],
)
def test_without_a_cluster_there_is_no_answer(
    serve: Callable[..., Server], words: tuple[str, ...], said: str
) -> None:
    serve(Objects(config()), STRANGER)
    found = run("check", "--cluster", *words)
    assert (found.exit_code, found.stdout) == (3, "")
    assert found.stderr.startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "-f", "a", "--cluster"), "give one of -f and --cluster"),
        (("check", "-f", "a", "--context", "dev"), "--context belongs to --cluster"),
        (("check", "-f", "a", "-A"), "-A belongs to --cluster"),
        (("check", "--cluster", "-A", "-n", "shop"), "give one of -n and -A"),
        (("check",), "missing option '-f': the documents to read"),
        (("snapshot", "-O", "a"), "missing option '--cluster'"),
        (("snapshot", "--cluster"), "Missing option '-O'"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], said: str) -> None:
    found = run(*words)
    assert (found.exit_code, said in found.stderr) == (2, True), found.output


def test_both_meshes_may_be_the_cluster_s(serve: Callable[..., Server]) -> None:
    serve(Objects(config({"enableEgress": False}), egress("a", "tcp 25")))
    assert run("diff", "--cluster", *WHO, "--after-set", "fsm.enableEgress=true").exit_code == 1
    Path("after.json").write_text(json.dumps(egress("a", "tcp 25")))
    same = run("equivalent", "--cluster", *WHO, "--after", "after.json")
    assert same.exit_code == 0, same.output


# --- snapshots -------------------------------------------------------------------------------------------


def test_what_is_kept_is_answered_about_as_the_cluster_is(serve: Callable[..., Server]) -> None:
    objects = Objects(config({"enableEgress": False}), egress("a", "tcp 25"))
    objects.denied = {"services"}
    serve(objects)
    kept = run("snapshot", "--cluster", "-O", "mesh.json.gz")
    assert kept.exit_code == 0, kept.output
    assert kept.stdout.splitlines() == [
        "mesh.json.gz: 2 objects",
        f"not read: Service: {DENIED}",
    ]
    strict = run("decide", "-f", "mesh.json.gz", *WHO, *TO)
    assert (strict.exit_code, "expected every Service" in strict.stderr) == (3, True)
    live, later = (
        run("decide", "--cluster", *WHO, *TO),
        run("decide", "--lenient", "-f", "mesh.json.gz", *WHO, *TO),
    )
    assert live.exit_code == later.exit_code == 3
    assert said(live, "cluster dev") == said(later, r"mesh\.json\.gz:1")


def test_nobody_else_may_read_what_is_kept(serve: Callable[..., Server]) -> None:
    serve(Objects(config()))
    Path("mesh.json.gz").touch(0o644)
    Path("mesh.json").touch(0o666)
    for name in ("mesh.json.gz", "mesh.json", "new.json"):
        assert run("snapshot", "--cluster", "-O", name).exit_code == 0
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    assert gzip.decompress(Path("mesh.json.gz").read_bytes()) == Path("mesh.json").read_bytes()
    assert sorted(path.name for path in Path().iterdir()) == [
        "kubeconfig",
        "mesh.json",
        "mesh.json.gz",
        "new.json",
    ]


def test_a_snapshot_that_cannot_be_written_is_told(serve: Callable[..., Server]) -> None:
    serve(Objects(config()))
    Path("file").touch()
    found = run("snapshot", "--cluster", "-O", "file/mesh.json")
    assert (
        found.exit_code,
        found.stderr.splitlines()[1].startswith("file/mesh.json: cannot be written"),
    ) == (
        3,
        True,
    )


def test_no_config_is_made_of_secrets_that_were_left_out(serve: Callable[..., Server]) -> None:
    serve(Objects(config(), egress("a", "http 80", hosts=["a.com"], mtls=MTLS), SECRET))
    live = run("config", "--cluster", *WHO)
    assert (live.exit_code, '"CertChain":"secret"' in live.stdout) == (0, True)
    run("snapshot", "--cluster", "-O", "mesh.json")
    assert "c2VjcmV0" not in Path("mesh.json").read_text()
    found = run("config", "-f", "mesh.json", *WHO)
    assert (found.exit_code, found.stdout) == (3, "")
    assert "Secret curl/client is kept without its data" in found.stderr
    assert run("config", "-f", "mesh.json", "--as", "cart.shop").exit_code == 0
    web = ("decide", "-f", "mesh.json", *WHO, "--to", "54.9.9.9:80", "--http", "GET", "http://a.com/")
    assert run(*web).stdout.count("EGRESS_POLICY ") == 1


# --- whom nobody names -----------------------------------------------------------------------------------


def test_an_account_may_be_among_those_that_may_not_be_listed(serve: Callable[..., Server]) -> None:
    objects = Objects(config({"enableEgress": False}), egress("a", "tcp 25"))
    serve(objects)
    unnamed = ("never", "--cluster", "--as", "cart.shop", "--port", "7")
    assert run(*unnamed).exit_code == 2
    objects.denied = {"serviceaccounts"}
    found = run(*unnamed)
    assert (found.exit_code, "note: no document names account cart.shop" in found.stderr) == (0, True)


# --- the plugin of kubectl -------------------------------------------------------------------------------


def test_kubectl_finds_it_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts = {it.name: it.value for it in entry_points(group="console_scripts")}
    assert scripts["kubectl-fsm_egress"] == scripts["fsm-egress"] == "fsm_egress.__main__:main"
    for program, name in (("kubectl-fsm_egress", "kubectl fsm-egress"), ("fsm-egress", "fsm-egress")):
        monkeypatch.setattr(sys, "argv", [f"/usr/bin/{program}"])
        with pytest.raises(SystemExit):
            run_app(["check", "--help"])
        assert capsys.readouterr().out.startswith(f"Usage: {name} check")
