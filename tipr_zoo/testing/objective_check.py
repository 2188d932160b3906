"""Trying the promises that losses and heads share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from tipr_zoo.features import Batch, Features
from tipr_zoo.testing.round_trips import pickled, trained_and_reloaded
from tipr_zoo.testing.sample_batch import rows_of
from tipr_zoo.testing.trial import Trial, expect, expect_finite, expect_same
from tipr_zoo.training.loop.global_batch import GatheredBatch

SHARES = (slice(0, 3), slice(3, None))
"""The rows of two processes. In training both have as many rows. The number of terms of an objective may differ."""


@dataclass(frozen=True)
class Case:
    """The inputs of a trial.

    Attributes:
        batch: Eight pairs.
        forward: Gives the features of the batch, with patches and with a graph. Under autocast, in half precision.
        sources: Tensors by tower. A gradient must reach at least one of each tower.
        further: Arguments of the objective after features and batch. For a head, this is the retriever.
    """

    batch: dict[str, Tensor]
    forward: Callable[[], Features]
    sources: Mapping[str, Sequence[Tensor]]
    further: tuple[Any, ...] = ()


def check_objective(trial: Trial, objective: nn.Module, case: Case) -> None:
    """Try every promise that losses and heads share.

    Args:
        trial: Reports a broken promise.
        objective: A copy that may be changed.
        case: The inputs.

    Raises:
        BrokenPromiseError: A promise is broken.
    """
    objective.eval()
    fresh, further = deepcopy(objective), deepcopy(case.further)  # what a call leaves behind may not be copied any more
    whole = case.forward()
    features = whole if getattr(objective, "needs_patch_tokens", True) else _without_patches(whole)
    with trial.promise("gives a finite scalar"):
        value = objective(features, case.batch, *case.further)
        _expect_finite_scalar(value)
    trained = getattr(objective, "trains", tuple(case.sources))
    _check_gradients(trial, value, {tower: tensors for tower, tensors in case.sources.items() if tower in trained})
    _check_training_mode(trial, deepcopy(fresh), replace(case, further=further), features)
    with trial.promise("gives the same with patch tokens, as it says it needs none"):
        expect_same(objective(whole, case.batch, *case.further), value, "both values")
    _check_order(trial, objective, case, features, value)
    _check_autocast(trial, objective, case, value)
    _check_one_identity(trial, objective, case, features)
    _check_gathered(trial, objective, case, features, value)
    _check_round_trips(trial, objective, case, features, value)
    _check_saving(trial, fresh, replace(case, further=further), features)


def _expect_finite_scalar(value: Any) -> None:
    expect(isinstance(value, Tensor), f"it gives a {type(value).__name__}")
    expect(value.shape == (), f"its shape is {tuple(value.shape)}")
    expect_finite(value, "it")


def _without_patches(features: Features) -> Features:
    """Return the features that the towers give where no objective needs patches."""
    return replace(features, image_tokens=features.image_tokens[:, :1])


def _gradients(value: Tensor, sources: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradient of each source, with zeros where it has none."""
    if not value.requires_grad:
        return [torch.zeros_like(source) for source in sources]
    return list(torch.autograd.grad(value, sources, retain_graph=True, materialize_grads=True))


def _check_gradients(trial: Trial, value: Tensor, sources: Mapping[str, Sequence[Tensor]]) -> None:
    for tower, tensors in sources.items():
        with trial.promise(f"gives a gradient to the {tower} tower"):
            gradients = _gradients(value, tensors)
            for gradient in gradients:
                expect_finite(gradient, "its gradient")
            expect(any(bool(gradient.any()) for gradient in gradients), "there is none")


def _check_training_mode(trial: Trial, objective: nn.Module, case: Case, features: Features) -> None:
    with trial.promise("gives a finite scalar in training mode, with finite gradients"):
        value = objective.train()(features, case.batch, *case.further)
        _expect_finite_scalar(value)
        for tensors in case.sources.values():
            for gradient in _gradients(value, tensors):
                expect_finite(gradient, "its gradient")


