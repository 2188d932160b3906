"""Whether modules are plain, so that a tower may take a shorter way than to call each of them on all tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as torch_module

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")

_PLAIN_TENSORS = (nn.Parameter, Tensor)


def kinds_of(module: nn.Module) -> frozenset[type]:
    """List the classes of all modules of a tower, as they are when it is made."""
    return frozenset(type(part) for part in module.modules())


def parts_of(module: nn.Module) -> list[nn.Module]:
    """List a module and all that are in it, in less time than PyTorch's ``modules`` takes."""
    parts = [module]
    for part in parts:
        parts.extend(child for child in part._modules.values() if child is not None)
    return parts


def are_plain(modules: Iterable[nn.Module], kinds: frozenset[type]) -> bool:
    """Tell whether modules are as their tower made them, so that a shorter way computes what a call would.

    An adapter, a parametrisation or quantisation replaces a module by one of another class. A hook, or a ``forward``
    that was put on one module, is seen by a call alone.

    Args:
        modules: Those that the shorter way does not call, or calls on some tokens only.
        kinds: From `kinds_of`.
    """
    if _are_all_hooked():
        return False
    for module in modules:
        own = module.__dict__
        if type(module) not in kinds or "forward" in own:
            return False
        # Written out, because it is done for every module of every batch.
        if own.get("_forward_hooks") or own.get("_forward_pre_hooks"):
            return False
        if own.get("_backward_hooks") or own.get("_backward_pre_hooks"):
            return False
    return True


def has_plain_weights(linear: Any) -> bool:
    """Tell whether a layer is PyTorch's linear one with ordinary weights, so that a part of them can be taken."""
    if type(linear) is not nn.Linear:
        return False
    return type(linear.weight) in _PLAIN_TENSORS and (linear.bias is None or type(linear.bias) in _PLAIN_TENSORS)


def _are_all_hooked() -> bool:
    """Tell whether PyTorch calls a hook for every module that there is."""
    return any(getattr(torch_module, f"_global{hooks}", None) for hooks in _HOOKS)
