"""Dual softmax: similarities are multiplied with how much a gallery item prefers this query to all others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt

from tipr_zoo.evaluation.first_stage import FirstStage, PostprocessStep
from tipr_zoo.evaluation.query_figures import Floats, SimilarityRows
from tipr_zoo.schemas.marks import Limits, Told, must_be


@dataclass(frozen=True, kw_only=True)
class DualSoftmax(PostprocessStep):
    """s'(q, g) = s(q, g) exp(scale s(q, g)) / sum over all queries p of exp(scale s(p, g)).

    The prior of CAMoE's dual softmax loss (Cheng et al., arXiv 2109.04290, the section on that loss), applied to the
    similarities of all queries at test time. It needs all queries at once, which a search for one sentence never has.

    Attributes:
        scale: The factor of the similarities in the softmax; a model trained with a temperature t has 1 / t.
    """

    NAME: ClassVar[str] = "dual_softmax"
    IS_TRANSDUCTIVE: ClassVar[bool] = True
    NEEDS_EMBEDDINGS: ClassVar[bool] = False
    LEAVES_EMBEDDINGS: ClassVar[bool] = False

    scale: Annotated[float, Limits(above=0, largest=300), Told(must_be("a number above 0, at most 300"))] = 100.0

    def __call__(self, stage: FirstStage) -> FirstStage:
        """Return the first stage with the changed similarities, in float64: priors are down to exp(-2 scale)."""
        rows = stage.rows()
        total = _log_sum_exp(rows, self.scale)

        def read(start: int, stop: int, out: Floats) -> None:
            given = np.empty(out.shape, rows.dtype)
            rows.read(start, stop, given)
            np.multiply(given, np.exp(self.scale * given.astype(np.float64) - total), out=out)

        return replace(stage, similarities=replace(rows, read=read, dtype=np.float64))


def _log_sum_exp(rows: SimilarityRows, scale: float) -> npt.NDArray[np.float64]:
    """Return (gallery,): the logarithm of the sum of exp(scale s) over all queries, a chunk of rows at a time."""
    total = np.full(rows.gallery, -np.inf)
    step = rows.that_fit_a_chunk()
    chunk = np.empty((step, rows.gallery), rows.dtype)
    for start in range(0, rows.queries, step):
        stop = min(start + step, rows.queries)
        rows.read(start, stop, chunk[: stop - start])
        scaled = scale * chunk[: stop - start].astype(np.float64)
        top = np.maximum(scaled.max(axis=0), total)
        total = top + np.log(np.exp(scaled - top).sum(axis=0) + np.exp(total - top))
    return total
