"""The objectives of RDE, written line by line from their formulas. Those of FMFA are in plain_transcription.py.

As in the published code, every block of both towers computes its attention, although that of the last block alone is
used, and captions are pooled one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from tipr_zoo_rde.dual_embedding import RobustDualEmbedding
from tipr_zoo_rde.token_selection import TokenSelection
from torch import Tensor


def image_tower(model: RobustDualEmbedding, images: Tensor) -> tuple[Tensor, Tensor]:
    """Compute (B, 1 + N, D) tokens, and the (B, 1 + N, 1 + N) attention of the last block, by way of every block's."""
    trunk: Any = model.image_encoder.trunk
    tokens = trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(images)))
    attention = tokens
    for block in trunk.blocks:
        normed, heads = block.norm1(tokens), block.attn.num_heads
        qkv = F.linear(normed, block.attn.qkv.weight, block.attn.qkv.bias)
        query, key, value = qkv.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        per_head = (query @ key.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(dim=-1)
        tokens = tokens + block.attn.proj((per_head @ value).transpose(1, 2).flatten(2))
        tokens = tokens + block.mlp(block.norm2(tokens))
        attention = per_head.mean(dim=1)
    return trunk.head(trunk.norm(tokens)), attention


def text_tower(model: RobustDualEmbedding, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Compute (B, L, D) tokens, and the (B, L, L) attention of the last block, by way of every block's."""
    text_model = model.text_encoder.trunk.text_model
    tokens = text_model.embeddings(input_ids=ids)
    later = torch.full((ids.shape[1], ids.shape[1]), float("-inf"), device=ids.device).triu(1)
    attention = tokens
    for block in text_model.encoder.layers:
        own, normed = block.self_attn, block.layer_norm1(tokens)
        query, key, value = (
            projection(normed).unflatten(2, (own.num_heads, -1)).transpose(1, 2)
            for projection in (own.q_proj, own.k_proj, own.v_proj)
        )
        per_head = (query @ key.transpose(2, 3) / query.shape[-1] ** 0.5 + later).softmax(dim=-1)
        tokens = tokens + own.out_proj((per_head @ value).transpose(1, 2).flatten(2))
        tokens = tokens + block.mlp(block.layer_norm2(tokens))
        attention = per_head.mean(dim=1)
    return model.text_encoder.trunk.text_projection(text_model.final_layer_norm(tokens)), attention


def embedded_tokens(layers: TokenSelection, tokens: Tensor, chosen: Tensor) -> Tensor:
    """Embed chosen tokens: (B, L, D) tokens and (B, K) positions -> (B, K, embedding size)."""
    selected = torch.stack([row[places] for row, places in zip(tokens, chosen, strict=True)])
    selected = selected / (selected.norm(dim=-1, keepdim=True) + 1e-8)
    flat = selected.reshape(-1, selected.shape[-1])
    return (layers.linear(flat) + layers.mlp(flat)).reshape(*chosen.shape, -1)


def selected_patches(model: RobustDualEmbedding, tokens: Tensor, attention: Tensor) -> Tensor:
    """Compute TSE of pictures: (B, 1 + N, D) tokens and (B, 1 + N, 1 + N) attention -> (B, embedding size)."""
    scores = attention[:, 0].detach().clone()
    scores[:, 0] = -1
    chosen = scores.topk(int((tokens.shape[1] - 1) * 0.3), dim=1).indices
    return embedded_tokens(model.image_selection, tokens, chosen).max(dim=1).values


def selected_words(model: RobustDualEmbedding, tokens: Tensor, attention: Tensor, ids: Tensor) -> Tensor:
    """Compute TSE of captions: (B, L, D) tokens, (B, L, L) attention and (B, L) ids -> (B, embedding size)."""
    rows, ends = torch.arange(len(ids)), ids.argmax(dim=1)
    scores = attention[rows, ends].detach().clone()
    scores[:, 0] = scores[rows, ends] = -1
    scores = scores * (ids != 0)
    chosen = scores.topk(int((ids.shape[1] - 2) * 0.3), dim=1).indices
    embedded = embedded_tokens(model.text_selection, tokens, chosen)
    counts = ((ids != 0).sum(dim=1) - 2).clamp(max=chosen.shape[1])
    return torch.stack([row[:count].max(dim=0).values for row, count in zip(embedded, counts.tolist(), strict=True)])


def triplet_alignment(image: Tensor, text: Tensor, pids: Tensor, margin: float = 0.1, tau: float = 0.015) -> Tensor:
    """Compute TAL of pairs that are all clean: (B, D) embeddings and (B,) identities -> scalar."""
    cosines = F.normalize(text, dim=1) @ F.normalize(image, dim=1).t()
    same = (pids.unsqueeze(1) == pids.unsqueeze(0)).float()
    loss = torch.zeros((), device=image.device)
    for similarity in (cosines, cosines.t()):
        exponentials = (similarity / tau).exp()
        weights = (exponentials * same / (exponentials * same).sum(dim=1, keepdim=True)).detach()
        wrong = tau * ((1 - same) * exponentials).sum(dim=1).clamp(max=1e36).log()
        loss = loss + F.relu(margin - (weights * similarity).sum(dim=1) + wrong).sum()
    return loss


def rde_losses(model: RobustDualEmbedding, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute every objective of RDE for a batch, by the keys of `DualEncoder.loss`."""
    pids, ids = batch["pids"], batch["caption_ids"]
    image_tokens, image_attention = image_tower(model, batch["images"])
    text_tokens, text_attention = text_tower(model, ids)
    ends = text_tokens[torch.arange(len(ids)), ids.argmax(dim=1)]
    image = selected_patches(model, image_tokens, image_attention)
    text = selected_words(model, text_tokens, text_attention, ids)
    return {
        "bge": triplet_alignment(image_tokens[:, 0], ends, pids),
        "tse": triplet_alignment(image, text, pids),
    }
