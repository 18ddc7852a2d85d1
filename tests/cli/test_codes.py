"""What findings and reasons mean, on the command line."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

import fsm_egress as fe
from fsm_egress.cli.app import app
from fsm_egress.linting.rules import RULES


def run(*codes: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["explain-code", *codes])
    return result.exit_code, result.output


@pytest.mark.parametrize("code", ["FSE034", "fse034"])
def test_a_finding_is_explained_as_the_documentation_does(code: str) -> None:
    (rule,) = (rule for rule in RULES.values() if rule.code.code == "FSE034")
    assert run(code) == (0, rule.markdown)


def test_a_reason_is_explained() -> None:
    code, text = run("no_route", "tls_any")
    assert code == 0
    assert text.startswith("### no_route: the host is known, and none of its routes takes the request\n")
    assert "\n\n### tls_any: an HTTPS policy without hosts lets any TLS out\n" in text


@pytest.mark.parametrize("code", [*(code.code for code in fe.Code), *(reason.value for reason in fe.Reason)])
def test_everything_that_is_printed_as_a_code_is_known(code: str) -> None:
    assert run(code)[0] == 0


@pytest.mark.parametrize(
    ("code", "meant"), [("FSE03", "FSE0"), ("no_hosts", "; is `no_host` meant?"), ("7", "nor a reason\n")]
)
def test_what_is_none_is_wrong_usage(code: str, meant: str) -> None:
    exit_code, text = run(code)
    assert exit_code == 2
    assert meant in text


def test_codes_are_completed() -> None:
    complete = ShellComplete(app, {}, "fsm-egress", "_FSM_EGRESS_COMPLETE")
    found = complete.get_completions(["explain-code"], "no_r")
    assert [(item.value, item.help) for item in found] == [
        ("no_route", "the host is known, and none of its routes takes the request")
    ]
