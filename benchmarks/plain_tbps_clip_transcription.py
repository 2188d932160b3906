"""The objectives of TBPS-CLIP, written line by line from their formulas.

As in the published code, both towers run on all tokens, and a second time without gradient for the soft labels, each
view included. There is no dropout, which two ways cannot draw alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def image_embedding(model: Any, images: Tensor) -> Tensor:
    """Compute (B, D) class tokens, by way of all tokens."""
    trunk = model.image_encoder.trunk
    tokens = trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(images)))
    for block in trunk.blocks:
        normed, heads = block.norm1(tokens), block.attn.num_heads
        qkv = F.linear(normed, block.attn.qkv.weight, block.attn.qkv.bias)
        query, key, value = qkv.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + block.attn.proj(attended.transpose(1, 2).flatten(2))
        tokens = tokens + block.mlp(block.norm2(tokens))
    return trunk.head(trunk.norm(tokens))[:, 0]


def text_embedding(model: Any, ids: Tensor) -> Tensor:
    """Compute (B, D) end tokens, by way of all tokens."""
    text_model = model.text_encoder.trunk.text_model
    tokens = text_model.embeddings(input_ids=ids)
    for block in text_model.encoder.layers:
        own, normed = block.self_attn, block.layer_norm1(tokens)
        query, key, value = (
            projection(normed).unflatten(2, (own.num_heads, -1)).transpose(1, 2)
            for projection in (own.q_proj, own.k_proj, own.v_proj)
        )
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        tokens = tokens + own.out_proj(attended.transpose(1, 2).flatten(2))
        tokens = tokens + block.mlp(block.layer_norm2(tokens))
    projected = model.text_encoder.trunk.text_projection(text_model.final_layer_norm(tokens))
    return projected[torch.arange(len(ids), device=ids.device), ids.argmax(dim=-1)]


def nitc(
    image: Tensor, text: Tensor, second: tuple[Tensor, Tensor], scale: Tensor, same: Tensor, ratio: float
) -> Tensor:
    """Compute N-ITC of (B, D) unit embeddings, with those of the second pass."""
    logits, soft = scale * image @ text.t(), scale.detach() * second[0] @ second[1].t()
    total = logits.new_zeros(())
    for way, other in ((logits, soft), (logits.t(), soft.t())):
        target = ratio * F.softmax(other, dim=1) + (1 - ratio) * same
        total = total - (target * F.log_softmax(way, dim=1)).sum(dim=1).mean()
    return total / 2


def tbps_clip_losses(model: Any, batch: Mapping[str, Tensor], ratio: float = 0.5) -> dict[str, Tensor]:
    """Compute the weighted losses of the full or the simplified TBPS-CLIP by key."""
    ids, is_full = batch["caption_ids"], "ss" in model.heads
    views = ["images", "augmented"] if is_full else ["images"]
    images = [F.normalize(image_embedding(model, batch[name]), dim=-1) for name in views]
    text = F.normalize(text_embedding(model, ids), dim=-1)
    with torch.no_grad():
        again = [F.normalize(image_embedding(model, batch[name]), dim=-1) for name in views]
        words = F.normalize(text_embedding(model, ids), dim=-1)
    scale = model.logit_scale.exp()
    scale.data = torch.clamp(scale.data, max=100)
    same = (batch["pids"].unsqueeze(1) == batch["pids"].unsqueeze(0)).float()
    same = same / same.sum(dim=1, keepdim=True)
    each = [nitc(image, text, (second, words), scale, same, ratio) for image, second in zip(images, again, strict=True)]
    logits = scale * images[0] @ text.t()
    ritc = logits.new_zeros(())
    for way in (logits, logits.t()):
        probability = F.softmax(way, dim=1)
        divergence = probability * (F.log_softmax(way, dim=1) - torch.log(same + 1e-2))
        ritc = ritc + divergence.sum(dim=1).mean() / 2
    losses = {"nitc": sum(each[1:], each[0]) / len(each), "ritc": ritc}
    if is_full:
        losses |= {"citc": 0.1 * citc(images[0], text), "ss": 0.4 * self_supervision(model, batch)}
    return losses


def citc(image: Tensor, text: Tensor) -> Tensor:
    """Compute C-ITC of (B, D) unit embeddings."""
    within = image @ image.t() - text @ text.t()
    across = image @ text.t() - text @ image.t()
    return 0.25 * within.square().mean() + 0.25 * across.square().mean()


def self_supervision(model: Any, batch: Mapping[str, Tensor]) -> Tensor:
    """Compute SS-I of both views."""
    names = ("self_supervised_1", "self_supervised_2")
    one, other = (F.normalize(model.heads["ss"].mlp(image_embedding(model, batch[name])), dim=-1) for name in names)
    own = torch.arange(len(one), device=one.device)
    itself = torch.eye(len(one), device=one.device) * 1e9
    ways = ((one, other), (other, one))
    losses = [F.cross_entropy(torch.cat([a @ b.t() / 0.1, a @ a.t() / 0.1 - itself], dim=1), own) for a, b in ways]
    return (losses[0] + losses[1]) / 2
