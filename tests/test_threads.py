"""Whatever is shared answers eight threads, which are switched every 10 microseconds, as it answers one.

Each thing is new when they come, so that all are there at once where it works out what it remembers; and it
is asked once more by one thread when they have gone, as a race may leave something wrong behind.
"""

from __future__ import annotations

import sys
from functools import partial
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from small import WHO, config, egress, load, routes, service
from traffic import MATCHES

import fsm_egress as fe
from fsm_egress.patterns import Pattern
from fsm_egress.patterns.automata import Texts, witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

THREADS = 8
INTERVAL = 1e-5  # seconds
POLICIES = 24


@pytest.fixture(autouse=True)
def _switched_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(INTERVAL)
    yield
    sys.setswitchinterval(before)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What the works come to, or the error that each ends in; every one begins when all are there."""
    gate = Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(at: int) -> None:
        gate.wait()
        try:
            results[at] = works[at]()
        except BaseException as error:  # noqa: BLE001  # because a thread has nobody to tell
            results[at] = error

    threads = [Thread(target=run, args=(at,)) for at in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def hold(make: Callable[[], T], ask: Callable[[T], Any], turns: int) -> None:
    """All threads are answered as one is, and so is one that asks after them."""
    due = ask(make())
    for _ in range(turns):
        shared = make()
        assert at_once(*[partial(ask, shared)] * THREADS) == [due] * THREADS
        assert ask(shared) == due


def documents() -> list[dict[str, Any]]:
    """A mesh in which nearly every request has a rule and a target of its own."""
    calls = [{"pathRegex": f"^/v{index}/"} for index in range(4)]
    policies = [
        egress(f"p{index}", f"{protocol} {80 + index % 3}", **_content(protocol, index))
        for index in range(POLICIES)
        for protocol in (("http", "http", "https", "tcp")[index % 4],)
    ]
    return [config(), *policies, routes("calls", *calls), *service("shop", "http-web 80")]


def _content(protocol: str, index: int) -> dict[str, Any]:
    if protocol == "tcp":
        return {"ipAddresses": [f"54.{index}.0.0/16"]}
    return {"hosts": [f"h{index}.com"], **({"matches": MATCHES} if protocol == "http" else {})}


DOCUMENTS = documents()
ASKED = [
    connection
    for index in range(POLICIES)
    for port in (80 + index % 3,)
    for connection in (
        fe.http("198.51.100.1", port, "GET", f"http://h{index}.com/v{index % 4}/"),
        fe.tls("198.51.100.1", port, f"h{index}.com"),
        fe.tcp(f"54.{index}.9.9", port),
    )
]
LEFT_OUT = egress("bad", "http 80", hosts=["x.com"], matches="none")


def tolerant() -> fe.Snapshot:
    """The mesh, and a policy that cannot be read: every decision says what it was made without."""
    return fe.load([*DOCUMENTS, LEFT_OUT], strict=False)


def test_a_sidecar() -> None:
    hosts = [f"h{index}.com" for index in range(60)]
    written = fe.pipy_config(load(*[egress(f"p-{host}", "http 80", hosts=[host]) for host in hosts]), WHO)
    asked = [fe.http("198.51.100.1", 80, "GET", f"http://{host}/") for host in hosts]
    hold(lambda: fe.Sidecar.read(written), lambda sidecar: list(map(sidecar.handle, asked)), 12)


def test_an_engine() -> None:
    mesh = fe.load(DOCUMENTS)
    hold(lambda: fe.compile(mesh, WHO), lambda it: it.classify_many(ASKED), 10)


def test_an_engine_of_an_incomplete_mesh_whose_decisions_are_one_for_all() -> None:
    mesh = tolerant()

    def of(engine: fe.Engine) -> list[int]:
        return list(map(id, engine.classify_many(ASKED)))

    for _ in range(10):
        engine = fe.compile(mesh, WHO, incomplete=True)
        answers = at_once(*[partial(of, engine)] * THREADS)
        assert answers == [of(engine)] * THREADS
        assert all(decision.without for decision in engine.classify_many(ASKED))


QUESTIONS: dict[str, Callable[[fe.Snapshot], Any]] = {
    "identities": lambda mesh: (mesh.identities(), mesh.namespaces(), fe.subjects_of(mesh)),
    "policy": lambda mesh: fe.resolve(mesh, WHO),
    "config": lambda mesh: fe.pipy_config(mesh, WHO).tree,
    "lint": lambda mesh: list(map(str, fe.lint(mesh, sidecar=False))),
    "partition": lambda mesh: str(fe.partition(mesh, WHO)),
    "reach": lambda mesh: str(fe.reachable(mesh, "54.3.9.9", 83)),
    "explain": lambda mesh: str(fe.explain(mesh, WHO, ASKED[1])),
    "verify": lambda mesh: list(map(str, fe.verify(mesh, WHO).disagreements)),
    "stock": lambda mesh: list(map(str, fe.stock_findings(mesh, WHO))),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_mesh(question: str) -> None:
    hold(lambda: fe.load(DOCUMENTS[::3]), QUESTIONS[question], 1)


def test_a_mesh_that_is_asked_everything_while_others_are_made_of_it() -> None:
    """Changes share with the mesh that they were made of whatever they leave as it was."""
    small = DOCUMENTS[::3]
    more = [fe.load(egress(f"new{index}", f"http {90 + index}", hosts=["new.com"])) for index in range(3)]
    added = [resource for mesh in more for resource in mesh]
    asked = [QUESTIONS[name] for name in ("identities", "policy", "config", "reach")]

    def answers(mesh: fe.Snapshot) -> list[Any]:
        return [ask(mesh) for ask in asked]

    def changed(mesh: fe.Snapshot, index: int) -> list[Any]:
        other = mesh.with_(added[index])
        return [answers(other), answers(other.without(added[index].ref))]

    due = answers(fe.load(small))
    due_changed = [changed(fe.load(small), index) for index in range(3)]
    for _ in range(3):
        mesh = fe.load(small)
        works: list[Callable[[], Any]] = [partial(answers, mesh)] * (THREADS - 3)
        works += [partial(changed, mesh, index) for index in range(3)]
        assert at_once(*works) == [due] * (THREADS - 3) + due_changed
        assert answers(mesh) == due


def test_a_workload_and_those_that_come_after_it() -> None:
    mesh = fe.load(DOCUMENTS)
    after = mesh.with_(*load(egress("new", "http 80", hosts=["new.com"])).kind(fe.EgressPolicy))

    def both(workload: fe.Workload) -> list[Any]:
        return [(it.config.tree, it.engine.classify_many(ASKED)) for it in (workload, workload.after(after))]

    hold(lambda: fe.Workload.of(mesh, WHO), both, 2)


def test_the_sides_of_a_comparison() -> None:
    mesh = tolerant()
    hold(
        lambda: fe.Sides.of(mesh, WHO),
        lambda sides: [(str(sides.compare(it)), str(sides.due(sides.engine.classify(it)))) for it in ASKED],
        4,
    )


SEARCHED = ["/api/.*/users", "(a+)+$", "(?:a|b)*a(?:a|b){16}$", "(?!.*b)a", r"(?:a(?=\bb)|b)+$"]
TEXTS = ["/api/" * 300, "ab" * 700, "b" * 900 + "a" + "b" * 16, "a" * 999]


def test_patterns() -> None:
    hold(
        lambda: list(map(Pattern, SEARCHED)),
        lambda patterns: [pattern.search(text) for pattern in patterns for text in TEXTS],
        2,
    )


def test_proofs_about_patterns() -> None:
    found = list(map(Pattern, ["/v[0-9]+/", "^/a+b", "x|y{3}", "(?!/ab)/a"]))

    def smallest(patterns: list[Pattern]) -> list[str | None]:
        pairs = [(one, other) for one in patterns for other in patterns]
        return [witness([(one, True), (other, False)], Texts.PATH) for one, other in pairs]

    hold(lambda: found, smallest, 4)
