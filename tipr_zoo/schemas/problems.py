"""Checking a mapping against its schema: the one place that turns pydantic's errors into messages of the house."""

from __future__ import annotations

from collections.abc import Mapping
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

_OF_A_KEY = {"unexpected_keyword_argument", "invalid_key"}
"""Types of pydantic's errors for a key that is not declared; one that is no text is never declared."""

Location = tuple[Any, ...]


@dataclass(frozen=True)
class FieldProblem:
    """Something wrong with one field.

    Attributes:
        place: Dotted place of the mapping, e.g. ``model-index[0].results[1].source``; empty for the outermost.
        key: The field, or None where the mapping as a whole is meant.
        message: What is wrong and what to write instead, without the place.
        kind: `UNKNOWN`, `MISSING` for what is left out, or `WRONG`.
    """

    place: str
    key: str | None
    message: str
    kind: str = WRONG

    @property
    def where(self) -> str:
        """Dotted place of the field, or of the mapping where that is meant."""
        return self.place if self.key is None else f"{self.place}.{self.key}".strip(".")

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class Problems(list[FieldProblem]):
    """What was found wrong with one file so far."""

    def add(self, place: str, key: str | None, message: str) -> None:
        """Add a problem; see `FieldProblem`."""
        self.append(FieldProblem(place, key, message))

    def fields(self) -> set[tuple[str, str]]:
        """Place and key of every field that something is wrong with."""
        return {(problem.place, problem.key) for problem in self if problem.key is not None}

    def are_within(self, place: str) -> bool:
        """Whether something is wrong with the mapping or field at a place, or with anything inside it."""
        return any(_is_within(problem.where, place) for problem in self)


def _is_within(inner: str, place: str) -> bool:
    return inner.startswith(place) and inner[len(place) :][:1] in ("", ".", "[")


def problems_of(schema: type, values: Mapping[Any, Any], noun: str = "field", place: str = "") -> list[FieldProblem]:
    """Everything in which a mapping is not what its schema asks for.

    Args:
        schema: A `Declared` dataclass; its ``__post_init__`` is not called.
        values: What the file holds.
        noun: What an unknown key is called.
        place: Dotted place of the mapping.

    Returns:
        The problems: those of unknown keys first, the others in the order in which the fields are declared.
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
    from pydantic import TypeAdapter

    return TypeAdapter(schema)


def _problems(
    schema: type, values: Mapping[Any, Any], details: ErrorDetails, noun: str, place: str
) -> list[FieldProblem]:
    """What one of pydantic's errors says, and what the fields of a block that is not there must hold."""
    location: Location = details["loc"]
    if details["type"] in _OF_A_KEY:
        key = str(details["input"] if details["type"] == "invalid_key" else location[-1])
        known = keys_of(_schema_at(schema, location[:-1]))
        return [FieldProblem(_place(place, location[:-1]), key, str(unknown_name(noun, key, known)), UNKNOWN)]
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
    """The innermost field around a value that has a name, e.g. the list around an item that should be a mapping."""
    while isinstance(location[-1], int) or _part_at(schema, location) is None:
        location = location[:-1]
    return location


def _schema_at(schema: type, location: Location) -> type:
    """The schema of the mapping at a location."""
    for step in location:
        if not isinstance(step, int):
            schema = next(part.kind for part in parts_of(schema) if part.key == step)
    return schema


def _part_at(schema: type, location: Location) -> Part | None:
    """The field at a location; None for an entry of a mapping that has no schema of its own."""
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
    """How a wrong value of a field is told.

    Args:
        part: The field; None for an entry of a mapping that has no schema of its own.
        value: What stands there; None where nothing does.
        told: What the error itself says.
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
    """The dotted place of a location inside the mapping at `place`."""
    for step in location:
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
    return place.strip(".")
