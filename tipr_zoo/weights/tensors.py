"""The tensors of a model's weights: loaded strictly or not at all, and never executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
from torch import Tensor, nn

from tipr_zoo.errors import WeightsError
from tipr_zoo.machine.whole_file import whole_file
from tipr_zoo.terminal.suggested_command import quoted
from tipr_zoo.weights.header import header_entry, read_metadata
from tipr_zoo.weights.opening import open_weights
from tipr_zoo.weights.other_kinds import adapter_in_words
from tipr_zoo.weights.recognition import WeightsKind, recognise
from tipr_zoo.weights.unwrapping import is_no_weight


def write_weights(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None, *, must_last: bool = True
) -> None:
    """Write tensors as safetensors, whole or not at all.

    Args:
        tensors: By name.
        path: The file.
        metadata: Texts for the file's header, e.g. on which split an epoch was chosen; see
            `tipr_zoo.weights.header.read_metadata`.
        must_last: Whether the file must outlast a crash of the machine; see `tipr_zoo.machine.whole_file.whole_file`.

    Raises:
        WriteError: The file cannot be written; what was there is as it was.
    """
    # Copies, because some tensors are parts of one, which safetensors refuses.
    copies = {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    with whole_file(path, must_last=must_last) as part:
        part.write_bytes(safetensors.torch.save(copies, header_entry(dict(metadata or {}))))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name; nothing in it is executed. See `tipr_zoo.weights.opening.open_weights`.

    Args:
        path: A safetensors file, a PyTorch file or a TorchScript archive.

    Raises:
        WeightsError: The file is missing, damaged, of another format, or holds no weights.
    """
    return open_weights(path).tensors


def load_tensors(model: nn.Module, state: Mapping[str, Tensor], path: Path, owner: str | None = None) -> None:
    """Load what a file holds into a model, every tensor of both.

    Args:
        model: Changed in place, and only if everything fits.
        state: The tensors by name, from `read_weights`.
        path: The file, for the message.
        owner: The model that they are of, where it is known to be another.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape.
    """
    recognised = recognise(state)
    if recognised.kind in (WeightsKind.CLIP, WeightsKind.HUGGING_FACE_CLIP):
        raise WeightsError(
            f"weights {path} are CLIP's, which have no heads and fit pictures of 224 x 224; they are for a training to"
            f" start from: tipr-zoo train NAME --weights {quoted(path)}; to measure CLIP as it is, take clip_vitb16"
        )
    if recognised.kind is WeightsKind.OFFICIAL:
        raise WeightsError(
            f"weights {path} are a checkpoint of the official code; convert it first:"
            f" tipr-zoo convert {quoted(path)} --method METHOD -o {quoted(Path(path.with_suffix('.safetensors').name))}"
        )
    if recognised.kind is WeightsKind.TIMM:
        raise WeightsError(
            f"weights {path} are {recognised.words}: they have no text tower and do not fit the model; they are for a"
            f" training to start from, where the image tower is the same: tipr-zoo train NAME --weights {quoted(path)}"
        )
    if (adapter := adapter_in_words(state)) is not None:
        raise WeightsError(f"weights {path} are {adapter}, and do not fit the model; {_how_to_merge(state, path)}")
    own = model.state_dict()
    state = {name: tensor for name, tensor in state.items() if name in own or not is_no_weight(name)}
    problems = [f"{name} is missing" for name in own if name not in state]
    problems += [f"{name} is left over" for name in state if name not in own]
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, the model {tuple(own[name].shape)}"
        for name in own
        if name in state and own[name].shape != state[name].shape
    ]
    problems += [
        f"{name} is {state[name].dtype}, and weights are floating-point numbers"
        for name in own
        if name in state and own[name].is_floating_point() and not state[name].is_floating_point()
    ]
    if problems:
        known = recognised.kind is not WeightsKind.ZOO and recognised.is_known
        what = f"weights {path} are {recognised.words}, and" if known else f"weights {path}"
        what = f"weights {path} are of the model {owner}, and" if owner else what
        raise WeightsError(f"{what} do not fit the model: {first_of(problems)}")
    model.load_state_dict(state, strict=True)


def _how_to_merge(state: Mapping[str, Tensor], path: Path) -> str:
    """Say what to do with adapters that are not merged."""
    if any(".base_layer." in name for name in state):
        return "let its training end, which writes the merged weights: tipr-zoo train NAME --resume"
    about = read_metadata(path)
    if "adapter" in about and about.get("model"):
        return f"take {about['model']}.safetensors, which its training wrote beside it: there they are merged"
    return "peft's merge_and_unload() merges it into the model that it was trained on; then take that model's weights"


def first_of(problems: Sequence[str]) -> str:
    """Name the first few of what does not fit, and say how many more there are."""
    return "; ".join(problems[:3]) + (f" and {len(problems) - 3} more" if len(problems) > 3 else "")
