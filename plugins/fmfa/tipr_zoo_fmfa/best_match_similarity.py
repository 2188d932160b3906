"""The best dot product of each token with a set of tokens, for all pairs of a batch, fast and with little memory."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

CHUNK_ELEMENTS = 2**22
"""Most dot products held at once: 16 MiB in float32. They are still in a CPU's cache when it takes the largest."""


def best_match_similarity(tokens: Tensor, others: Tensor) -> Tensor:
    """Return the largest dot product of every token with the tokens of every other set.

    All dot products of a batch are A x B x K x L numbers. For 64 pictures of 192 patches and 64 captions of 77 tokens,
    these are 60 million. Only the largest of every L counts, and only it gets a gradient. So they are computed a few
    rows at a time, and only the place of the largest is kept. The backward pass gathers the tokens at those places.
    This is a product with a matrix in which one of L entries is not zero. It costs 1/L of the dense product.

    Args:
        tokens: (A, K, D) tokens.
        others: (B, L, D) tokens.

    Returns:
        (A, K, B). Among equal dot products, one gets the whole gradient.
    """
    return _BestMatch.apply(tokens, others)


class _BestMatch(Function):
    """Maximum over products. Its backward pass is two sparse products.

    The sparse matrix has a row for each of the A x K tokens and a column for each of the B x L others. Each row has B
    entries. The forward pass saves their columns as int32 (A x K, B).
    """

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, others: Tensor) -> Tensor:
        count, length = others.shape[:2]
        transposed = others.flatten(0, 1).t()
        first_columns = torch.arange(0, count * length, length, device=others.device)
        values, columns = [], []
        for rows in tokens.flatten(0, 1).split(max(1, CHUNK_ELEMENTS // (count * length))):
            best = (rows @ transposed).unflatten(1, (count, length)).max(dim=2)
            values.append(best.values)
            columns.append((best.indices + first_columns).int())
        ctx.save_for_backward(tokens, others, torch.cat(columns))
        return torch.cat(values).unflatten(0, tokens.shape[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        tokens, others, columns = ctx.saved_tensors
        entries = gradient.flatten(0, 1)
        of_tokens = of_others = None
        if ctx.needs_input_grad[0]:
            of_tokens = _rows_product(columns, entries, others.flatten(0, 1)).view_as(tokens)
        if ctx.needs_input_grad[1]:
            of_others = _columns_product(columns, entries, tokens.flatten(0, 1), others.shape[:2].numel()).view_as(
                others
            )
        return of_tokens, of_others


def _rows_product(columns: Tensor, entries: Tensor, matrix: Tensor) -> Tensor:
    """Multiply the sparse matrix by a dense one: (R, B) columns and entries, (C, D) -> (R, D)."""
    return F.embedding_bag(columns, matrix, mode="sum", per_sample_weights=entries)


def _columns_product(columns: Tensor, entries: Tensor, matrix: Tensor, count: int) -> Tensor:
    """Multiply the transposed sparse matrix by a dense one: (R, B) columns and entries, (R, D) -> (``count``, D)."""
    ordered, order = columns.flatten().sort(stable=True)
    starts = torch.searchsorted(ordered, torch.arange(count, dtype=torch.int32, device=ordered.device))
    rows = order // columns.shape[1]
    return F.embedding_bag(rows, matrix, starts, mode="sum", per_sample_weights=entries.flatten()[order])
