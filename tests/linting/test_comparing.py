"""Comparisons that processes share come to what one process finds, in the same order."""

from __future__ import annotations

import pickle
import signal
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import cases
from small import WHO, config, egress, load, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.linting import comparing, lint, sharing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Case = tuple[list[Any], str, list[dict[str, Any]]]
ACCOUNTS = [f"a{index}.curl" for index in range(6)]


class Pool:
    """A pool whose only worker is this process; what goes to it is pickled, and what it answers."""

    ended = False

    def __init__(
        self, _workers: int, _context: object, begin: Callable[..., None], given: tuple[bytes]
    ) -> None:
        begin(*given)

    def submit(self, work: Callable[[Any], Any], task: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        try:
            answer.set_result(copied(work(copied(task))))
        except fe.InvalidValue as error:
            answer.set_exception(copied(error))
        return answer

    def shutdown(self, *, cancel_futures: bool) -> None:
        assert cancel_futures
        Pool.ended = True


def copied(it: Any) -> Any:
    return pickle.loads(pickle.dumps(it))  # noqa: S301  # because it was made just now


@contextmanager
def in_this_process() -> Iterator[type[Pool]]:
    """The pool, which is asked about two identities already."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "ended", False)
        patch.setattr(sharing, "ProcessPoolExecutor", Pool)
        patch.setattr(sharing, "_WORKER", [])
        patch.setattr(comparing, "FEW", 1)
        try:
            yield Pool
        finally:
            signal.signal(signal.SIGINT, before)


@settings(max_examples=examples(25))
@given(cases(1), st.booleans(), st.booleans())
def test_law_shared_comparisons_find_the_same_in_the_same_order(
    case: Case, enforce: bool, stock: bool
) -> None:
    mesh = fe.load(case[0])

    def found(workers: int) -> fe.Findings:
        whom = [*ACCOUNTS[:2], case[1]]
        return lint(mesh, identities=whom, enforce=enforce, stock=stock, workers=workers)

    with in_this_process() as pool:
        shared = found(2)
        assert pool.ended
    alone = found(1)
    assert shared == alone
    assert [it.to_mapping() for it in shared] == [it.to_mapping() for it in alone]


@settings(max_examples=examples(60))
@given(cases(1))
def test_law_a_mesh_that_is_asked_again_has_the_same_findings(case: Case) -> None:
    mesh = fe.load(case[0])
    first, again = (lint(mesh, identities=[case[1], *ACCOUNTS[:1]], sidecar=False) for _ in range(2))
    assert first == again


def mesh_of_many() -> fe.Snapshot:
    return load(
        config(),
        service("web", "http-web 80"),
        egress("one", "http 443", hosts=["a.com"]),
        egress("two", "https 443", hosts=["b.com"]),
    )


def test_two_processes_find_what_one_does() -> None:
    mesh = mesh_of_many()
    assert lint(mesh, identities=[*ACCOUNTS, WHO], workers=2) == lint(mesh, identities=[*ACCOUNTS, WHO])


def test_few_identities_and_no_comparison_are_shared_with_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "ProcessPoolExecutor", None)
    mesh = mesh_of_many()
    assert lint(mesh, workers=2) == lint(mesh)
    assert lint(mesh, identities=ACCOUNTS, sidecar=False, workers=2) == lint(
        mesh, identities=ACCOUNTS, sidecar=False
    )


def test_a_worker_leaves_ctrl_c_alone() -> None:
    with in_this_process():
        lint(mesh_of_many(), identities=ACCOUNTS, workers=2)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_what_a_worker_raises_is_raised_and_the_pool_ends() -> None:
    with in_this_process() as pool:
        with pytest.raises(fe.InvalidValue, match="version"):
            lint(mesh_of_many(), identities=ACCOUNTS, workers=2, fsm="0.1")
        assert pool.ended


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True, None])
def test_there_is_at_least_one_worker(workers: Any) -> None:
    with pytest.raises(fe.InvalidValue, match="a number of workers from 1 on"):
        lint(mesh_of_many(), workers=workers)
