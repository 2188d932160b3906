"""Pruning-based text augmentation, from SEN (arXiv 2307.09059)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import CAPTION_AUGMENTATIONS
from tipr_zoo_sen.pruned_captions import pruned_captions


@CAPTION_AUGMENTATIONS.register_module()
class PruningAugmentation:
    """Sometimes replaces a caption by its pronouns, nouns and adjectives, joined by spaces.

    A caption without any of them stays as it is. Parts of speech are found once, when the augmentation is made. They
    are kept on disk: see `tipr_zoo_sen.pruned_captions`.

    Args:
        captions: The captions of the training split.
        probability: Probability that a caption is replaced, each time it is seen.
        tagger: ``"pattern"``, which needs no download, or ``"nltk"``: see `tipr_zoo_sen.part_of_speech.load_tagger`.

    Raises:
        ConfigError: `probability` is no number from 0 to 1, or the tagger's model is not on this machine.
        UnknownNameError: There is no such tagger.
    """

    def __init__(self, captions: Sequence[str], probability: float = 0.2, tagger: str = "pattern") -> None:
        if isinstance(probability, bool) or not isinstance(probability, (int, float)) or not 0 <= probability <= 1:
            raise ConfigError(f"probability of PruningAugmentation must be a number from 0 to 1, got {probability!r}")
        self.captions, self.probability = captions, probability
        self.pruned = pruned_captions(captions, tagger)

    def __call__(self, index: int, generator: torch.Generator) -> str:
        """Return caption number `index`, whole or pruned. One number is drawn from `generator`."""
        pruned = bool(torch.rand((), generator=generator) < self.probability)
        return (self.pruned if pruned else self.captions)[index]
