"""The rows of the leaderboard to keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tipr_zoo.cards.method_facts import NO_EXTRA_DATA, MethodFacts
from tipr_zoo.cards.results import ORIGINS
from tipr_zoo.close_matches import unknown_name

EXTRA_DATA = "extra"
"""Stands for any person data beside the training split."""


@dataclass(frozen=True)
class LeaderboardFilter:
    """What a row must have. None asks for nothing. A row whose value is not known is left out.

    Attributes:
        origin: One of `tipr_zoo.cards.results.ORIGINS`.
        pretraining: `NO_EXTRA_DATA`, `EXTRA_DATA` for any, or the name of what was used, e.g. ``"NAM"``.
        encoder: Part of the image encoder's name, e.g. ``"ViT-B/16"``. Upper and lower case do not matter.
        weights: Whether the weights are published.
    """

    origin: str | None = None
    pretraining: str | None = None
    encoder: str | None = None
    weights: bool | None = None

    def check(self, methods: Iterable[MethodFacts]) -> None:
        """Check that the filter's values exist.

        Args:
            methods: The methods of all rows.

        Raises:
            UnknownNameError: No row has this origin, pretraining or encoder. The message has close matches.
        """
        methods = set(methods)
        if self.origin is not None and self.origin not in ORIGINS:
            raise unknown_name("origin", self.origin, ORIGINS)
        pretrainings = {NO_EXTRA_DATA, EXTRA_DATA, *(method.pretraining for method in methods if method.pretraining)}
        if self.pretraining is not None and self.pretraining.casefold() not in map(str.casefold, pretrainings):
            raise unknown_name("pretraining", self.pretraining, pretrainings)
        encoders = {method.image_encoder for method in methods if method.image_encoder}
        is_there = bool(self.encoder) and any(str(self.encoder).casefold() in name.casefold() for name in encoders)
        if self.encoder is not None and not is_there:
            raise unknown_name("image encoder", self.encoder, encoders)

    def keeps(self, origin: str, method: MethodFacts) -> bool:
        """Tell whether the filter keeps a row of this origin and method."""
        return (
            self.origin in (None, origin)
            and (self.pretraining is None or self._has_pretraining(method))
            and (self.encoder is None or self.encoder.casefold() in (method.image_encoder or "").casefold())
            and self.weights in (None, method.weights_published)
        )

    def _has_pretraining(self, method: MethodFacts) -> bool:
        wanted = str(self.pretraining).casefold()
        return method.has_extra_data if wanted == EXTRA_DATA else (method.pretraining or "").casefold() == wanted


ANY = LeaderboardFilter()
"""Keeps every row."""
