"""What a training depends on. Checkpoints note it, so that a resumed run goes on with the same."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.machine.kept_hashes import kept_hashes
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.checkpoints.reading import checkpoint_notes
from tipr_zoo.training.pairs.caption_noise import caption_noise, noise_hash

ORDER_ENTRIES = ("training.batch_size", "training.seed", "training.sampler", "training.trim_padding")
"""The entries that decide which pairs a step sees. Within an epoch they cannot change."""

BYTES_OF = "bytes of the pictures of"
"""How the entry begins that older checkpoints do not have. What one of them lacks is not compared."""

OPTIMISER = "training.optimizer."

_OF_NO_STATE = ("fused", "foreach", "maximize", "capturable", "differentiable")
"""Options of an optimiser that decide how a step is computed, and not what is kept for the next one."""

LEFT_OUT = "left out"


def training_fingerprint(
    recipe: Mapping[str, Any], train_set: PersonDataset, validation_set: PersonDataset | None
) -> dict[str, dict[str, str]]:
    """Collect what a training depends on, as texts by name.

    Args:
        recipe: The whole recipe.
        train_set: The training split.
        validation_set: The split that the best epoch is chosen on, or None.

    Returns:
        ``recipe`` has its entries by dotted name. ``data`` has for each split the hash of its annotations, the hash
        of the names and sizes of its pictures, and the hash of their bytes.
    """
    data = {}
    for dataset in filter(None, (train_set, validation_set)):
        data[f"annotations of {dataset.split}"] = _annotations_hash(dataset)
        data[f"pictures of {dataset.split}"] = _pictures_hash(dataset)
        data[f"{BYTES_OF} {dataset.split}"] = _bytes_hash(dataset)
    data["exchange of captions"] = noise_hash(caption_noise(recipe["training"]), len(train_set.captions))
    return {"recipe": dict(_entries(recipe)), "data": data}


def check_fingerprint(checkpoint: Path, now: Mapping[str, Mapping[str, str]], root: Path) -> None:
    """Compare what a checkpoint was written with and what it is resumed with. Entries of the recipe may change.

    Args:
        checkpoint: The file.
        now: The fingerprint of the present run.
        root: The data set's folder, for the message.

    Raises:
        ConfigError: One of these is another: the data set, the split that the best epoch is chosen on, the kind of the
            optimiser, or, within an epoch, the order of the pairs.
        WeightsError: What the checkpoint notes is damaged.
    """
    noted = checkpoint_notes(checkpoint)
    if noted is None:
        logger.warning("%s does not say what it was trained on: nothing can be compared", checkpoint)
        return
    before = noted["fingerprint"]
    changed = sorted(name for name in now["data"] if before["data"].get(name, now["data"][name]) != now["data"][name])
    # Where the files themselves are others, so are their bytes.
    changed = [name for name in changed if name.replace(BYTES_OF, "pictures of") not in changed or BYTES_OF not in name]
    if changed:
        raise ConfigError(
            f"{root} changed since {checkpoint} was written: the {' and the '.join(changed)} are others; bring back the"
            " data set as it was, or train anew in another --work-dir"
        )
    old, new = (_selection_split(noted["data"]) for noted in (before, now))
    if old != new:
        raise ConfigError(
            f"{checkpoint} was written by a training that chooses the best epoch on {old}, not on {new}: figures of two"
            f" splits cannot be compared; choose on {old} again (--select-on), or train anew in another --work-dir"
        )
    names = before["recipe"].keys() | now["recipe"].keys()
    for name in sorted(name for name in names if before["recipe"].get(name) != now["recipe"].get(name)):
        old, new = before["recipe"].get(name, LEFT_OUT), now["recipe"].get(name, LEFT_OUT)
        if noted["step_in_epoch"] and name.startswith(ORDER_ENTRIES):
            raise ConfigError(
                f"{checkpoint} was written within an epoch, where {name} cannot change from {old} to {new}; finish the"
                " epoch as it was begun, or train anew in another --work-dir"
            )
        if name.startswith(OPTIMISER) and _changes_state(name.removeprefix(OPTIMISER), old, new):
            raise ConfigError(
                f"{checkpoint} holds the state of an optimiser whose {name} is {old}, with which one whose is {new}"
                " cannot go on; leave it as it was, or train anew in another --work-dir, perhaps with --weights"
                f" {checkpoint}"
            )
        logger.warning("resumed with another recipe: %s was %s and is %s", name, old, new)


def _changes_state(option: str, old: str, new: str) -> bool:
    """Tell whether another value of an optimiser's option means that it keeps something else for each parameter."""
    if option in _OF_NO_STATE:
        return False
    if option == "momentum":  # there is none where it is 0
        return len({value in ("0", "0.0", LEFT_OUT) for value in (old, new)}) > 1
    usual = (LEFT_OUT, "False", "None")
    return not (old in usual and new in usual) and not all(
        value == LEFT_OUT or _is_number(value) for value in (old, new)
    )


def _is_number(text: str) -> bool:
    """Tell whether this is how Python writes a number, or some of them."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    values = value if isinstance(value, (list, tuple)) else [value]
    return all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in values)


def _selection_split(data: Mapping[str, str]) -> str:
    """Return the split beside the training split."""
    splits = [name.removeprefix("annotations of ") for name in data if name.startswith("annotations of ")]
    return next((split for split in splits if split != "train"), "none")


def _entries(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested dicts by dotted name."""
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _entries(value[key], f"{name}.{key}" if name else str(key))
    else:
        yield name, repr(value)


def _annotations_hash(dataset: PersonDataset) -> str:
    """Hash the annotations as they were read, whatever else the file holds."""
    digest = hashlib.sha256()
    for annotation in dataset.records:
        digest.update(repr((annotation.identity, annotation.picture, annotation.captions)).encode())
    return digest.hexdigest()


def _pictures_hash(dataset: PersonDataset) -> str:
    """Hash the names and sizes of the pictures."""
    digest = hashlib.sha256()
    for annotation, path in zip(dataset.records, dataset.pictures, strict=True):
        size = path.stat().st_size if path.is_file() else -1
        digest.update(f"{annotation.picture}\0{size}\n".encode())
    return digest.hexdigest()


def _bytes_hash(dataset: PersonDataset) -> str:
    """Hash what the pictures hold. They are read once, and again where size or time changed."""
    hashes = kept_hashes(dataset.pictures, f"{dataset.picture_folder.absolute()} {dataset.split}")
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
