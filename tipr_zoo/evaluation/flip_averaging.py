"""Flip averaging: each picture is embedded as it is and mirrored, and the two embeddings are averaged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch.nn.functional as F

from tipr_zoo.evaluation.first_stage import FirstStage, PostprocessStep


@dataclass(frozen=True, kw_only=True)
class FlipAveraging(PostprocessStep):
    """The mean of the unit embeddings of a picture and of its mirror image: g = (f(x)/|f(x)| + f(x')/|f(x')|) / 2.

    A usual step of image person re-identification, without a paper of its own. Published code often adds the embeddings
    as they are; with unit vectors neither side weighs more. It looks at one picture at a time. Captions that say left
    and right are not mirrored.
    """

    NAME: ClassVar[str] = "flip_averaging"
    IS_TRANSDUCTIVE: ClassVar[bool] = False
    NEEDS_EMBEDDINGS: ClassVar[bool] = True
    LEAVES_EMBEDDINGS: ClassVar[bool] = True
    COMES_FIRST: ClassVar[bool] = True

    def __call__(self, stage: FirstStage) -> FirstStage:
        """Return the first stage with the averaged embeddings of the pictures."""
        mean = (F.normalize(stage.pictures, dim=-1) + F.normalize(stage.mirrored(), dim=-1)) / 2
        return replace(stage, pictures=mean)
