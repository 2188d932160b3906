"""Explicit fine-grained alignment of words and patches, from FMFA (arXiv 2509.13754, section 3.3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.checked_number import checked_number
from tipr_zoo.registries import LOSSES
from tipr_zoo.token_patch_map import token_patch_map
from tipr_zoo_fmfa.best_match_similarity import best_match_similarity


@LOSSES.register_module()
class ExplicitFineGrainedAlignment(nn.Module):
    """Words gather the few patches they attend to; right pairs must beat wrong ones by a margin.

    Of each pair, `joint_embeddings` are made from all text tokens and the patch tokens, the class token left out. The
    tokens of either modality are then compared with the joint embeddings of every pair of the batch
    (`hard_similarity`), and `margin_loss` is taken of both results. Tokens are not normalised.

    Args:
        text_margin: Margin of the text tokens: 0.1 in the published code; in the paper 0.1 on CUHK-PEDES and 0.2 on
            ICFG-PEDES and RSTPReid.
        image_margin: Margin of the patch tokens: 0.9 in the published code; in the paper 0.1 on CUHK-PEDES, 1.0 on
            ICFG-PEDES and 0.8 on RSTPReid.
        variant: ``"code"`` divides the rows of hard similarities by their length, as the published code does;
            ``"paper"`` leaves them as they are.

    Raises:
        ConfigError: There is no such variant, or a margin is no number.
    """

    def __init__(self, text_margin: float = 0.1, image_margin: float = 0.9, variant: str = "code") -> None:
        super().__init__()
        if variant not in ("code", "paper"):
            raise ConfigError(f"variant of ExplicitFineGrainedAlignment must be 'code' or 'paper', got {variant!r}")
        self.text_margin = checked_number("text_margin of ExplicitFineGrainedAlignment", text_margin)
        self.image_margin = checked_number("image_margin of ExplicitFineGrainedAlignment", image_margin)
        self.variant = variant

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar, computed in float32 also under autocast.

        ``batch`` is not read: each caption belongs to its own picture alone, whatever the identities.
        """
        with torch.autocast(features.text_tokens.device.type, enabled=False):
            text, patches = _at_least_float32(features.text_tokens), _at_least_float32(features.image_tokens[:, 1:])
            joint = joint_embeddings(text, patches)
            return self._one_modality(text, joint, self.text_margin) + self._one_modality(
                patches, joint, self.image_margin
            )

    def _one_modality(self, tokens: Tensor, joint: Tensor, margin: float) -> Tensor:
        """The loss of the tokens of one modality."""
        similarity = hard_similarity(tokens, joint)
        if self.variant == "code":
            similarity = F.normalize(similarity, dim=1)
        return margin_loss(similarity, margin)


def joint_embeddings(text_tokens: Tensor, patch_tokens: Tensor) -> Tensor:
    """For each text token, the weighted mean of the patches it is most similar to.

    The weights are those of `token_patch_map`.

    Args:
        text_tokens: (B, L, D).
        patch_tokens: (B, N, D).

    Returns:
        (B, L, D).
    """
    return token_patch_map(text_tokens, patch_tokens) @ patch_tokens


def hard_similarity(tokens: Tensor, joint: Tensor) -> Tensor:
    """How well the tokens of each item find a counterpart among the joint embeddings of each pair.

    Args:
        tokens: (B, K, D) tokens of one modality.
        joint: (B, L, D) joint embeddings.

    Returns:
        (B, B): at (a, b) the log-sum-exp over the tokens of a of their best cosine with a joint embedding of b.
    """
    best = best_match_similarity(F.normalize(tokens, dim=-1), F.normalize(joint, dim=-1))
    return torch.logsumexp(best, dim=1)


def margin_loss(similarity: Tensor, margin: float) -> Tensor:
    """Log-sum-exp of how far wrong pairs come within a margin of right ones, over columns, twice.

    Each column j gives log sum_i exp(S_ij - S_ii + m), with the right pair of row i, and
    log sum_i exp(S_ij - S_jj + m), with that of column j. The right pairs themselves enter the sums as exp(0), as in
    the published code.

    Args:
        similarity: (B, B), right pairs on the diagonal.
        margin: The margin m.
    """
    right = similarity.diagonal()
    own = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    by_row = (similarity - right.unsqueeze(1) + margin).masked_fill(own, 0.0)
    by_column = (similarity - right.unsqueeze(0) + margin).masked_fill(own, 0.0)
    return torch.logsumexp(by_row, dim=0).mean() + torch.logsumexp(by_column, dim=0).mean()


def _at_least_float32(tokens: Tensor) -> Tensor:
    """The tokens without the rounding of half precision in what follows."""
    return tokens.to(torch.promote_types(tokens.dtype, torch.float32))
