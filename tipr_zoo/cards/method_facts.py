"""What must be known of a method before its figures are compared with another's."""

from __future__ import annotations

from dataclasses import dataclass

from tipr_zoo.cards.fields import Fields
from tipr_zoo.cards.record import SELECTED_ON

NO_EXTRA_DATA = "none"
"""What ``pretraining`` says where no person data beside the training split was used."""


@dataclass(frozen=True)
class MethodFacts:
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

    name: str
    image_encoder: str | None = None
    text_encoder: str | None = None
    pretraining: str | None = None
    selected_on: str | None = None
    weights_published: bool | None = None
    reproduced_in: tuple[str, ...] = ()

    @property
    def has_extra_data(self) -> bool:
        """Whether person data beside the training split are named."""
        return self.pretraining not in (None, NO_EXTRA_DATA)


def read_method_facts(block: Fields) -> MethodFacts:
    """Read the ``method:`` block.

    Args:
        block: The block.

    Raises:
        CardError: A field is unknown or holds something else than it should.
    """
    block.allow(MethodFacts.__dataclass_fields__)
    selected_on = block.optional_text("selected_on")
    if selected_on is not None and selected_on not in SELECTED_ON:
        raise block.error(f"'selected_on' must be {', '.join(SELECTED_ON)} or null, got {selected_on!r}")
    return MethodFacts(
        name=block.text("name"),
        image_encoder=block.optional_text("image_encoder"),
        text_encoder=block.optional_text("text_encoder"),
        pretraining=block.optional_text("pretraining"),
        selected_on=selected_on,
        weights_published=block.optional_truth("weights_published"),
        reproduced_in=block.texts("reproduced_in") if "reproduced_in" in block.values else (),
    )
