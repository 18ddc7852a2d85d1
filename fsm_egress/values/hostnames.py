"""Host names as clients send them: in ASCII, by what clients agree on and what they do not.

Browsers' rules (UTS 46), IDNA 2008 and IDNA 2003 make different names of some letters. curl, wget, Node and
the HTTP libraries of Python follow the first two; where those differ, or Go goes its own way, it is said.
"""

from __future__ import annotations

import re
from socket import inet_aton, inet_ntoa
from unicodedata import bidirectional, category, normalize

from .construction import frozen
from .errors import InvalidValue
from .net import parse_address

__all__ = ["NAME_LENGTH", "Spelling", "spelling"]

NAME_LENGTH = 253  # RFC 1123
_LONGEST = 1024  # a longer text is no host, whatever escapes it has
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_SENT_ALL_THE_SAME = re.compile(r"[!$&'()+,;=~.a-z0-9_-]+")  # though no name of DNS
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_KEPT = frozenset("\N{LATIN SMALL LETTER SHARP S}\N{GREEK SMALL LETTER FINAL SIGMA}")
# Letters that IDNA 2008 has no name for, or only in some company (RFC 5892).
_SPECIAL = re.compile(
    "[\u034f\u0640\u0660-\u0669\u06f0-\u06f9\u07fa\u1100-\u11ff\u17b4\u17b5\u180b-\u180f\u20d0-\u20ff\u302e\u302f"
    "\u3031-\u3035\u303b\ua960-\ua97f\ud7b0-\ud7ff\ufe00-\ufe0f"
    "\U00010d30-\U00010d39\U0001d165-\U0001d244\U000e0100-\U000e01ef]"
)
_UNREADABLE = re.compile("[\ud800-\udfff\ufffd]")  # halves of characters, and what stands for lost ones
_PLAIN = frozenset(["Ll", "Lo", "Lm", "Mn", "Mc", "Nd"])
_MARK = "M"

_CAPITALS = "curl, Go and urllib keep capitals, and FSM then answers 403; other clients send small letters"
_MAPPED = "Go sends it as it stands, other clients in the letters of the proposal or not at all"
_ODD = "requests and httpx refuse it, others send the proposal"
_ESCAPED = "Go refuses escapes in a host, others undo them or send them"
_ADDRESS = "curl and Node send the address as the proposal has it, others as it stands or not at all"


@frozen
class Spelling:
    """How a host is sent.

    Attributes:
        text: in ASCII, as clients should be told it.
        reasons: in what clients differ about the text that was given; none where they agree.
    """

    text: str
    reasons: tuple[str, ...] = ()


def spelling(host: str) -> Spelling | None:
    """How a host name or an address (of IPv6 without its brackets) is sent; None where nothing can be."""
    if len(host) > _LONGEST:
        return None
    if ":" in host:
        return _ipv6(host)
    given, reasons = host, []
    if "%" in host:
        from urllib.parse import unquote  # noqa: PLC0415  # because hardly anybody escapes a host

        given = unquote(host)
        reasons.append(_ESCAPED)
    if _UNREADABLE.search(given):
        return None
    name, odd = (given.lower(), ()) if given.isascii() else _in_ascii(given)
    if given.isascii() and name != given:
        reasons.append(_CAPITALS)
    reasons.extend(odd)
    if len(name) > NAME_LENGTH or not _NAME.fullmatch(name):
        return Spelling(host) if _SENT_ALL_THE_SAME.fullmatch(host) else None
    if _NUMBER.fullmatch(name):
        try:
            address = inet_ntoa(inet_aton(name))
        except OSError:
            return None
        if address != name:
            name = address
            reasons.append(_ADDRESS)
    return Spelling(name, tuple(reasons))


def _ipv6(text: str) -> Spelling | None:
    try:
        address = str(parse_address(text))
    except InvalidValue:
        return None
    if text == address:
        return Spelling(text)
    return Spelling(address, (_CAPITALS if text.lower() == address else _ADDRESS,))


def _in_ascii(host: str) -> tuple[str, tuple[str, ...]]:
    """A name with other letters in ASCII, and in what clients differ about it."""
    dotted = _DOTS.sub(".", host)
    mapped = normalize("NFKC", _small(normalize("NFKC", dotted)))
    labels = mapped.split(".")
    reasons = (_MAPPED,) if mapped != host else ()
    if any(not (label.isascii() or _is_plain(label)) for label in labels):
        reasons = (*reasons, _ODD)
    return ".".join(map(_label, labels)), reasons


def _small(text: str) -> str:
    return "".join(letter if letter in _KEPT else letter.casefold() for letter in text)


def _label(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode()}"


def _is_plain(label: str) -> bool:
    """Whether all clients agree on a label: letters, marks and digits that run one way."""
    if category(label[0])[0] == _MARK or "-" in {label[0], label[-1]} or label[2:4] == "--":
        return False
    directions = {bidirectional(letter) for letter in label}
    runs = "R" in directions or "AL" in directions
    return (
        not _SPECIAL.search(label)
        and all(letter == "-" or category(letter) in _PLAIN for letter in label)
        and not (runs and directions & {"L", "EN", "AN"})
    )
