"""Good values -> parts: for each class one function that looks up, checks and sets one field after the other.

These functions are written as text and compiled when they are first needed, as attrs does it with `__init__`:
a loop over the fields of a class would take several times as long as the steps that it loops over. A reader
makes a part of a good value. Of any other it makes nothing, but raises whatever comes first, one of
`UNREADABLE`; what is wrong, the careful way of reading finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import indent
from typing import Any, TypeAlias

from attrs import NOTHING, Attribute, Factory, define, field

from ..documents import MAX_DEPTH, is_scalar, size_of
from ..resources import checks
from ..resources.egress import EgressPort, EgressSource, RetrySource
from ..resources.resource import Part, Resource
from ..resources.smi import IdentityReference
from ..resources.words import EGRESS_PROTOCOLS_BY_NAME
from ..values import net
from ..values.construction import opened
from ..values.errors import InvalidValue, Problem
from ..values.frozen import EMPTY, FrozenMap, is_unicode
from ..values.net import IPV6_START, Prefix, parse_prefix, read_key
from ..values.references import Source
from .wire_names import FIELDS, without_effect

__all__ = ["ROOM", "UNREADABLE", "Carries", "Reader", "Reading", "default_of", "reader"]

UNREADABLE = (InvalidValue, *net.UNREADABLE)
ROOM = 16  # levels of a `List` down to its deepest part, at most

# Of these a mesh has few different ones and many equal ones. They need words and whole numbers, nothing else.
SHARED: set[type] = {EgressPort, EgressSource, IdentityReference, RetrySource}
FEW = 16  # parts or hosts that are put together one by one


@define
class Reading:
    """What is counted while documents are read, and what need not be checked or made twice.

    Attributes:
        source: where the resource that is read next comes from.
        strings: how many strings were read, keys of mappings among them.
        levels: how many levels the deepest value had that no class has a field for.
        is_odd: whether something is read otherwise than it is written.
        words: good values of fields that hold few different ones.
        hosts: good hosts, each in a tuple of its own.
        parts: `SHARED` parts by class and content, each in a tuple of its own.
    """

    source: Source | None = None
    strings: int = 0
    levels: int = 0
    is_odd: bool = False
    words: dict[str, str] = field(factory=dict)
    hosts: dict[str, tuple[str]] = field(factory=dict)
    parts: dict[tuple[Any, ...], tuple[Part]] = field(factory=dict)


Reader: TypeAlias = Callable[[Any, Reading], Any]
Carries: TypeAlias = Callable[[type[Part], str], bool]

# How many strings a good value is, by its check; what is not in the table is counted.
_STRINGS: dict[Any, str] = {
    **dict.fromkeys(
        [
            checks.address,
            checks.cluster_ip,
            checks.egress_protocol,
            checks.optional_duration,
            checks.optional_fraction,
            checks.optional_ipv4,
            checks.optional_name,
            checks.optional_pattern,
            checks.optional_string,
            checks.resource_name,
            checks.service_access_mode,
            checks.load_balancing,
            checks.string,
        ],
        "1",
    ),
    **dict.fromkeys(
        [
            checks.boolean,
            checks.optional_boolean,
            checks.optional_ratio,
            checks.optional_unsigned,
            checks.optional_whole_number,
            checks.number,
            checks.optional_port,
            checks.port_number,
            checks.excluded_ports,
            checks.unsigned,
        ],
        "0",
    ),
    **dict.fromkeys(
        [checks.hosts, checks.http_methods, checks.listed_ranges, checks.prefixes, checks.strings],
        "len(result)",
    ),
    **dict.fromkeys([checks.secret_data, checks.string_map], "2 * len(result)"),
}
_COUNTED = "size_of(item)[0]"

# What a value is made into, by its check, which is called only where a glance does not do.
_RESULTS: dict[Any, str] = {
    checks.boolean: "item if item is True or item is False else check(item)",
    checks.egress_protocol: "protocols.get(item) or check(item)",
    checks.hosts: "hosts(item, reading)",
    checks.optional_name: "words.get(item) or remembered(item, check, words)",
    checks.port_number: "item if type(item) is int and 0 < item < 65536 else check(item)",
    checks.prefixes: "prefixes(item, reading)",
    checks.resource_name: (
        f"item if type(item) is str and len(item) <= {checks.NAME_LENGTH} and is_subdomain(item)"
        " else check(item)"
    ),
    checks.string: "words.get(item) or remembered(item, check, words)",
}
_CHECKED = "check(item)"


def reader(kind: type[Part], reader_of: Callable[[type[Part]], Reader], carries: Carries) -> Reader:
    """The reader of a class.

    Args:
        kind: the class.
        reader_of: gives the readers of other classes.
        carries: whether a part of a class may have a field that the class has not.
    """
    names: dict[str, Any] = {
        "EMPTY": EMPTY,
        "FEW": FEW,
        "NONE": frozenset(),
        "all_of": _all_of,
        "extra_of": _extra_of,
        "hosts": _hosts,
        "is_subdomain": checks.is_subdomain,
        "carries": carries,
        "mapped": _mapped,
        "prefixes": _prefixes,
        "protocols": EGRESS_PROTOCOLS_BY_NAME,
        "remembered": _remembered,
        "size_of": size_of,
    }
    text = f"""
