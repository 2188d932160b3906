"""The attention of a tower's last block, from one token of each row to all others, where a method asks for it.

The towers run as they always do. What the last block is given is noted on the way, and the attention of one query a row
is computed from that: a thousandth of the tower's work, where the usual way has every block compute all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def noted_input(block: nn.Module) -> Iterator[Callable[[], Tensor]]:
    """Note the first argument of the calls of a block.

    Args:
        block: The block.

    Yields:
        A function that returns the argument of the last call.
    """
    seen: list[Tensor] = []

    def note(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen[:] = [arguments[0] if arguments else named["hidden_states"]]

    handle = block.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield lambda: seen[0]
    finally:
        handle.remove()


def attention_weights(queries: Tensor, keys: Tensor, num_heads: int, allowed: Tensor | None = None) -> Tensor:
    """Compute the attention of one query a row, as the mean over the heads.

    Args:
        queries: (B, W) float, projected and not scaled.
        keys: (B, L, W) float, projected.
        num_heads: Number of heads, of W / num_heads numbers each.
        allowed: (B, L) bool, the tokens that may be attended to; None for all.

    Returns:
        (B, L) float, rows of sum 1.
    """
    query = queries.unflatten(-1, (num_heads, -1)).unsqueeze(2)
    logits = (query @ keys.unflatten(-1, (num_heads, -1)).permute(0, 2, 3, 1)).squeeze(2) * query.shape[-1] ** -0.5
    if allowed is not None:
        logits = logits.masked_fill(~allowed.unsqueeze(1), -torch.inf)
    return logits.softmax(dim=-1).mean(dim=1)
