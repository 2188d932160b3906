"""The opener of weights: whatever people have, its tensors by plain names, and what they are. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from tipr_zoo.errors import WeightsError
from tipr_zoo.outside.files import WEIGHTS_LIMIT, RefusedFileError, opened, read_head
from tipr_zoo.weights.closed_unpickler import LeftOut, OddTensor, RefusedGlobalError, TensorRecord
from tipr_zoo.weights.finite_numbers import check_numbers
from tipr_zoo.weights.header import checked_metadata
from tipr_zoo.weights.pytorch_file import ImpossibleFileError, look_into
from tipr_zoo.weights.recognition import Recognised, recognise
from tipr_zoo.weights.unwrapping import plain_names, unwrap

_NO_WEIGHTS = {
    b"version https://git-lfs": "it is a pointer of Git LFS to the file; fetch the file itself: git lfs pull",
    b"<": "it is a page of the web; fetch the file that the page is about",
    b"{": "it is JSON, perhaps a configuration beside the weights; name the file of the weights",
}
"""What people have instead of weights, by how it begins."""


@dataclass(frozen=True)
class OpenedWeights:
    """A file of weights that was read.

    Attributes:
        path: The file.
        tensors: Dense and finite, by name, without what wrappers put around them and before their names.
        container: What the file is: ``"safetensors"``, ``"PyTorch"`` or ``"TorchScript"``.
        entry: The names of the entries that lead to the tensors; empty where they stand at the top.
        recognised: What the tensors are.
        header: What a safetensors file says of itself, e.g. ``{"model": "irra_tiny_synth"}``.
    """

    path: Path
    tensors: dict[str, Tensor]
    container: str
    entry: tuple[str, ...]
    recognised: Recognised
    header: dict[str, str]


def open_weights(path: Path) -> OpenedWeights:
    """Read a file of weights, and say what it is.

    Args:
        path: A safetensors file; or a PyTorch file that holds tensors, perhaps within entries as ``state_dict`` or
            ``model``; or a TorchScript archive, whose tensors are read without running its program.

    Raises:
        WeightsError: The file is missing, damaged or of another format, would run code when unpickled, or holds a
            tensor that is no weight: sparse, quantised, complex, or with numbers that are not finite.
    """
    if path.is_dir():
        raise WeightsError(f"weights {path} are a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise WeightsError(f"weights {path} are no regular file; copy them into one")
    if not path.is_file():
        raise WeightsError(f"weights {path} do not exist; check the path")
    place = f"weights {path}"
    try:
        read = _read_safetensors if path.suffix == ".safetensors" else _read_pytorch
        tensors, container, entry = read(path, place)
    except WeightsError:
        raise
    except RefusedFileError as error:
        raise WeightsError(f"weights {path} are not read: {error}") from error
    except Exception as error:  # both readers raise whatever a damaged file provokes
        raise WeightsError(f"weights {path} cannot be read ({type(error).__name__}); {_reason(path, error)}") from error
    check_numbers(tensors, place)
    header = checked_metadata(path) if container == "safetensors" else {}
    return OpenedWeights(path, tensors, container, entry, recognise(tensors, container == "TorchScript"), header)


def _read_safetensors(path: Path, place: str) -> tuple[dict[str, Tensor], str, tuple[str, ...]]:
    with opened(path, WEIGHTS_LIMIT):
        tensors = safetensors.torch.load_file(path)
    plain = plain_names(tensors, place)
    return {short: tensors[name] for name, short in plain.items()}, "safetensors", ()


def _read_pytorch(path: Path, place: str) -> tuple[dict[str, Tensor], str, tuple[str, ...]]:
    file = look_into(path)
    state: Any = file.content
    entry: tuple[str, ...] = ()
    if isinstance(state, dict):
        state, entry = unwrap(state, lambda value: isinstance(value, (TensorRecord, OddTensor)), place)
    records = _described(state, place)
    plain = plain_names(records, place)
    tensors = file.tensors(records)
    container = "TorchScript" if file.is_script else "PyTorch"
    return {short: tensors[name] for name, short in plain.items()}, container, entry


def _described(state: Any, place: str) -> Mapping[str, TensorRecord]:
    """Return the tensors that a file describes; all of its entries must be some, and dense."""
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, (TensorRecord, OddTensor)) for name, value in state.items()
    ):
        if isinstance(state, dict) and {"state", "param_groups"} <= state.keys():
            raise WeightsError(f"{place} hold the state of an optimiser and no weights; name the file of the model")
        raise WeightsError(f"{place} hold no dict of tensors{_said(state)}; save model.state_dict() alone")
    for name, value in state.items():
        if isinstance(value, OddTensor):
            raise WeightsError(
                f"{place}: {name} is {value.kind}; weights are floating-point numbers, one in each place"
            )
    return state


def _said(state: Any) -> str:
    """Say what stands where tensors should."""
    if not isinstance(state, dict):
        return f": there is a {type(state).__name__}"
    for name, value in state.items():
        if not isinstance(value, (TensorRecord, OddTensor)):
            kind = "neither a tensor nor a plain value" if isinstance(value, LeftOut) else f"a {type(value).__name__}"
            return f": its entry {name!r} is {kind}"
    return ": one of its names is no text"


def open_mapping(content: Mapping[Any, Any], place: str, has_numbers: bool = True) -> dict[str, Any]:
    """Take tensors that were read already out of what is around them, as `open_weights` does.

    Args:
        content: Tensors, perhaps within entries as ``state_dict`` or ``model``.
        place: What messages call it.
        has_numbers: Whether the tensors must have numbers; False for a model on the device "meta", which has none.

    Returns:
        The tensors by plain name, and whatever stands among them.

    Raises:
        WeightsError: A tensor is no weight, or there twice.
    """
    state = unwrap(content, lambda value: isinstance(value, Tensor), place)[0]
    if has_numbers:
        check_numbers({str(name): value for name, value in state.items() if isinstance(value, Tensor)}, place)
    plain = plain_names(map(str, state), place)
    return {plain[str(name)]: value for name, value in state.items()}


def _reason(path: Path, error: Exception) -> str:
    """Say why a file could not be read, and what to do."""
    if isinstance(error, RefusedGlobalError) and re.fullmatch(r"(?:[A-Za-z_]\w*\.)+\w+", error.name):
        return (
            f"beside tensors it holds {error.name}, which only code in the file could bring back, and none is run;"
            " have its owner save the tensors alone, e.g. torch.save(model.state_dict(), FILE)"
        )
    start = read_head(path, 64)
    if found := next((words for head, words in _NO_WEIGHTS.items() if start.lstrip().lower().startswith(head)), None):
        return found
    if not start:
        return "it is empty; fetch it again"
    if path.suffix == ".safetensors" and start.startswith((b"PK", b"\x80")):
        return "it is a PyTorch file: rename it to end in .pth"
    if path.suffix != ".safetensors" and start[8:9] == b"{":
        return "it is a safetensors file: rename it to end in .safetensors"
    if isinstance(error, ImpossibleFileError):
        return f"it is damaged: {error}"
    return "it is damaged or no weights file"