def read(value, reading):
    strings = 0
    words, shared = reading.words, reading.parts
{indent(_Writer(names, reader_of).part(kind, ""), "    ")}
    reading.strings += strings
    return made
"""
    exec(compile(text, f"<reader of {kind.__name__}>", "exec"), names)  # noqa: S102  # because nothing that is read goes into the text
    read: Reader = names["read"]
    return read


@define
class _Writer:
    """Writes the text of a reader, and puts what that refers to into `names`.

    The text of a part can stand inside that of another, so its variables have a suffix: `made_spec` is made
    of `value_spec`. What makes the value of a field makes a `result` of an `item`.
    """

    names: dict[str, Any]
    reader_of: Callable[[type[Part]], Reader]

    def part(self, kind: type[Part], at: str) -> str:
        """How a part is made of a value."""
        needed, others = _divided(kind)
        own = int(issubclass(kind, Resource))  # as the kind of a resource is none of its fields
        words = own + sum(_strings(attribute) == "1" for attribute in needed.values())
        self.names |= {f"kind{at}": kind, f"open{at}": opened(kind)}
        return f"""\
if type(value{at}) is not dict:
    mapped(value{at})
made{at} = open{at}()
rest{at} = len(value{at})
strings += rest{at} + {words}
rest{at} -= {len(needed) + own}
{"".join(self.needed(kind, name, attribute, at) for name, attribute in needed.items())}
{"".join(self.default(attribute, at) for attribute in others.values())}
made{at}.extra = EMPTY
made{at}.explicit = NONE
{"made.source = reading.source" if own else ""}
if rest{at}:
{indent("".join(self.other(name, attribute, at) for name, attribute in others.items()), "    ")}
    if rest{at}:
        made{at}.extra = extra_of(kind{at}, value{at}, carries, reading)
made{at}.__class__ = kind{at}
{f"made{at}.__attrs_post_init__()" if hasattr(kind, "__attrs_post_init__") else ""}
"""

    def needed(self, kind: type[Part], name: str, attribute: Attribute[Any], at: str) -> str:
        """How a field without a default is set; one part in another is made in place."""
        inner = f"{at}_{attribute.name}"
        if issubclass(kind, Resource) and name == "apiVersion":
            self.names["versions"] = {version: version for version in kind.api_versions}
            return f"made.api_version = versions[value[{name!r}]]\n"
        if "part" in attribute.metadata:
            return f"""\
value{inner} = value{at}[{name!r}]
{self.part(attribute.metadata["part"], inner)}
made{at}.{attribute.name} = made{inner}
"""
        return f"""\
