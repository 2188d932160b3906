"""The reading of a checkpoint that a training goes on from: tensors and plain values, none of which is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor

from tipr_zoo.errors import WeightsError
from tipr_zoo.weights.whole_checkpoint import describe_checkpoint, read_checkpoint

_SCHEME = "tipr-zoo-checkpoint:"
"""What leads the path of a checkpoint, so that MMEngine asks this module for it, and not ``torch.load``."""

_ENTRIES = (
    "meta",
    "state_dict",
    "message_hub",
    "optimizer",
    "progress",
    "hooks",
    "noted",
    "tipr_zoo",
    "moving_average",
)
_META = ("epoch", "iter", "seed")
"""What MMEngine may learn. It would run the text of a further one, ``config``."""


def loaded_by_mmengine(path: Path) -> str:
    """Return a checkpoint's path as MMEngine is to be given it."""
    return f"{_SCHEME}{path}"


def checkpoint_notes(path: Path) -> dict[str, Any] | None:
    """Return what a checkpoint notes of the training that wrote it; None if it notes nothing.

    Raises:
        WeightsError: It cannot be read, or its notes are none of a training.
    """
    noted = describe_checkpoint(path).get("tipr_zoo")
    if noted is None:
        return None
    fingerprint = noted.get("fingerprint") if isinstance(noted, dict) else None
    parts = [fingerprint.get(name) for name in ("recipe", "data")] if isinstance(fingerprint, dict) else [None]
    texts = all(isinstance(part, dict) and all(map(_is_text, (*part, *part.values()))) for part in parts)
    if not texts or type(noted.get("step_in_epoch")) is not int:
        raise WeightsError(
            f"{path} is damaged: it does not say what it was trained on; train anew in another --work-dir"
        )
    return dict(noted)


def check_entries(path: Path) -> None:
    """Check that a checkpoint has what a training needs to go on.

    Raises:
        WeightsError: It cannot be read, or has not.
    """
    entries = describe_checkpoint(path)
    if missing := [entry for entry in ("state_dict", "optimizer", "meta") if entry not in entries]:
        raise WeightsError(f"{path} is no checkpoint of a training: it has no {missing[0]}")
    meta = entries["meta"]
    if not isinstance(meta, dict) or any(type(meta.get(name)) is not int or meta[name] < 0 for name in _META[:2]):
        raise WeightsError(f"{path} is damaged: its meta does not say after which epoch and iteration it was written")
    optimiser = entries["optimizer"]
    if not isinstance(optimiser, dict) or not all(
        isinstance(optimiser.get(name), kind) for name, kind in (("state", dict), ("param_groups", list))
    ):
        raise WeightsError(f"{path} is damaged: its optimizer has no state")


@CheckpointLoader.register_scheme(prefixes=_SCHEME, force=True)  # type: ignore[untyped-decorator]
def _load(filename: str, map_location: Any) -> dict[str, Any]:
    """Read a checkpoint for MMEngine."""
    entries = read_checkpoint(Path(filename.removeprefix(_SCHEME)))
    kept = {name: value for name, value in entries.items() if name in _ENTRIES}
    kept["meta"] = {name: value for name, value in kept["meta"].items() if name in _META}
    moved: dict[str, Any] = _moved(kept, torch.device(map_location))
    return moved


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {name: _moved(each, device) for name, each in value.items()}
    return type(value)(_moved(each, device) for each in value) if type(value) in (list, tuple) else value
