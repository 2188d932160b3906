"""The objectives of SEN, written line by line from their formulas. Those of FMFA are in plain_transcription.py.

The caption is encoded a second time for the restoration, as in the published code.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from plain_transcription import divergences, identity_loss
from tipr_zoo_sen.text_guided_restoration import TextGuidedRestoration
from torch import Tensor

from tipr_zoo.dual_encoder import DualEncoder


def similarity_distribution_matching(image: Tensor, text: Tensor, pids: Tensor) -> Tensor:
    """Compute SDM: (B, D) embeddings and (B,) identities -> scalar."""
    loss = torch.zeros((), device=image.device)
    for _, _, divergence in divergences(image, text, pids):
        loss = loss + divergence.mean()
    return loss


def cross_modal_triplet(image: Tensor, text: Tensor, pids: Tensor, margin: float = 0.05) -> Tensor:
    """Compute CMT: (B, D) embeddings and (B,) identities -> scalar."""
    distances = 1 - F.normalize(text, dim=1) @ F.normalize(image, dim=1).t()
    same = pids.unsqueeze(1) == pids.unsqueeze(0)
    loss = torch.zeros((), device=image.device)
    for distance in (distances, distances.t()):
        nearest = distance.masked_fill(same, float("inf")).min(dim=1).values
        loss = loss + F.relu(distance.diagonal() - nearest + margin).mean()
    return loss


def text_guided_restoration(
    head: TextGuidedRestoration, model: DualEncoder, images: Tensor, text: Tensor, noise: Tensor
) -> Tensor:
    """Compute TIR: (B, 3, H, W) pictures, (B, L, D) tokens and (B, 1 + N) noise -> scalar."""
    size, (rows, columns) = head.patch_size, head.grid_size
    count, patches = len(images), rows * columns
    grey = (0.2989 * images[:, 0] + 0.5870 * images[:, 1] + 0.1140 * images[:, 2]).unsqueeze(1).repeat(1, 3, 1, 1)
    num_visible = int((1 + patches) * 0.3)
    order = noise[:, 1:].argsort(dim=1)
    back = order.argsort(dim=1)
    trunk = model.image_encoder.trunk
    tokens = trunk._pos_embed(trunk.patch_embed(grey))
    seen = torch.stack([tokens[row, 1 + order[row, : num_visible - 1]] for row in range(count)])
    tokens = trunk.head(trunk.norm(trunk.blocks(trunk.norm_pre(torch.cat([tokens[:, :1], seen], dim=1)))))
    tokens = head.decoder_embed(head.norm_1(tokens))
    hidden = head.mask_token.repeat(count, patches + 1 - num_visible, 1)
    drawn = torch.cat([tokens[:, 1:], hidden], dim=1)
    placed = torch.stack([drawn[row, back[row]] for row in range(count)])
    queries = head.norm_4(torch.cat([tokens[:, :1], placed], dim=1) + head.positions)
    text = head.norm_2(text)
    tokens = head.norm_6(head.cross_attn_Text(queries, text, text, need_weights=False)[0])
    for block in head.cross_modal_transformer_mae.resblocks:
        normed = block.ln_1(tokens)
        tokens = tokens + block.attn(normed, normed, normed, need_weights=False)[0]
        tokens = tokens + block.mlp(block.ln_2(tokens))
    predicted = head.decoder_pred(head.norm_7(tokens))[:, 1:]
    target = images.reshape(count, 3, rows, size, columns, size).permute(0, 2, 4, 3, 5, 1).reshape(predicted.shape)
    counted = (back >= num_visible).float()
    return (((predicted - target) ** 2).mean(dim=2) * counted).sum() / counted.sum()


def sen_losses(model: DualEncoder, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute every objective of SEN for a batch, by the keys of `DualEncoder.loss` and with their weights."""
    pids, caption_ids = batch["pids"], batch["caption_ids"]
    image = model.image_encoder(batch["images"])[:, 0]
    text = model.text_encoder(caption_ids)[torch.arange(len(pids)), caption_ids.argmax(dim=1)]
    again, head = model.text_encoder(caption_ids), model.heads["tir"]
    return {
        "sdm": similarity_distribution_matching(image, text, pids),
        "cmt": 10 * cross_modal_triplet(image, text, pids),
        "id": identity_loss(model.heads["id"], image, text, pids),
        "tir": 10 * text_guided_restoration(head, model, batch["images"], again, batch["mask_noise"]),
    }
