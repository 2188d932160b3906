"""Gradient checkpointing: what a block needs for its gradients is computed again in the backward pass, and not kept.

Random draws of a block, such as dropout's, are the same both times, and batch normalisations learn from a batch once.
So a training ends with the same bits as one without it, where linear layers go PyTorch's own way (see
`tipr_zoo.machine.linear_products`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def run_block(block: Callable[..., Any], *arguments: Any, again: bool) -> Any:
    """Call a block of a tower.

    Args:
        block: A module, or a function that runs one.
        arguments: What it is given.
        again: Whether it is to run again in the backward pass.
    """
    if not again or not torch.is_grad_enabled():
        return block(*arguments)
    norms = [each for each in block.modules() if isinstance(each, _BatchNorm)] if isinstance(block, nn.Module) else []
    if not norms:
        return checkpoint(block, *arguments, use_reentrant=False)
    return checkpoint(
        block, *arguments, use_reentrant=False, context_fn=lambda: (nullcontext(), _learning_nothing(norms))
    )


@contextmanager
def _learning_nothing(norms: Iterable[_BatchNorm]) -> Iterator[None]:
    """Let the statistics of batch normalisations as they are while a block runs again."""
    before = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, _, count in before:
        norm.momentum = 0.0
        norm.num_batches_tracked = None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum, norm.num_batches_tracked = momentum, count


def switch_layers(layers: Iterable[nn.Module], enabled: bool) -> None:
    """Switch the checkpointing of the layers of one of transformers' models, which they do by themselves."""
    for layer in layers:
        own: Any = layer
        own.gradient_checkpointing = enabled
        own._gradient_checkpointing_func = _checkpointed


def _checkpointed(function: Callable[..., Any], *arguments: Any) -> Any:
    return run_block(function, *arguments, again=True)
