"""What must be known of a method before its figures are compared with another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from tipr_zoo.cards.record import SELECTED_ON
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, must_be
from tipr_zoo.schemas.value_kinds import Text, Texts, Truth

NO_EXTRA_DATA = "none"
"""What ``pretraining`` says where no person data beside the training split was used."""

SelectedOn = Annotated[Text, Check(SELECTED_ON.__contains__, must_be(f"{', '.join(SELECTED_ON)} or null"))]


@dataclass(frozen=True)
class MethodFacts(Declared):
    """The ``method:`` block of a card or a reference; None is always *not known*.

    Attributes:
        name: The method's name, e.g. ``"IRRA"``.
        image_encoder: As its authors name it, e.g. ``"CLIP ViT-B/16"``.
        text_encoder: Likewise, e.g. ``"CLIP"``.
        pretraining: Person data used beside the training split, e.g. ``"NAM"``, or `NO_EXTRA_DATA`.
        selected_on: What the epoch of the reported figures was chosen on, one of `SELECTED_ON`; where the authors do
            not say, what their code does by default.
        weights_published: Whether somebody gives out the weights of these figures.
        reproduced_in: Addresses of sources that print a training of their own, not the authors' figures.
    """

    name: Text
    image_encoder: Text | None = None
    text_encoder: Text | None = None
    pretraining: Text | None = None
    selected_on: SelectedOn | None = None
    weights_published: Truth | None = None
    reproduced_in: Texts = ()

    @property
    def has_extra_data(self) -> bool:
        """Whether person data beside the training split are named."""
        return self.pretraining not in (None, NO_EXTRA_DATA)
