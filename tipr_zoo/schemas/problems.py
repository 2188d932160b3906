"""Checking a mapping against its schema. Only this module turns pydantic's errors into messages of the zoo."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.schemas.declared import Part, keys_of, parts_of
from tipr_zoo.schemas.marks import TOLD, Told

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

UNKNOWN, MISSING, WRONG = "unknown", "missing", "wrong"

_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"

_OF_A_KEY = {"unexpected_keyword_argument", "invalid_key"}
"""Types of pydantic's errors for a key that is not declared. A key that is no text is never declared."""

Location = tuple[Any, ...]


@dataclass(frozen=True)
class FieldProblem:
    """Something wrong with one field.

    Attributes:
        place: Dotted place of the mapping, e.g. ``model-index[0].results[1].source``. Empty for the outermost mapping.
        key: The field, or None for the whole mapping.
        message: What is wrong and what to write instead, without the place.
        kind: `UNKNOWN`, `MISSING` or `WRONG`.
    """

    place: str
    key: str | None
    message: str
    kind: str = WRONG

    @property
    def where(self) -> str:
        """Dotted place of the field, or of the mapping where the problem has no field."""
        return self.place if self.key is None else f"{self.place}.{self.key}".strip(".")

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class Problems(list[FieldProblem]):
    """The problems that were found in one file so far."""

    def add(self, place: str, key: str | None, message: str) -> None:
        """Add a problem.

        Args:
            place: Dotted place of the mapping.
            key: The field, or None for the whole mapping.
            message: What is wrong and what to write instead, without the place.
        """
        self.append(FieldProblem(place, key, message))

    def fields(self) -> set[tuple[str, str]]:
        """Return the place and the key of every problem."""
        return {(problem.place, problem.key) for problem in self if problem.key is not None}

    def are_within(self, place: str) -> bool:
        """Tell whether there is a problem at a place or inside it."""
        return any(_is_within(problem.where, place) for problem in self)


def _is_within(inner: str, place: str) -> bool:
    return inner.startswith(place) and inner[len(place) :][:1] in ("", ".", "[")


def problems_of(schema: type, values: Mapping[Any, Any], noun: str = "field", place: str = "") -> list[FieldProblem]:
    """Return every problem of a mapping by its schema.

    Args:
        schema: A `Declared` dataclass. Its ``__post_init__`` is not called.
        values: What the file holds.
        noun: The word for an unknown key. ``{place}`` in it becomes the dotted place of the mapping that has the key,
            with a dot before it.
        place: Dotted place of the mapping.

    Returns:
        The problems. Unknown keys come first, the other fields follow in the order of their declaration.
    """
    from pydantic import ValidationError  # not at the top: see `tipr_zoo.schemas.declared`

    try:
        _adapter(schema).validate_python(values)
    except ValidationError as error:
        found = [
            problem
            for details in error.errors(include_url=False)
            for problem in _problems(schema, values, details, noun, place)
        ]
        return sorted(dict.fromkeys(found), key=lambda problem: problem.kind != UNKNOWN)
    return []


@cache
def _adapter(schema: type) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # not at the top: a list of right cards needs no pydantic

    with _without_plugins():
        return TypeAdapter(schema)


@contextmanager
def _without_plugins() -> Iterator[None]:
    """Keep pydantic from its own plugins, for which it reads what every installed distribution says of itself.

    One distribution whose entry points cannot be read would cost all commands that check a card.
    """
    before = os.environ.get(_PLUGINS)
    os.environ[_PLUGINS] = "__all__"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PLUGINS]
        else:
            os.environ[_PLUGINS] = before


def _problems(
    schema: type, values: Mapping[Any, Any], details: ErrorDetails, noun: str, place: str
) -> list[FieldProblem]:
    """Return the problem of one of pydantic's errors. For a missing block, add those of its fields."""
    location: Location = details["loc"]
    if details["type"] in _OF_A_KEY:
        key = str(details["input"] if details["type"] == "invalid_key" else location[-1])
        known = keys_of(_schema_at(schema, location[:-1]))
        where = _place(place, location[:-1])
        word = noun.replace("{place}", f".{where}" if where else "")
        return [FieldProblem(where, key, str(unknown_name(word, key, known)), UNKNOWN)]
    if details["type"] != TOLD:
        location = _declared_location(schema, location)
    part = _part_at(schema, location)
    is_missing = details["type"] == "missing"
    value = details["input"] if details["type"] == TOLD else None if is_missing else _value_at(values, location)
    template = _template(part, value, details["msg"] if details["type"] == TOLD else None)
    where, key = _place(place, location[:-1]), str(location[-1])
    message = template.format(key=key, value=value, where=_place("", location))
    problem = FieldProblem(where, key, message, MISSING if is_missing else WRONG)
    if part is None or not part.is_block or part.is_list or part.is_optional or isinstance(value, Mapping):
        return [problem]
    if any(isinstance(mark, Told) for mark in part.marks):
        return [problem]
    return [problem, *problems_of(part.kind, {}, noun, _place(place, location))]


def _declared_location(schema: type, location: Location) -> Location:
    """Return the location of the innermost declared field around a value.

    E.g. where an item of a list should be a mapping, it is that of the list.
    """
    while isinstance(location[-1], int) or _part_at(schema, location) is None:
        location = location[:-1]
    return location


def _schema_at(schema: type, location: Location) -> type:
    """Return the schema of the mapping at a location."""
    for step in location:
        if not isinstance(step, int):
            schema = next(part.kind for part in parts_of(schema) if part.key == step)
    return schema


def _part_at(schema: type, location: Location) -> Part | None:
    """Return the field at a location. None for an entry of a mapping without a schema."""
    part = None
    for step in location:
        if isinstance(step, int):
            continue
        if part is not None:
            if not part.is_block:
                return None
            schema = part.kind
        part = next(part for part in parts_of(schema) if part.key == step)
    return part


def _value_at(values: Any, location: Location) -> Any:
    for step in location:
        values = values[step]
    return values


def _template(part: Part | None, value: Any, told: str | None) -> str:
    """Return the message's template for a wrong value of a field.

    Args:
        part: The field. None for an entry of a mapping without a schema.
        value: The value. None where there is none.
        told: The message of the error itself, if it has one.
    """
    marks = [mark for mark in part.marks if isinstance(mark, Told)] if part is not None else []
    absent = next((mark.absent for mark in marks if mark.absent), None)
    if value is None and absent is not None:
        return absent
    if told is not None:
        return told
    if marks:
        return marks[0].template
    if part is not None and part.is_block:
        return "field {key!r} must be a list of mappings, got {value!r}" if part.is_list else _NO_MAPPING
    return "{key!r} is not what it should be, got {value!r}"


_NO_MAPPING = "field {key!r} must be a mapping, got {value!r}"


def _place(place: str, location: Location) -> str:
    """Return the dotted place of a location inside the mapping at `place`."""
    for step in location:
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
    return place.strip(".")
