"""The tensors of a model's weights: loaded strictly or not at all, and never executed."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from tipr_zoo.errors import WeightsError
from tipr_zoo.machine.whole_file import whole_file
from tipr_zoo.terminal.suggested_command import quoted


def write_weights(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None, *, must_last: bool = True
) -> None:
    """Write tensors as safetensors, whole or not at all.

    Args:
        tensors: By name.
        path: The file.
        metadata: Texts for the file's header, e.g. on which split an epoch was chosen; see `read_metadata`.
        must_last: Whether the file must outlast a crash of the machine; see `tipr_zoo.machine.whole_file.whole_file`.

    Raises:
        WriteError: The file cannot be written; what was there is as it was.
    """
    # Copies, because some tensors are parts of one, which safetensors refuses.
    copies = {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    # One entry: safetensors writes several in any order, and the same weights are to be the same bytes.
    header = {"tipr_zoo": json.dumps(metadata, sort_keys=True)} if metadata else None
    with whole_file(path, must_last=must_last) as part:
        part.write_bytes(safetensors.torch.save(copies, header))


def read_metadata(path: Path) -> dict[str, str]:
    """Read the texts that `write_weights` put into a file's header, e.g. ``{"seed": "0", "selected_on": "val"}``.

    Returns:
        The texts; none for a file without any, of another format, or that cannot be read.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return dict(json.loads((file.metadata() or {}).get("tipr_zoo", "{}")))
    except (OSError, ValueError, safetensors.SafetensorError):
        return {}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name; nothing in it is executed.

    Args:
        path: A safetensors file, or a PyTorch file holding tensors, perhaps under a ``model`` or ``state_dict`` entry.

    Raises:
        WeightsError: The file is missing, damaged, of another format, or would run code when unpickled.
    """
    if path.is_dir():
        raise WeightsError(f"weights {path} are a folder; name a file in it")
    if not path.is_file():
        raise WeightsError(f"weights {path} do not exist; check the path")
    if _is_torchscript(path):
        raise WeightsError(
            f"weights {path} are a TorchScript archive, which is a program and is not run; if you trust it, take its"
            f" tensors out: python -c \"import torch; torch.save(torch.jit.load('{path}', 'cpu').state_dict(),"
            f" '{path.with_suffix('.tensors.pth')}')\""
        )
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # both readers raise whatever a damaged file provokes
        raise WeightsError(f"weights {path} cannot be read ({type(error).__name__}); {_reason(path, error)}") from error
    for entry in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(entry), dict):
            state = state[entry]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"weights {path} hold no dict of tensors")
    return state


def _reason(path: Path, error: Exception) -> str:
    """Say why a file could not be read, and what to do."""
    if refused := re.search(r"Unsupported (?:global|class|operand)[^\n]*?((?:[A-Za-z_]\w*\.)+\w+)", str(error)):
        return (
            f"beside tensors it holds {refused[1]}, which only code in the file could bring back, and none is run;"
            " have its owner save the tensors alone, e.g. torch.save(model.state_dict(), FILE)"
        )
    with path.open("rb") as file:
        start = file.read(9)
    if path.suffix == ".safetensors" and start.startswith((b"PK", b"\x80")):
        return "it is a PyTorch file: rename it to end in .pth"
    if path.suffix != ".safetensors" and start[8:] == b"{":
        return "it is a safetensors file: rename it to end in .safetensors"
    return "it is damaged or no weights file"


def load_tensors(model: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load what a file holds into a model, every tensor of both.

    Args:
        model: Changed in place, and only if everything fits.
        state: The tensors by name, from `read_weights`.
        path: The file, for the message.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape.
    """
    if is_clip_format(state):
        raise WeightsError(
            f"weights {path} are CLIP's, which have no heads and fit pictures of 224 x 224; they are for a training to"
            f" start from: tipr-zoo train NAME --weights {quoted(path)}"
        )
    if is_official_format(state):
        raise WeightsError(
            f"weights {path} are a checkpoint of the official code; convert it first:"
            f" tipr-zoo convert {quoted(path)} --method METHOD -o {quoted(Path(path.with_suffix('.safetensors').name))}"
        )
    own = model.state_dict()
    problems = [f"{name} is missing" for name in own if name not in state]
    problems += [f"{name} is left over" for name in state if name not in own]
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, the model {tuple(own[name].shape)}"
        for name in own
        if name in state and own[name].shape != state[name].shape
    ]
    if problems:
        raise WeightsError(f"weights {path} do not fit the model: {first_of(problems)}")
    model.load_state_dict(state, strict=True)


def first_of(problems: Sequence[str]) -> str:
    """Name the first few of what does not fit, and say how many more there are."""
    return "; ".join(problems[:3]) + (f" and {len(problems) - 3} more" if len(problems) > 3 else "")


def is_clip_format(state: Mapping[str, object]) -> bool:
    """Tell whether these entries are named as OpenAI names CLIP's, whose towers any model may start from."""
    return "visual.conv1.weight" in state or "visual.proj" in state


def is_official_format(state: Mapping[str, object]) -> bool:
    """Tell whether these entries are named as in the checkpoints of IRRA, SEN and FMFA, perhaps behind ``module.``."""
    return any(name.removeprefix("module.").startswith("base_model.") for name in state)


def _is_torchscript(path: Path) -> bool:
    """Tell whether a file is a TorchScript archive, which holds code beside tensors, as those that OpenAI serves."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False
