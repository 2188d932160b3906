"""Copying, pickling, saving and loading a component."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

import safetensors.torch
import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)

STEP = 0.01
"""Learning rate of the steps that change a component before it is saved."""


def pickled(component: Module) -> Module:
    """Return the component after a round trip through pickle, as another process gets it."""
    copy: Module = pickle.loads(pickle.dumps(component))
    return copy


def trained_and_reloaded(component: Module, value_of: Callable[[Module], Tensor]) -> tuple[Module, Module]:
    """Return a copy that was trained for two steps, and a fresh copy that has loaded what the first one saved.

    A change by training that ``state_dict`` does not hold is lost, as in every weights file.

    Args:
        component: The component, before it ran. It is not changed.
        value_of: Gives the number that training makes smaller. It has a gradient where the component has parameters.

    Returns:
        Both copies, in eval mode.

    Raises:
        AssertionError: Training adds something to what is saved.
    """
    trained, reloaded = deepcopy(component).train(), deepcopy(component)
    for _ in range(2):
        value = value_of(trained)
        parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
        if parameters and value.requires_grad:
            gradients = torch.autograd.grad(value, parameters, materialize_grads=True)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.sub_(STEP * gradient)
    # Copies, because safetensors refuses tensors that share memory.
    state = {name: value.detach().clone().contiguous() for name, value in trained.state_dict().items()}
    if added := sorted(state.keys() - reloaded.state_dict().keys()):
        raise AssertionError(f"a call adds {added[0]} to what is saved; keep no module that the call is given")
    reloaded.load_state_dict(safetensors.torch.load(safetensors.torch.save(state)), strict=True)
    return trained.eval(), reloaded.eval()
