"""Connections as they come to the command line: JSON, JSON lines, or the words of options."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from ..connections.connection import Connection
from ..connections.descriptions import (
    Requests,
    http,
    server_first,
    split_socket_address,
    tcp,
    tls,
    udp,
)
from ..connections.payloads import HTTPRequest, TLSClientHello
from ..documents import Document, read_text
from ..values.construction import frozen
from ..values.errors import MAX_PROBLEMS, InvalidValue, Problem, shortly
from ..values.references import Mark, Source
from .inputs import read_input
from .problems import stop_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..connections.decision import Target
    from ..connections.payloads import Payload

__all__ = [
    "AnyAddress",
    "addresses",
    "connection_options",
    "connection_or_any_options",
    "numbered",
    "read_connections",
    "read_headers",
    "read_socket_address",
    "spoken",
]

PLAIN = {"tcp": tcp, "server_first": server_first, "udp": udp}

_JSON = "connections.json"  # the reader takes a text of this name for JSON and nothing else


def read_connections(content: bytes, name: str) -> tuple[tuple[Connection, ...], tuple[Problem, ...]]:
    """The connections of a text, in its order, and everything that is wrong with it.

    The text is one JSON object, a list of them, or JSON lines: an object on each line, blank lines aside.
    Where more than a thousand things are wrong, it is read no further.

    Args:
        content: UTF-8.
        name: what problems call the text.
    """
    connections: list[Connection] = []
    problems: list[Problem] = []
    for document in _documents(content, name):
        problems.extend(document.problems)
        source = Source(name, document.marks)
        for path, value in _items(document):
            try:
                connections.append(Connection.from_mapping(value))
            except InvalidValue as error:
                problems.extend(_placed(error.at(path).problems, source))
            if len(problems) > MAX_PROBLEMS:
                break
        if len(problems) > MAX_PROBLEMS:
            more = Problem(f"at most {MAX_PROBLEMS} mistakes", "more", document=name)
            return (), (*problems[:MAX_PROBLEMS], more)
    return tuple(connections), tuple(problems)


def _documents(content: bytes, name: str) -> Iterator[Document]:
    """The JSON documents of a text: its lines where an object begins on several, else the text itself."""
    content = content.removeprefix(BOM_UTF8)
    begins_on_lines = content.lstrip().startswith(b"{") and b"\n{" in content.lstrip()
    for number, text in enumerate(content.split(b"\n") if begins_on_lines else [content]):
        if text.strip():
            yield _document(text, name, number)


def _document(text: bytes, name: str, lines_before: int) -> Document:
    """One JSON document; what cannot be read holds an empty list."""

    def moved(mark: Mark) -> Mark:
        return Mark(mark.line + lines_before, mark.column)

    def marks() -> Mapping[str, Mark]:
        return {path: moved(mark) for path, mark in found().items()}

    documents, unreadable = read_text(text, _JSON)
    document = next(iter(documents), Document(name, [], {}))
    found = document.marks if callable(document.marks) else dict(document.marks).copy
    problems = tuple(
        evolve(
            problem,
            found=problem.found.removesuffix(", after line 1") if lines_before else problem.found,
            document=name,
            mark=problem.mark and moved(problem.mark),
        )
        for problem in (*unreadable, *document.problems)
    )
    return Document(name, document.value, marks, problems)


def _items(document: Document) -> Iterator[tuple[str, object]]:
    if document.problems:
        return
    if isinstance(document.value, list):
        for index, item in enumerate(document.value):
            yield f"[{index}]", item
    else:
        yield "", document.value


def _placed(problems: Iterable[Problem], source: Source) -> Iterator[Problem]:
    for problem in problems:
        yield evolve(problem, document=source.document, mark=source.mark(problem.path))


def read_socket_address(text: str) -> tuple[str, int]:
    """The address and port of `54.9.9.9:443` or `[2001:db8::5]:443`; the address is still to be checked.

    Raises:
        InvalidValue: the text has another form.
    """
    found = split_socket_address(text)
    if found is None:
        address, _, port = text.rpartition(":")
        is_bare = ":" in address and not {*"[/"} & {*text}
        proposal = f"[{address}]:{port}" if is_bare and port.isdecimal() else None
        expected = "an address and a port such as `54.9.9.9:443` or `[2001:db8::5]:443`"
        raise InvalidValue.of(expected, text, proposal=proposal)
    return found


def read_headers(texts: Iterable[str]) -> list[tuple[str, str]]:
    """The headers written `name: value`, in their order.

    Raises:
        InvalidValue: a text has another form.
    """
    headers: list[tuple[str, str]] = []
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon:
            raise InvalidValue.of("a header such as `user-agent: curl`", text)
        headers.append((name, value.strip()))
    return headers


def addresses(connection: Connection, targets: Sequence[Target]) -> str:
    """The addresses, with their weights where there are several."""
    shared = len(targets) > 1
    return ", ".join(
        f"{target.address(connection)} ({target.share})" if shared else target.address(connection)
        for target in targets
    )


# --- options ---------------------------------------------------------------------------------------------


@frozen
class AnyAddress:
    """Connections of which everything is known but the address; they are given some."""

    connections: tuple[Connection, ...]

    @property
    def payloads(self) -> list[dict[str, Any]]:
        """What is known of each, by the names that `Partial` has for it."""
        return [{"port": it.port, "sends": it.kind, **_known_of(it.sends)} for it in self.connections]


def _known_of(payload: Payload) -> dict[str, Any]:
    if isinstance(payload, HTTPRequest):
        return {
            "host": payload.host,
            "method": payload.method,
            "path": payload.path,
            "headers": payload.headers,
        }
    return {"host": payload.server_name or ""} if isinstance(payload, TLSClientHello) else {}


def connection_or_any_options(command: Callable[..., None]) -> Callable[..., None]:
    """`connection_options` of a command that answers about any address, too: then it gets `AnyAddress`."""
    return connection_options(command, is_any_known=True)


def connection_options(command: Callable[..., None], *, is_any_known: bool = False) -> Callable[..., None]:
    """Give a command the options that say which connections it is about, as its argument `connections`.

    Args:
        command: what is given them.
        is_any_known: whether `any` may stand for the address.
    """

    @wraps(command)
    def with_connections(*, connections_file: str | None, to: str | None, **others: Any) -> None:
        sends = {kind: others.pop(kind) for kind in ("http", "tls", *PLAIN)}
        request = {name: others.pop(name) for name in ("headers", "through_proxy", "target")}
        if len(sends["tls"]) > 1:
            raise click.UsageError(f"--tls is given {len(sends['tls'])} times: one connection sends one")
        given = {kind: value for kind, value in sends.items() if value not in {(), False}}
        connections: tuple[Connection, ...] | AnyAddress
        if to is not None and connections_file is None:
            connections = _asked_at(to, given, request, is_any_known=is_any_known)
        elif to is not None or connections_file is None:
            raise click.UsageError("give one of --to and --connections")
        elif given or any(request.values()):
            raise click.UsageError(
                "--http, --header, --through-proxy, --request-target, --tls, --tcp, --server-first and --udp"
                " belong to --to"
            )
        else:
            connections = _listed(connections_file)
        command(connections=connections, **others)

    for option in _OPTIONS:
        with_connections = option(with_connections)
    return with_connections


def _listed(name: str) -> tuple[Connection, ...]:
    connections, problems = read_connections(*read_input(name))
    if problems:
        stop_for(problems)
    return connections


def _asked_at(
    to: str, given: Mapping[str, Any], request: Mapping[str, Any], *, is_any_known: bool
) -> tuple[Connection, ...] | AnyAddress:
    """The connections of the arguments, or what is known of them where the address is any.

    Raises:
        click.UsageError: the address is a name; it says what to do.
    """
    host, _, port = to.rpartition(":")
    if is_any_known and host.lower() == ANY:
        return AnyAddress(tuple(_asked(f"{SOME}:{port}", given, request)))
    if _NAME.fullmatch(host) and port.isdecimal():
        instead = f"--to {ANY}:{port}" if is_any_known else f"`fsm-egress decide --to {ANY}:{port}`"
        raise click.UsageError(
            f"--to: expected an IP address, found the name {shortly(host)}: policies decide by address, and a"
            f" name has other ones in time; give one of them, or {instead}, which answers for every address"
            " that the policies tell apart"
        )
    return _asked(to, given, request)


def _asked(to: str, given: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[Connection, ...]:
    """The connections of the arguments: where to, and by its option what is sent; of HTTP each request."""
    if len(given) != 1:
        raise click.UsageError("with --to, give one of --http, --tls, --tcp, --server-first and --udp")
    ((kind, value),) = given.items()
    for name, option in _OF_REQUESTS.items():
        if request[name] and kind != "http":
            raise click.UsageError(f"{option} belongs to --http")
    try:
        address, port = read_socket_address(to)
        if kind == "http":
            headers = read_headers(request["headers"])
            sent = {"through_proxy": request["through_proxy"], "target": request["target"]}
            found = [http(address, port, method, url, headers, **sent) for method, url in value]
            return Requests(found) if len(found) > 1 else tuple(found)
        if kind == "tls":
            (name,) = value
            return (tls(address, port, name or None),)
        return (PLAIN[kind](address, port),)
    except InvalidValue as error:
        raise click.UsageError(str(error)) from None


def spoken(connections: Sequence[Connection]) -> Iterator[str]:
    """What tables call each connection; a request of several is numbered."""
    for number, connection in enumerate(connections, 1):
        yield f"request {number}: {connection}" if isinstance(connections, Requests) else str(connection)


def numbered(connections: Sequence[Connection]) -> Iterator[dict[str, int]]:
    """What objects for machines have of each connection besides: the number of a request of several."""
    for number, _ in enumerate(connections, 1):
        yield {"request": number} if isinstance(connections, Requests) else {}


ANY = "any"
SOME = "192.0.2.1"  # in the place of an address that is open
_NAME = re.compile(r"(?:[\w-]+\.)*(?!\d+$)[\w-]+\.?")  # of a host: its last label is no number

_OF_REQUESTS = {
    "headers": "--header",
    "through_proxy": "--through-proxy",
    "target": "--request-target",
}

_OPTIONS = (
    click.option("--udp", is_flag=True, help="a UDP datagram."),
    click.option("--server-first", is_flag=True, help="nothing, as the server speaks first,"),
    click.option("--tcp", is_flag=True, help="bytes that are neither,"),
    click.option(
        "--tls",
        is_flag=False,
        flag_value="",
        multiple=True,
        metavar="[NAME]",
        help="TLS, with or without a server name,",
    ),
    click.option(
        "--request-target",
        "target",
        metavar="TEXT",
        help="with this in place of the URL's path, such as `*`,",
    ),
    click.option(
        "--through-proxy", is_flag=True, help="with the whole URL, or CONNECT: the address is a proxy's,"
    ),
    click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="NAME:VALUE",
        help="with a header (of equal ones the last counts; `Host` replaces the URL's),",
    ),
    click.option(
        "--http",
        nargs=2,
        multiple=True,
        metavar="METHOD URL",
        help="an HTTP request; given several times, each is decided,",
    ),
    click.option("--to", metavar="ADDRESS:PORT", help="One connection, to this address and port; it sends:"),
    click.option(
        "--connections",
        "connections_file",
        metavar="FILE",
        help="The connections: JSON, or JSON lines; `-` is standard input.",
    ),
)