item = value{at}[{name!r}]
{self.result(attribute, inner)}
made{at}.{attribute.name} = result
"""

    def default(self, attribute: Attribute[Any], at: str) -> str:
        """How a field that has a default is set to it."""
        self.names[f"default{at}_{attribute.name}"] = default_of(attribute)
        return f"made{at}.{attribute.name} = default{at}_{attribute.name}\n"

    def other(self, name: str, attribute: Attribute[Any], at: str) -> str:
        """How it is set to what stands there; a default that is written out is explicit."""
        default = default_of(attribute)
        is_default = f"result == default{at}_{attribute.name}" if default else "not result"
        first = (
            next(iter(FIELDS[attribute.metadata["part"]].values()), None)
            if isinstance(default, Part)
            else None
        )
        if first is not None:  # which mostly tells them apart, and at once
            is_default = f"result.{first.name} == default{at}_{attribute.name}.{first.name} and {is_default}"
        return f"""\
if {name!r} in value{at}:
    rest{at} -= 1
    item = value{at}[{name!r}]
    if item is not None:
{indent(self.result(attribute, f"{at}_{attribute.name}"), "        ")}
        made{at}.{attribute.name} = result
        {"" if _strings(attribute) == "0" else f"strings += {_strings(attribute)}"}
        {"" if default is None else f"if {is_default}: made{at}.explicit |= {{{name!r}}}"}
"""

    def result(self, attribute: Attribute[Any], at: str) -> str:
        """How the value of a field is made."""
        metadata = attribute.metadata
        if "part" in metadata:
            self.refer_to_reader(metadata["part"], at)
            return f"result = read{at}(item, reading)"
        if "parts" in metadata:
            self.refer_to_reader(metadata["parts"], at)
            return self.shared(metadata["parts"], at) if metadata["parts"] in SHARED else _each(at)
        check = metadata.get("check", checks.string)
        self.names[f"check{at}"] = check
        return f"result = {_RESULTS.get(check, _CHECKED)}".replace("check", f"check{at}")

    def shared(self, kind: type[Part], at: str) -> str:
        """How the parts of a list are made, or found, where equal ones are made once.

        What is added to an empty tuple is that tuple itself, so a list of one makes nothing at all.
        """
        needed, _ = _divided(kind)
        numbers = [name for name, attribute in needed.items() if _strings(attribute) == "0"]
        key = ", ".join(f"each[{name!r}]" for name in needed)
        doubts = ["found is None", f"len(each) != {len(needed)}"]
        doubts += [f"type(each[{name!r}]) is not int" for name in numbers]  # as 1 == True == 1.0
        self.names[f"class{at}"] = kind
        return f"""\
if type(item) is list and len(item) <= FEW:
    result = ()
    for each in item:
        key = class{at}, {key}
        found = shared.get(key)
        if {" or ".join(doubts)}:
            found = (read{at}(each, reading),)
            if len(each) == {len(needed)}:
                shared[key] = found
        else:
            strings += {2 * len(needed) - len(numbers)}
        result += found
