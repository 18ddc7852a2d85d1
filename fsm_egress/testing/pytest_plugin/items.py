"""Policy tests as tests of pytest: a collector for each file, an item for each case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ...documents import MAX_TEXT
from ...policytests.document import read_tests
from ...policytests.running import TestResult, run_tests
from ...values.errors import LoadError, PatchError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["EgressFile", "EgressItem"]


class EgressFailure(Exception):
    """A policy test that has failed."""


class EgressFile(pytest.File):
    """A test file."""

    def collect(self) -> Iterator[EgressItem]:
        """The tests in it, one for each case."""
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_TEXT + 1)
            for tests in read_tests(content, self.path.as_posix()):
                report = run_tests([tests], strict_names=True)
                for result in report.results:
                    yield EgressItem.from_parent(self, name=result.test.name, result=result)
        except (LoadError, PatchError) as error:
            raise self.CollectError(str(error)) from None


class EgressItem(pytest.Item):
    """One test, which has been decided when it was collected."""

    def __init__(self, *, result: TestResult, **others: Any) -> None:
        super().__init__(**others)
        self.result = result

    def runtest(self) -> None:
        """Fail if something is not as expected; what the result stands under is shown with it (`-rA`)."""
        for condition in self.result.decision.conditions:
            self.add_report_section("call", "stands under", str(condition))
        if not self.result.passed:
            raise EgressFailure(self.result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is not as expected, with the explanation; anything else as pytest shows it."""
        if isinstance(excinfo.value, EgressFailure):
            return "\n".join(self.result.lines())
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test is."""
        line = self.result.test.line
        return self.path, None if line is None else line - 1, self.name
