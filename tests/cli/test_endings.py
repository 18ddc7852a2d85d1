"""How commands end: nothing found, found, wrong usage, no answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import fsm_egress as fe
from fsm_egress.cli.app import COMMANDS, app
from fsm_egress.cli.endings import Ending

CONFIG = """\
apiVersion: config.flomesh.io/v1alpha3
kind: MeshConfig
metadata: {name: fsm-mesh-config, namespace: fsm-system}
spec:
  traffic: {enableEgress: false}
  featureFlags: {enableEgressPolicy: true}
"""
POLICY = """\
apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata: {name: a, namespace: shop}
spec:
  sources: [{kind: ServiceAccount, name: cart, namespace: shop}]
  hosts: [api.example.com]
  ports: [{number: 80, protocol: http}]
"""
HTTPS = POLICY.replace("80, protocol: http", "443, protocol: https")
MESH = ("-f", "mesh.yaml", "-f", "policy.yaml")
TO = ("--as", "cart.shop", "--to", "54.9.9.9:80", "--http", "GET")
HERE = Path(fe.__file__).parents[1]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mesh.yaml").write_text(CONFIG)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "https.yaml").write_text(HTTPS)
    record = {"identity": "cart.shop", "destination": "54.9.9.9", "port": 443}
    (tmp_path / "log.jsonl").write_text(f"{json.dumps(record)}\n")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def ending(*arguments: str) -> int:
    return run(*arguments).exit_code


def test_the_exit_codes_are_these() -> None:
    assert {it.name: it.value for it in Ending} == {"DONE": 0, "FOUND": 1, "USAGE": 2, "NO_ANSWER": 3}


READERS = [
    ("check",),
    ("decide", *TO, "http://a.com/"),
    ("explain", *TO, "http://a.com/"),
    ("partition", "--as", "cart.shop"),
    ("residual", "--as", "cart.shop"),
    ("reach",),
    ("never",),
    ("diff", "--after-set", "fsm.enableEgress=true"),
    ("equivalent", "--after-set", "fsm.enableEgress=true"),
    ("implies", "--after-set", "fsm.enableEgress=true"),
    ("config", "--as", "cart.shop"),
    ("verify", "--all"),
    ("lint",),
    ("replay", "--format", "json", "log.jsonl"),
]
ON = ("--after-set", "fsm.enableEgress=true")
NOWHERE = ("-f", "nowhere.yaml")
WHO = ("--as", "cart.shop")
TCP = ("--to", "54.9.9.9:80", "--tcp")
# How each command ends, by what makes it end so; a command that looks for nothing finds nothing.
ENDINGS: dict[str, dict[Ending, tuple[str, ...]]] = {
    "certify": {
        Ending.DONE: ("proof.smt2",),
        Ending.FOUND: ("forged.smt2",),
        Ending.USAGE: (),
        Ending.NO_ANSWER: ("nowhere.smt2",),
    },
    "check": {
        Ending.DONE: MESH,
        Ending.FOUND: ("-f", "ranged.yaml"),
        Ending.USAGE: (*MESH, "--fail-on", "bad"),
        Ending.NO_ANSWER: NOWHERE,
    },
    "completion": {Ending.DONE: ("bash",), Ending.USAGE: ("tcsh",)},
    "config": {Ending.DONE: (*MESH, *WHO), Ending.USAGE: MESH, Ending.NO_ANSWER: (*NOWHERE, *WHO)},
    "decide": {
        Ending.DONE: (*MESH, *WHO, *TCP),
        Ending.FOUND: (*MESH, *WHO, *TCP, "--fail-on", "denied"),
        Ending.USAGE: (*MESH, *WHO),
        Ending.NO_ANSWER: (*NOWHERE, *WHO, *TCP),
    },
    "diff": {
        Ending.DONE: (*MESH, "--after-set", "fsm.enableEgress=false"),
        Ending.FOUND: (*MESH, *ON),
        Ending.USAGE: MESH,
        Ending.NO_ANSWER: (*NOWHERE, *ON),
    },
    "equivalent": {
        Ending.DONE: (*MESH, "--after-set", "fsm.enableEgress=false"),
        Ending.FOUND: (*MESH, *ON),
        Ending.USAGE: MESH,
        Ending.NO_ANSWER: (*NOWHERE, *ON),
    },
    "explain": {
        Ending.DONE: (*MESH, *WHO, *TCP),
        Ending.USAGE: (*MESH, *WHO),
        Ending.NO_ANSWER: (*NOWHERE, *WHO, *TCP),
    },
    "explain-code": {Ending.DONE: ("FSE034",), Ending.USAGE: ("FSE999",)},
    "implies": {
        Ending.DONE: (*MESH, *ON),
        Ending.FOUND: (*MESH, "--set", "fsm.enableEgress=true", "--after-set", "fsm.enableEgress=false"),
        Ending.USAGE: MESH,
        Ending.NO_ANSWER: (*NOWHERE, *ON),
    },
    "learn": {
        Ending.DONE: (*MESH, "log.jsonl"),
        Ending.USAGE: MESH,
        Ending.NO_ANSWER: (*NOWHERE, "log.jsonl"),
    },
    "lint": {
        Ending.DONE: (*MESH, "--no-sidecar"),
        Ending.FOUND: (*MESH, "--no-sidecar", "--set", "fsm.enableEgress=true"),
        Ending.USAGE: (*MESH, "--only", "FSE999"),
        Ending.NO_ANSWER: NOWHERE,
    },
    "never": {
        Ending.DONE: (*MESH, "--port", "81", "--sends", "tls"),
        Ending.FOUND: (*MESH, "--outside"),
        Ending.USAGE: (*MESH, "--as", "card.shop"),
        Ending.NO_ANSWER: NOWHERE,
    },
    "partition": {Ending.DONE: MESH, Ending.USAGE: (*MESH, "--as", "."), Ending.NO_ANSWER: NOWHERE},
    "pods": {Ending.DONE: MESH, Ending.USAGE: (*MESH, "-o", "sarif"), Ending.NO_ANSWER: NOWHERE},
    "reach": {Ending.DONE: MESH, Ending.USAGE: (*MESH, "--host", "*.com"), Ending.NO_ANSWER: NOWHERE},
    "replay": {
        Ending.DONE: (*MESH, "log.jsonl"),
        Ending.FOUND: (*MESH, *ON, "log.jsonl"),
        Ending.USAGE: MESH,
        Ending.NO_ANSWER: (*MESH, "nowhere.jsonl"),
    },
    "residual": {
        Ending.DONE: (*MESH, *WHO, "--port", "81", "--to", "54.9.9.9"),
        Ending.FOUND: (*MESH, *WHO, "--to", "54.9.9.9"),
        Ending.USAGE: MESH,
        Ending.NO_ANSWER: (*NOWHERE, *WHO),
    },
    "schema": {Ending.DONE: ("Egress",), Ending.USAGE: ("Egres",)},
    "sidecar": {
        Ending.DONE: ("--config", "config.json", *TCP),
        Ending.USAGE: TCP,
        Ending.NO_ANSWER: ("--config", "nowhere.json", *TCP),
    },
    "snapshot": {Ending.USAGE: ()},
    "test": {
        Ending.DONE: ("good.egress-test.yaml",),
        Ending.FOUND: ("bad.egress-test.yaml",),
        Ending.USAGE: (),
        Ending.NO_ANSWER: ("nowhere.egress-test.yaml",),
    },
    "verify": {
        Ending.DONE: (*MESH, *WHO),
        Ending.FOUND: ("-f", "mesh.yaml", "-f", "https.yaml", *WHO),
        Ending.USAGE: MESH,
        Ending.NO_ANSWER: (*NOWHERE, *WHO),
    },
}
TESTS = """\
apiVersion: fsm-egress/v1
kind: EgressTest
mesh: [mesh.yaml, policy.yaml]
as: cart.shop
tests: [{name: a, to: "54.9.9.9:80", tcp: true, expect: VERDICT}]
"""


def test_every_command_has_its_endings() -> None:
    assert ENDINGS.keys() == COMMANDS.keys()


@pytest.mark.parametrize(
    ("command", "expected"),
    [(command, expected) for command, cases in ENDINGS.items() for expected in cases],
    ids=lambda it: getattr(it, "name", it),
)
def test_a_command_ends_as_it_is_said(command: str, expected: Ending, folder: Path) -> None:
    (folder / "ranged.yaml").write_text(POLICY + "  ipAddresses: [54.1.2.3/8]\n")
    (folder / "config.json").write_text("{}")
    for name, status in (("proof", "unsat"), ("forged", "sat")):
        text = f"; claim: c\n(set-info :status {status})\n(assert false)\n(check-sat)\n"
        (folder / f"{name}.smt2").write_text(text)
    for name, verdict in (("good", "DENIED"), ("bad", "PASSTHROUGH")):
        (folder / f"{name}.egress-test.yaml").write_text(TESTS.replace("VERDICT", verdict))
    result = run(command, *ENDINGS[command][expected])
    assert result.exit_code == expected, result.output


@pytest.mark.parametrize("command", READERS, ids=[command[0] for command in READERS])
class TestNoAnswer:
    def test_a_file_that_is_not_there_is_no_answer(self, command: tuple[str, ...]) -> None:
        assert ending(command[0], "-f", "nowhere.yaml", *command[1:]) == Ending.NO_ANSWER

    def test_a_document_that_cannot_be_read_is_none(self, command: tuple[str, ...], folder: Path) -> None:
        (folder / "mesh.yaml").write_bytes(b"\xff\xfe\x00\xd8")
        assert ending(command[0], "-f", "mesh.yaml", *command[1:]) == Ending.NO_ANSWER

    def test_no_documents_are_wrong_usage(self, command: tuple[str, ...]) -> None:
        assert ending(*command) == Ending.USAGE


def test_what_is_found_is_certain_whatever_could_not_be_read(folder: Path) -> None:
    (folder / "bad.yaml").write_text(POLICY.replace("80", "0"))
    assert ending("check", "-f", "bad.yaml", "-f", "nowhere.yaml") == Ending.FOUND


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("never", "--host", "api.example.com", "--port", "80", "--sends", "http"), Ending.FOUND),
        (("never", "--host", "other.example", "--to", "54.0.0.0/8", "--sends", "http"), Ending.DONE),
        (("diff", "--after-set", "fsm.enableEgress=true"), Ending.FOUND),
        (("diff", "--after-set", "fsm.enableEgress=false"), Ending.DONE),
        (("implies", "--after-set", "fsm.enableEgress=true"), Ending.DONE),
        (("equivalent", "--after-set", "fsm.enableEgress=true"), Ending.FOUND),
        (("residual", "--as", "cart.shop", "--sends", "http", "--to", "54.9.9.9"), Ending.FOUND),
        (
            ("residual", "--as", "cart.shop", "--sends", "bytes", "--to", "54.9.9.9", "--port", "1"),
            Ending.DONE,
        ),
        (("partition", "--as", "cart.shop"), Ending.DONE),
        (("reach", "--as", "cart.shop"), Ending.DONE),
    ],
)
def test_what_is_found_is_1(command: tuple[str, ...], expected: Ending) -> None:
    assert ending(command[0], *MESH, "--patch", IPV4, *command[1:]) == expected


IPV4 = '{"spec": {"traffic": {"outboundIPRangeInclusionList": ["0.0.0.0/0"]}}}'
HARD = """\
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: hard, namespace: shop}
spec: {matches: [{name: m, pathRegex: '/x*(?=a)b'}]}
"""


class TestUndecided:
    @pytest.fixture(autouse=True)
    def hard(self, folder: Path) -> None:
        reference = "  matches: [{apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: hard}]\n"
        (folder / "policy.yaml").write_text(POLICY + reference + HARD)

    @pytest.mark.parametrize(
        "command",
        [
            ("partition", "--as", "cart.shop"),
            ("residual", "--as", "cart.shop", "--port", "80", "--to", "54.9.9.9", "--host", "api.example.com",
             "--sends", "http", "--method", "GET"),
            ("reach", "--host", "api.example.com"),
            ("never", "--host", "api.example.com", "--sends", "http", "--to", "54.0.0.0/8"),
            ("verify", "--all"),
        ],
    )  # fmt: skip
    def test_what_could_not_be_decided_is_no_answer(self, command: tuple[str, ...]) -> None:
        result = run(command[0], *MESH, "--patch", IPV4, *command[1:])
        assert result.exit_code == Ending.NO_ANSWER, result.output

    def test_it_may_be_left_out_of_a_comparison(self) -> None:
        assert ending("verify", "--all", *MESH, "--without", "FSE042") == Ending.DONE
        assert ending("verify", "--all", *MESH, "--fail-on", "error") == Ending.DONE


class TestFailOn:
    @pytest.mark.parametrize(
        ("command", "expected"),
        [
            (("check", "-f", "ranged.yaml"), (1, 1, 0)),
            (("lint", *MESH), (1, 0, 0)),
            (("lint", *MESH, "--set", "fsm.enableEgress=true"), (1, 1, 0)),
            (("lint", "-f", "mesh.yaml", "-f", "https.yaml"), (1, 1, 1)),
            (("verify", "--all", *MESH), (1, 0, 0)),
            (("verify", "--all", "-f", "mesh.yaml", "-f", "https.yaml"), (1, 1, 1)),
        ],
    )
    def test_it_says_how_bad_a_failure_is(
        self, command: tuple[str, ...], expected: tuple[int, ...], folder: Path
    ) -> None:
        (folder / "ranged.yaml").write_text(POLICY + "  ipAddresses: [54.1.2.3/8]\n")
        found = tuple(ending(*command, "--fail-on", it) for it in ("info", "warning", "error"))
        assert found == expected
        assert ending(*command) == found[1]

    def test_a_code_that_is_left_out_fails_nothing(self) -> None:
        bad = ("verify", "--all", "-f", "mesh.yaml", "-f", "https.yaml")
        assert ending(*bad, "--without", "FSE029") == Ending.FOUND
        result = run(*bad, "--without", "FSE029", "--without", "FSE031")
        assert result.exit_code == Ending.DONE
        assert "differ" not in result.output
        assert result.stdout.splitlines()[-1] == "2 compared: all agree"
        assert ending(*bad, "--without", "FSE999") == Ending.USAGE

    def test_a_denied_connection_fails_where_it_is_asked_to(self) -> None:
        fails = ("decide", *MESH, *TO, "--fail-on", "denied")
        assert ending("decide", *MESH, *TO, "http://other.example/") == Ending.DONE
        assert ending(*fails[:-2], "http://other.example/", *fails[-2:]) == Ending.FOUND
        assert ending(*fails[:-2], "http://api.example.com/", *fails[-2:], "-o", "json") == Ending.DONE


class TestInEveryMesh:
    def test_it_is_told_once_for_all_identities(self, folder: Path) -> None:
        other = POLICY.replace("name: a,", "name: b,").replace("cart", "web")
        (folder / "policy.yaml").write_text(f"{POLICY}---\n{other}")
        result = run("verify", "--all", *MESH)
        assert result.exit_code == Ending.DONE
        first, second, other, head, *told = result.stdout.splitlines()
        assert other.startswith("any other account: 14 classes of connections, engine and sidecar agree, ")
        assert first.endswith("engine and sidecar agree, but for what is so in every mesh")
        assert (second.split(":")[0], head) == ("web.shop", "in every mesh:")
        assert [line[:12] for line in told] == [
            "FSE034 info:", "  shown by [", "FSE035 info:", "  shown by 1", "FSE036 info:", "  shown by 1",
            "3 compared: ",
        ]  # fmt: skip

    def test_what_to_do_is_told_once_for_all_identities_and_counted(self, folder: Path) -> None:
        (folder / "https.yaml").write_text(
            "\n---\n".join(
                (folder / "https.yaml")
                .read_text()
                .replace("name: a,", f"name: {name},")
                .replace("cart", name)
                for name in ("cart", "web")
            )
        )
        asked = ("verify", "--all", "-f", "mesh.yaml", "-f", "https.yaml")
        lines = run(*asked).stdout.splitlines()
        assert sum(line.startswith("FSE029 error: ") for line in lines) == 1
        assert lines[-1] == "3 compared: 2 differ (FSE029 2, FSE031 2)"
        quiet = run(*asked, "-q")
        assert (quiet.exit_code, quiet.stdout.splitlines()) == (Ending.FOUND, [lines[-1]])
        alone = run("verify", "--as", "cart.shop", *asked[2:], "-q")
        assert alone.stdout == "1 compared: 1 differ (FSE029 1, FSE031 1)\n"

    def test_what_a_policy_has_besides_is_a_row(self) -> None:
        result = run("verify", "--all", "-f", "mesh.yaml", "-f", "https.yaml")
        assert "2 differ, but for what is so in every mesh" in result.stdout
        assert not [line for line in result.stdout.splitlines() if line.startswith("[::]")]


def test_policies_that_count_for_nothing_are_no_clean_mesh(folder: Path) -> None:
    off = ("--set", "fsm.featureFlags.enableEgressPolicy=false")
    assert "FSE011 warning" in run("lint", "--no-sidecar", *MESH, *off).stdout
    (folder / "space.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
    assert "FSE026 warning" in run("lint", "--no-sidecar", *MESH, "-f", "space.yaml").stdout


def test_a_log_with_unreadable_records_is_half_an_answer(folder: Path) -> None:
    record = {"identity": "cart.shop", "destination": "54.9.9.9", "port": 443}
    (folder / "log.jsonl").write_text(f"{json.dumps(record)}\nnothing\n")
    assert ending("replay", *MESH, "log.jsonl") == Ending.NO_ANSWER
    assert ending("replay", *MESH, "--after-set", "fsm.enableEgress=true", "log.jsonl") == Ending.FOUND
