"""Embeddings of an evaluation in a file, for other programs: NumPy's ``.npz`` or ``.safetensors``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.measuring import Outcome
from tipr_zoo.machine.result_place import check_place
from tipr_zoo.machine.whole_file import whole_file
from tipr_zoo.weights.tensors import write_weights

SUFFIXES = (".npz", ".safetensors")


def check_export_file(path: Path) -> None:
    """Check that embeddings can be written to `path`, before the work and not after it.

    Raises:
        ConfigError: Its suffix names no known format, it is a folder, or its own folder does not exist.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: embeddings are written to a file that ends in {' or '.join(SUFFIXES)}")
    check_place(path)


def export_embeddings(outcome: Outcome, path: Path) -> None:
    """Write the embeddings of an evaluation, with what they belong to.

    Both formats hold these tensors:

    - ``caption_embeddings`` (Q, D) and ``picture_embeddings`` (G, D), float32 and not normalised;
    - ``caption_ids`` (Q,) and ``picture_ids`` (G,), int64, the identities as annotated;
    - ``caption_picture_indices`` (Q,), int64, the picture that each caption describes.

    They also hold ``captions``, ``picture_paths`` and ``metadata``. In ``.npz`` the first two are arrays of text, and
    ``metadata`` is one text in JSON. In ``.safetensors`` all three are in the header, the lists as JSON. Where
    identities are texts that were numbered, ``metadata`` has the annotated texts as ``identity_names``. Paths start
    from the data set's picture folder, where they lie below it.

    Args:
        outcome: The evaluation.
        path: A file that `check_export_file` has approved; it is replaced in one step.

    Raises:
        WriteError: The file cannot be written.
    """
    dataset, folder = outcome.dataset, outcome.dataset.picture_folder
    paths = [
        (picture.relative_to(folder) if picture.is_relative_to(folder) else picture).as_posix()
        for picture in dataset.pictures
    ]
    tensors = {
        "caption_embeddings": outcome.embeddings.captions,
        "picture_embeddings": outcome.embeddings.pictures,
        "caption_ids": torch.tensor(dataset.caption_ids),
        "picture_ids": torch.tensor(dataset.picture_ids),
        "caption_picture_indices": torch.tensor(dataset.caption_picture_indices),
    }
    metadata = _metadata(outcome)
    if path.suffix.lower() == ".safetensors":
        lists = {"captions": json.dumps(dataset.captions), "picture_paths": json.dumps(paths)}
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
        write_weights(tensors, path, texts | lists)
        return
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in tensors.items()}
    arrays |= {"captions": np.array(dataset.captions), "picture_paths": np.array(paths)}
    with whole_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays, metadata=np.array(json.dumps(metadata)))


def _metadata(outcome: Outcome) -> dict[str, Any]:
    """Collect what the embeddings belong to."""
    record = outcome.record
    names = (
        "model",
        "overrides",
        "weights_sha256",
        "selected_on",
        "dataset",
        "split",
        "dataset_arguments",
        "dataset_sha256",
        "pictures_sha256",
        "tipr_zoo_version",
        "device",
    )
    metadata = {name: getattr(record, name) for name in names} | {"normalised": False}
    if record.part is not None:
        metadata["part"] = record.part
    if outcome.dataset.identity_names:
        metadata["identity_names"] = {str(number): name for number, name in outcome.dataset.identity_names.items()}
    return metadata
