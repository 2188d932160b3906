"""The towers' blocks compiled by PyTorch (``training.compile``).

The blocks are compiled in their places: parameters keep their names, so that checkpoints and weights are those of a
training without. Each shape has a code of its own, made for it alone, so that a resumed training computes what one that
was never stopped does. Validation and all else outside of training steps run uncompiled.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, error_line
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.loop.tower_blocks import towers_of

ENTRY = "training.compile"

MOST_CODES = 256
"""How many shapes a block may have; PyTorch's own limit of 8 would leave further ones uncompiled without a word."""

_OWN = ("model", "dynamic", "disable")
"""Arguments of ``torch.compile`` that are not the recipe's to say."""

_KINDS: tuple[tuple[str, type, str], ...] = (
    ("backend", str, "a name"),
    ("mode", str, "a name"),
    ("fullgraph", bool, "True or False"),
    ("options", dict, "a dict"),
)


def compile_settings(training: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what ``torch.compile`` is to be given; None where nothing is to be compiled.

    Raises:
        ConfigError: The entry makes no sense.
        UnknownNameError: ``torch.compile`` has no such argument, backend or mode.
    """
    given = training.get("compile")
    if given is None or isinstance(given, bool):
        return {} if given else None
    if not isinstance(given, Mapping):
        raise ConfigError(f"{ENTRY} must be True, False or a dict of what torch.compile takes, got {given!r}")
    known = [name for name in inspect.signature(torch.compile).parameters if name not in _OWN]
    for name in given:
        if name not in known:
            raise unknown_name(f"entry of {ENTRY}", str(name), known)
    for name, kind, told in _KINDS:
        if name in given and not isinstance(given[name], kind):
            raise ConfigError(f"{ENTRY}.{name} must be {told}, got {given[name]!r}")
    if "backend" in given and given["backend"] not in (known := torch._dynamo.list_backends(exclude_tags=())):
        raise unknown_name(f"backend ({ENTRY})", given["backend"], known)
    if "mode" in given and given["mode"] not in (known := list(torch._inductor.list_mode_options())):
        raise unknown_name(f"mode ({ENTRY})", given["mode"], known)
    return dict(given)


def compile_blocks(model: nn.Module, training: Mapping[str, Any], device: torch.device) -> Hook | None:
    """Compile the blocks of both towers, or a tower as a whole that does not say what its blocks are.

    Args:
        model: The model, on its device; changed in place.
        training: The recipe's ``training`` entry.
        device: Where it is.

    Returns:
        A hook that the training needs for it; None where nothing is compiled.

    Raises:
        ConfigError: It cannot be compiled here, or the entry makes no sense.
        UnknownNameError: See `compile_settings`.
    """
    arguments = compile_settings(training)
    if arguments is None:
        return None
    towers = towers_of(model, ENTRY)
    _try(arguments, device)
    if training.get("trim_padding", False):
        del towers["text_encoder"]
        logger.warning(
            "%s: only the image tower is compiled, since training.trim_padding gives captions of many lengths", ENTRY
        )
    for tower in towers.values():
        for block in list(getattr(tower, "blocks", None) or [tower]):
            block.compile(dynamic=False, **arguments)
    return CompiledBlocksHook()


def compiler_failure(error: BaseException) -> ConfigError | None:
    """Return the error for a failure of the compiler in a step; None where it is another failure."""
    name = type(error).__module__
    if not name.startswith(("torch._inductor", "torch._dynamo", "triton")):
        return None
    return ConfigError(
        f"{ENTRY}: a block of the model cannot be compiled: {_reason(error)}; leave out {ENTRY}, or go on without it"
        " with --resume"
    )


class CompiledBlocksHook(Hook):
    """Lets blocks run uncompiled in validation, where batches have many sizes."""

    def before_train(self, runner: Runner) -> None:
        config: Any = torch._dynamo.config
        name = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"  # its older name
        setattr(config, name, max(getattr(config, name), MOST_CODES))

    def before_val(self, runner: Runner) -> None:
        torch.compiler.set_stance("force_eager")

    def after_val(self, runner: Runner) -> None:
        torch.compiler.set_stance("default")

    def after_train(self, runner: Runner) -> None:
        self.close()

    def close(self) -> None:
        """Leave other code of this process as it was, whatever happened."""
        torch.compiler.set_stance("default")


def _try(arguments: Mapping[str, Any], device: torch.device) -> None:
    """Compile a sum of numbers.

    Raises:
        ConfigError: That is not possible.
    """

    def sine(numbers: torch.Tensor) -> torch.Tensor:
        return (numbers * 2 + 1).sin().sum()

    count = 64 + time.time_ns() % 10_000  # what was compiled before is kept, and would hide that nothing more can be
    try:
        compiled = torch.compile(sine, dynamic=False, **arguments)
    except Exception as error:  # arguments that do not go together, and options that there are not
        raise ConfigError(f"{ENTRY}: {_reason(error)}") from error
    try:
        compiled(torch.ones(count, device=device))
    except Exception as error:  # a compiler that is not there, and whatever else there may be
        raise ConfigError(
            f"{ENTRY} is not possible here: {_reason(error)}; install a compiler (such as g++), or leave out {ENTRY}"
        ) from error


def _reason(error: BaseException) -> str:
    """Return the line of a compiler's message that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if "Error" in line or "not found" in line.lower()), error_line(error))
    return told[:300]
