"""The pytest plugin: test files of policies among other tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml  # noqa: F401  # because what is loaded first inside of pytester is loaded again by the next test

if TYPE_CHECKING:
    import pytest

DEMO = Path(__file__).parents[2] / "examples" / "egress-demo"
TESTS = f"""\
apiVersion: fsm-egress/v1
kind: EgressTest
mesh: [{DEMO}/mesh-config.yaml, {DEMO}/http.yaml]
as: curl.curl
tests:
  - name: httpbin is open
    to: 54.9.9.9:80
    http: GET http://httpbin.org/get
    expect: EGRESS_POLICY
  - name: so is $host
    cases: [{{host: flomesh.io}}]
    to: 54.9.9.9:80
    http: GET http://$host/
    expect: EGRESS_POLICY
"""
OTHERS = ("cacheprovider", "hypothesispytest", "kmock", "xdist")
PLUGIN = tuple(word for name in OTHERS for word in ("-p", f"no:{name}"))


def test_each_case_is_a_test(pytester: pytest.Pytester) -> None:
    (pytester.path / "httpbin.egress-test.yaml").write_text(TESTS)
    (pytester.path / "other.yaml").write_text("not: a test\n")
    result = pytester.runpytest(*PLUGIN, "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "httpbin.egress-test.yaml::httpbin is open PASSED*",
            "httpbin.egress-test.yaml::so is flomesh*FAILED*",
            "*verdict: expected `EGRESS_POLICY`, found `DENIED`",
            "*host `flomesh.io` is not in hosts*",
        ]
    )


def test_one_is_chosen_by_its_name(pytester: pytest.Pytester) -> None:
    (pytester.path / "httpbin.egress-test.yml").write_text(TESTS)
    pytester.runpytest(*PLUGIN, "-k", "open").assert_outcomes(passed=1, deselected=1)


def test_a_file_that_is_wrong_is_an_error_with_its_place(pytester: pytest.Pytester) -> None:
    (pytester.path / "bad.egress-test.yaml").write_text(TESTS.replace("expect:", "expct:"))
    result = pytester.runpytest(*PLUGIN)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*bad.egress-test.yaml:9:*the key `expct`; write `expect`"])


def test_a_mesh_that_cannot_be_read_is_an_error(pytester: pytest.Pytester) -> None:
    (pytester.path / "bad.egress-test.yaml").write_text(TESTS.replace("http.yaml", "nowhere.yaml"))
    result = pytester.runpytest(*PLUGIN)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*nowhere.yaml: expected a file or a folder that can be read*"])


def test_what_else_goes_wrong_is_shown_as_pytest_shows_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pytester.path / "httpbin.egress-test.yaml").write_text(TESTS)
    (pytester.path / "conftest.py").write_text(
        "from fsm_egress.testing.pytest_plugin.items import EgressItem\n"
        "def broken(self):\n    raise RuntimeError('broken')\n"
        "EgressItem.runtest = broken\n"
    )
    monkeypatch.setattr("fsm_egress.testing.pytest_plugin.items.EgressItem.runtest", None)
    result = pytester.runpytest(*PLUGIN)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*RuntimeError: broken"])


def test_what_a_result_stands_under_is_shown_with_it(pytester: pytest.Pytester) -> None:
    tests = TESTS.replace("as: curl", "set: [fsm.trafficInterceptionMode=NodeLevel]\nas: curl")
    (pytester.path / "httpbin.egress-test.yaml").write_text(tests)
    result = pytester.runpytest(*PLUGIN, "-rA")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*stands under*", "FSE131 warning: MeshConfig *"])