def _check_order(trial: Trial, objective: nn.Module, case: Case, features: Features, value: Tensor) -> None:
    """Try the rows in another order.

    Where the objective says that it depends on the order inside an identity, that order stays.
    """
    order = torch.randperm(len(case.batch["pids"]))
    if getattr(objective, "depends_on_row_order", False):
        _, groups = case.batch["pids"].unique(return_inverse=True)
        order = torch.argsort(torch.randperm(int(groups.max()) + 1)[groups], stable=True)
    with trial.promise("gives the same in any order of the rows"):
        others = rows_of(features, case.batch, order)
        expect_same(objective(*others, *case.further), value, "the values of two orders")


def _check_autocast(trial: Trial, objective: nn.Module, case: Case, value: Tensor) -> None:
    with trial.promise("works under autocast in bfloat16"), torch.autocast("cpu", dtype=torch.bfloat16):
        features = case.forward()
        if not getattr(objective, "needs_patch_tokens", True):
            features = _without_patches(features)
        half = objective(features, case.batch, *case.further)
        expect(half.shape == (), f"its shape is {tuple(half.shape)}")
        expect_finite(half, "it")
        found, expected = half.item(), value.item()
        expect(
            abs(found - expected) <= 0.1 + 0.1 * abs(expected), f"it is {found:.4g} there, {expected:.4g} in float32"
        )
        for tensors in case.sources.values():
            for gradient in _gradients(half, tensors):
                expect_finite(gradient, "its gradient")


def _check_one_identity(trial: Trial, objective: nn.Module, case: Case, features: Features) -> None:
    with trial.promise("is finite where a batch shows one identity alone"):
        value = objective(features, {**case.batch, "pids": torch.zeros_like(case.batch["pids"])}, *case.further)
        expect_finite(value, "it")
        for tensors in case.sources.values():
            for gradient in _gradients(value, tensors):
                expect_finite(gradient, "its gradient")


def _check_gathered(trial: Trial, objective: nn.Module, case: Case, features: Features, value: Tensor) -> None:
    """Try the objective as `tipr_zoo.training.loop.global_batch.global_loss` computes it, in one process."""
    sources = [source for tensors in case.sources.values() for source in tensors]
    with trial.promise("gives the same for a batch that is spread over several processes"):
        if hasattr(objective, "count_terms"):
            shares = _shares(objective, case, features)
        else:
            batch = cast(Batch, GatheredBatch(case.batch))  # a mapping that is no dict
            shares = objective(features, batch, *case.further)
        expect_same(shares, value, "the value of all processes and that of one")
        for found, expected in zip(_gradients(shares, sources), _gradients(value, sources), strict=True):
            expect_same(found, expected, "the gradients of all processes and of one")


def _shares(objective: Any, case: Case, features: Features) -> Tensor:
    """Return the value of each process for its own rows, weighted by the number of terms in its mean."""
    values, counts = [], []
    for rows in SHARES:
        own = rows_of(features, case.batch, torch.arange(len(case.batch["pids"]))[rows])
        values.append(objective(*own, *case.further))
        counts.append(int(objective.count_terms(own[1])))
    total = torch.stack([count * value for count, value in zip(counts, values, strict=True)]).sum()
    return total / max(sum(counts), 1)


def _check_round_trips(trial: Trial, objective: nn.Module, case: Case, features: Features, value: Tensor) -> None:
    with trial.promise("can be pickled"):
        expect_same(pickled(objective)(features, case.batch, *case.further), value, "the values before and after")


def _check_saving(trial: Trial, fresh: nn.Module, case: Case, features: Features) -> None:
    """Try saving and loading with an objective that has not run before."""
    fixed = features.mapped(Tensor.detach)
    with trial.promise("gives the same once it is saved and loaded"):
        both = trained_and_reloaded(fresh, lambda copy: copy(fixed, case.batch, *case.further))
        trained, reloaded = (copy(fixed, case.batch, *case.further) for copy in both)
        expect_same(reloaded, trained, "the values before and after")
