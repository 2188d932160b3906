"""What the trainings are measured on: the splits that a card has figures on, or else the test split of the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.results import Result
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.arguments import dataset_arguments
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.terminal.log import logger


@dataclass(frozen=True)
class Target:
    """One split to measure, with the card's figures on it; without any, nothing is judged there."""

    dataset: PersonDataset
    results: tuple[Result, ...]


def targets_in(card: ModelCard, root: str, train_set: PersonDataset) -> list[Target]:
    """Return the splits of a folder that the card has figures on, or its test split where it has none on the folder.

    Args:
        card: The model's card.
        root: The data set's folder.
        train_set: The training split in it.

    Raises:
        ConfigError: The card has no figures on the folder, and the folder has neither a test nor a validation split.
        DataError: A split cannot be read.
    """
    of_dataset = [result for result in card.results if result.dataset == train_set.name]
    targets = []
    for split in dict.fromkeys(result.split for result in of_dataset):
        if split not in train_set.splits:
            continue
        opened = open_dataset(root, train_set.name, split=split)
        arguments = dataset_arguments(opened)
        results = [result for result in of_dataset if (result.split, result.dataset_arguments) == (split, arguments)]
        if results:
            targets.append(Target(opened, tuple(results)))
    return targets or [_without_figures(card, root, train_set)]


def drawn_targets(card: ModelCard, training: Mapping[str, Any]) -> list[Target]:
    """Draw what the card has figures on into the cache folder, or a test split where it has none on SynthPEDES.

    Args:
        card: The model's card.
        training: The recipe's ``training``. Its ``dataset_arguments`` name the seed of the data.
    """
    results: dict[str, list[Result]] = {}
    opened: dict[str, PersonDataset] = {}
    for result in (result for result in card.results if result.dataset == training["dataset"]):
        drawn = _drawn(result.split, result.dataset_arguments)
        opened[str(drawn.root)] = drawn
        results.setdefault(str(drawn.root), []).append(result)
    if opened:
        return [Target(dataset, tuple(results[root])) for root, dataset in opened.items()]
    target = _drawn("test", {"seed": training.get("dataset_arguments", {}).get("seed", 0)})
    _tell_no_figures(card, target)
    return [Target(target, ())]


def named(results: Iterable[Result]) -> list[str]:
    """Say in words what these results are on, each once."""
    names = []
    for result in results:
        reranked = f", re-ranks {result.rerank}" if result.rerank else ""
        names.append(_name(result.dataset, result.split, result.dataset_arguments) + reranked)
    return list(dict.fromkeys(names))


def _without_figures(card: ModelCard, root: str, train_set: PersonDataset) -> Target:
    split = next((split for split in ("test", "val") if split in train_set.splits), None)
    if split is None:
        raise ConfigError(
            f"{train_set.annotation_file} has neither a test nor a val split, so there is nothing to measure on; give"
            " some people the split 'test'"
        )
    dataset = open_dataset(root, train_set.name, split=split)
    _tell_no_figures(card, dataset)
    return Target(dataset, ())


def _drawn(split: str, arguments: Mapping[str, Any]) -> PersonDataset:
    settings = "".join(f"_{key}{value}" for key, value in sorted(arguments.items()))
    folder = cache_folder() / "data" / f"synthpedes{settings}_{split}_only"
    draw_synthpedes(folder, splits=(split,), progress=True, **arguments)
    return open_dataset(str(folder), split=split)


def _tell_no_figures(card: ModelCard, dataset: PersonDataset) -> None:
    """Say before anything is trained that nothing will be judged."""
    what = _name(dataset.name, dataset.split, dataset_arguments(dataset))
    known = f"; it has some on {', '.join(named(card.results))}" if card.results else ""
    logger.warning(
        "the card of %s has no figures on %s%s: mean, deviation and interval are given, and no verdict",
        card.name,
        what,
        known,
    )


def _name(dataset: str, split: str, arguments: Mapping[str, Any]) -> str:
    """Return a name, e.g. ``"SynthPEDES test (seed 0)"``."""
    words = ", ".join(f"{key} {value}" for key, value in sorted(arguments.items()))
    return f"{dataset} {split}" + (f" ({words})" if words else "")
