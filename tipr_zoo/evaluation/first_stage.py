"""The first stage of a ranking, which steps of post-processing change one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tipr_zoo.cards.record import TEXT_TO_IMAGE
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.metrics import cosine_rows
from tipr_zoo.evaluation.query_figures import SimilarityRows
from tipr_zoo.schemas.declared import Declared


@dataclass(frozen=True)
class FirstStage:
    """The embeddings of a split as they are compared, or their similarities where a step has left embeddings behind.

    Attributes:
        captions: (Q, D) float32.
        pictures: (G, D) float32.
        mirrored: Embeds the mirrored pictures: (G, D) float32. It is called where a step needs it.
        direction: One of `tipr_zoo.cards.record.DIRECTIONS`.
        similarities: A row for each query; None where they are the cosines of the embeddings.
    """

    captions: Tensor
    pictures: Tensor
    mirrored: Callable[[], Tensor]
    direction: str = TEXT_TO_IMAGE
    similarities: SimilarityRows | None = None

    @property
    def queries(self) -> Tensor:
        """The embeddings of the queries."""
        return self.captions if self.direction == TEXT_TO_IMAGE else self.pictures

    @property
    def gallery(self) -> Tensor:
        """The embeddings of the gallery items."""
        return self.pictures if self.direction == TEXT_TO_IMAGE else self.captions

    def rows(self) -> SimilarityRows:
        """Return the similarities, a row for each query, from -2 to 2.

        Raises:
            DataError: An embedding is all zero or not finite.
        """
        return cosine_rows(self.queries, self.gallery) if self.similarities is None else self.similarities


class PostprocessStep(Declared):
    """One step of post-processing. A subclass is a frozen dataclass; its fields are the settings.

    Attributes:
        NAME: What it is called.
        IS_TRANSDUCTIVE: Whether the similarity of a query and a gallery item then depends on other queries or other
            gallery items. Where figures are compared with those of methods that look at one pair at a time, this has to
            be said.
        NEEDS_EMBEDDINGS: Whether it works on embeddings.
        LEAVES_EMBEDDINGS: Whether it gives embeddings. Those that need some cannot come after one that does not.
        COMES_FIRST: Whether it works on the embeddings as the model gives them, so that nothing may come before it.
    """

    NAME: ClassVar[str]
    IS_TRANSDUCTIVE: ClassVar[bool]
    NEEDS_EMBEDDINGS: ClassVar[bool]
    LEAVES_EMBEDDINGS: ClassVar[bool]
    COMES_FIRST: ClassVar[bool] = False

    def __call__(self, stage: FirstStage) -> FirstStage:
        """Return the first stage with this step done.

        Raises:
            ConfigError: A setting does not fit the sizes of the split.
        """
        raise NotImplementedError

    def check_number(self, setting: str, needed: int, available: int, what: str) -> None:
        """Check that there are as many of something as a setting needs.

        Args:
            setting: Its name.
            needed: How many it needs.
            available: How many there are.
            what: What they are, e.g. ``"pictures"``.

        Raises:
            ConfigError: There are fewer.
        """
        if needed > available:
            value = getattr(self, setting)
            raise ConfigError(f"{self.NAME}: {setting}={value} needs {needed} {what}, and there are {available}")

    def text(self) -> str:
        """Return it as ``--postprocess`` takes it, with all settings."""
        settings = ",".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{self.NAME}:{settings}" if settings else self.NAME
