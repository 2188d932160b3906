"""The check that tensors hold what weights are made of: finite numbers, one in each place."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tipr_zoo.errors import WeightsError
from tipr_zoo.weights.unwrapping import is_no_weight

_FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_EXPONENTS = {torch.float16: 0x7C00, torch.bfloat16: 0x7F80}
"""The exponent of what is not finite, as the bits of numbers of 16 bits have it."""

_AT_ONCE = 1 << 18
"""Numbers to look at together: so many stay near the processor."""

_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)


def check_numbers(tensors: Mapping[str, Tensor], place: str) -> None:
    """Check that every tensor is dense, of real numbers, and finite.

    Whole numbers pass where they may be counters. Whoever loads those as weights refuses them.

    Args:
        tensors: By name.
        place: What messages call them.

    Raises:
        WeightsError: One is not; the message has its name.
    """
    for name, tensor in tensors.items():
        if tensor.is_quantized:
            raise WeightsError(f"{place}: {name} is a quantised tensor; weights are floating-point numbers")
        if tensor.layout is not torch.strided or tensor.is_meta:
            raise WeightsError(f"{place}: {name} is a sparse or a meta tensor; weights have a number in every place")
        if tensor.dtype not in (*_FLOATING, *_WHOLE):
            raise WeightsError(f"{place}: {name} is {tensor.dtype}; weights are floating-point numbers")
        if tensor.dtype is torch.int8 and tensor.ndim > 1:  # of a quantised model; others may be masks
            raise WeightsError(f"{place}: {name} is {tensor.dtype}; weights are floating-point numbers")
        if not is_no_weight(name) and not _is_finite(tensor.detach()):
            count = int((~tensor.float().isfinite()).sum())
            raise WeightsError(
                f"{place}: {name} has {count:,} of {tensor.numel():,} numbers that are not finite (NaN or infinity) as"
                " float32; no figure of such weights means anything; take those of an earlier epoch"
            )


def _is_finite(tensor: Tensor) -> bool:
    """Tell whether every number is finite."""
    if tensor.dtype not in _FLOATING:
        return True
    if tensor.dtype is torch.float64:
        tensor = tensor.float()  # as it is loaded: larger numbers become infinite
    if tensor.dtype in _EXPONENTS and tensor.device.type == "cpu":
        return _has_finite_exponents(tensor, _EXPONENTS[tensor.dtype])
    # No sum with NaN or infinity in it is finite.
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def _has_finite_exponents(tensor: Tensor, exponent: int) -> bool:
    """Tell the same of numbers of 16 bits by their exponents. To sum them, each would be made one of 32 bits first."""
    # Without its sign, a number is a whole one that is the larger, the larger it is; infinity and NaN are the largest.
    bits = tensor.contiguous().view(torch.int16).view(-1).numpy()
    return all(int((bits[i : i + _AT_ONCE] & 0x7FFF).max()) < exponent for i in range(0, bits.size, _AT_ONCE))
