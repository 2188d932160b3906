"""Batch normalisation over the batch of all processes.

PyTorch's ``SyncBatchNorm`` does the same, but only on a GPU. This one does the same arithmetic on every device. So a
training on several processes can be compared with a training on one, anywhere.
"""

from __future__ import annotations

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tipr_zoo.distributed import differentiable_mean, process_count
from tipr_zoo.errors import ConfigError


class SynchronisedBatchNorm(_BatchNorm):
    """Batch normalisation by the mean and variance of the rows of all processes; each process has as many rows."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, ...) values over the batch of all processes; the shape stays."""
        return self.normalise(input)

    def normalise(self, rows: Tensor) -> Tensor:
        """Normalise, and note mean and variance for evaluation."""
        if not self.training or process_count() == 1:
            return super().forward(rows)
        dims = [dim for dim in range(rows.dim()) if dim != 1]
        shape = [1, -1, *[1] * (rows.dim() - 2)]
        exact = rows.to(torch.promote_types(rows.dtype, torch.float32))
        mean = differentiable_mean(exact.mean(dims))
        centred = exact - mean.view(shape)
        variance = differentiable_mean(centred.square().mean(dims))
        self._note(mean.detach(), variance.detach(), process_count() * rows.numel() // rows.shape[1])
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        normalised = centred * scale.view(shape)
        return (normalised if self.bias is None else normalised + self.bias.view(shape)).to(rows.dtype)

    def _note(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / max(count - 1, 1), momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any number of dimensions."""


class SynchronisedBatchNormAct(SynchronisedBatchNorm):
    """timm's batch normalisation that is followed by an activation."""

    drop: nn.Module
    act: nn.Module

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W) values and apply the activation; the shape stays."""
        return self.act(self.drop(self.normalise(input)))


def synchronise_batch_norms(module: nn.Module) -> None:
    """Make all batch normalisations in a module see the batch of all processes; parameters keep their names.

    Raises:
        ConfigError: One of them is of a kind that is not known here.
    """
    for name, norm in module.named_modules():
        if not isinstance(norm, _BatchNorm) or isinstance(norm, SynchronisedBatchNorm):
            continue
        if type(norm) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
            norm.__class__ = SynchronisedBatchNorm
        elif type(norm) is BatchNormAct2d:
            norm.__class__ = SynchronisedBatchNormAct  # type: ignore[assignment]  # it has all that this one needs
        else:
            raise ConfigError(
                f"{name} is a {type(norm).__name__}, which cannot be synchronised over processes; train in one process"
            )
