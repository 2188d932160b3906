"""The best dot product of each token with a set of tokens, for all pairs of a batch, in little memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

CHUNK_ELEMENTS = 2**24
"""Most dot products held at once (64 MiB in float32)."""


def best_match_similarity(tokens: Tensor, others: Tensor) -> Tensor:
    """The largest dot product of every token with the tokens of every other set.

    All dot products of a batch are A x B x K x L numbers: 60 million for 64 pictures of 192 patches and 64 captions
    of 77 tokens. Only the largest of every L counts, and only it gets a gradient, so they are computed a few items at
    a time and nothing but the place of the largest is kept for the backward pass.

    Args:
        tokens: (A, K, D).
        others: (B, L, D).

    Returns:
        (A, K, B).
    """
    return _BestMatch.apply(tokens, others)


class _BestMatch(Function):
    """Maximum over products, whose backward pass is a product with a sparse matrix made a few items at a time."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, others: Tensor) -> Tensor:
        values, places = [], []
        for chunk in tokens.split(_items_at_once(tokens, others)):
            products = (chunk @ others.flatten(0, 1).t()).unflatten(2, others.shape[:2])
            best = products.max(dim=3)
            values.append(best.values)
            places.append(best.indices)
        ctx.save_for_backward(tokens, others, torch.cat(places))
        return torch.cat(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        tokens, others, places = ctx.saved_tensors
        flat_others = others.flatten(0, 1)
        tokens_gradient, others_gradient = [], torch.zeros_like(flat_others)
        items = _items_at_once(tokens, others)
        for chunk, of_best, place in zip(tokens.split(items), gradient.split(items), places.split(items), strict=True):
            sparse = gradient.new_zeros(*place.shape, others.shape[1]).scatter_(
                3, place.unsqueeze(3), of_best.unsqueeze(3)
            )
            of_products = sparse.flatten(2)
            tokens_gradient.append(of_products @ flat_others)
            others_gradient += of_products.flatten(0, 1).t() @ chunk.flatten(0, 1)
        return torch.cat(tokens_gradient), others_gradient.view_as(others)


def _items_at_once(tokens: Tensor, others: Tensor) -> int:
    """How many items of `tokens` go through at once."""
    return max(1, CHUNK_ELEMENTS // (tokens.shape[1] * others.shape[0] * others.shape[1]))