else:
    {_each(at)}"""

    def refer_to_reader(self, kind: type[Part], at: str) -> None:
        """Names a reader that is made when it is first called."""

        def read(value: Any, reading: Reading) -> Any:
            self.names[f"read{at}"] = real = self.reader_of(kind)
            return real(value, reading)

        self.names[f"read{at}"] = read


def _each(at: str) -> str:
    return f"result = all_of(item, read{at}, reading)"


def _divided(kind: type[Part]) -> tuple[dict[str, Attribute[Any]], dict[str, Attribute[Any]]]:
    """The fields without a default, and the others, by their wire names."""
    fields = FIELDS[kind].items()
    return (
        {name: attribute for name, attribute in fields if default_of(attribute) is NOTHING},
        {name: attribute for name, attribute in fields if default_of(attribute) is not NOTHING},
    )


def default_of(attribute: Attribute[Any]) -> Any:
    """The default of a field; NOTHING where it has none or depends on the object."""
    default: Any = attribute.default
    if isinstance(default, Factory):  # type: ignore[arg-type]  # because attrs types Factory as a function
        return NOTHING if default.takes_self else default.factory()
    return default


def _strings(attribute: Attribute[Any]) -> str:
    """How many strings the value of a field is; what is in parts, they count."""
    if "part" in attribute.metadata or "parts" in attribute.metadata:
        return "0"
    return _STRINGS.get(attribute.metadata.get("check", checks.string), _COUNTED)


# --- what readers call -----------------------------------------------------------------------------------


def _mapped(value: Any) -> None:
    if not isinstance(value, Mapping):
        raise InvalidValue.of("a mapping", value)


def _extra_of(
    kind: type[Part], value: Mapping[Any, Any], carries: Carries, reading: Reading
) -> FrozenMap[Any]:
    """The fields of a value that its class has not."""
    known = {*FIELDS[kind], "kind"} if issubclass(kind, Resource) else FIELDS[kind]
    extra = {}
    for name, item in value.items():
        if name not in known:
            if not (_is_name(name) and carries(kind, name)):
                raise InvalidValue.of("the name of a field", name)
            reading.is_odd = reading.is_odd or name in without_effect(kind)
            extra[name] = _kept(item, 1, reading)
    return FrozenMap(extra)


def _kept(value: Any, level: int, reading: Reading) -> Any:
    """A JSON value that is carried along, so many levels below its part."""
    if type(value) is str and value.isascii():
        reading.strings += 1
        return value
    if not isinstance(value, dict) and is_scalar(value):
        reading.strings += isinstance(value, str)
        return value
    if level > reading.levels:
        if level > MAX_DEPTH:
            raise InvalidValue(Problem(f"at most {MAX_DEPTH} levels", "more"))
        reading.levels = level
    if isinstance(value, (list, tuple)):
        return tuple([_kept(item, level + 1, reading) for item in value])
    if not isinstance(value, (dict, Mapping)) or not all(map(_is_name, value)):
        raise InvalidValue.of("a JSON value", value)
    reading.strings += len(value)
    return FrozenMap({name: _kept(item, level + 1, reading) for name, item in value.items()})


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and is_unicode(name)


def _all_of(values: Any, read: Reader, reading: Reading) -> tuple[Any, ...]:
    if not isinstance(values, (list, tuple)):
        raise InvalidValue.of("a list", values)
    return tuple([read(value, reading) for value in values])


def _remembered(value: Any, check: Callable[[Any], str], words: dict[str, str]) -> str:
    words[value] = good = check(value)
    return good


def _hosts(values: Any, reading: Reading) -> tuple[str, ...]:
    if type(values) is not list or len(values) > FEW:
        hosts = checks.hosts(values)
        reading.is_odd = reading.is_odd or type(values) is not list or list(hosts) != values
        return hosts
    result: tuple[str, ...] = ()
    for value in values:
        known = reading.hosts.get(value)
        if known is None:
            known = (checks.host(value),)
            if known[0] == value:
                reading.hosts[value] = known
            else:
                reading.is_odd = True
        result += known
    return result


def _prefixes(values: Any, reading: Reading) -> tuple[Prefix, ...]:
    if type(values) is not list:
        reading.is_odd = True  # perhaps
        return checks.prefixes(values)
    prefixes: list[Prefix] = []
    for text in values:
        address, _, tail = text.partition("/")
        key = read_key(address)
        if ":" not in address:
            length, mask = _IPV4_MASKS[tail]
            first = key & mask
        elif key >= IPV6_START:
            length, mask = _IPV6_MASKS[tail]
            first = IPV6_START + (key - IPV6_START & mask)
        else:
            prefix = parse_prefix(text)
            first, length = prefix.first, prefix.length
        if first != key:
            reading.is_odd = True
        made: Any = _OpenPrefix()
        made.first = first
        made.length = length
        made.__class__ = Prefix
        prefixes.append(made)
    return tuple(prefixes)


# The length that a text is, and the bits of an address that belong to the network.
_IPV4_MASKS, _IPV6_MASKS = (
    {str(length): (length, (1 << bits) - (1 << bits - length)) for length in range(bits + 1)}
    for bits in (net.IPV4_BITS, net.IPV6_BITS)
)
_OpenPrefix = opened(Prefix)
