"""Kinds of values that several schemas share, each with the message for a value of another kind."""

from __future__ import annotations

import re
from typing import Annotated, Any

from tipr_zoo.schemas.marks import Check, FromList, Limits, Told, must_be

MISSING = "field {key!r} is missing"

IS_FILLED = Check(str.strip)
"""True for a text with more than blanks."""

SHA256 = re.compile(r"[0-9a-f]{64}")

Text = Annotated[str, IS_FILLED, Told(must_be("text"), absent=MISSING)]

Texts = Annotated[tuple[str, ...], FromList(), Told("field " + must_be("a list of texts"))]

Truth = Annotated[bool, Told(must_be("true, false or null"))]

Number = Annotated[float, Limits(), Told(must_be("a number"))]

NumberFromZero = Annotated[float, Limits(smallest=0)]

NumbersFromZero = Annotated[tuple[NumberFromZero, ...], FromList()]

WholeFromZero = Annotated[int, Limits(smallest=0)]

Sha256 = Annotated[Text, Check(SHA256.fullmatch, must_be("64 lower-case hexadecimal digits"))]

AnyMapping = Annotated[dict[Any, Any], Told("field " + must_be("a mapping"))]
