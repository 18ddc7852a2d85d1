"""What is remembered of objects belongs to them, and to no other that comes to have their number."""

from __future__ import annotations

import gc
import pickle

from fsm_egress.values.identity import Compared, Memory, Same, each_once


def test_an_object_is_asked_about_once_and_equal_ones_are_not_the_same() -> None:
    one, other = [1], [1]
    asked: list[list[int]] = []
    memory: Memory[int] = Memory()
    for it in (one, other, one):
        memory.once(it, lambda it: asked.append(it) or len(asked))  # type: ignore[func-returns-value]
    assert [id(it) for it in asked] == [id(one), id(other)]
    assert memory.once(one, lambda _: 0) == 1


def test_the_objects_last_as_long_as_what_is_known_of_them() -> None:
    memory: Memory[int] = Memory()
    assert [memory.once([number], lambda it: it[0]) for number in range(100)] == list(range(100))


def test_who_comes_late_goes_on_with_what_another_has_found() -> None:
    memory: Memory[object] = Memory()
    it, first, late = object(), object(), object()

    def slow(_: object) -> object:
        assert memory.once(it, lambda _: first) is first  # somebody is quicker
        return late

    assert memory.once(it, slow) is first
    assert memory.once(it, slow) is first


def test_what_follows_a_memory_keeps_what_is_known_of_the_same_objects_alone() -> None:
    one, other, third = [1], [1], [3]
    memory: Memory[list[int]] = Memory()
    first = memory.after([one, other], lambda it: [*it, 0])
    second = first.after([third, other], lambda it: [*it, 9])
    assert (first.values(), second.values()) == ([[1, 0], [1, 0]], [[3, 9], [1, 0]])
    assert second.values()[1] is first.values()[1]
    assert second.after([one], lambda it: [*it, 7]).values() == [[1, 7]]
    assert memory.values() == []


def test_numbers_of_objects_are_in_no_pickle() -> None:
    memory: Memory[str] = Memory()
    memory.once("a", str.upper)
    copy: Memory[str] = pickle.loads(pickle.dumps(memory))  # noqa: S301  # because it has just been made here
    assert copy.once("a", lambda _: "anew") == "anew"


def test_each_object_comes_once_in_order() -> None:
    one, other = (1, 2), (3,)
    assert [id(it) for it in each_once([one, other, one])] == [id(one), id(other)]
    assert each_once([]) == ()


def test_a_key_is_one_object_and_holds_it() -> None:
    one, other = [1], [1]
    known = {Same(one): "one", Same(other): "other"}
    assert (known[Same(one)], known[Same(other)]) == ("one", "other")
    assert Same(one) != one
    assert Same([1]).it == [1]


class Thing:
    """Something that can be referred to weakly."""


def test_two_objects_are_compared_once_in_a_row() -> None:
    one, other = Thing(), Thing()
    compared, asked = Compared(), list[Thing]()
    for it in (one, one, other, other, one):
        assert compared.with_(it, lambda it=it: asked.append(it) or it is one) is (it is one)  # type: ignore[misc,func-returns-value]
    assert asked == [one, other, one]


def test_what_was_compared_is_not_kept() -> None:
    compared, one = Compared(), Thing()
    compared.with_(one, lambda: True)
    del one
    gc.collect()
    assert not compared.with_(Thing(), lambda: False)
    copy = pickle.loads(pickle.dumps(compared))  # noqa: S301  # because it has just been made here
    assert copy.with_(Thing(), lambda: True)
