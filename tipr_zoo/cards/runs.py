"""What the trainings behind measured figures cost, and how far apart their seeds come out.

Types are evaluated here and not kept as text, see `tipr_zoo.cards.schema`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from tipr_zoo.cards.record import METRICS
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, FromList, Limits, Told, must_be
from tipr_zoo.schemas.value_kinds import AnyMapping, Text

_Seeds = Annotated[int, Limits(smallest=2), Told(must_be("a whole number from 2"))]
_Reranked = Annotated[int, Limits(smallest=0), Told(must_be("how many pictures are ranked again, from 0"))]


def _are_points(values: dict[str, Any]) -> bool:
    return bool(values) and all(
        name in METRICS and isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 100
        for name, value in values.items()
    )


_POINTS = must_be("points from 0 by metric, e.g. {{R1: 0.66}}")


@dataclass(frozen=True, kw_only=True)
class SpreadBlock(Declared):
    """How far apart the figures of several trainings of one recipe are.

    Attributes:
        dataset: The data set.
        args: The arguments that identify the data, as in ``dataset:`` of a result.
        rerank: How many pictures of each caption are ranked again.
        seeds: How many trainings there were.
        deviation: The standard deviation over them in points, by metric.
    """

    dataset: Text
    args: AnyMapping | None = None
    rerank: _Reranked = 0
    seeds: _Seeds
    deviation: Annotated[dict[str, Any], Told(_POINTS), Check(_are_points, _POINTS)]


@dataclass(frozen=True, kw_only=True)
class RunsBlock(Declared):
    """``runs:`` of a card with measured figures.

    Attributes:
        budget: What a training was given, in words: epochs, persons, pictures.
        spread: How far apart seeds come out, for each data. Empty where one training is all there was.
    """

    budget: Text
    spread: Annotated[tuple[SpreadBlock, ...], FromList()] = ()

    def spread_on(self, dataset: str, arguments: Mapping[str, Any], rerank: int) -> SpreadBlock | None:
        """Return the spread on this data; None where it is not known.

        Args:
            dataset: The data set.
            arguments: The arguments that identify the data.
            rerank: How many pictures of each caption are ranked again, 0 for none.
        """
        wanted = (dataset, dict(arguments), rerank)
        return next((s for s in self.spread if (s.dataset, dict(s.args or {}), s.rerank) == wanted), None)
