"""Float32 products of linear layers on processors where PyTorch's usual way is slow.

PyTorch hands such products to MKL, which runs at less than half speed on processors of other makers. The same PyTorch
has them in oneDNN, too, under a private name. One timing, at the first use in a process, says which is faster here.
`USE` says what may be used, and the environment variable ``TIPR_ZOO_LINEAR`` sets it: ``torch`` switches this off.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.terminal.log import logger

WAYS = ("torch", "onednn")
"""PyTorch's own way, and that of oneDNN."""

SETTING = "TIPR_ZOO_LINEAR"

LEAST_PRODUCT = 1 << 21
"""Multiplications from which a product can be faster by oneDNN: its call takes longer."""

LEAST_GAIN = 1.2
"""How much faster oneDNN must be. Near 1, two timings of one processor could say different things."""

_PLAIN_TENSORS = (Tensor, nn.Parameter)


def linear_products(device: torch.device) -> AbstractContextManager[Any]:
    """Within the block, let linear layers compute their float32 products in the faster way.

    Layers are called as ever, with their hooks and adapters. What is not float32 on a processor is left to PyTorch, and
    so is what is compiled, traced or exported. So is
    what activation checkpointing computes again, since that happens outside the block.

    Args:
        device: Where the tensors are.
    """
    if (
        device.type != "cpu"
        or torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or way() == "torch"
    ):
        return nullcontext()
    return _LinearProducts()


def way() -> str:
    """Return which of `WAYS` this process takes: what `take` said last, else the setting, else the faster one.

    Raises:
        UnknownNameError: The environment variable ``TIPR_ZOO_LINEAR`` has another value than these.
    """
    return _taken[0] if _taken else _chosen()


def take(name: str | None) -> None:
    """Take one of `WAYS` from now on, so that a resumed training computes as before. None asks the timing again.

    Raises:
        UnknownNameError: There is no such way.
    """
    if name is not None and name not in WAYS:
        raise unknown_name("way of linear products", name, WAYS)
    if name == "onednn" and not _has_onednn():
        logger.warning("linear products were computed by oneDNN, which this PyTorch lacks: the last bits differ")
        name = "torch"
    _taken[:] = [] if name is None else [name]


@contextmanager
def usual_products() -> Iterator[None]:
    """Within the block, leave linear products to PyTorch, whose counters of operations know those alone."""
    before = list(_taken)
    _taken[:] = ["torch"]
    try:
        yield
    finally:
        _taken[:] = before


_taken: list[str] = []


@cache
def _chosen() -> str:
    setting = os.environ.get(SETTING) or None  # an empty variable is how a shell takes one away for a command
    if setting is not None and setting not in WAYS:
        raise unknown_name(SETTING, setting, WAYS)
    if setting is None:
        return "onednn" if _has_onednn() and _gain() >= LEAST_GAIN else "torch"
    return setting if setting == "torch" or _has_onednn() else "torch"


@cache
def _has_onednn() -> bool:
    """Tell whether this PyTorch has the product, and whether it gives what the usual one gives."""
    if not torch.backends.mkldnn.is_available():
        return False
    inputs, weight, bias = torch.ones(2, 3), torch.ones(4, 3), torch.ones(4)
    try:
        _is_plain(inputs), _is_computed_again()
        return torch.equal(_onednn(inputs, weight, bias), torch.full((2, 4), 4.0))
    except (AttributeError, RuntimeError, TypeError):  # a private name may go, or change what it takes
        return False


def _gain() -> float:
    """Return how many times faster oneDNN computes a product of usual size here."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several would wait for each other where the machine is busy
    try:
        return _gain_of_one_thread()
    finally:
        torch.set_num_threads(threads)


def _gain_of_one_thread() -> float:
    with torch.no_grad():
        # Not random: what is drawn here would be missing from the numbers that a seed gives.
        inputs, weight, bias = torch.full((256, 256), 0.5), torch.full((256, 256), 0.5), torch.ones(256)
        seconds: dict[Callable[..., Tensor], float] = {}
        for _ in range(9):
            for product in (F.linear, _onednn):
                start = time.thread_time()  # that of this thread alone: how busy the machine is changes no choice
                product(inputs, weight, bias)
                took = time.thread_time() - start
                seconds[product] = min(took, seconds.get(product, took))
    return seconds[F.linear] / seconds[_onednn]


def _onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return product


class _LinearProducts(TorchFunctionMode):
    """Sees every call of PyTorch's in a block, and answers ``F.linear`` where oneDNN is worth it."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if function is not F.linear:
            return function(*args, **(kwargs or {}))
        return _linear(*args, **(kwargs or {}))


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute ``F.linear``, whose arguments have these names."""
    if torch.compiler.is_compiling():  # code that is compiled may be called in a block that is not
        return F.linear(input, weight, bias)
    if input.ndim < 2 or input.numel() * weight.shape[0] < LEAST_PRODUCT or torch.is_autocast_enabled("cpu"):
        return F.linear(input, weight, bias)
    if not all(map(_is_plain, (input, weight) if bias is None else (input, weight, bias))) or _is_computed_again():
        return F.linear(input, weight, bias)
    product: Tensor = _OneDNNLinear.apply(input, weight, bias)
    return product


def _is_plain(tensor: Tensor) -> bool:
    """Tell whether a tensor holds float32 in this process's memory, and is no stand-in of a transformation."""
    if type(tensor) not in _PLAIN_TENSORS or tensor.dtype is not torch.float32 or tensor.device.type != "cpu":
        return False
    return tensor.layout is torch.strided and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def _is_computed_again() -> bool:
    """Tell whether somebody else keeps what the gradients need, as activation checkpointing does."""
    return torch._C._autograd._top_saved_tensors_default_hooks(False) is not None


class _OneDNNLinear(torch.autograd.Function):
    """A linear layer whose product and gradients are oneDNN's."""

    @staticmethod
    def forward(context: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Compute (..., I) and (O, I) -> (..., O)."""
        context.save_for_backward(inputs, weight)
        return _onednn(inputs, weight, bias)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of inputs, weight and bias."""
        inputs, weight = context.saved_tensors
        # A gradient of the gradient is wanted where gradients are recorded. oneDNN's product has none.
        product = F.linear if torch.is_grad_enabled() else _onednn
        needs_inputs, needs_weight, needs_bias = context.needs_input_grad
        rows = gradient.flatten(0, -2)
        return (
            product(gradient, weight.t(), None) if needs_inputs else None,
            product(rows.t(), inputs.flatten(0, -2).t(), None) if needs_weight else None,
            rows.sum(0) if needs_bias else None,
        )
