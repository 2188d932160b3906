"""RDE's random changes to the tokens of a caption (arXiv 2308.09911, section 4.1, as in its code)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.protocols import Tokenizer
from tipr_zoo.registries import CAPTION_AUGMENTATIONS

MASKED, REPLACED = 0.6, 0.2
"""Of the tokens that are changed, the shares that are masked and replaced by a random one; the others are dropped."""


@CAPTION_AUGMENTATIONS.register_module()
class TokenAugmentation:
    """Masks, replaces and drops tokens of a caption; start and end stay.

    Args:
        captions: The captions of the training split.
        tokenizer: Has the mask token, and the ids that may stand for a word.
        probability: Of a change, for each token.

    Raises:
        ConfigError: `probability` is not from 0 to 1, or the tokenizer has no mask token.
    """

    def __init__(self, captions: Sequence[str], tokenizer: Tokenizer, probability: float = 0.2) -> None:
        if not 0 <= probability <= 1:
            raise ConfigError(f"probability of TokenAugmentation must be from 0 to 1, got {probability!r}")
        if not hasattr(tokenizer, "mask_id"):
            raise ConfigError(
                f"TokenAugmentation needs a mask_id of the tokenizer, and {type(tokenizer).__name__} has none"
            )
        self.captions, self.mask_id, self.probability = captions, tokenizer.mask_id, probability
        self.word_ids = torch.as_tensor(list(getattr(tokenizer, "word_ids", range(1, tokenizer.mask_id))))

    def __call__(self, index: int, generator: torch.Generator) -> str:
        """Return caption number `index`; its tokens are changed in `change_ids`."""
        return self.captions[index]

    def change_ids(self, ids: Tensor, generator: torch.Generator) -> Tensor:
        """Change (L,) int64 token ids. Where tokens are dropped, later ones move up, and zeros follow the end."""
        length = int(ids.count_nonzero())
        place = torch.arange(len(ids))
        is_word = (place > 0) & (place < length - 1)
        change, kind = torch.rand(2, len(ids), generator=generator)
        drawn = self.word_ids[torch.randint(len(self.word_ids), ids.shape, generator=generator)]
        changed = is_word & (change < self.probability)
        ids = torch.where(changed & (kind < MASKED), self.mask_id, ids)
        ids = torch.where(changed & (kind >= MASKED) & (kind < MASKED + REPLACED), drawn, ids)
        kept = ids[~(changed & (kind >= MASKED + REPLACED))]
        return torch.cat([kept, ids.new_zeros(len(ids) - len(kept))])
