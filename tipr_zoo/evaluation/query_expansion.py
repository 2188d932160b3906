"""Query expansion: the embedding of a query is averaged with those of the gallery items that it finds first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.cards.record import TEXT_TO_IMAGE
from tipr_zoo.evaluation.first_stage import FirstStage, PostprocessStep
from tipr_zoo.evaluation.reranked_rows import best_columns
from tipr_zoo.schemas.marks import Limits, Told, must_be

_ROWS = 256
"""Queries that are expanded at once."""


@dataclass(frozen=True, kw_only=True)
class QueryExpansion(PostprocessStep):
    """q' = q + sum over i of s_i^alpha g_i, with the unit vectors q of a query and g_i of its first `count` items.

    s_i is the cosine of q and g_i, and 0 where that is below 0. Only the direction of q' counts. With `alpha` 0 this is
    average query expansion (Chum et al., "Total Recall", ICCV 2007, section 3: the mean of the query and its first
    results, without their verification), else alpha-weighted query expansion (Radenovic et al., "Fine-tuning CNN Image
    Retrieval with No Human Annotation", TPAMI 2019, arXiv 1711.02512, the section on alpha-weighted query expansion).

    Attributes:
        count: How many gallery items.
        alpha: How much the nearer of them weigh more.
    """

    NAME: ClassVar[str] = "query_expansion"
    IS_TRANSDUCTIVE: ClassVar[bool] = True
    NEEDS_EMBEDDINGS: ClassVar[bool] = True
    LEAVES_EMBEDDINGS: ClassVar[bool] = True

    count: Annotated[int, Limits(smallest=1), Told(must_be("a whole number from 1"))] = 5
    alpha: Annotated[float, Limits(smallest=0, largest=300), Told(must_be("a number from 0 to 300"))] = 0.0

    def __call__(self, stage: FirstStage) -> FirstStage:
        """Return the first stage with the expanded queries.

        Raises:
            ConfigError: There are fewer gallery items than `count`.
        """
        self.check_number("count", self.count, len(stage.gallery), "gallery items")
        best = torch.from_numpy(best_columns(stage.rows(), self.count))
        queries, gallery = F.normalize(stage.queries, dim=-1), F.normalize(stage.gallery, dim=-1)
        pairs = zip(queries.split(_ROWS), best.split(_ROWS), strict=True)
        expanded = torch.cat([self._expanded(own, gallery[columns]) for own, columns in pairs])
        if stage.direction == TEXT_TO_IMAGE:
            return replace(stage, captions=expanded)
        return replace(stage, pictures=expanded)

    def _expanded(self, queries: Tensor, found: Tensor) -> Tensor:
        """Expand some queries: (B, D), (B, count, D) -> (B, D)."""
        cosines = (found @ queries.unsqueeze(-1)).squeeze(-1).clamp(0, 1)  # rounding may be above 1
        weights = torch.from_numpy(np.power(cosines.numpy(), self.alpha, dtype=np.float32))
        return queries + (weights.unsqueeze(-1) * found).sum(dim=1)
