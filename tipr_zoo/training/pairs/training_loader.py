"""The batches that a recipe trains on: its pairs, its sampler and its loader."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch.utils.data import DataLoader

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.machine.processes import check_shared_memory
from tipr_zoo.models.component_check import checked
from tipr_zoo.models.recipe_values import build_component
from tipr_zoo.plugins.accepted_arguments import accepted_arguments
from tipr_zoo.protocols import CaptionAugmentation, PairSampler, Retriever
from tipr_zoo.registries import CAPTION_AUGMENTATIONS, SAMPLERS
from tipr_zoo.training.pairs.augmentation_steps import build_augmentation, normalisation_of
from tipr_zoo.training.pairs.batch_entries import BatchEntries
from tipr_zoo.training.pairs.batch_sampler import BatchSampler
from tipr_zoo.training.pairs.caption_noise import caption_noise, wrong_pairs
from tipr_zoo.training.pairs.pairs import TrainingPairs, collate_trimmed_pairs

GRACE = 60.0
"""Seconds that a step and its checkpoint may take together."""


def training_loader(
    training: Mapping[str, Any], model: Retriever, train_set: PersonDataset, hooks: Sequence[object] = ()
) -> DataLoader[Any]:
    """Make the batches of a recipe.

    Args:
        training: The recipe's ``training`` entry.
        model: Gives the tokenizer, the picture size and the normalisation.
        train_set: The training split.
        hooks: The training's hooks, which may need entries of the batch.

    Raises:
        ConfigError: An entry makes no sense, or the batch cannot be divided among the processes.
        UnknownNameError: There is no such sampler, augmentation or entry.
    """
    _check_fits(training, model)
    pairs = _pairs(training, model, train_set)
    sampler = _sampler(training, pairs)
    pairs.entries = BatchEntries.of(training, model, train_set, (*hooks, sampler))
    trimmed = partial(collate_trimmed_pairs, find_ends=pairs.find_ends)
    workers = training.get("num_workers", 2)
    if workers:
        check_shared_memory()
    return DataLoader(
        pairs,
        batch_sampler=BatchSampler(sampler, training["batch_size"]),
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=outlive_sigterm if workers else None,
        collate_fn=trimmed if training.get("trim_padding", False) else None,
    )


def end_workers(loader: DataLoader[Any]) -> None:
    """End the processes that load pictures. PyTorch would end them at exit, by the signal that they outlive."""
    if (iterator := getattr(loader, "_iterator", None)) is not None:
        iterator._shutdown_workers()


def outlive_sigterm(worker: int) -> None:
    """Let this process, which loads pictures, go on for `GRACE` seconds after SIGTERM.

    What ends a whole job, such as a scheduler, signals each process. The training's own process then finishes its
    step, for which it needs pictures, and ends the others. Where it cannot end them, they end by themselves.
    """
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGTERM, lambda number, frame: signal.setitimer(signal.ITIMER_REAL, GRACE))


def _check_fits(training: Mapping[str, Any], model: Retriever) -> None:
    """Check that a model can be trained on what a recipe makes of captions.

    Raises:
        ConfigError: It cannot.
    """
    kind = type(model).__name__
    if training.get("trim_padding", False) and not getattr(model, "takes_cut_captions", False):
        raise ConfigError(
            f"training.trim_padding=True cuts padding, and {kind} does not say by takes_cut_captions = True that its"
            " embeddings stay the same; leave it out"
        )
    if training.get("masking", True) and not hasattr(model.tokenize, "mask_id"):
        raise ConfigError(
            f"training.masking needs a mask_id of the tokenizer, and that of {kind} has none; set"
            " training.masking=False"
        )


def _pairs(training: Mapping[str, Any], model: Retriever, train_set: PersonDataset) -> TrainingPairs:
    """Make the pairs of the training split, with the augmentations of a recipe."""
    order = caption_noise(training).order(len(train_set.captions))
    captions = [train_set.captions[index] for index in order]
    augmentation = training.get("augmentation")
    pairs = TrainingPairs(
        train_set,
        model,
        build_augmentation(augmentation, "training.augmentation", model.image_size, normalisation_of(model)),
        training.get("seed", 0),
        training.get("masking", True),
        captions=captions,
    )
    pairs.caption_augmentation = _caption_augmentation(training, captions, model, partial(_further, train_set, order))
    pairs.exchanged = wrong_pairs(order, pairs.identities)
    return pairs


def _caption_augmentation(
    training: Mapping[str, Any],
    captions: Sequence[str],
    model: Retriever,
    further: Callable[[], Mapping[str, Sequence[str | None]]],
) -> CaptionAugmentation:
    """Make the caption augmentation of a recipe, with what its constructor names of tokenizer and further captions."""
    place, entry = "training.caption_augmentation", training.get("caption_augmentation") or {"type": "WholeCaptions"}
    offered: dict[str, Any] = {"tokenizer": model.tokenize}
    kind = entry.get("type") if isinstance(entry, Mapping) else None
    registered = CAPTION_AUGMENTATIONS.get(kind) if isinstance(kind, str) and kind in CAPTION_AUGMENTATIONS else None
    if registered is not None and "further_captions" in accepted_arguments(registered):
        offered["further_captions"] = further()  # checked only where something takes them
    component = build_component(CAPTION_AUGMENTATIONS, entry, place, offered, captions=captions)
    augmentation: CaptionAugmentation = checked(component, CaptionAugmentation, place)
    return augmentation


def _further(train_set: PersonDataset, order: Sequence[int]) -> dict[str, list[str | None]]:
    """Return the further wordings of a split's captions, of which `order` says whose caption each pair has."""
    found = getattr(train_set, "further_captions", None) or {}
    return {key: [wordings[index] for index in order] for key, wordings in found.items()}


def _sampler(training: Mapping[str, Any], pairs: TrainingPairs) -> PairSampler:
    """Make the sampler of a recipe, with those facts of the pairs and their batches that its constructor names."""
    entry = training.get("sampler") or {"type": "ShuffledPairs"}
    offered = {
        "identities": pairs.identities,
        "lengths": pairs.lengths,
        "seed": pairs.seed,
        "batch_size": training["batch_size"],
        "by_length": training.get("trim_padding", False),
    }
    return checked(build_component(SAMPLERS, entry, "training.sampler", offered), PairSampler, "training.sampler")
