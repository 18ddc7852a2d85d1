"""What is shared by places that lie within others is one part, with all addresses where it is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_egress.division.classes import Place
from fsm_egress.division.layers import layers_of
from fsm_egress.values.layered import Layered

if TYPE_CHECKING:
    from collections.abc import Collection

    from fsm_egress.division.layers import Layer

SPANS = [((index, index),) for index in range(5)]


def inside(around: Place, *own: str) -> Place:
    hosts = Layered(dict.fromkeys(own, ()), around.hosts)
    return Place(hosts=hosts, around=around, own_hosts=own, routing=around.routing)


def layers(*places: Place) -> list[Layer]:
    def listing(place: Place) -> tuple[Place | None, Collection[str]]:
        return place.around, place.own_hosts if place.around else place.hosts

    placed = [(spans, (place,)) for spans, place in zip(SPANS, places, strict=False)]
    return list(layers_of(placed, listing, lambda place: place.routing))


def parts(layer: Layer, word: str) -> list[tuple[tuple[int, int], ...]]:
    return [spans for spans, _ in layer.alike(word, (), lambda _: ())]


def test_a_word_that_no_layer_within_lists_is_one_part_in_all_of_them() -> None:
    base = Place(hosts={"a.com": ()})
    around, *within = layers(base, inside(base, "b.com"), inside(base, "c.com"))
    assert parts(around, "a.com") == [((0, 0), (1, 1), (2, 2))]
    assert parts(around, "a.com")[0] is parts(around, "a.com")[0]
    assert [list(it.own) for it in within] == [["b.com"], ["c.com"]]
    assert parts(within[0], "b.com") == [((1, 1),)]
    assert within[0].words == {"a.com", "b.com"}


def test_a_word_is_apart_where_a_layer_within_lists_it_in_any_letters() -> None:
    base = Place(hosts={"a.com": ()})
    middle = inside(base, "A.com")
    around, inner, innermost = layers(base, middle, inside(middle, "b.com"))
    assert parts(around, "a.com") == [((0, 0),)]
    assert inner.own == {"a.com": ("A.com", "a.com")}
    assert parts(inner, "a.com") == [((1, 1), (2, 2))]
    assert innermost.written("a.com") == ("A.com", "a.com")
    assert innermost.written("x.com") == ()


def test_a_word_is_apart_from_where_it_is_listed_through_layers_that_do_not() -> None:
    base = Place(hosts={"a.com": ()})
    middle = inside(base, "b.com")
    around, between, innermost = layers(base, middle, inside(middle, "a.com"))
    assert parts(around, "a.com") == [((0, 0), (1, 1))]
    assert parts(between, "b.com") == [((1, 1), (2, 2))]
    assert parts(innermost, "a.com") == [((2, 2),)]


def test_a_layer_may_be_nowhere_itself() -> None:
    base = Place(hosts={"a.com": ()})
    around, *_ = layers(inside(base, "b.com"), inside(base, "c.com"))
    assert around.here == []
    assert parts(around, "a.com") == [((0, 0), (1, 1))]


def test_the_addresses_of_a_part_are_in_order_whichever_layer_they_are_of() -> None:
    base = Place(hosts={"a.com": ()})
    around, *_ = layers(inside(base, "b.com"), base)
    assert parts(around, "a.com") == [((0, 0), (1, 1))]


def test_what_is_told_apart_is_in_parts() -> None:
    base = Place(hosts={"a.com": ()})
    places = base, inside(base, "b.com"), inside(base, "c.com")
    around, *_ = layers(*places)
    found = around.alike("a.com", "first", lambda its: its[0] is base)
    assert [(spans, place) for spans, (place,) in found] == [
        (((0, 0),), base),
        (((1, 1), (2, 2)), places[1]),
    ]


def test_a_word_that_every_layer_within_lists_itself_is_nowhere_as_it_is_around() -> None:
    base = Place(hosts={"a.com": ()})
    around, *_ = layers(inside(inside(base, "a.com"), "b.com"), inside(base, "a.com"))
    assert parts(around, "a.com") == []
    around, *_ = layers(base, inside(base, "a.com"))
    found = around.alike("a.com", "first", lambda its: its[0] is base)
    assert [spans for spans, _ in found] == [((0, 0),)]
