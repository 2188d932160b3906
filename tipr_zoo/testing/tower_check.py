"""Trying the promises that image towers and text towers share."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from tipr_zoo.errors import ConfigError
from tipr_zoo.testing.round_trips import pickled, trained_and_reloaded
from tipr_zoo.testing.trial import Trial, expect, expect_finite, expect_same


def check_tokens(trial: Trial, tower: nn.Module, inputs: Tensor) -> Tensor:
    """Try every promise that towers share.

    Args:
        trial: Reports a broken promise.
        tower: A copy in eval mode that may be changed.
        inputs: (B, ...) pictures or token ids.

    Returns:
        (B, K, D) tokens of the inputs in eval mode, without a graph.

    Raises:
        BrokenPromiseError: A promise is broken.
    """
    rows, fresh = len(inputs), deepcopy(tower)  # what a call leaves behind, such as a map, may not be copied any more
    with trial.promise("gives (B, tokens, D) finite float32 tokens"):
        tokens = tower(inputs)
        expect(isinstance(tokens, Tensor), f"it gives a {type(tokens).__name__}")
        expect(tokens.ndim == 3 and len(tokens) == rows, f"for B = {rows} their shape is {tuple(tokens.shape)}")
        expect(tokens.dtype == torch.float32, f"they are {tokens.dtype}")
        expect_finite(tokens, "what it gives")
    with trial.promise("gives a gradient to its parameters"):
        _check_gradients(tower, tokens)
    tokens = tokens.detach()
    with torch.no_grad():
        with trial.promise("gives the same for the same in eval mode"):
            expect_same(tower(inputs), tokens, "two passes")
        with trial.promise("gives a row the same whatever else is in the batch, in eval mode"):
            for row in range(rows):
                expect_same(tower(inputs[row : row + 1])[0], tokens[row], f"row {row} alone and among {rows}")
        with trial.promise("can be pickled"):
            expect_same(pickled(tower)(inputs), tokens, "the tokens before and after")
    with trial.promise("works under autocast in bfloat16"), torch.autocast("cpu", dtype=torch.bfloat16):
        half = tower(inputs)
        expect(
            half.shape == tokens.shape, f"the tokens have shape {tuple(half.shape)} there, {tuple(tokens.shape)} else"
        )
        expect_finite(half, "what it gives")
    with trial.promise("gives the same once it is saved and loaded"):
        trained, reloaded = trained_and_reloaded(fresh, lambda copy: copy(inputs).square().mean())
        with torch.no_grad():
            expect_same(reloaded(inputs), trained(inputs), "the tokens before and after")
    _check_training(trial, fresh, inputs)
    return tokens


def _check_training(trial: Trial, tower: nn.Module, inputs: Tensor) -> None:
    """Try what a tower may say for its training, where it does."""
    if hasattr(tower, "blocks"):
        with trial.promise("says its blocks, which are modules of it"):
            blocks: Any = tower.blocks
            own = set(map(id, tower.modules()))
            expect(isinstance(blocks, (list, tuple, nn.ModuleList, nn.Sequential)), f"blocks is {blocks!r}")
            expect(all(id(block) in own for block in blocks), "one of them is none of its modules")
    if hasattr(tower, "set_gradient_checkpointing"):
        with trial.promise("learns the same with gradient checkpointing"):
            usual = _learnt(deepcopy(tower), inputs)
            checkpointed: Any = deepcopy(tower)
            try:
                checkpointed.set_gradient_checkpointing(True)
            except ConfigError:  # a tower may refuse it
                return
            for before, after in zip(usual, _learnt(checkpointed, inputs), strict=True):
                expect_same(after, before, "gradients and statistics with it and without")


def _learnt(tower: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Return the gradients of a step, and the statistics after it."""
    torch.manual_seed(0)
    parameters = [parameter for parameter in tower.parameters() if parameter.requires_grad]
    loss = tower.train()(inputs).square().mean()
    gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
    return [*gradients, *(buffer for buffer in tower.buffers() if buffer.is_floating_point())]


def _check_gradients(tower: nn.Module, tokens: Tensor) -> None:
    """Check that some parameter gets a gradient, and that all gradients are finite."""
    parameters = [parameter for parameter in tower.parameters() if parameter.requires_grad]
    expect(bool(parameters), "it has none that learn")
    expect(tokens.requires_grad, "there is none")
    gradients = torch.autograd.grad(tokens.square().mean(), parameters, materialize_grads=True)
    for gradient in gradients:
        expect_finite(gradient, "it")
    expect(any(bool(gradient.any()) for gradient in gradients), "there is none")
