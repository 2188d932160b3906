"""Where a model lives, and in which precision."""

from __future__ import annotations

from itertools import chain
from typing import cast

import torch
from torch import nn

from tipr_zoo.protocols import Retriever


def place_of(model: Retriever) -> tuple[torch.device, torch.dtype]:
    """Return the device and the floating type of a model's first weights, which its pictures must have, too."""
    state = chain(cast(nn.Module, model).parameters(), cast(nn.Module, model).buffers())
    first = next((tensor for tensor in state if tensor.is_floating_point()), torch.empty(0))
    return first.device, first.dtype
