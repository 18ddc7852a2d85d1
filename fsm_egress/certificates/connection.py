"""What a certificate says of a connection: its parts as constants, tests of them, and one that is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import define, field

from ..connections.obstacles import LONGEST_LINE, has_long_line
from ..connections.payloads import HTTPRequest, Sends, TLSClientHello
from ..patterns import Pattern, syntax
from ..values.net import GAP_START, IPV6_START
from .expressions import EVERYTHING, Irregular, anyway_cased, found_in, utf8
from .terms import FALSE, TRUE, Definitions, all_of, any_of, is_text, literal, no, symbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..connections.connection import Connection
    from ..values.net import Prefix

__all__ = [
    "AUTHORITY",
    "HOST",
    "IPV4",
    "IPV6",
    "METHOD",
    "PATH",
    "SERVER_NAME",
    "TOO_LONG",
    "Vocabulary",
    "sends",
]

IPV6, IPV4 = "to-ipv6", no("to-ipv6")
AUTHORITY, SERVER_NAME, METHOD, HOST, PATH = "authority", "server-name", "method", "host", "path"
LOWER, TOO_LONG = "host-is-in-lower-case", "a-line-is-too-long"
_SENDS = " ".join(f"(sends-{kind.value})" for kind in Sends)
_DECLARED = {
    "sends": f"(declare-datatypes ((Sends 0)) (({_SENDS})))\n(declare-const sends Sends)",
    IPV6: f"(declare-const {IPV6} Bool)",
    "ipv4": "(declare-const ipv4 (_ BitVec 32))",
    "ipv6": "(declare-const ipv6 (_ BitVec 128))",
    "port": "(declare-const port (_ BitVec 16))",
    METHOD: f"(declare-const {METHOD} String)",
    AUTHORITY: f"(declare-const {AUTHORITY} String)",
    HOST: f"(declare-const {HOST} String)",
    LOWER: f"(declare-const {LOWER} Bool)",
    PATH: f"(declare-const {PATH} String)",
    SERVER_NAME: f"(declare-const {SERVER_NAME} String)",
    TOO_LONG: f"(declare-const {TOO_LONG} Bool)",
}
_SAID = {
    IPV6: "whether the destination is an IPv6 address; else it is an IPv4 address",
    "sends": "what the client sends first",
    METHOD: "of a request, as it is sent",
    AUTHORITY: "the Host of a request in lower case, as hosts are compared",
    HOST: "the Host of a request as it is sent, as patterns search it",
    LOWER: "whether the Host is sent as it is compared",
    PATH: "of a request with its query, a character for each byte",
    SERVER_NAME: "of TLS in lower case, as names are compared; empty where there is none",
    TOO_LONG: f"whether a line of a request is longer than the {LONGEST_LINE} bytes that a sidecar reads",
}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,64}")  # the name of a header, in lower case (RFC 9110)
_MAPPED = GAP_START - IPV6_START >> 32  # the first 96 bits of IPv4-mapped addresses, which are IPv4 addresses
_ALWAYS = {
    "port": "(assert (not (= port #x0000)))",
    "ipv6": f"(assert (not (= ((_ extract 127 32) ipv6) #x{_MAPPED:024x}))) ; those are IPv4 addresses",
}
_VISIBLE = utf8(syntax.CLASSES["graph"])
_OF_A_VALUE = utf8(syntax.CLASSES["print"] | syntax.CLASSES["blank"])


def _of_texts(what: str, character: str, names: list[str]) -> Iterator[str]:
    """That each of these is a text of such characters; a path has one at least."""
    if names:
        yield f"(define-fun {symbol(what)} () RegLan {character})"
    for name in names:
        yield f"(assert (str.in_re {name} ({'re.+' if name == PATH else 're.*'} {symbol(what)})))"


def sends(kind: Sends) -> str:
    """That this is sent first."""
    return f"(= sends sends-{kind.value})"


def in_prefix(prefix: Prefix) -> str:
    """That the destination is in a range."""
    is_ipv6 = prefix.first >= IPV6_START
    variable, bits, family = ("ipv6", 128, IPV6) if is_ipv6 else ("ipv4", 32, IPV4)
    if not prefix.length:
        return family
    value = (prefix.first - (IPV6_START if is_ipv6 else 0)) >> (bits - prefix.length)
    shown = f"#x{value:0{prefix.length // 4}x}" if prefix.length % 4 == 0 else f"#b{value:0{prefix.length}b}"
    part = f"((_ extract {bits - 1} {bits - prefix.length}) {variable})"
    return all_of(family, f"(= {variable if prefix.length == bits else part} {shown})")


@define
class Vocabulary:
    """The constants of a script, what is always so of them, and what was left out.

    Attributes:
        definitions: of the script.
        headers: the constants that stand for headers, by name.
        authorities: the texts that the Host is compared with.
        patterns: what a pattern in a text means, by the constant of the text and the pattern.
        free: the constants that stand for patterns of which no expression was made, with the texts searched
            and why.
        only: the port that is spoken of; None for all of them.
    """

    definitions: Definitions = field(factory=Definitions)
    headers: dict[str, str] = field(factory=dict)
    authorities: dict[str, None] = field(factory=dict)
    patterns: dict[tuple[str, str], str] = field(factory=dict)
    free: dict[str, tuple[str, Pattern, str]] = field(factory=dict)
    only: int | None = None

    # --- tests -------------------------------------------------------------------------------------------

    def to(self, prefixes: Iterable[Prefix]) -> str:
        """That the destination is in one of these ranges."""
        return any_of(*(self.definitions.name(f"to {prefix}", in_prefix(prefix)) for prefix in prefixes))

    def port(self, number: int) -> str:
        """That this is the port."""
        return self.definitions.name(f"port {number}", f"(= port #x{number:04x})")

    def speaks_of(self, port: int) -> bool:
        """Whether rules of this port are written down."""
        return self.only in {None, port}

    def authority(self, text: str) -> str:
        """That the Host is this, whatever its letter case."""
        self.authorities[text] = None
        return is_text(AUTHORITY, text)

    def host(self, text: str) -> str:
        """That the Host is this to the letter."""
        if text.isascii() and text == text.lower():
            return all_of(self.authority(text), LOWER)
        return is_text(HOST, text)

    def header(self, name: str) -> str:
        """The value of a header; empty where a request has none, or cannot have any.

        `Connection` is none of the request's: the sidecar takes it off before it looks at any.
        """
        if name == HOST:
            return HOST
        if name == "connection" or not _TOKEN.fullmatch(name):
            return literal(b"")
        return self.headers.setdefault(name, symbol(f"header {name}"))

    def found(self, pattern: Pattern, variable: str) -> str:
        """That a pattern is found in a text; a constant of its own where no expression was made of it."""
        key = variable, pattern.text
        if key not in self.patterns:
            self.patterns[key] = self._found(pattern, variable)
        return self.patterns[key]

    def _found(self, pattern: Pattern, variable: str) -> str:
        if variable == literal(b""):
            return TRUE if pattern.search("") else FALSE
        try:
            expression = found_in(pattern)
        except Irregular as why:
            free = symbol(f"found {pattern.text} in {variable}")
            while free in self.free:
                free = symbol(f"{free[1:-1]}'")
            self.free[free] = variable, pattern, str(why)
            return free
        if expression == EVERYTHING:
            return TRUE
        named = self.definitions.name(f"pattern {pattern.text}", expression, "RegLan")
        return self.definitions.name(
            f"{variable.strip('|')} has {pattern.text}", f"(str.in_re {variable} {named})"
        )

    def needed_by(self, *terms: str) -> set[str]:
        """The names that these terms stand on; with the Host as it is sent, the one that is compared."""
        found = self.definitions.needed_by(*terms)
        return found | {AUTHORITY} if HOST in found else found

    # --- declarations ------------------------------------------------------------------------------------

    def declarations(self, needed: set[str]) -> Iterator[str]:
        """The constants that are needed, and what is always so of them."""
        values = [name for name in self.headers.values() if name in needed]
        for name, text in _DECLARED.items():
            if name in needed:
                yield f"{text} ; {_SAID[name]}" if name in _SAID else text
        yield from (f"(declare-const {name} String)" for name in values)
        yield from (f"(declare-const {name} Bool)" for name in self.free if name in needed)
        yield from (text for name, text in _ALWAYS.items() if name in needed)
        yield from _of_texts("visible", _VISIBLE, [name for name in (PATH, HOST) if name in needed])
        yield from _of_texts("of a value", _OF_A_VALUE, values)
        if LOWER in needed:
            for text in self.authorities:
                if text == text.upper():  # it has no other spelling
                    yield f"(assert (=> {is_text(AUTHORITY, text)} {LOWER}))"
        if {HOST, LOWER} <= needed:
            yield f"(assert (= {LOWER} (= {HOST} {AUTHORITY})))"
        if HOST in needed:
            for text in self.authorities:
                yield f"(assert (= {is_text(AUTHORITY, text)} (str.in_re {HOST} {anyway_cased(text)})))"

    # --- a connection that is known ----------------------------------------------------------------------

    def fixed(self, connection: Connection, needed: set[str]) -> Iterator[str]:
        """What the constants are for a connection, as far as they are needed."""
        values = self._values(connection)
        yield from (f"(= {name} {value})" for name, value in values.items() if name in needed)
        for name, (variable, pattern, _) in self.free.items():
            if name in needed:
                request = connection.sends
                is_found = isinstance(request, HTTPRequest) and pattern.search(self._text(request, variable))
                yield name if is_found else no(name)

    def _values(self, connection: Connection) -> dict[str, str]:
        key, payload = connection.key, connection.sends
        is_ipv6 = key >= IPV6_START
        values = {
            "sends": f"sends-{connection.kind.value}",
            IPV6: TRUE if is_ipv6 else FALSE,
            "ipv6" if is_ipv6 else "ipv4": f"#x{key - IPV6_START:032x}" if is_ipv6 else f"#x{key:08x}",
            "port": f"#x{connection.port:04x}",
            LOWER: TRUE if isinstance(payload, HTTPRequest) and payload.host == payload.authority else FALSE,
            TOO_LONG: TRUE if isinstance(payload, HTTPRequest) and has_long_line(payload) else FALSE,
        }
        if isinstance(payload, TLSClientHello):
            values[SERVER_NAME] = _spelled(payload.name)
        if isinstance(payload, HTTPRequest):
            values |= {METHOD: _spelled(payload.method), AUTHORITY: _spelled(payload.authority)}
            texts = (PATH, HOST, *self.headers.values())
            values |= {variable: _spelled(self._text(payload, variable)) for variable in texts}
        return values

    def _text(self, request: HTTPRequest, variable: str) -> str:
        if variable == PATH:
            return request.path
        names = {constant: name for name, constant in self.headers.items()}
        return request.host if variable == HOST else request.headers.get(names[variable], "")


def _spelled(text: str) -> str:
    return literal(text.encode("utf-8", "surrogatepass"))
