"""The device that a command runs on, and its description in evaluation records."""

from __future__ import annotations

import platform

import torch

from tipr_zoo.distributed import local_rank, process_count, started_by_torchrun
from tipr_zoo.errors import ConfigError


def choose_device(name: str | None = None) -> torch.device:
    """Choose the device of this name, or the best one here.

    Without a name it is a GPU if there is one, else the CPU. If ``torchrun`` started several processes on a machine,
    each gets its own GPU.

    Args:
        name: A device as PyTorch writes it, e.g. ``"cuda:1"``.

    Raises:
        ConfigError: There is no such device here.
    """
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda", local_rank()) if started_by_torchrun() else torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    return usable_device(name, "try --device cpu")


def usable_device(name: str | torch.device, fix: str) -> torch.device:
    """Return the device of this name, if there is one here.

    Args:
        name: A device as PyTorch writes it, e.g. ``"cuda:1"``.
        fix: What the message advises, e.g. ``"try --device cpu"``.

    Raises:
        ConfigError: There is no such device here.
    """
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None and started_by_torchrun():
            device = torch.device("cuda", local_rank())
        torch.empty(1, device=device).cpu()  # a tensor on "meta" has no values
    except (RuntimeError, AssertionError, TypeError) as error:
        told = str(name) if isinstance(name, torch.device) else name
        raise ConfigError(f"device {told!r} cannot be used here: {str(error).splitlines()[0]}; {fix}") from error
    return device


def describe_device(device: torch.device) -> str:
    """Describe a device, e.g. ``"cpu (x86_64, 2 threads)"`` or ``"4 processes, cuda (NVIDIA A100)"``."""
    processes = f"{process_count()} processes, " if process_count() > 1 else ""
    if device.type == "cuda":
        return f"{processes}cuda ({torch.cuda.get_device_name(device)})"
    return f"{processes}{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"
