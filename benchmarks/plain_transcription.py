"""The objectives of FMFA, written line by line from their formulas. The benchmarks compare the zoo with them.

This is a first version in PyTorch: all pairs of a batch at once, logits for every position, everything in float32,
gradients by autograd. Towers and parameters are the zoo's, so that values and gradients can be compared. Only the
activation is also written as its formula (`write_out_activations`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.backbones.quick_gelu import QuickGELU
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.heads.identity_classification import IdentityClassification
from tipr_zoo.heads.implicit_relation_reasoning import ImplicitRelationReasoning

AllCosines = Callable[[Tensor, Tensor], Tensor]
"""Normalised (B, K, D) and (B, L, D) tokens -> their (B, B, K, L) products for all pairs (a, b) of the batch."""


def broadcast_cosines(tokens: Tensor, joint: Tensor) -> Tensor:
    """Compute the pairs as a broadcast matrix product. PyTorch repeats both sets for every pair."""
    return tokens.unsqueeze(1) @ joint.unsqueeze(0).transpose(2, 3)


def one_product_cosines(tokens: Tensor, joint: Tensor) -> Tensor:
    """Compute the same as one large matrix product, which is faster and needs less memory."""
    return torch.einsum("akd,bld->abkl", tokens, joint)


def divergences(image: Tensor, text: Tensor, pids: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield the parts of SDM and A-SDM, first for pictures, then for captions.

    (B, D) embeddings and (B,) identities -> (B, B) cosines, (B, B) target and (B,) KL(p || q).
    """
    cosines = F.normalize(image, dim=1) @ F.normalize(text, dim=1).t()
    same = (pids.unsqueeze(1) == pids.unsqueeze(0)).float()
    target = same / same.sum(dim=1, keepdim=True)
    for similarity in (cosines, cosines.t()):
        probability = F.softmax(50 * similarity, dim=1)
        divergence = probability * (F.log_softmax(50 * similarity, dim=1) - torch.log(target + 1e-8))
        yield similarity, target, divergence.sum(dim=1)


def adaptive_sdm(image: Tensor, text: Tensor, pids: Tensor) -> Tensor:
    """Compute A-SDM in the form of the published code: (B, D) embeddings and (B,) identities -> scalar."""
    loss = torch.zeros((), device=image.device)
    for similarity, target, divergence in divergences(image, text, pids):
        best, positive = similarity.max(dim=1).values, similarity.gather(1, target.argmax(dim=1, keepdim=True))
        weight = 1 + 0.1 * (best - positive.squeeze(1))
        loss = loss + (weight * divergence).mean()
    return loss


def identity_loss(head: IdentityClassification, image: Tensor, text: Tensor, pids: Tensor) -> Tensor:
    """Compute the cross-entropy of both modalities: (B, D) embeddings and (B,) identities -> scalar."""
    return (F.cross_entropy(head.classifier(image), pids) + F.cross_entropy(head.classifier(text), pids)) / 2


def implicit_relation_reasoning(
    head: ImplicitRelationReasoning, masked_text: Tensor, image: Tensor, labels: Tensor
) -> Tensor:
    """Compute masked language modelling: (B, L, D) and (B, 1 + N, D) tokens and (B, L) labels -> scalar."""
    text, image = head.ln_pre_t(masked_text), head.ln_pre_i(image)
    tokens = head.cross_attn(text, image, image, need_weights=False)[0]
    for block in head.cross_modal_transformer.resblocks:
        normed = block.ln_1(tokens)
        tokens = tokens + block.attn(normed, normed, normed, need_weights=False)[0]
        tokens = tokens + block.mlp(block.ln_2(tokens))
    return word_loss(head, head.ln_post(tokens), labels)


def word_loss(head: ImplicitRelationReasoning, tokens: Tensor, labels: Tensor) -> Tensor:
    """Compute the cross-entropy of masked words, with logits for every position: (B, L, D) and (B, L) -> scalar."""
    return F.cross_entropy(head.mlm_head(tokens).flatten(0, 1), labels.flatten(), ignore_index=0)


def explicit_fine_grained_alignment(
    text: Tensor,
    patches: Tensor,
    text_margin: float = 0.1,
    image_margin: float = 0.9,
    all_cosines: AllCosines = broadcast_cosines,
) -> Tensor:
    """Compute EFA in the form of the published code: (B, L, D) and (B, N, D) tokens -> scalar."""
    similarity = text @ patches.transpose(1, 2)
    lowest, highest = similarity.amin(dim=2, keepdim=True), similarity.amax(dim=2, keepdim=True)
    similarity = (similarity - lowest) / (highest - lowest)
    similarity = torch.where(similarity > 1 / patches.shape[1], similarity, torch.zeros_like(similarity))
    joint = (similarity / similarity.sum(dim=2, keepdim=True)) @ patches
    loss = torch.zeros((), device=text.device)
    for tokens, margin in ((text, text_margin), (patches, image_margin)):
        cosines = all_cosines(F.normalize(tokens, dim=-1), F.normalize(joint, dim=-1))
        hard = F.normalize(cosines.max(dim=3).values.logsumexp(dim=2), dim=1)
        loss = loss + _margin_loss(hard, margin)
    return loss


def fmfa_losses(model: DualEncoder, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute every objective of FMFA for a batch, by the keys of `DualEncoder.loss`. All weights are 1."""
    pids, caption_ids = batch["pids"], batch["caption_ids"]
    image_tokens, text_tokens = model.image_encoder(batch["images"]), model.text_encoder(caption_ids)
    image, text = image_tokens[:, 0], text_tokens[torch.arange(len(pids)), caption_ids.argmax(dim=1)]
    masked_text = model.text_encoder(batch["mlm_ids"])
    return {
        "asdm": adaptive_sdm(image, text, pids),
        "efa": explicit_fine_grained_alignment(text_tokens, image_tokens[:, 1:]),
        "id": identity_loss(model.heads["id"], image, text, pids),
        "irr": implicit_relation_reasoning(model.heads["irr"], masked_text, image_tokens, batch["mlm_labels"]),
    }


def write_out_activations(model: nn.Module) -> None:
    """Give a model's transformers the plain formula of QuickGELU in place of the zoo's faster form."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, QuickGELU):
                setattr(module, name, WrittenOutQuickGELU())


class WrittenOutQuickGELU(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values * torch.sigmoid(1.702 * values)


def _margin_loss(similarity: Tensor, margin: float) -> Tensor:
    """Compute both margin terms of a (B, B) similarity."""
    own, right = torch.eye(len(similarity), device=similarity.device).bool(), similarity.diagonal()
    by_row = (similarity - right.unsqueeze(1) + margin).masked_fill(own, 0)
    by_column = (similarity - right.unsqueeze(0) + margin).masked_fill(own, 0)
    return by_row.exp().sum(dim=0).log().mean() + by_column.exp().sum(dim=0).log().mean()
