"""YAML texts without tags, aliases and mistakes, as most are: trees at once, and places when asked for."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field

from ..values.frozen import is_unicode
from ..values.references import Mark
from .base import Bounds, Document, too_many_documents
from .yaml_scalars import Doubtful, Scalars

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_lost", "read_yaml_quickly"]

_COLUMNS = 2**32  # more than a line can have


def read_yaml_quickly(yaml: Any, text: str, name: str, bounds: Bounds) -> tuple[Document, ...]:
    """The documents of a text, given PyYAML.

    Raises:
        Unreadable: there are too many.
        Doubtful, or what PyYAML raises: the text is to be read with care.
    """
    handlers: dict[Any, Callable[[_Tree, Any], None]] = {
        yaml.ScalarEvent: _Tree.scalar,
        yaml.MappingStartEvent: _Tree.mapping,
        yaml.SequenceStartEvent: _Tree.sequence,
        yaml.MappingEndEvent: _Tree.close,
        yaml.SequenceEndEvent: _Tree.close,
        yaml.AliasEvent: _Tree.alias,
    }
    resolve = Scalars().__getitem__
    documents: list[Document] = []
    tree = _Tree(bounds, resolve)
    for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        kind = type(event)
        if kind in handlers:
            handlers[kind](tree, event)
        elif kind is yaml.DocumentStartEvent:
            if documents and is_lost(event, text):
                raise Doubtful
            if len(documents) == bounds.documents:
                mark = event.start_mark
                raise too_many_documents(name, bounds, Mark(mark.line + 1, mark.column + 1))
            tree = _Tree(bounds, resolve)
        elif kind is yaml.DocumentEndEvent:
            documents.append(tree.document(name))
    return tuple(documents)


def is_lost(start: Any, text: str) -> bool:
    """Whether kubectl does not see that a later document starts here: it looks for lines that are `---`."""
    index: int = start.start_mark.index
    return not start.explicit or text[index - 1] != "\n"


@define
class _Tree:
    """The tree of a document that grows with the parser's events.

    Attributes:
        holder: the innermost list or mapping that is open, or a list for the root; `around` holds the others.
        key, key_place: of the mapping's next value, once its key is read.
        places: of all values, in order.
    """

    bounds: Bounds
    resolve: Callable[[str], Any]
    holder: Any = field(factory=list)
    around: list[Any] = field(factory=list)
    key: str | None = None
    key_place: int = 0
    places: array[int] = field(factory=partial(array, "Q"))

    def scalar(self, event: Any) -> None:
        value = event.value
        if event.tag is not None or event.anchor is not None:
            raise Doubtful
        if event.implicit[0]:
            value = self.resolve(value)
        elif not is_unicode(value):
            raise Doubtful
        if self.key is None and type(self.holder) is dict:
            is_merge_key = value == "<<" and event.implicit[0]
            if type(value) is not str or value in self.holder or is_merge_key:
                raise Doubtful
            self.key, self.key_place = value, _place(event)
        else:
            self.put(value, _place(event))

    def mapping(self, event: Any) -> None:
        self.open(event, {})

    def sequence(self, event: Any) -> None:
        self.open(event, [])

    def open(self, event: Any, value: Any) -> None:
        if event.tag is not None or event.anchor is not None or len(self.around) == self.bounds.depth:
            raise Doubtful
        around = self.holder
        self.put(value, _place(event) if self.key is None else self.key_place)
        self.around.append(around)
        self.holder = value

    def put(self, value: Any, place: int) -> None:
        """The next value of the holder, if it is not a key that comes next."""
        if len(self.places) == self.bounds.nodes:
            raise Doubtful
        if self.key is not None:
            self.holder[self.key] = value
            self.key = None
        elif type(self.holder) is list:
            self.holder.append(value)
        else:
            raise Doubtful
        self.places.append(place)

    def close(self, _: Any) -> None:
        self.holder = self.around.pop()

    def alias(self, _: Any) -> None:
        raise Doubtful

    def document(self, name: str) -> Document:
        (value,) = self.holder
        return Document(name, value, partial(_marks, value, self.places, self.bounds))


def _place(event: Any) -> int:
    mark = event.start_mark
    place: int = mark.line * _COLUMNS + mark.column
    return place


def _marks(tree: Any, places: array[int], bounds: Bounds) -> Mapping[str, Mark]:
    """The place of each value by its path; of values of equal paths, that of the first."""
    marks: dict[str, Mark] = {}
    room = bounds.places
    for path, place in zip(_paths(tree, "", bounds), places, strict=True):
        line, column = divmod(place, _COLUMNS)
        marks.setdefault(path, Mark(line + 1, column + 1))
        room -= len(path)
        if room < 0:
            break
    return marks


def _paths(value: Any, path: str, bounds: Bounds) -> Iterator[str]:
    """The path of each value of a tree, in order."""
    yield path
    is_short = len(path) <= bounds.path
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path and key else path or key
            yield from _paths(item, inner if is_short else path, bounds)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, f"{path}[{index}]" if is_short else path, bounds)
