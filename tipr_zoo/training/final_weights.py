"""The weights that a training is for: those of its best epoch, or of the last one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from torch import Tensor

from tipr_zoo.distributed import from_main_process, is_main_process
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.models.resolved_model import ResolvedModel
from tipr_zoo.models.weights_origin import origin_texts
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.adapters import MERGED, Adapters, adapter_settings, merge_adapters, plain_name, save_adapters
from tipr_zoo.training.checkpoints.best_weights import BEST_WEIGHTS, Best, find_best, keep_apart, note_best, weights_of
from tipr_zoo.training.checkpoints.history import validation_of
from tipr_zoo.training.loop.moving_average import average_texts
from tipr_zoo.training.pairs.training_data import TrainingData
from tipr_zoo.training.settings import WEIGHTS_DTYPES
from tipr_zoo.version import __version__
from tipr_zoo.vocabulary.vocabulary import vocabulary_of
from tipr_zoo.weights.tensors import write_weights
from tipr_zoo.weights.training_vocabulary import VOCABULARY


@dataclass(frozen=True)
class TrainingResult:
    """What a training left behind.

    Attributes:
        weights: The weights of the best epoch. Without a split to choose on they are those of the last epoch.
        selected_epoch: That epoch, from 1.
        validation: Its figures in percent; empty without such a split.
        selected_on: ``"val"`` or ``"test"``; ``"none"`` where the last epoch was kept.
    """

    weights: Path
    selected_epoch: int
    validation: dict[str, float]
    selected_on: str = "none"


@dataclass(frozen=True)
class Trained:
    """A model at the end of its training.

    Attributes:
        model: The model.
        epoch: The last epoch.
        set_up: Names of tensors that objectives added for the training.
    """

    model: DualEncoder
    epoch: int
    set_up: frozenset[str]

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that are part of the model after the training, too."""
        left_out = self.set_up | {plain_name(name) for name in self.set_up}  # a copy of a tower is merged with it
        return {name: value for name, value in self.model.state_dict().items() if name not in left_out}


def keep_selected(
    trained: Trained,
    work_dir: Path,
    resolved: ResolvedModel,
    recipe: ConfigDict,
    data: TrainingData,
) -> TrainingResult:
    """Write the weights of the best epoch, or of the last one, as safetensors; whole numbers keep their type.

    Args:
        trained: The model as it is after its last epoch.
        work_dir: Where it was trained.
        resolved: The model as it was looked up.
        recipe: The recipe that it was trained by.
        data: What it was trained on. Without a validation split the last epoch is kept.
    """
    name, training, validation_set, train_set = resolved.name, recipe.training, data.validation, data.train
    path = work_dir / f"{name}.safetensors"
    # Others must not read what the main process is writing.
    best = find_best(work_dir) if validation_set is not None and is_main_process() else None
    best = from_main_process(best)
    epoch = best.epoch if best else trained.epoch
    selected_on = validation_set.split if best and validation_set else "none"
    result = TrainingResult(path, epoch, validation_of(work_dir, epoch), selected_on)
    if not is_main_process():
        return result
    state = weights_of(best) if best else trained.state()
    about = {
        "tipr_zoo_version": __version__,
        **origin_texts(name, resolved.card.plugin, resolved.card.config, recipe.to_dict()),
        "seed": str(training.get("seed", 0)),
        "epoch": str(epoch),
        "selected_on": selected_on,
        "dataset": train_set.name,
        "dataset_sha256": train_set.sha256,
        VOCABULARY: vocabulary_of(train_set.captions).text(),
        **average_texts(training),
    }
    _write_final(_Final(path, trained, best, about), state, training)
    return result


@dataclass(frozen=True)
class _Final:
    """The weights that a training is for.

    Attributes:
        file: Where they go.
        trained: The model.
        best: The best epoch; None where the last one is kept.
        about: What their header says.
    """

    file: Path
    trained: Trained
    best: Best | None
    about: dict[str, str]


def _write_final(final: _Final, state: dict[str, Tensor], training: Mapping[str, Any]) -> None:
    """Write the final weights. Where they are those of the best epoch, bit for bit, nothing else keeps those."""
    best, trained, dtype = final.best, final.trained, WEIGHTS_DTYPES[training.get("weights_dtype", "float32")]
    state = {name: value for name, value in state.items() if name not in trained.set_up}  # a checkpoint has it
    kept = state
    if (adapters := adapter_settings(training)) is not None:
        trained.model.load_state_dict(state, strict=False)  # what objectives were set up with is no part of it
        file = final.file.with_suffix(".adapter.safetensors")
        state = _merged(trained, adapters, file, final.about)
    stored = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}
    is_same = adapters is None and all(value.dtype == kept[name].dtype for name, value in stored.items())
    if best is not None and best.file == final.file and not is_same:
        best = keep_apart(best, kept)
    write_weights(stored, final.file, final.about)
    if best is not None and best.file.name == BEST_WEIGHTS and is_same:
        note_best(replace(best, file=final.file))


def _merged(trained: Trained, adapters: Adapters, file: Path, about: dict[str, str]) -> dict[str, Tensor]:
    """Write the adapters apart, and return the weights with them merged, as a plain model has them."""
    if not adapters.train_base:
        save_adapters(trained.model, adapters, file, about)
        logger.warning("%s holds the adapters alone; the model's weights have them merged", file)
    else:
        logger.warning("the towers learnt as well (training.adapters.train_base), so no file has the adapters alone")
    merge_adapters(trained.model)
    about[MERGED] = f"{adapters.type} of rank {adapters.r} on {', '.join(adapters.targets)}"
    return trained.state()
