"""The fewest boxes that hold some cells and no others: who may reach what on which port, in so many policies.

A cell has three coordinates, a box the cells of some values of each. To cover cells with the fewest boxes is
hard in general, and easy where few values are unlike: then all boxes are looked at. Else the cells are put
together along one axis after the other, in every order of these, and the best is taken.
"""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from itertools import chain, combinations, count, permutations, product
from operator import and_
from typing import TYPE_CHECKING, Any, TypeAlias

from ..values.construction import frozen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

__all__ = ["Box", "Cell", "fewest_boxes"]

Cell: TypeAlias = "tuple[Any, Any, Any]"
Place: TypeAlias = "tuple[int, int, int]"
Box: TypeAlias = "tuple[frozenset[Any], frozenset[Any], frozenset[Any]]"

AXES = (0, 1, 2)
SUBSETS = 12  # unlike values on two axes together, of which all subsets are looked at
CELLS = 100  # unlike ones, up to which all boxes are
STEPS = 2_000  # of the search: some coverings take too long to rule out
SURE = 2  # boxes, as cells that one box holds are put together along any axes


def fewest_boxes(cells: Collection[Cell]) -> list[Box]:
    """Boxes that hold all of these cells and no others, the same for the same cells in any order.

    As few as there can be, where that is found out in time. No value could be left out of any.
    """
    return [box for part in _parts(sorted(cells)) for box in _fewest(part)]


