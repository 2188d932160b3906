"""Schemas: what pydantic objects to, in the words of the house."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import pytest

from tipr_zoo.schemas.declared import Declared, built, keys_of
from tipr_zoo.schemas.marks import Check, FromList, Limits, Told, must_be
from tipr_zoo.schemas.problems import MISSING, UNKNOWN, WRONG, Problems, problems_of
from tipr_zoo.schemas.value_kinds import Number, Text, Texts, Truth


@dataclass(frozen=True, kw_only=True)
class Shelf(Declared):
    """A part of `Library`."""

    height: Annotated[int, Limits(smallest=1, largest=9), Told(must_be("from 1 to 9"))]
    label: Text | None = None


@dataclass(frozen=True, kw_only=True)
class Library(Declared):
    """Has a field of every kind."""

    KEYS: ClassVar[dict[str, str]] = {"opening_hours": "opening-hours"}

    name: Text
    opening_hours: Texts = ()
    is_open: Truth | None = None
    budget: Number = 0.0
    even: Annotated[int, Check(lambda number: number % 2 == 0, must_be("even"))] = 0
    first: Shelf
    shelves: Annotated[tuple[Shelf, ...], FromList()] = ()
    rooms: dict[Any, Annotated[int, Told("room {where} must be a number, got {value!r}")]] = field(default_factory=dict)


RIGHT: dict[str, Any] = {"name": "A", "first": {"height": 2}}


def told(**changes: Any) -> list[str]:
    """What is said of a library of which something was changed."""
    return [str(problem) for problem in problems_of(Library, {**RIGHT, **changes})]


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({}, []),
        ({"name": None}, ["field 'name' is missing"]),
        ({"name": " "}, ["'name' must be text, got ' '"]),
        ({"nme": 1}, ["unknown field 'nme'; did you mean 'name'?"]),
        ({"opening-hours": "9-5"}, ["field 'opening-hours' must be a list of texts, got '9-5'"]),
        ({"opening-hours": ["9-5", 1, 2]}, ["field 'opening-hours' must be a list of texts, got ['9-5', 1, 2]"]),
        ({"opening-hours": {"9-5"}}, ["field 'opening-hours' must be a list of texts, got {'9-5'}"]),
        ({"opening_hours": []}, ["unknown field 'opening_hours'; did you mean 'opening-hours'?"]),
        ({"is_open": 1}, ["'is_open' must be true, false or null, got 1"]),
        ({"budget": True}, ["'budget' must be a number, got True"]),
        ({"budget": float("inf")}, ["'budget' must be a number, got inf"]),
        ({"budget": 5}, []),
        ({"even": 3}, ["'even' must be even, got 3"]),
        ({"first": {"height": 10}}, ["first: 'height' must be from 1 to 9, got 10"]),
        ({"first": {"height": 2, "labl": "x"}}, ["first: unknown field 'labl'; did you mean 'label'?"]),
        ({"first": 5}, ["field 'first' must be a mapping, got 5", "first: 'height' must be from 1 to 9, got None"]),
        ({"shelves": [{"height": 1}, {"height": 0}]}, ["shelves[1]: 'height' must be from 1 to 9, got 0"]),
        (
            {"shelves": [1, {}, 2]},
            [
                "field 'shelves' must be a list of mappings, got [1, {}, 2]",
                "shelves[1]: 'height' must be from 1 to 9, got None",
            ],
        ),
        (
            {"rooms": {"hall": "big", 3: "small"}},
            [
                "rooms: room rooms.hall must be a number, got 'big'",
                "rooms: room rooms[3] must be a number, got 'small'",
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_the_house(changes: dict[str, Any], messages: list[str]) -> None:
    assert told(**changes) == messages


def test_keys_that_are_no_text_are_unknown() -> None:
    problems = problems_of(Library, {**RIGHT, None: 1, True: 2, 2.5: 3})
    assert [problem.key for problem in problems] == ["None", "True", "2.5"]


def test_unknown_keys_come_first_and_every_problem_has_its_kind() -> None:
    problems = problems_of(Library, {"first": {"height": "x"}, "hours": 1}, "key")
    assert [(problem.kind, problem.where) for problem in problems] == [
        (UNKNOWN, "hours"),
        (MISSING, "name"),
        (WRONG, "first.height"),
    ]
    assert problems[0].message.startswith("unknown key 'hours'")


def test_what_is_wrong_is_left_empty() -> None:
    values = {"name": 5, "first": {"height": "x", "label": "y"}, "shelves": [{"height": 3}, {}], "opening-hours": ["9"]}
    wrong = Problems(problems_of(Library, values)).fields()
    assert wrong == {("", "name"), ("first", "height"), ("shelves[1]", "height")}
    made = built(Library, values, wrong)
    assert made == Library(
        name="",
        opening_hours=("9",),
        first=Shelf(height=0, label="y"),
        shelves=(Shelf(height=3), Shelf(height=0)),
    )


def test_what_is_within_a_place_is_no_neighbour() -> None:
    problems = Problems()
    problems.add("a[1]", "b", "wrong")
    assert [problems.are_within(place) for place in ("a", "a[1]", "a[1].b", "a[10]", "a[1].bc", "b")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_the_keys_of_a_schema_are_those_of_the_file() -> None:
    assert keys_of(Library)[:2] == ("name", "opening-hours")
