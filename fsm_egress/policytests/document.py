"""Test files for policies: what is written in them, checked, with the place of every mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import PurePath
from string import Template
from typing import Any

from attrs import evolve

from ..answers.comparison import Effect
from ..connections.connection import Connection
from ..connections.decision import Reason, Verdict
from ..connections.descriptions import http, server_first, split_socket_address, tcp, tls, udp
from ..documents import Document, read_text
from ..resources.checks import one_of
from ..resources.subjects import Subject, read_subject
from ..values.construction import frozen
from ..values.errors import MAX_PROBLEMS, InvalidValue, LoadError, Problem, show
from ..values.references import Source, joined
from ..values.spelling import nearest
from ..values.typed import takes

__all__ = ["API_VERSION", "KIND", "Expected", "MeshSource", "PolicyTest", "PolicyTests", "read_tests"]

API_VERSION = "fsm-egress/v1"
KIND = "EgressTest"

_TOP = ("apiVersion", "kind", "mesh", "patch", "set", "after", "as", "tests")
_MESH = ("mesh", "patch", "set")
_SENDS = ("http", "tls", "tcp", "server-first", "udp")
_TEST = ("name", "as", "to", *_SENDS, "headers", "connection", "cases", "expect")
_EXPECTED = ("verdict", "reason", "rule", "route", "target", "status")
_SUBJECT = "a service identity `name.namespace`, a pod or `any other account`"
_EXPECT = (*_EXPECTED, "changes", "after")
_STREAMS: dict[str, Callable[[str, int], Connection]] = {"tcp": tcp, "server-first": server_first, "udp": udp}


@frozen
class MeshSource:
    """Where a mesh comes from: documents, and what is changed of its MeshConfig.

    Attributes:
        paths: files and folders, as they are found from where the test file is.
        patches: JSON merge patches; then `settings`, as `helm --set` takes them.
    """

    paths: tuple[str, ...] = ()
    patches: tuple[Mapping[str, Any], ...] = ()
    settings: tuple[str, ...] = ()


@frozen
class Expected:
    """What is expected of a decision; None is not asked.

    Attributes:
        rule, route: a resource, `Egress curl/httpbin`, or a field of it, `Egress curl/httpbin spec.ports[0]`.
        targets: addresses, whatever their order.
    """

    verdict: Verdict | None = None
    reason: Reason | None = None
    rule: str | None = None
    route: str | None = None
    targets: tuple[str, ...] | None = None
    status: int | None = None


@frozen
class PolicyTest:
    """A connection, and what is expected of it.

    Attributes:
        name: as it is written, with the values of its case.
        document: the test file.
        line: where the test is in it, or None.
        identity: an account, `any other account`, a pod or the template of pods.
        expected: in the mesh.
        changes: what the other mesh does to the connection; False for nothing, True for something.
        after: what is expected in the other mesh.
    """

    name: str
    document: str
    line: int | None
    identity: Subject
    connection: Connection
    expected: Expected
    changes: Effect | bool | None = None
    after: Expected | None = None

    @property
    def location(self) -> str:
        """`document:line`."""
        return self.document if self.line is None else f"{self.document}:{self.line}"


@frozen
class PolicyTests:
    """The tests of a document, and the meshes that they are about.

    Attributes:
        after: the other mesh, where there is one.
    """

    document: str
    mesh: MeshSource
    after: MeshSource | None
    tests: tuple[PolicyTest, ...]


@takes(content=(str, bytes), name=str)
def read_tests(content: bytes | str, name: str = "<text>") -> tuple[PolicyTests, ...]:
    """The tests of a text, YAML or JSON: a document each.

    Args:
        content: the text.
        name: its path, from which the paths in it are found, and what errors call it.

    Raises:
        LoadError: with everything that is wrong, each with its line and column, up to a thousand or so.
        MissingExtra: the text is YAML, and PyYAML is not installed.
    """
    documents, unreadable = read_text(content, name)
    problems = list(unreadable)
    found: list[PolicyTests] = []
    for document in documents:
        if document.value is None and not document.problems:
            continue
        problems.extend(document.problems)
        source = Source(name, document.marks)
        top = _Node(document.value, "", [])
        tests = _tests_of(top, document, source)
        problems.extend(evolve(it, document=name, mark=source.mark(it.path)) for it in top.problems)
        found.append(tests)
        if len(problems) > MAX_PROBLEMS:
            problems.append(Problem(f"at most {MAX_PROBLEMS} mistakes", "more", document=name))
            break
    if not (found or problems):
        problems.append(Problem(f"a document of kind `{KIND}`", "none", document=name))
    if problems:
        raise LoadError(problems)
    return tuple(found)


@frozen
class _Node:
    """A value of the document with its path; what is wrong with it is added to the problems."""

    value: Any
    path: str
    problems: list[Problem]

    def at(self, key: str) -> _Node:
        """The value of a key; None where there is none."""
        inside = self.value.get(key) if isinstance(self.value, Mapping) else None
        return _Node(inside, joined(self.path, key), self.problems)

    def mapping(self, *known: str) -> _Node:
        """The value as a mapping that has none but the known keys."""
        if not isinstance(self.value, Mapping):
            self.wrong("a mapping")
            return evolve(self, value={})
        for key in self.value:
            if known and key not in known:
                expected = f"one of {', '.join(f'`{name}`' for name in known)}"
                problem = Problem(
                    expected,
                    f"the key `{key}`",
                    joined(self.path, str(key)),
                    proposal=nearest(str(key), known),
                )
                self.problems.append(problem)
        return self

    def items(self) -> Iterator[_Node]:
        """The values of a list; nothing where there is none."""
        if self.value is not None and not isinstance(self.value, list):
            self.wrong("a list")
        for index, item in enumerate(self.value if isinstance(self.value, list) else ()):
            yield _Node(item, f"{self.path}[{index}]", self.problems)

    def text(self, expected: str = "a string") -> str:
        """A string that has to be there."""
        if not isinstance(self.value, str) or not self.value:
            self.wrong(expected)
            return ""
        return self.value

    def wrong(self, expected: str) -> None:
        """What the value is expected to be, as it is something else."""
        self.problems.append(Problem(expected, show(self.value), self.path))

    def tried(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """What comes of the work; None where a value is invalid."""
        try:
            return work(*arguments)
        except InvalidValue as error:
            self.problems.extend(error.at(self.path).problems)
            return None


def _tests_of(top: _Node, document: Document, source: Source) -> PolicyTests:
    top = top.mapping(*_TOP)
    for key, known in (("apiVersion", API_VERSION), ("kind", KIND)):
        if top.at(key).value != known:
            top.at(key).wrong(f"`{known}`")
    folder = PurePath(document.name).parent
    mesh = _mesh_source(top, folder)
    if not mesh.paths:
        top.at("mesh").wrong("the paths of the mesh")
    after = None if top.at("after").value is None else _mesh_source(top.at("after").mapping(*_MESH), folder)
    if after is not None:
        after = MeshSource(
            after.paths or mesh.paths,
            after.patches if after.paths else (*mesh.patches, *after.patches),
            after.settings if after.paths else (*mesh.settings, *after.settings),
        )
    if not list(top.at("tests").items()):
        top.at("tests").wrong("a list of tests")
    tests = [
        test
        for node in takewhile(lambda _: len(top.problems) <= MAX_PROBLEMS, top.at("tests").items())
        for test in _cases(node.mapping(*_TEST), top.at("as"), source, has_after=after is not None)
    ]
    return PolicyTests(document.name, mesh, after, tuple(tests))


def _mesh_source(node: _Node, folder: PurePath) -> MeshSource:
    paths = node.at("mesh")
    listed = [paths] if isinstance(paths.value, str) else list(paths.items())
    patch = node.at("patch")
    return MeshSource(
        tuple(str(folder / it.text("a path")) for it in listed),
        () if patch.value is None else (patch.mapping().value,),
        tuple(it.text("a setting such as `fsm.enableEgress=true`") for it in node.at("set").items()),
    )


def _cases(test: _Node, as_: _Node, source: Source, *, has_after: bool) -> Iterator[PolicyTest]:
    """The test, once for each of its cases."""
    cases = test.at("cases")
    if cases.value is None:
        yield from _case(test, as_, source, has_after=has_after)
        return
    for case in takewhile(lambda _: len(test.problems) <= MAX_PROBLEMS, cases.items()):
        values = case.mapping().value
        filled = {
            key: _filled(value, values, _Node(value, joined(test.path, str(key)), test.problems))
            for key, value in test.value.items()
            if key != "cases"
        }
        yield from _case(evolve(test, value=filled), as_, source, has_after=has_after)


def _filled(value: Any, case: Mapping[str, Any], place: _Node) -> Any:
    """A value with `$name` replaced by what a case has for it; `$$` is a dollar."""
    if isinstance(value, Mapping):
        return {key: _filled(item, case, place) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, case, place) for item in value]
    if not isinstance(value, str):
        return value
    name = value[1:].strip("{}")
    if value[:1] == "$" and name in case:
        return case[name]  # alone, it keeps its type
    try:
        return Template(value).substitute(case)
    except KeyError as error:
        place.problems.append(Problem("a value that the case has", f"`${error.args[0]}`", place.path))
    except ValueError:
        place.problems.append(Problem("`$name` of the case, or `$$`", show(value), place.path))
    return value


def _case(test: _Node, as_: _Node, source: Source, *, has_after: bool) -> Iterator[PolicyTest]:
    before = len(test.problems)
    name = test.at("name").text()
    who = test.at("as") if test.at("as").value is not None else as_
    identity = who.tried(read_subject, who.text(_SUBJECT))
    connection = _connection(test)
    expected, changes, after = _expectations(test.at("expect"), has_after=has_after)
    if len(test.problems) == before:
        mark = source.mark(test.path)
        line = mark.line if mark else None
        yield PolicyTest(name, source.document, line, identity, connection, expected, changes, after)


def _connection(test: _Node) -> Any:
    """The connection: in the short form of the command line, or as JSON."""
    given = [kind for kind in _SENDS if test.at(kind).value is not None and test.at(kind).value is not False]
    whole = test.at("connection")
    if whole.value is not None:
        if given or test.at("to").value is not None:
            whole.wrong("no `connection` beside `to`")
        return whole.tried(Connection.from_mapping, whole.mapping().value)
    if len(given) != 1:
        test.problems.append(
            Problem(
                f"one of {', '.join(f'`{kind}`' for kind in _SENDS)}",
                ", ".join(f"`{kind}`" for kind in given) or "none",
                test.path,
            )
        )
        return None
    to = test.at("to")
    place = split_socket_address(to.text("an address and a port such as `54.9.9.9:443`"))
    if place is None:
        to.wrong("an address and a port such as `54.9.9.9:443` or `[2001:db8::5]:443`")
        return None
    (kind,) = given
    sends, headers = test.at(kind), test.at("headers")
    if headers.value is not None and kind != "http":
        headers.wrong("no headers but those of `http`")
    if kind == "http":
        method, _, url = sends.text("a method and a URL such as `GET http://httpbin.org/get`").rpartition(" ")
        given_headers = headers.mapping().value if headers.value is not None else {}
        return test.tried(http, *place, method or "GET", url, given_headers)
    if kind == "tls":
        if sends.value is not True and not isinstance(sends.value, str):
            sends.wrong("a server name, or `true` for none")
            return None
        return test.tried(tls, *place, None if sends.value is True else sends.value)
    if sends.value is not True:
        sends.wrong("`true`")
    return test.tried(_STREAMS[kind], *place)


def _expectations(node: _Node, *, has_after: bool) -> tuple[Expected, Effect | bool | None, Expected | None]:
    """What is expected: a verdict, or a mapping."""
    if isinstance(node.value, str):
        return Expected(verdict=node.tried(one_of, node.value, Verdict)), None, None
    if not isinstance(node.value, Mapping) or not node.mapping(*_EXPECT).value:
        node.wrong("a verdict, or what is expected")
        return Expected(), None, None
    changes, later = node.at("changes"), node.at("after")
    for it in (changes, later):
        if it.value is not None and not has_after:
            it.wrong("`after` in the file: the mesh to compare with")
    effect = changes.value
    if effect is not None and not isinstance(effect, bool):
        effect = changes.tried(one_of, effect, Effect)
    expected = _expected(node)
    if later.value is None:
        return expected, effect, None
    return expected, effect, _expected(later.mapping(*_EXPECTED))


def _expected(node: _Node) -> Expected:
    verdict, reason, status, target = map(node.at, ("verdict", "reason", "status", "target"))
    rule, route = (None if node.at(key).value is None else node.at(key).text() for key in ("rule", "route"))
    if status.value is not None and type(status.value) is not int:
        status.wrong("an HTTP status")
    targets: Iterable[_Node] = [target] if isinstance(target.value, str) else target.items()
    return Expected(
        None if verdict.value is None else verdict.tried(one_of, verdict.value, Verdict),
        None if reason.value is None else reason.tried(one_of, reason.value, Reason),
        rule,
        route,
        None if target.value is None else tuple(it.text("an address and a port") for it in targets),
        status.value,
    )
