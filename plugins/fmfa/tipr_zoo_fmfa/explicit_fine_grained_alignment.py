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
    """Each word gathers the few patches that it attends to. Right pairs must beat wrong ones by a margin.

    The `joint_embeddings` of each pair are made from its text tokens and patch tokens, without the class token. Then
    the tokens of either modality are compared with the joint embeddings of every pair of the batch (`hard_similarity`).
    The loss is the `margin_loss` of both results. Tokens are not normalised.

    Args:
        text_margin: Margin of the text tokens. It is 0.1 in the published code. In the paper it is 0.1 on CUHK-PEDES
            and 0.2 on ICFG-PEDES and RSTPReid.
        image_margin: Margin of the patch tokens. It is 0.9 in the published code. In the paper it is 0.1 on CUHK-PEDES,
            1.0 on ICFG-PEDES and 0.8 on RSTPReid.
        variant: ``"code"`` divides the rows of hard similarities by their length, as in the published code. ``"paper"``
            leaves them as they are.

    Raises:
        ConfigError: `variant` is none of these two, or a margin is no number.
    """

    def __init__(self, text_margin: float = 0.1, image_margin: float = 0.9, variant: str = "code") -> None:
        super().__init__()
        if variant not in ("code", "paper"):
            raise ConfigError(f"variant of ExplicitFineGrainedAlignment must be 'code' or 'paper', got {variant!r}")
        self.text_margin = checked_number("text_margin of ExplicitFineGrainedAlignment", text_margin)
        self.image_margin = checked_number("image_margin of ExplicitFineGrainedAlignment", image_margin)
        self.variant = variant

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Return the loss of a batch, a scalar. It is computed in float32, also under autocast.

        ``batch`` is not read. Each caption belongs only to its own picture, whatever the identities are.
        """
        with torch.autocast(features.text_tokens.device.type, enabled=False):
            text, patches = _at_least_float32(features.text_tokens), _at_least_float32(features.image_tokens[:, 1:])
            joint = joint_embeddings(text, patches)
            return self._one_modality(text, joint, self.text_margin) + self._one_modality(
                patches, joint, self.image_margin
            )

    def _one_modality(self, tokens: Tensor, joint: Tensor, margin: float) -> Tensor:
        """Return the loss of the tokens of one modality."""
        similarity = hard_similarity(tokens, joint)
        if self.variant == "code":
            similarity = F.normalize(similarity, dim=1)
        return margin_loss(similarity, margin)


def joint_embeddings(text_tokens: Tensor, patch_tokens: Tensor) -> Tensor:
    """Return for each text token the weighted mean of the patches that it is most similar to.

    The weights are those of `token_patch_map`.

    Args:
        text_tokens: (B, L, D).
        patch_tokens: (B, N, D).

    Returns:
        (B, L, D).
    """
    return token_patch_map(text_tokens, patch_tokens) @ patch_tokens


def hard_similarity(tokens: Tensor, joint: Tensor) -> Tensor:
    """Measure how well the tokens of each item match the joint embeddings of each pair.

    Args:
        tokens: (B, K, D) tokens of one modality.
        joint: (B, L, D) joint embeddings.

    Returns:
        (B, B). Each token of a has a best cosine with the joint embeddings of b. At (a, b) stands the log-sum-exp of
        these over the tokens of a.
    """
    best = best_match_similarity(F.normalize(tokens, dim=-1), F.normalize(joint, dim=-1))
    return torch.logsumexp(best, dim=1)


def margin_loss(similarity: Tensor, margin: float) -> Tensor:
    """Return the log-sum-exp over columns of how far wrong pairs come within a margin of right ones.

    Each column j gives two terms. log sum_i exp(S_ij - S_ii + m) has the right pair of row i.
    log sum_i exp(S_ij - S_jj + m) has the right pair of column j. The right pairs themselves enter the sums as exp(0),
    as in the published code.

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
    """Return the tokens in float32 or more, so that nothing after this is rounded to half precision."""
    return tokens.to(torch.promote_types(tokens.dtype, torch.float32))
