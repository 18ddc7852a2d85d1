"""What the solver was asked in these tests, counted at the end of the long run."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from solving import ASKED, TURNS, is_long

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROPERTY = "the solver was asked"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a law `in_turns` its turns."""
    if "turn" in metafunc.fixturenames:
        metafunc.parametrize("turn", range(TURNS if is_long() else 1), scope="session")


@pytest.fixture(autouse=True)
def _counted(record_property: Callable[[str, object], None]) -> Iterator[None]:
    before = ASKED.copy()
    yield
    record_property(PROPERTY, dict(ASKED - before))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how often it was asked, and agreed, as far as the processes of the run told."""
    total: Counter[str] = Counter()
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if getattr(report, "when", "") == "teardown":
            for name, counts in report.user_properties:
                if name == PROPERTY:
                    total.update(counts)
    if is_long() and total:
        terminalreporter.section("the solver was asked, and agreed")
        for kind, count in sorted(total.items()):
            terminalreporter.line(f"{count:>9,}  {kind}")
