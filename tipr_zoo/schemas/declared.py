"""Schemas as dataclasses: what stands in a mapping of a file, and how such a dataclass is made from a mapping.

pydantic checks the mapping, see `tipr_zoo.schemas.problems`. It is not needed to declare a schema, nor to make an
object from a mapping that is known to be right: importing it takes longer than all else that ``tipr-zoo list`` does.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

T = TypeVar("T")

Where = tuple[str, str]
"""The dotted place of a mapping, and one of its keys."""


class Declared:
    """Base of the dataclasses that are schemas: types are taken strictly, and fields that are not declared are errors.

    Attributes:
        KEYS: What a field is called in the file where Python does not allow its name, by its name in Python.
    """

    KEYS: ClassVar[Mapping[str, str]] = {}

    __pydantic_config__ = {"strict": True, "extra": "forbid"}  # noqa: RUF012  # evaluating a type imports pydantic

    def __init_subclass__(cls) -> None:
        """Tell pydantic the names of the file."""
        keys = cls.KEYS
        cls.__pydantic_config__ = {**cls.__pydantic_config__, "alias_generator": lambda name: keys.get(name, name)}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """What pydantic calls to learn how a mapping is checked."""
        schema = handler(source)
        own: Any = handler.resolve_ref_schema(schema)
        own["strict"] = False  # a strict dataclass takes only its own objects, no mapping; its fields stay strict
        own["post_init"] = False  # what it refuses, it tells whoever makes an object
        return schema


@dataclass(frozen=True)
class Part:
    """One field of a schema.

    Attributes:
        name: What it is called in Python.
        key: What it is called in the file.
        marks: What its ``Annotated`` says besides the type.
        kind: The type, without ``None`` where that is allowed, too; of a list of mappings, the type of one of them.
        is_list: Whether it is a list or a tuple.
        is_optional: Whether it may be null.
        is_required: Whether it has no default.
    """

    name: str
    key: str
    marks: tuple[Any, ...]
    kind: Any
    is_list: bool
    is_optional: bool
    is_required: bool

    @property
    def is_block(self) -> bool:
        """Whether it is a mapping, or a list of mappings, that has a schema of its own."""
        return isinstance(self.kind, type) and issubclass(self.kind, Declared)


@cache
def parts_of(schema: type) -> tuple[Part, ...]:
    """The fields of a schema in the order in which they are declared."""
    hints = get_type_hints(schema, include_extras=True)
    keys: Mapping[str, str] = getattr(schema, "KEYS", {})
    return tuple(
        _part(
            field.name,
            keys.get(field.name, field.name),
            hints[field.name],
            field.default is field.default_factory is MISSING,
        )
        for field in fields(schema)
    )


def keys_of(schema: type) -> tuple[str, ...]:
    """What the fields of a schema are called in the file."""
    return tuple(part.key for part in parts_of(schema))


def _part(name: str, key: str, hint: Any, is_required: bool) -> Part:
    """A field from what is declared of it."""
    marks: list[Any] = []
    is_optional = is_list = False
    while True:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            marks += arguments[1:]
            hint = arguments[0]
        elif origin in (Union, types.UnionType) and type(None) in arguments:
            is_optional = True
            hint = next(argument for argument in arguments if argument is not type(None))
        elif origin in (list, tuple, Sequence) and not is_list:
            is_list = True
            hint = arguments[0]
        else:
            return Part(name, key, tuple(marks), hint, is_list, is_optional, is_required)


def built(schema: type[T], values: Mapping[Any, Any], wrong: Collection[Where] = (), place: str = "") -> T:
    """The object of a schema that a mapping stands for.

    Args:
        schema: A dataclass.
        values: What the file holds; right, but for what is in `wrong`.
        wrong: What is left out as wrong; a field without a default is then empty: ``""``, 0, or holds nothing.
        place: Dotted place of the mapping.
    """
    given: dict[str, Any] = {}
    for name, key, convert, empty in _makers(schema):  # type: ignore[arg-type]  # a class is hashable
        value = values.get(key)
        if value is not None and not (wrong and (place, key) in wrong):
            given[name] = value if convert is None else convert(value, wrong, f"{place}.{key}".strip("."))
        elif empty is not None:
            given[name] = empty()
    return schema(**given)


Convert = Callable[[Any, Collection[Where], str], Any]
"""Makes a value of a field from what stands at a place of the file, of which some is wrong."""


@cache
def _makers(schema: type) -> tuple[tuple[str, str, Convert | None, Callable[[], Any] | None], ...]:
    """Name, key, what makes a value from the file's, and what makes an empty one, of every field of a schema."""
    return tuple((part.name, part.key, _convert(part), _empty(part)) for part in parts_of(schema))


def _convert(part: Part) -> Convert | None:
    """What makes a value of a field from what the file holds; None where it is taken as it is."""
    if part.is_block and part.is_list:
        return lambda items, wrong, place: tuple(
            built(part.kind, item, wrong, f"{place}[{index}]") for index, item in enumerate(items)
        )
    if part.is_block:
        return lambda value, wrong, place: built(part.kind, value, wrong, place)
    if part.is_list:
        return lambda items, wrong, place: tuple(items)
    if part.kind is float:
        return lambda value, wrong, place: float(value)
    return None


def _empty(part: Part) -> Callable[[], Any] | None:
    """What makes an empty value of a field; None where it has a default."""
    if not part.is_required:
        return None
    if part.is_list:
        return tuple
    if part.is_block:
        return lambda: built(part.kind, {})
    return get_origin(part.kind) or part.kind
