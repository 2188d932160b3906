"""Choosing the device that a command runs on, and naming it in records."""

from __future__ import annotations

import platform

import torch

from tipr_zoo.errors import ConfigError


def choose_device(name: str | None = None) -> torch.device:
    """The device of this name; without one a GPU where there is one, else the CPU.

    Raises:
        ConfigError: There is no such device here.
    """
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"device {name!r} cannot be used here: {str(error).splitlines()[0]}; try --device cpu"
        ) from error
    return device


def describe_device(device: torch.device) -> str:
    """In words, e.g. ``"cpu (x86_64, 2 threads)"``."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"
