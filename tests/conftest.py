"""What the tests need besides Python, and the profiles of the laws: usual, thorough and long."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from fsm_egress.patterns import automata

pytest_plugins = ["pytester"]

HAS_PIPY = {"PIPY_BIN", "PIPY_CODEBASE"} <= set(os.environ)

HAS_SPARK = find_spec("pyspark") is not None and shutil.which("java") is not None

HAS_KOPF = find_spec("kopf") is not None and find_spec("kmock") is not None
HAS_GO = shutil.which("go") is not None
HAS_SERVER = all(map(shutil.which, ("go", "etcd", "openssl")))
HAS_CLUSTER = HAS_KOPF and HAS_SERVER
HAS_CRDS = HAS_SERVER and "FSM_CRDS" in os.environ

ON_A_CLUSTER = ["controller/test_controller_cluster.py", "controller/test_reading_a_cluster.py"]

# The real sidecar is asked where there is one; elsewhere what it was seen to do stands for it. So is Spark.
collect_ignore = [
    *([] if HAS_PIPY else ["dataplane"]),
    *([] if HAS_SPARK else ["spark"]),
    *([] if HAS_KOPF else ["controller"]),
    *([] if HAS_GO else ["oracles"]),
    *([] if HAS_CRDS else ["oracles/test_admission_asked.py"]),
    *([] if HAS_CLUSTER else ON_A_CLUSTER),
]


def pytest_report_header() -> list[str]:
    """Say what is real, and what stands for it where it is not."""
    kept = "PIPY_BIN and PIPY_CODEBASE are not set: its kept observations stand for it"
    played = "pyspark or java is not installed: a stand-in plays it"
    cluster = "started, in controller" if HAS_CLUSTER else "go, etcd, kopf or kmock is missing: not started"
    answered = "go is missing: its kept answers stand for it"
    judged = "FSM_CRDS is not set, or go, etcd or openssl is missing: what it said stands for it"
    return [
        f"a real API server with FSM's CRDs: {'asked, in oracles' if HAS_CRDS else judged}",
        f"kubectl's and Helm's own code: {'asked, in oracles' if HAS_GO else answered}",
        f"a real Kubernetes API: {cluster}",
        f"a real sidecar: {'asked, in dataplane' if HAS_PIPY else kept}",
        f"a real Spark: {'asked, in spark' if HAS_SPARK else played}",
    ]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Several processes take tests from each other in the end, as some tests take a minute and most none."""
    from xdist.scheduler import WorkStealingScheduling  # noqa: PLC0415  # because who tests in one process needs none

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


# The usual run and the thorough one draw the same examples each time: what passes here passes elsewhere. The
# long one draws others at each run.
settings.register_profile(
    "thorough",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    max_examples=100,
)
settings.register_profile("usual", settings.get_profile("thorough"), max_examples=30)
settings.register_profile(
    "long",
    settings.get_profile("thorough"),
    derandomize=False,
    max_examples=42_000,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("usual")


@pytest.fixture
def few_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer states than usual are looked at before an answer says that it is not decided."""
    monkeypatch.setattr(automata, "STATES", 3_000)
