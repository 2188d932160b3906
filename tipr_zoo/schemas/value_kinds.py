"""Kinds of values that several schemas share, each with what is said of a value that is of another kind."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from annotated_types import Ge, Predicate

from tipr_zoo.schemas.told import Check, FromList, Told, must_be

MISSING = "field {key!r} is missing"

IS_FILLED = Predicate(lambda text: bool(text.strip()))
"""Holds for a text that is more than blanks."""

IS_FINITE = Predicate(math.isfinite)

SHA256 = re.compile(r"[0-9a-f]{64}")

Text = Annotated[str, IS_FILLED, Told(must_be("text"), absent=MISSING)]

Texts = Annotated[tuple[str, ...], FromList(), Told("field " + must_be("a list of texts"))]

Truth = Annotated[bool, Told(must_be("true, false or null"))]

Number = Annotated[float, IS_FINITE, Told(must_be("a number"))]

NumberFromZero = Annotated[float, Ge(0), IS_FINITE]

Sha256 = Annotated[Text, Check(SHA256.fullmatch, must_be("64 lower-case hexadecimal digits"))]

AnyMapping = Annotated[dict[Any, Any], Told("field " + must_be("a mapping"))]
