"""Facts to know of a method before its figures are compared with another's."""

from dataclasses import dataclass
from typing import Annotated

from tipr_zoo.cards.record import SELECTED_ON
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, Limits, Told, must_be
from tipr_zoo.schemas.value_kinds import Text, Texts, Truth

NO_EXTRA_DATA = "none"
"""The value of ``pretraining`` where the training split was the only person data."""

Vectors = Annotated[int, Limits(above=0), Told(must_be("a whole number above 0"))]
Reranked = Annotated[int, Limits(smallest=0), Told(must_be("how many pictures are ranked again, from 0"))]
SelectedOn = Annotated[Text, Check(SELECTED_ON.__contains__, must_be(f"{', '.join(SELECTED_ON)} or null"))]


@dataclass(frozen=True)
class MethodFacts(Declared):
    """The ``method:`` block of a card or a reference. None always means *not known*.

    Attributes:
        name: The method's name, e.g. ``"IRRA"``.
        image_encoder: The image encoder, as the authors name it, e.g. ``"CLIP ViT-B/16"``.
        text_encoder: The text encoder, as the authors name it, e.g. ``"CLIP"``.
        pretraining: Person data used beside the training split, e.g. ``"NAM"``, or `NO_EXTRA_DATA`.
        selected_on: The split on which the authors' published code chooses the epoch by default, one of `SELECTED_ON`.
            Where there is no such code, it is what they say of the reported figures.
        selected_on_in_paper: What their paper says of it, where it says something.
        weights_published: Whether the weights of these figures are published.
        weights_part: What is published where it is not the weights of these figures, e.g. ``"pretraining only"``.
        vectors: How many vectors a picture and a caption are compared by: the score is the mean of as many cosines.
        rerank: How many of each caption's best pictures are ranked again by a score of the pair; 0 for none.
        at_test_time: What the method needs beside its own encoders when it is asked, e.g. a language model, or the
            whole test set to adapt to.
        reproduced_in: Addresses of sources that print figures of their own training, not those of the authors.
        remark: What must be known to read its figures, where it is shown.
    """

    name: Text
    image_encoder: Text | None = None
    text_encoder: Text | None = None
    pretraining: Text | None = None
    selected_on: SelectedOn | None = None
    selected_on_in_paper: SelectedOn | None = None
    weights_published: Truth | None = None
    weights_part: Text | None = None
    vectors: Vectors | None = None
    rerank: Reranked | None = None
    at_test_time: Text | None = None
    reproduced_in: Texts = ()
    remark: Text | None = None

    @property
    def has_extra_data(self) -> bool:
        """Whether the block names person data beside the training split."""
        return self.pretraining not in (None, NO_EXTRA_DATA)
