"""What hooks give, checked: entries of a batch, and a state that a checkpoint can hold and give back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import TOKEN_ENTRIES, Batch
from tipr_zoo.models.component_check import PAGE
from tipr_zoo.protocols import TrainingHook

_PLAIN = (type(None), bool, int, float, str)
_DEEPEST = 20  # a checkpoint is read down to 32 levels


def checked_entries(entries: object, batch: Batch, count: int, hook: TrainingHook) -> Mapping[str, Tensor]:
    """Return what ``before_step`` gives, if it is entries of a batch.

    Args:
        entries: What it gives.
        batch: The batch as it was, or as the hook changed it in place.
        count: Its number of pairs before that.
        hook: The hook.

    Raises:
        ConfigError: It is something else, an entry has other than one row a pair, or one that is replaced becomes of
            another type or shape. Only token ids may become shorter or longer.
    """
    said = f"before_step of {type(hook).__name__}"
    if entries is not None and not isinstance(entries, Mapping):
        raise ConfigError(f"{said} must give batch entries by name or None, got {type(entries).__name__}")
    for name, value in {**batch, **(entries or {})}.items():
        if not isinstance(name, str):
            raise ConfigError(f"{said} must give batch entries by name or None, got the name {name!r}")
        if not is_dense(value) or not value.ndim or len(value) != count:
            raise ConfigError(
                f"{said}: {name!r} must be a tensor with one row for each of the batch's {count} pairs, got"
                f" {_found(value)}"
            )
    for name, value in (entries or {}).items():
        if name in batch and not _is_like(name, value, batch[name]):
            raise ConfigError(f"{said}: {name!r} must stay {_found(batch[name])}, and becomes {_found(value)}")
    lengths = {name: each.shape[1] for name, each in {**batch, **(entries or {})}.items() if name in TOKEN_ENTRIES}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ConfigError(f"{said}: token ids of a batch are of one length, and become {told}; cut all of them alike")
    return entries or {}


def check_brought(batch: Batch, hook: TrainingHook) -> None:
    """Check that a hook has brought what it says it brings.

    Raises:
        ConfigError: It has not.
    """
    for name in getattr(hook, "brings_to_batch", ()):
        if name not in batch:
            kind = type(hook).__name__
            raise ConfigError(f"brings_to_batch of {kind} has {name!r}, and its before_step does not give it; {PAGE}")


def checked_state(state: object, hook: TrainingHook) -> dict[str, Any]:
    """Return what ``state_dict`` of a hook gives, if a checkpoint can hold it.

    Raises:
        ConfigError: It is no dict of tensors, numbers, texts, None, and lists and dicts of them.
    """
    said = f"state_dict of {type(hook).__name__}"
    if not isinstance(state, Mapping):
        raise ConfigError(f"{said} must give a dict, got {type(state).__name__}; {PAGE}")
    plain: dict[str, Any] = _plain(dict(state), said, 0)
    return plain


def is_dense(value: object) -> bool:
    """Tell whether this is a tensor whose numbers lie in memory."""
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta


@contextmanager
def unchanged_switches(said: str) -> Iterator[None]:
    """Check that the block leaves PyTorch's switches, which hold for the whole process, as they are.

    Args:
        said: What the block calls, for the message.

    Raises:
        ConfigError: Gradients are off after it, or the usual type or device is another; all are put back.
    """
    before = (torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device())
    try:
        yield
    finally:
        after = (torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device())
        if after != before:
            torch.set_grad_enabled(before[0])
            torch.set_default_dtype(before[1])
            torch.set_default_device(before[2])
    names = ("torch.set_grad_enabled", "torch.set_default_dtype", "torch.set_default_device")
    for name, was, became in zip(names, before, after, strict=True):
        if was != became:
            raise ConfigError(f"{said} changes {name} from {was} to {became} for all that follows; put it back")


def _is_like(name: str, value: Tensor, before: Tensor) -> bool:
    if value.dtype != before.dtype:
        return False
    return value.shape == before.shape or (name in TOKEN_ENTRIES and value.ndim == before.ndim == 2)


def _plain(value: Any, place: str, depth: int) -> Any:
    """Return a value of plain dicts, lists and numbers, tensors without their gradient."""
    if type(value) in _PLAIN:
        return value
    if is_dense(value) and not value.is_complex() and not value.is_quantized:
        return value.detach()
    if depth >= _DEEPEST:
        raise ConfigError(f"{place[:80]}... is more than {_DEEPEST} levels deep, or holds itself; {PAGE}")
    if isinstance(value, dict) and all(type(key) in (str, int) for key in value):
        return {key: _plain(each, f"{place}: {key!r}", depth + 1) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(each, f"{place}[{index}]", depth + 1) for index, each in enumerate(value))
    raise ConfigError(
        f"{place} is {_found(value)}, which a checkpoint cannot hold; give tensors, numbers, texts, and lists and dicts"
        f" of them; {PAGE}"
    )


def _found(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    kind = "" if is_dense(value) else " without numbers" if value.is_meta else f" {value.layout}"
    return f"{value.dtype}{kind} of shape {(*value.shape,)}"