def _parts(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells that may be in one box: a way leads between them that changes one coordinate at a time."""
    lines: dict[tuple[int, tuple[Any, Any]], list[int]] = defaultdict(list)
    for at, cell in enumerate(cells):
        for axis in AXES:
            lines[axis, _rest(cell, axis)].append(at)
    above = list(range(len(cells)))

    def root(at: int) -> int:
        while above[at] != at:
            above[at] = above[above[at]]
            at = above[at]
        return at

    for line in lines.values():
        for at in line[1:]:
            above[root(at)] = root(line[0])
    parts: dict[int, list[Cell]] = defaultdict(list)
    for at, cell in enumerate(cells):
        parts[root(at)].append(cell)
    return list(parts.values())


def _rest(cell: Sequence[Any], axis: int) -> tuple[Any, Any]:
    """The other two coordinates."""
    one, other = (it for at, it in enumerate(cell) if at != axis)
    return one, other


def _fewest(cells: Collection[Cell]) -> Sequence[Box]:
    found = min((_together(cells, order) for order in permutations(AXES)), key=len)
    return _Unlike.of(cells).covered(len(found)) or found


def _together(cells: Iterable[Cell], order: Iterable[int]) -> list[Box]:
    """Boxes that grow along each axis in this order, until none does any more."""
    boxes: set[Box] = {(frozenset({a}), frozenset({b}), frozenset({c})) for a, b, c in cells}
    axes = tuple(order)
    while True:
        before = len(boxes)
        for axis in axes:
            lines: dict[Any, frozenset[Any]] = {}
            for box in boxes:
                rest = _rest(box, axis)
                lines[rest] = lines.get(rest, frozenset()) | box[axis]
            boxes = {_box(axis, values, rest) for rest, values in lines.items()}
        if len(boxes) == before:
            return list(boxes)


def _box(axis: int, values: frozenset[Any], rest: tuple[Any, Any]) -> Box:
    sides = list(rest)
    sides.insert(axis, values)
    one, two, three = sides
    return one, two, three


@frozen(eq=False)
class _Unlike:
    """Cells of which values that are alike, in that they go with the same others, are one.

    Attributes:
        values: on each axis, the values that are alike, in order.
        cells: by their places on the axes.
    """

    values: tuple[tuple[frozenset[Any], ...], ...]
    cells: frozenset[Place]

    @classmethod
    def of(cls, cells: Collection[Cell]) -> _Unlike:
        """These cells."""
        values: list[tuple[frozenset[Any], ...]] = []
        places: list[Mapping[Any, int]] = []
        for axis in AXES:
            others: dict[Any, set[tuple[Any, Any]]] = defaultdict(set)
            for cell in cells:
                others[cell[axis]].add(_rest(cell, axis))
            alike: dict[frozenset[tuple[Any, Any]], list[Any]] = defaultdict(list)
            for value in sorted(others):
                alike[frozenset(others[value])].append(value)
            values.append(tuple(map(frozenset, alike.values())))
            places.append({value: at for at, group in enumerate(alike.values()) for value in group})
        one, two, three = places
        found = frozenset((one[cell[0]], two[cell[1]], three[cell[2]]) for cell in cells)
        return cls(tuple(values), found)

    def covered(self, known: int) -> list[Box]:
        """The fewest boxes, if they are fewer than are known and there are not too many to look at."""
        sizes = sorted(map(len, self.values))
        if known <= SURE or sizes[0] + sizes[1] > SUBSETS or len(self.cells) > CELLS:
            return []
        holding: dict[Place, list[frozenset[Place]]] = {cell: [] for cell in sorted(self.cells)}
        for box in sorted(self._boxes(), key=lambda box: (-len(box), sorted(box))):
            for cell in box:
                holding[cell].append(box)
        steps = count()
        for most in range(SURE, known):
            chosen = _covering(self.cells, holding, most, steps)
            if chosen is not None:
                return [self._as_box(box) for box in _needed(chosen)]
        return []

    def _boxes(self) -> Iterator[frozenset[Place]]:
        """Every box that no other holds, as its cells."""
        axes = sorted(AXES, key=lambda axis: len(self.values[axis]))
        back = sorted(AXES, key=axes.__getitem__)
        lines: dict[tuple[int, int], int] = defaultdict(int)
        for cell in self.cells:
            lines[cell[axes[0]], cell[axes[1]]] |= 1 << cell[axes[2]]
        every_one, every_two = (range(len(self.values[axis])) for axis in axes[:2])
        for ones, twos in product(_subsets(every_one), _subsets(every_two)):
            common = _common(lines, ones, twos)
            longer = ((ones | {one}, twos) for one in every_one if one not in ones)
            wider = ((ones, twos | {two}) for two in every_two if two not in twos)
            if common and not any(_common(lines, *more) == common for more in chain(longer, wider)):
                threes = [at for at in range(common.bit_length()) if common >> at & 1]
                sides = product(ones, twos, threes)
                yield frozenset((cell[back[0]], cell[back[1]], cell[back[2]]) for cell in sides)

    def _as_box(self, cells: Iterable[Place]) -> Box:
        one, two, three = (
            frozenset().union(*(self.values[axis][cell[axis]] for cell in cells)) for axis in AXES
        )
        return one, two, three


def _subsets(values: Sequence[int]) -> list[frozenset[int]]:
    sizes = range(1, len(values) + 1)
    return [frozenset(some) for size in sizes for some in combinations(values, size)]


def _common(lines: Mapping[tuple[int, int], int], ones: Iterable[int], twos: Iterable[int]) -> int:
    """What all lines of some values on two axes have on the third, as bits."""
    return reduce(and_, (lines.get(line, 0) for line in product(ones, twos)))


def _covering(
    cells: frozenset[Place],
    holding: Mapping[Place, Sequence[frozenset[Place]]],
    most: int,
    steps: Iterator[int],
) -> list[frozenset[Place]] | None:
    """At most so many boxes that hold all of the cells; None where there are none, or it takes too long."""
    if not cells:
        return []
    if not most or next(steps) >= STEPS:
        return None
    rarest = min(cells, key=lambda cell: (len(holding[cell]), cell))
    for box in holding[rarest]:
        rest = _covering(cells - box, holding, most - 1, steps)
        if rest is not None:
            return [box, *rest]
    return None


def _needed(boxes: Sequence[frozenset[Place]]) -> list[frozenset[Place]]:
    """The same boxes without the values all of whose cells others hold."""
    left = list(boxes)
    for at, box in enumerate(left):
        others = frozenset().union(*(it for place, it in enumerate(left) if place != at))
        for axis in AXES:
            for value in sorted({cell[axis] for cell in box}):
                slice_ = frozenset(cell for cell in left[at] if cell[axis] == value)
                if slice_ <= others:
                    left[at] -= slice_
    return left
