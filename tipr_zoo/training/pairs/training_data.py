"""The splits that a recipe is trained and validated on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.distributed import is_main_process, main_process_first
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.recipe_schema import DrawnPeople
from tipr_zoo.models.resolved_model import ResolvedModel
from tipr_zoo.registries import DATASETS
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.settings import check_objectives, settings


@dataclass(frozen=True)
class TrainingData:
    """The training split, and the split that the best epoch is chosen on; None where the data set has no such split."""

    train: PersonDataset
    validation: PersonDataset | None


def open_training_data(
    resolved: ResolvedModel,
    root: str | None,
    select_on: str = "val",
    dataset: str | None = None,
) -> TrainingData:
    """Open what a model is trained on.

    Args:
        resolved: The model.
        root: The data set's folder. Without one, a recipe for SynthPEDES has it drawn into the cache folder, with the
            people and the seed that its ``dataset_arguments`` name.
        select_on: The split that the best epoch is chosen on: ``"val"``, or ``"test"`` as the papers did. Choosing on
            test makes the figures on that split a little too good.
        dataset: Name of the data set in `root`; None to have it recognised by its files.

    Raises:
        ConfigError: `root` is left out and the recipe is not for SynthPEDES, or the model has no objective.
        UnknownNameError: The recipe names no data set of the zoo's, or its ``dataset_arguments`` have an entry that
            drawing does not take.
        DataError: The data set cannot be read.
    """
    check_objectives(resolved.name, resolved.recipe.model)
    training = resolved.recipe.training
    named = training.get("dataset")
    if isinstance(named, str) and named not in DATASETS:
        raise unknown_name("data set (training.dataset)", named, DATASETS.names())
    if root is None:
        if training.dataset != "SynthPEDES":
            raise ConfigError(
                f"{resolved.name} is trained on {training.dataset}, which cannot be drawn; pass --data DIR"
            )
        root = str(_drawn(settings(DrawnPeople, training, "dataset_arguments")))
    train = open_dataset(root, dataset, split="train")
    if select_on == "test":
        logger.warning("the best epoch is chosen on the test split: its figures there are a little too good")
        return TrainingData(train, open_dataset(root, dataset, split="test"))
    if "val" in train.splits:
        return TrainingData(train, open_dataset(root, dataset, split="val"))
    logger.warning(
        "%s has no validation split: the last epoch is kept (the papers chose on test: --select-on test)",
        train.annotation_file,
    )
    return TrainingData(train, None)


def _drawn(people: DrawnPeople) -> Path:
    """Return SynthPEDES in the cache folder; draw it if it is not there."""
    usual, given = asdict(DrawnPeople()), asdict(people)
    parts = [f"{key}{value}" for key, value in given.items() if key in ("seed", "train") or value != usual[key]]
    folder = cache_folder() / "data" / "_".join(["synthpedes", *parts])
    with main_process_first():
        draw_synthpedes(folder, **given, progress=is_main_process())
    return folder
