"""The objectives of RaSa, written line by line from their formulas.

As in the published code, every pass runs over all places of the caption, padding among them, and computes the
picture's keys and values anew; the cross-encoder gives all tokens, where only the first is asked for. Of equal weights
the largest is drawn. There is no dropout, which two ways cannot draw alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(attention: Any, output: Any, asking: Tensor, asked: Tensor, mask: Tensor | None) -> Tensor:
    """Attend with BERT's parts: (B, L, W) tokens to (B, T, ...) tokens, and add what was found."""
    heads = attention.num_attention_heads
    query, key, value = (
        projection(tokens).unflatten(2, (heads, -1)).transpose(1, 2)
        for projection, tokens in ((attention.query, asking), (attention.key, asked), (attention.value, asked))
    )
    attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return output(attended.transpose(1, 2).flatten(2), asking)


def picture_tokens(towers: Any, images: Tensor) -> Tensor:
    """Compute (B, T, W) tokens of pictures."""
    trunk = towers.image_encoder.trunk
    tokens = trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(images)))
    for block in trunk.blocks:
        qkv = block.attn.qkv(block.norm1(tokens)).unflatten(2, (3, block.attn.num_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + block.attn.proj(attended.transpose(1, 2).flatten(2))
        tokens = tokens + block.mlp(block.norm2(tokens))
    return trunk.norm(tokens)


def mask_of(ids: Tensor) -> Tensor:
    """Return (B, 1, 1, L) bool, which tokens are no padding."""
    return (ids != 0)[:, None, None, :]


def caption_tokens(towers: Any, ids: Tensor) -> Tensor:
    """Compute (B, L, W) tokens of captions alone."""
    bert = towers.text_encoder.trunk
    tokens = bert.embeddings(input_ids=ids)
    for layer in bert.encoder.layer:
        tokens = attend(layer.attention.self, layer.attention.output, tokens, tokens, mask_of(ids))
        tokens = layer.output(layer.intermediate(tokens), tokens)
    return tokens


def fused(towers: Any, tokens: Tensor, ids: Tensor, pictures: Tensor) -> Tensor:
    """Let (B, L, W) tokens of captions attend to (B, T, ...) tokens of pictures."""
    for layer in towers.fusion_encoder.layer:
        tokens = attend(layer.attention.self, layer.attention.output, tokens, tokens, mask_of(ids))
        across = layer.crossattention
        tokens = attend(across.self, across.output, tokens, pictures, None)
        tokens = layer.output(layer.intermediate(tokens), tokens)
    return tokens


def embeddings(towers: Any, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
    """Compute both (B, D) embeddings of unit length."""
    image, text = towers.image_projection(images[:, 0]), towers.text_projection(texts[:, 0])
    return F.normalize(image, dim=1), F.normalize(text, dim=1)


def contrast(model: Any, own: tuple[Tensor, Tensor], taught: tuple[Tensor, Tensor], pids: Tensor) -> Tensor:
    """Compute CL, and let the queues take the batch."""
    head, count, temperature = model.heads["cl"], len(pids), model.temperature
    others = [
        torch.cat([rows.t(), queue.clone()], dim=1)
        for rows, queue in zip(taught, (head.image_queue, head.text_queue), strict=True)
    ]
    same = (pids.view(-1, 1) == torch.cat([pids, head.idx_queue[0].clone()])).float()
    same = same / same.sum(1, keepdim=True)
    total = torch.zeros(())
    for row, teacher in zip(own, taught, strict=True):
        for columns in others:
            with torch.no_grad():
                soft = F.softmax(teacher @ columns / temperature, dim=1)
                target = model.soft_label_ratio * soft + (1 - model.soft_label_ratio) * same
            total = total - (F.log_softmax(row @ columns / temperature, dim=1) * target).sum(dim=1).mean()
    place = int(head.queue_ptr)
    head.image_queue[:, place : place + count] = taught[0].t()
    head.text_queue[:, place : place + count] = taught[1].t()
    head.idx_queue[0, place : place + count] = pids
    head.queue_ptr[0] = (place + count) % head.queue_size
    return total / 4


def matching(
    model: Any, own: tuple[Tensor, Tensor], tokens: tuple[Tensor, Tensor], taught: Any, batch: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Compute p-ITM and PRD."""
    (images, texts), ids, count = tokens, batch["weak_ids"], len(batch["pids"])
    right = fused(model, texts, ids, images)[:, 0]
    with torch.no_grad():
        same = batch["pids"].view(-1, 1) == batch["pids"]
        pictures = (own[1] @ taught[0].t() / model.temperature).masked_fill(same, -torch.inf).argmax(1)
        captions = (own[0] @ taught[1].t() / model.temperature).masked_fill(same, -torch.inf).argmax(1)
    wrong = fused(
        model,
        torch.cat([texts, texts[captions]]),
        torch.cat([ids, ids[captions]]),
        torch.cat([images[pictures], images]),
    )[:, 0]
    labels = torch.cat([torch.ones(count), torch.zeros(2 * count)]).long().to(ids.device)
    pitm = F.cross_entropy(model.matching_head(torch.cat([right, wrong])), labels)
    return pitm, F.cross_entropy(model.heads["prd"].relation(right), batch["weak"])


def words(towers: Any, head: Any, tokens: Tensor) -> Tensor:
    """Compute (B, L, V) logits of words."""
    return F.linear(head.transform(tokens), towers.text_encoder.trunk.embeddings.word_embeddings.weight, head.bias)


def masked_words(model: Any, images: Tensor, seen: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Compute MLM, whose soft labels meet predictions normalised over the places, as in the published code."""
    ids, teacher, labels = batch["mlm_ids"], model.momentum, batch["mlm_labels"]
    with torch.no_grad():
        taught = fused(teacher, caption_tokens(teacher, ids), ids, seen)
        soft = F.softmax(words(teacher, teacher.masked_words, taught), dim=-1)
    logits = words(model, model.heads["mlm"], fused(model, caption_tokens(model, ids), ids, images))
    masked = labels > 0
    hard = F.cross_entropy(logits[masked], labels[masked])
    softer = -(F.log_softmax(logits, dim=1) * soft).sum(dim=-1)[masked].mean()
    return (1 - model.soft_label_ratio) * hard + model.soft_label_ratio * softer


def replaced_tokens(model: Any, images: Tensor, seen: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Compute m-RTD."""
    ids, teacher = batch["caption_ids"], model.momentum
    with torch.no_grad():
        masked = batch["mrtd_ids"]
        tokens = fused(teacher, caption_tokens(teacher, masked), ids, seen)
        drawn = F.softmax(words(teacher, teacher.masked_words, tokens), dim=-1).argmax(-1)
        drawn[:, 0] = ids[:, 0]
        drawn = drawn * (ids != 0)
        labels = (drawn != ids).long().masked_fill((drawn == 0) | (drawn == ids[:, :1]), -100)
    found = model.heads["mrtd"].detection(fused(model, caption_tokens(model, drawn), drawn, images))
    return F.cross_entropy(found.flatten(0, 1), labels.flatten(), ignore_index=-100)


def rasa_losses(model: Any, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute RaSa's losses, weighted. The momentum copy follows first.

    Args:
        model: A model whose momentum copy and queues are there.
        batch: ``images``, ``images_m``, ``caption_ids``, ``weak_ids``, ``weak``, ``mlm_ids``, ``mlm_labels``,
            ``mrtd_ids``, ``pids``.
    """
    teacher = model.momentum
    parts = ("image_encoder", "text_encoder", "fusion_encoder", "image_projection", "text_projection")
    with torch.no_grad():
        for copied, part in (
            *((getattr(teacher, name), getattr(model, name)) for name in parts),
            (teacher.masked_words, model.heads["mlm"]),
        ):
            for mean, now in zip(copied.parameters(), part.parameters(), strict=True):
                mean.data = mean.data * model.momentum_kept + now.data * (1 - model.momentum_kept)
        seen = picture_tokens(teacher, batch["images_m"])
        taught = embeddings(teacher, seen, caption_tokens(teacher, batch["weak_ids"]))
    tokens = picture_tokens(model, batch["images"]), caption_tokens(model, batch["weak_ids"])
    own = embeddings(model, *tokens)
    cl = contrast(model, own, taught, batch["pids"])
    pitm, prd = matching(model, own, tokens, taught, batch)
    losses = {"cl": cl, "pitm": pitm, "mlm": masked_words(model, tokens[0], seen, batch), "prd": prd}
    losses["mrtd"] = replaced_tokens(model, tokens[0], seen, batch)
    return {key: model.loss_weights[key] * loss for key, loss in losses.items()}


def rasa_batch(size: int, sides: tuple[int, int], length: int) -> dict[str, Tensor]:
    """Make a batch of random pictures and token ids, two pairs of each identity.

    Captions have 12 tokens to `length`, and BERT's special tokens. Of the words 15 % are masked, for m-RTD 30 %.
    """
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(12, length + 1, (size, 1), generator=generator)
    places = torch.arange(length)
    ids = torch.randint(1000, 30000, (size, length), generator=generator)
    ids[:, 0] = 101
    ids = torch.where(places == lengths - 1, 102, ids) * (places < lengths)
    words = (places > 0) & (places < lengths - 1)
    chance = torch.rand(size, length, generator=generator)
    chosen = words & (chance < 0.15)
    chosen[:, 1] = True
    weak = torch.arange(size) % 10 == 1
    others = ids.view(-1, 2, length).flip(1).reshape(ids.shape) if size % 2 == 0 else ids
    return {
        "images": torch.randn(size, 3, *sides, generator=generator),
        "images_m": torch.randn(size, 3, *sides, generator=generator),
        "caption_ids": ids,
        "weak_ids": torch.where(weak.unsqueeze(1), others, ids),
        "weak": weak.long(),
        "mlm_ids": ids.masked_fill(chosen, 103),
        "mlm_labels": torch.where(chosen, ids, 0),
        "mrtd_ids": ids.masked_fill(words & (chance < 0.3), 103),
        "pids": torch.arange(size) // 2,
        "matching_noise": torch.zeros(size, 2),
        "replacement_noise": torch.zeros(size, length),
    }
