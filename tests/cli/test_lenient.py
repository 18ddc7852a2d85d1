"""One document of others that cannot be read stops nothing but what hangs on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pods import pod
from small import config, egress

from fsm_egress.cli.app import app

WEB = "54.9.9.9:25"
CART = {"kind": "ServiceAccount", "name": "cart", "namespace": "shop"}
RECORD = {"destination": "54.9.9.9", "port": 25, "sends": "bytes"}
ON = ("--after-set", "fsm.enableEgress=true")


def of_cart(name: str, *ports: str) -> dict[str, Any]:
    document = egress(name, *ports, space="shop")
    document["spec"]["sources"] = [CART]
    return document


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mesh, and a policy of another team that no one can read."""
    monkeypatch.chdir(tmp_path)
    write("mesh.json", config({"enableEgress": False}), egress("a", "tcp 25"), of_cart("good", "tcp 26"))
    write("broken.json", of_cart("broken", "tcp 0"))


def write(name: str, *items: dict[str, Any]) -> None:
    Path(name).write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def run(*words: str, lenient: bool = True, files: tuple[str, ...] = ("mesh.json", "broken.json")) -> Result:
    named = [word for file in files for word in ("-f", file)]
    return CliRunner().invoke(app, [words[0], *named, *(["--lenient"] if lenient else []), *words[1:]])


def decided(who: str, to: str = WEB, *more: str) -> Result:
    return run("decide", "--as", who, "--to", to, "--tcp", *more)


NAMED = "Egress shop/broken spec.ports[0].number: expected a port number from 1 to 65535"
LOST = "Egress shop/broken (broken.json:1) could not be read, and could "


@pytest.mark.parametrize(
    "words",
    [
        ("decide", "--as", "curl.curl", "--to", WEB, "--tcp"),
        ("explain", "--as", "curl.curl", "--to", WEB, "--tcp"),
        ("partition", "--as", "curl.curl"),
        ("residual", "--as", "curl.curl", "--to", "54.9.9.9", "--port", "25", "--sends", "bytes"),
        ("reach", "--as", "curl.curl"),
        ("never", "--as", "curl.curl", "--port", "7"),
        ("diff", "--after", "mesh.json", "--as", "curl.curl"),
        ("equivalent", "--after", "mesh.json", "--as", "curl.curl"),
        ("implies", "--after", "mesh.json", "--as", "curl.curl"),
        ("config", "--as", "curl.curl"),
        ("verify", "--as", "curl.curl", "--fail-on", "error"),
        ("lint", "--as", "curl.curl", "--only", "FSE001"),
        ("learn", "--as", "curl.curl", "log.jsonl"),
        ("replay", "--as", "curl.curl", "log.jsonl"),
    ],
    ids=lambda words: words[0],
)
def test_whoever_it_does_not_concern_is_answered(words: tuple[str, ...]) -> None:
    Path("log.jsonl").write_text(json.dumps(RECORD))
    strict = run(*words, lenient=False)
    assert (strict.exit_code, strict.stdout) == (3, "")
    found = run(*words)
    assert found.exit_code == 0, found.output
    assert NAMED in found.stderr
    assert found.stdout or words[0] == "lint"


@pytest.mark.parametrize(
    "words",
    [
        ("decide", "--as", "cart.shop", "--to", WEB, "--tcp"),
        ("explain", "--as", "cart.shop", "--to", WEB, "--tcp"),
        ("partition", "--as", "cart.shop"),
        ("residual", "--as", "cart.shop", "--to", "54.9.9.9", "--port", "25", "--sends", "bytes"),
        ("reach", "--as", "cart.shop"),
        ("never", "--as", "cart.shop", "--port", "7"),
        ("equivalent", "--after", "mesh.json", "--as", "cart.shop"),
        ("implies", "--after", "mesh.json", "--as", "cart.shop"),
        ("verify", "--as", "cart.shop", "--fail-on", "error"),
        ("lint", "--as", "cart.shop", "--only", "FSE001"),
        ("config", "--as", "cart.shop"),
        ("pods",),
        ("replay", "--as", "cart.shop", "log.jsonl"),
    ],
    ids=lambda words: words[0],
)
def test_what_hangs_on_it_is_unknown(words: tuple[str, ...]) -> None:
    Path("log.jsonl").write_text(json.dumps(RECORD))
    found = run(*words)
    assert found.exit_code == 3, found.output
    assert NAMED in found.stderr
    assert LOST in found.output


