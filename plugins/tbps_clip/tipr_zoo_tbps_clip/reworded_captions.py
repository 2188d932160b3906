"""What TBPS-CLIP's training does to captions: back-translations where there are some, and words left out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import torch

from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import CAPTION_AUGMENTATIONS

TRANSLATIONS = "captions_bt"
"""The key under which annotations have the back-translations of captions, as in TBPS-CLIP's layout."""


@CAPTION_AUGMENTATIONS.register_module()
class RewordedCaptions:
    """Replaces a caption by its back-translation, then leaves out words.

    A caption of one word, or of none, stays as it is. Where every word would go, one of them, drawn at random, stays.

    Args:
        captions: The captions of the training split.
        further_captions: Other wordings of them by key; those under ``captions_bt`` are taken.
        translated: Probability that a caption becomes its back-translation, where it has one.
        deleted: Probability that a word is left out, for each.

    Raises:
        ConfigError: A probability is not from 0 to 1.
    """

    def __init__(
        self,
        captions: Sequence[str],
        further_captions: Mapping[str, Sequence[str | None]] | None = None,
        translated: float = 0.1,
        deleted: float = 0.05,
    ) -> None:
        for name, value in (("translated", translated), ("deleted", deleted)):
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} of RewordedCaptions must be from 0 to 1, got {value!r}")
        self.captions, self.translated, self.deleted = captions, translated, deleted
        self.translations = (further_captions or {}).get(TRANSLATIONS)
        if self.translations is None and translated:
            told = "the annotations have no %s: no caption is replaced by its back-translation"
            logging.getLogger("tipr_zoo").warning(told, TRANSLATIONS)

    def __call__(self, index: int, generator: torch.Generator) -> str:
        """Return caption number `index`, or another wording of it; every draw comes from `generator`."""
        caption = self.captions[index]
        if float(torch.rand((), generator=generator)) < self.translated and self.translations is not None:
            caption = self.translations[index] or caption
        words = caption.split()
        if len(words) < 2:
            return caption
        stay = (torch.rand(len(words), generator=generator) >= self.deleted).tolist()
        if all(stay):
            return caption
        kept = [word for word, stays in zip(words, stay, strict=True) if stays]
        return " ".join(kept or [words[int(torch.randint(len(words), (), generator=generator))]])
