"""A component copied, pickled, and saved and loaded."""

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
    """The component after a round trip through pickle, as another process gets it."""
    copy: Module = pickle.loads(pickle.dumps(component))
    return copy


def trained_and_reloaded(component: Module, value_of: Callable[[Module], Tensor]) -> tuple[Module, Module]:
    """A copy that was trained for two steps, and one that was not and has loaded what the first saved.

    What training changes and ``state_dict`` does not hold is lost on the way, as it is in every weights file.

    Args:
        component: It is not changed.
        value_of: The number that training is to make smaller; carries a gradient where the component has parameters.

    Returns:
        Both, in eval mode.
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
    # Copies, because some tensors are parts of one, which safetensors refuses.
    state = {name: value.detach().clone().contiguous() for name, value in trained.state_dict().items()}
    reloaded.load_state_dict(safetensors.torch.load(safetensors.torch.save(state)), strict=True)
    return trained.eval(), reloaded.eval()
