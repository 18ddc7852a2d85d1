"""Connections as they come to the command line: JSON, JSON lines, or the words of options."""

from __future__ import annotations

from codecs import BOM_UTF8
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from ..connections.connection import Connection, read_asked_host
from ..connections.descriptions import http, server_first, split_socket_address, tcp, tls, udp
from ..documents import Document, read_text
from ..values.errors import InvalidValue, Problem
from ..values.references import Mark, Source
from .inputs import read_input
from .problems import stop_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..connections.decision import Target

__all__ = ["addresses", "connection_options", "read_connections", "read_headers", "read_socket_address"]

PLAIN = {"tcp": tcp, "server_first": server_first, "udp": udp}

_JSON = "connections.json"  # the reader takes a text of this name for JSON and nothing else


def read_connections(content: bytes, name: str) -> tuple[tuple[Connection, ...], tuple[Problem, ...]]:
    """The connections of a text, in its order, and everything that is wrong with it.

    The text is one JSON object, a list of them, or JSON lines: an object on each line, blank lines aside.

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
        proposal = f"[{address}]:{port}" if ":" in address and "[" not in text and port.isdecimal() else None
        expected = "an address and a port such as `54.9.9.9:443` or `[2001:db8::5]:443`"
        raise InvalidValue.of(expected, text, proposal=proposal)
    return found


def read_headers(texts: Iterable[str]) -> dict[str, str]:
    """The headers written `name: value`, by name.

    Raises:
        InvalidValue: a text has another form, or a header stands twice.
    """
    headers: dict[str, str] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon:
            raise InvalidValue.of("a header such as `user-agent: curl`", text)
        if name.lower() == "host":
            raise InvalidValue.of("the host in the URL, not as a header", text)
        if name.lower() in headers:
            raise InvalidValue(Problem("each header once", found=f"`{name}` again"))
        headers[name.lower()] = value.strip()
    return headers


def addresses(connection: Connection, targets: Sequence[Target]) -> str:
    """The addresses, with their weights where there are several."""
    shared = len(targets) > 1
    return ", ".join(
        f"{target.address(connection)} ({target.weight})" if shared else target.address(connection)
        for target in targets
    )


# --- options ---------------------------------------------------------------------------------------------


def connection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which connections it is about, as its argument `connections`."""

    @wraps(command)
    def with_connections(
        *, connections_file: str | None, to: str | None, headers: tuple[str, ...], **others: Any
    ) -> None:
        sends = {kind: others.pop(kind) for kind in ("http", "tls", *PLAIN)}
        for kind in ("http", "tls"):
            if len(sends[kind]) > 1:
                raise click.UsageError(
                    f"--{kind} is given {len(sends[kind])} times: one connection sends one"
                )
            sends[kind] = next(iter(sends[kind]), None)
        given = {kind: value for kind, value in sends.items() if value not in {None, False}}
        if to is not None and connections_file is None:
            connections: tuple[Connection, ...] = (_connection(to, headers, given),)
        elif to is not None or connections_file is None:
            raise click.UsageError("give one of --to and --connections")
        elif given or headers:
            raise click.UsageError("--http, --header, --tls, --tcp, --server-first and --udp belong to --to")
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


def _connection(to: str, headers: Sequence[str], given: Mapping[str, Any]) -> Connection:
    """The one connection of the arguments: where to, and by its option what is sent."""
    if len(given) != 1:
        raise click.UsageError("with --to, give one of --http, --tls, --tcp, --server-first and --udp")
    if headers and "http" not in given:
        raise click.UsageError("--header belongs to --http")
    ((kind, value),) = given.items()
    try:
        address, port = read_socket_address(to)
        if kind == "http":
            method, url = value
            return http(address, port, method, url, read_headers(headers))
        if kind == "tls":
            return tls(address, port, _server_name(value) or None)
        return PLAIN[kind](address, port)
    except InvalidValue as error:
        raise click.UsageError(str(error)) from None


def _server_name(text: str) -> str:
    """The server name of a client: a DNS name, without a scheme or a port.

    Raises:
        InvalidValue: it is a URL, has a port or is a wildcard.
    """
    name = read_asked_host(text)
    host, colon, port = name.rpartition(":")
    if colon and port.isdecimal() and ":" not in host:
        raise InvalidValue.of("a server name without a port", name, proposal=host)
    return name


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
    click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="with a header,"),
    click.option("--http", nargs=2, multiple=True, metavar="METHOD URL", help="an HTTP request,"),
    click.option("--to", metavar="ADDRESS:PORT", help="One connection, to this address and port; it sends:"),
    click.option(
        "--connections",
        "connections_file",
        metavar="FILE",
        help="The connections: JSON, or JSON lines; `-` is standard input.",
    ),
)
