"""Numbers that a recipe gives to a loss."""

from __future__ import annotations

import math

from tipr_zoo.errors import ConfigError


def checked_number(name: str, value: float, *, is_scale: bool = False) -> float:
    """Return the value, if it is a finite number, and above 0 where it is a scale.

    Args:
        name: For the message, e.g. ``"scale of SDM"``.
        value: What a recipe says.
        is_scale: Whether it must be above 0.

    Raises:
        ConfigError: It is not.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or (is_scale and value <= 0):
        raise ConfigError(f"{name} must be a number{' above 0' * is_scale}, got {value!r}")
    return value
