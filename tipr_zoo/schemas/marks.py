"""Marks for ``Annotated``: the values that a schema takes, and the message for one that it refuses.

Importing this does not import pydantic. So a command that reads only checked files stays light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


TOLD = "told"
"""The type of those errors of pydantic whose message is one of the templates below."""


def must_be(what: str) -> str:
    """Return the template of the usual message.

    >>> must_be("text").format(key="license", value=5)
    "'license' must be text, got 5"
    """
    return "{key!r} must be " + what + ", got {value!r}"


@dataclass(frozen=True)
class Told:
    """The message for a value of the wrong type. In an ``Annotated``, it stands behind that type.

    Attributes:
        template: The message. It may use ``key``, ``value`` and ``where``, the dotted place of the field.
        absent: The message for a value that is null or left out. Empty where `template` serves for it, too.
        is_one: Whether one message stands for everything wrong inside the value, e.g. for all items of a list.
    """

    template: str
    absent: str = ""
    is_one: bool = True

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return what pydantic calls to learn how the value is checked."""
        if not self.is_one:
            return handler(source)
        from pydantic_core import core_schema  # not at the top: only pydantic calls this

        return core_schema.custom_error_schema(handler(source), TOLD, custom_error_message=self.template)


@dataclass(frozen=True)
class Check:
    """A further condition on a value. In an ``Annotated``, it stands behind the type that the value has.

    Attributes:
        is_right: Tells whether a value fulfils the condition.
        template: The message, as in `Told`. Empty where a `Told` follows.
    """

    is_right: Callable[[Any], Any]
    template: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return what pydantic calls to learn how the value is checked."""
        return self.after(handler(source))

    def after(self, schema: CoreSchema) -> CoreSchema:
        """Return a check that follows what `schema` checks."""
        from pydantic_core import (
            PydanticCustomError,
            core_schema,
        )  # not at the top: a list of right cards needs no pydantic

        def check(value: Any) -> Any:
            if not self.is_right(value):
                raise PydanticCustomError(TOLD, self.template)
            return value

        return core_schema.no_info_after_validator_function(check, schema)


@dataclass(frozen=True)
class Rules:
    """Several conditions on a value, of which the first that fails is told. It stands where a `Check` would.

    Attributes:
        rules: What tells whether a value fulfils a condition, and the message, as in `Told`.
    """

    rules: tuple[tuple[Callable[[Any], Any], str], ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return what pydantic calls to learn how the value is checked."""
        schema = handler(source)
        for is_right, template in self.rules:
            schema = Check(is_right, template).after(schema)
        return schema


@dataclass(frozen=True)
class Limits:
    """Limits of a number. It must be finite. A `Told` follows.

    Attributes:
        above: The number must be greater than this.
        smallest: The smallest allowed number.
        largest: The largest allowed number.
    """

    above: int | None = None
    smallest: int | None = None
    largest: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return what pydantic calls to learn how the value is checked."""
        schema: Any = handler(source)
        limits = {"gt": self.above, "ge": self.smallest, "le": self.largest}
        schema |= {name: limit for name, limit in limits.items() if limit is not None}
        return schema if schema["type"] == "int" else {**schema, "allow_inf_nan": False}


@dataclass(frozen=True)
class FromList:
    """Allows a list for a tuple. Strict schemas refuse it otherwise."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return what pydantic calls to learn how the value is checked."""
        from pydantic_core import (
            PydanticCustomError,
            core_schema,
        )  # not at the top: a list of right cards needs no pydantic

        def as_tuple(value: Any) -> Any:
            if not isinstance(value, (list, tuple)):
                raise PydanticCustomError("tuple_type", "no list")
            return tuple(value)

        return core_schema.no_info_before_validator_function(as_tuple, handler(source))