def test_verdicts_that_may_be_others_are_marked() -> None:
    found = decided("cart.shop")
    assert "DENIED?" in found.stdout
    assert f"\n? {LOST}open what is called denied" in found.stdout
    assert decided("cart.shop", "54.9.9.9:26").stdout.count("EGRESS_POLICY?") == 1
    assert "DENIED " in decided("curl.curl", "54.9.9.9:7").stdout
    (told,) = map(json.loads, decided("cart.shop", WEB, "-o", "json").stdout.splitlines())
    assert [it["resource"] for it in told["without"]] == ["Egress shop/broken"]


def test_only_a_denial_that_is_certain_is_found() -> None:
    assert decided("cart.shop", WEB, "--fail-on", "denied").exit_code == 3
    assert decided("curl.curl", "54.9.9.9:7", "--fail-on", "denied").exit_code == 1


def test_a_decision_hangs_on_what_can_change_it() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": 7}}
    write("broken.json", secret)
    assert decided("curl.curl").exit_code == 0  # allowed already
    assert decided("curl.curl", "54.9.9.9:7").exit_code == 3


def test_replayed_rulings_say_what_they_hang_on() -> None:
    records = [{**RECORD, "identity": who} for who in ("cart.shop", "curl.curl", "no.one")]
    Path("log.jsonl").write_text("\n".join(map(json.dumps, records)))
    table = run("replay", "log.jsonl")
    assert table.exit_code == 3
    assert [line.split()[:3] for line in table.stdout.splitlines()[2:5]] == [
        ["1", "cart.shop", "DENIED?"],
        ["1", "curl.curl", "EGRESS_POLICY"],
        ["1", "no.one", "DENIED"],
    ]
    assert table.stdout.count(f"? {LOST}") == 1
    found = run("replay", "log.jsonl", "-o", "json")
    counts = json.loads(found.stdout)["counts"]
    assert [len(it.get("without", ())) for it in counts] == [1, 0, 0]


def test_nothing_is_learned_for_whom_it_concerns() -> None:
    Path("log.jsonl").write_text(json.dumps({**RECORD, "identity": "cart.shop"}))
    found = run("learn", "log.jsonl")
    assert (found.exit_code, found.stdout) == (3, "")
    assert NAMED in found.stderr


def test_a_config_does_not_hang_on_accounts() -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "A"}}
    write("broken.json", account)
    assert run("config", "--as", "cart.shop").exit_code == 0
    Path("broken.json").write_text("{")
    found = run("config", "--as", "cart.shop")
    assert (found.exit_code, found.stdout) == (3, "")
    assert "no config is written, as it may depend on this:\na document (broken.json:1) could" in found.stderr


def test_pods_are_told_of_all_the_same() -> None:
    write("mesh.json", config(), pod("a"))
    assert run("pods").stdout.splitlines()[1].startswith("pod/a.curl")
    assert json.loads(run("pods", "-o", "json").stdout)["pod"] == "pod/a.curl"


def test_defaults_are_assumed_and_named_though_a_policy_cannot_be_read() -> None:
    asked = ("decide", "--as", "web.shop", "--to", WEB, "--tcp")
    broken = run(*asked, files=("broken.json",))
    assert "note: no MeshConfig among the documents: FSM's defaults are assumed" in broken.stderr
    assert "DENIED " in broken.stdout
    assert "PASSTHROUGH " in run(*asked, "--defaults", "chart", files=("broken.json",)).stdout
    write("config.json", {**config(), "metadata": {"namespace": "fsm-system"}})
    lost = run(*asked, "--defaults", "chart", files=("config.json",))
    assert "defaults are assumed" not in lost.stderr
    assert "DENIED?" in lost.stdout
