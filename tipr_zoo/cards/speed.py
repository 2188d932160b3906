"""How long a search takes, as a publication that timed several methods on one machine prints it.

Types are evaluated here and not kept as text, see `tipr_zoo.cards.schema`.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from tipr_zoo.cards.web_address import WebAddress
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, Told, must_be
from tipr_zoo.schemas.value_kinds import Text


def _are_seconds(values: dict[str, Any]) -> bool:
    return bool(values) and all(
        isinstance(name, str) and isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
        for name, value in values.items()
    )


_SECONDS = must_be("seconds above 0 by data set, e.g. {{CUHK-PEDES: 7}}")

Seconds = Annotated[dict[str, Any], Told(_SECONDS), Check(_are_seconds, _SECONDS)]


@dataclass(frozen=True, kw_only=True)
class SpeedSource(Declared):
    """The publication that prints the seconds."""

    name: Text
    url: WebAddress


@dataclass(frozen=True, kw_only=True)
class SpeedBlock(Declared):
    """``speed:`` of a card or a reference.

    Attributes:
        machine: The machine in words, e.g. ``"one A6000"``.
        seconds: How long ranking the whole test split took, by data set.
        source: Where that is printed.
    """

    machine: Text
    seconds: Seconds
    source: SpeedSource
