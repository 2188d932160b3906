"""Several processes that work as one, as ``torchrun`` starts them; every function also works in a process alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from tipr_zoo.errors import ConfigError

TIMEOUT = timedelta(minutes=30)
"""The time that a process waits for the others, for example while one of them draws a data set."""

_IS_APART = ContextVar("_IS_APART", default=False)
"""Whether this process computes as if it were alone; see `as_one_process`."""


def started_by_torchrun() -> bool:
    """Tell whether this process is one of several that ``torchrun`` started."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def local_rank() -> int:
    """Return the number of this process among those on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextmanager
def joined_processes(device: torch.device) -> Iterator[None]:
    """Join the processes that ``torchrun`` started while the block runs; do nothing in a process alone.

    Args:
        device: Where the models live. NCCL connects GPUs, gloo connects everything else.

    Raises:
        ConfigError: The other processes cannot be reached.
    """
    if not started_by_torchrun() or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the other processes cannot be reached: {' '.join(str(error).split())}; start all of them with torchrun"
        ) from error
    try:
        yield
        dist.barrier()  # a process that leaves while another still talks to it takes that one down
    finally:
        dist.destroy_process_group()


def process_count() -> int:
    """Return the number of joined processes; 1 in a process alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() and not _IS_APART.get() else 1


@contextmanager
def as_one_process() -> Iterator[None]:
    """Let the block compute as in a process alone, where each process does the same with the same numbers."""
    before = _IS_APART.set(True)
    try:
        yield
    finally:
        _IS_APART.reset(before)


def process_rank() -> int:
    """Return the number of this process among all, from 0."""
    return dist.get_rank() if process_count() > 1 else 0


def is_main_process() -> bool:
    """Tell whether this is the one process that writes files and prints."""
    return process_rank() == 0


@contextmanager
def main_process_first() -> Iterator[None]:
    """Run the block in the main process while the others wait, then in those: for what is made once, then found.

    Raises:
        ConfigError: In the other processes where the main one failed, with its message.
    """
    failure: str | None = None
    if is_main_process():
        try:
            yield
        except BaseException as error:
            failure = str(error) or type(error).__name__
            raise
        finally:
            from_main_process(failure)
        return
    failure = from_main_process(failure)
    if failure is not None:
        raise ConfigError(f"the main process could not go on: {failure}")
    yield


def any_process(flag: bool, device: torch.device) -> bool:
    """Tell whether the flag is set in any process; every process gets the same answer at the same time."""
    if process_count() == 1:
        return flag
    flags = torch.tensor(int(flag), device=device)
    dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags)


def mean_over_processes(values: Tensor) -> Tensor:
    """Return the mean of each number over the processes; it carries no gradient."""
    if process_count() == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / process_count()


def differentiable_mean(values: Tensor) -> Tensor:
    """Return the mean over the processes, with gradients."""
    return values if process_count() == 1 else _Mean.apply(values)


def gather_rows(rows: Tensor) -> Tensor:
    """Gather the rows of all processes, in the order of the processes, with gradients.

    Args:
        rows: (B, ...), of the same shape in every process.

    Returns:
        (processes * B, ...). In the backward pass each process gets the gradient of its own rows. It is the sum over
        what all processes computed from them.
    """
    if process_count() == 1:
        return rows
    return _GatherRows.apply(rows) if rows.is_floating_point() else _all_gather(rows)


def gather_computed(batch: Mapping[str, Tensor], name: str, compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Compute something of every row of a batch entry; each process does so for its own rows.

    For an objective that runs a tower again on an entry of a batch that is spread over several processes.

    Args:
        batch: What an objective is handed.
        name: The entry's.
        compute: Gets (B, ...) rows and gives (B, ...), each row of its row alone.

    Returns:
        What was computed of the rows of all processes, with gradients. In a process alone: `compute` of the entry.
    """
    own: Mapping[str, Tensor] | None = getattr(batch, "own", None)  # of a batch that is gathered entry by entry
    return compute(batch[name]) if own is None else gather_rows(compute(own[name]))


def own_rows(count: int) -> slice:
    """Return where this process's rows are among those of all processes, each of which has `count`."""
    return slice(process_rank() * count, (process_rank() + 1) * count)


def gather_objects(value: Any) -> list[Any]:
    """Gather one picklable value of each process, in the order of the processes."""
    if process_count() == 1:
        return [value]
    values: list[Any] = [None] * process_count()
    dist.all_gather_object(values, value)
    return values


def from_main_process(value: Any) -> Any:
    """Return, in every process, the picklable value that the main process has."""
    if process_count() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def is_process_gone(error: Exception) -> bool:
    """Tell whether an error comes from another process of this training that is gone.

    PyTorch raises a plain RuntimeError for some of them. Only their words tell.
    """
    text = " ".join(str(error).split()) if isinstance(error, RuntimeError) else ""
    return isinstance(error, dist.DistBackendError) or "gloo" in text or "Connection closed" in text


def rand_rows(rows: int, *shape: int, device: torch.device | None = None) -> Tensor:
    """Draw uniform numbers for this process's rows of a batch: those that one process would draw for them.

    Every process must have been seeded alike, as training does before each step.

    Args:
        rows: Rows of this process, B; the same in every process.
        shape: Shape of a row.
        device: Where they are drawn.

    Returns:
        (B, *shape) float32 in [0, 1).
    """
    everything = torch.rand(process_count() * rows, *shape, device=device)
    return everything[own_rows(rows)]


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.count = len(rows)
        return _all_gather(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[own_rows(ctx.count)]


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return mean_over_processes(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return mean_over_processes(gradients[0])


def _all_gather(rows: Tensor) -> Tensor:
    rows = rows.contiguous()
    parts = [torch.empty_like(rows) for _ in range(process_count())]
    dist.all_gather(parts, rows)
    return torch.cat(parts)
