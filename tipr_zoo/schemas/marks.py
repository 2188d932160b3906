"""Marks for ``Annotated``: which values of a type a schema takes, and what is said of one that it refuses.

None of this imports pydantic, so that a command that reads only what was checked before stays light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


TOLD = "told"
"""Type of pydantic's errors whose message is one of the templates below."""


def must_be(what: str) -> str:
    """The template of the usual message, e.g. of ``must_be("text")``: ``'license' must be text, got 5``."""
    return "{key!r} must be " + what + ", got {value!r}"


@dataclass(frozen=True)
class Told:
    """How a value is told that is not of the type before this in an ``Annotated``.

    Attributes:
        template: May use ``key``, ``value`` and ``where``, the dotted place of the field.
        absent: The same for a value that is null or left out; empty where that is told as any other.
        is_one: Whether one message stands for all that is wrong inside the value, e.g. with items of a list.
    """

    template: str
    absent: str = ""
    is_one: bool = True

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """What pydantic calls to learn how the value is checked."""
        if not self.is_one:
            return handler(source)
        from pydantic_core import core_schema  # pydantic is being imported by whoever calls this

        return core_schema.custom_error_schema(handler(source), TOLD, custom_error_message=self.template)


@dataclass(frozen=True)
class Check:
    """A further condition on a value that is of the type before this in an ``Annotated``.

    Attributes:
        is_right: Whether a value fulfils it.
        template: As in `Told`; empty where a `Told` follows.
    """

    is_right: Callable[[Any], Any]
    template: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """What pydantic calls to learn how the value is checked."""
        from pydantic_core import PydanticCustomError, core_schema

        def check(value: Any) -> Any:
            if not self.is_right(value):
                raise PydanticCustomError(TOLD, self.template)
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))


@dataclass(frozen=True)
class Limits:
    """Limits of a number, which must be finite; a `Told` follows.

    Attributes:
        above: What it must be above.
        smallest: The smallest that it may be.
        largest: The largest that it may be.
    """

    above: int | None = None
    smallest: int | None = None
    largest: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """What pydantic calls to learn how the value is checked."""
        schema: Any = handler(source)
        limits = {"gt": self.above, "ge": self.smallest, "le": self.largest}
        schema |= {name: limit for name, limit in limits.items() if limit is not None}
        return schema if schema["type"] == "int" else {**schema, "allow_inf_nan": False}


@dataclass(frozen=True)
class FromList:
    """Says of a tuple that a list will do, which strict schemas else refuse."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """What pydantic calls to learn how the value is checked."""
        from pydantic_core import PydanticCustomError, core_schema

        def as_tuple(value: Any) -> Any:
            if not isinstance(value, (list, tuple)):
                raise PydanticCustomError("tuple_type", "no list")
            return tuple(value)

        return core_schema.no_info_before_validator_function(as_tuple, handler(source))
