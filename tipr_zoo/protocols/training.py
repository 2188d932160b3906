"""What a training is made of besides its model: data, order, augmentations and hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from tipr_zoo.features import Batch
from tipr_zoo.protocols.promises import SeesSubmodules
from tipr_zoo.protocols.retrievers import Retriever


@runtime_checkable
class PairSampler(Protocol, metaclass=SeesSubmodules):
    """The order of the pairs of an epoch. It should depend on a seed and the epoch alone.

    A class that is registered in `tipr_zoo.registries.SAMPLERS` is constructed with those of the following arguments
    that its constructor names. They are ``identities`` and ``lengths``, both (C,) int64 (see
    `tipr_zoo.training.pairs.pairs.TrainingPairs`), ``seed``, ``batch_size`` and ``by_length``. Further arguments are
    the recipe's.
    """

    def set_epoch(self, epoch: int) -> None:
        """Note the number of the next epoch; MMEngine calls this before each epoch."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the (epoch, index) keys of `tipr_zoo.training.pairs.pairs.TrainingPairs`.

        A key may have a third part, a dict of numbers by name: batches then have these entries, (B,) each.
        """

    def __len__(self) -> int:
        """Return the number of keys of the current epoch."""


@runtime_checkable
class CaptionAugmentation(Protocol, metaclass=SeesSubmodules):
    """Random changes to one caption.

    What is registered in `tipr_zoo.registries.CAPTION_AUGMENTATIONS` is constructed with ``captions``, every caption of
    the training split, and with ``tokenizer`` and ``further_captions`` where its constructor names them. The latter are
    other wordings of every caption by their key in the annotations, such as ``captions_bt``, None where there is none;
    no key where the annotations have none. So what takes time can be done once. Further arguments are the recipe's.

    It may have ``change_ids(ids, generator)`` besides, which is handed the (L,) int64 token ids of that caption, and
    returns those to learn from, as many. Masked language modelling comes after it.
    """

    def __call__(self, index: int, generator: torch.Generator) -> str:
        """Return the caption to learn from in place of number `index`; every draw comes from `generator`."""


@runtime_checkable
class DataSet(Protocol, metaclass=SeesSubmodules):
    """One split of a data set, as training and evaluation read it.

    `tipr_zoo.datasets.person_dataset.PersonDataset` has all of it, and a registered data set inherits from that.
    """

    @property
    def name(self) -> str:
        """The data set's name."""

    @property
    def split(self) -> str:
        """The split's name."""

    @property
    def sha256(self) -> str:
        """What tells these annotations from others, as 64 hexadecimal digits."""

    @property
    def pictures(self) -> list[Path]:
        """Absolute path of each picture."""

    @property
    def picture_ids(self) -> list[int]:
        """Identity in each picture, as annotated."""

    @property
    def labels(self) -> list[int]:
        """Identity in each picture, renumbered from 0 without gaps."""

    @property
    def identity_count(self) -> int:
        """How many different people the split shows."""

    @property
    def captions(self) -> list[str]:
        """Every caption, picture by picture."""

    @property
    def caption_picture_indices(self) -> list[int]:
        """Index into `pictures` of the picture that each caption describes."""

    @property
    def caption_ids(self) -> list[int]:
        """Identity that each caption describes, as annotated."""


@runtime_checkable
class PictureAugmentation(Protocol, metaclass=SeesSubmodules):
    """Random changes to one picture.

    What is registered in `tipr_zoo.registries.PICTURE_AUGMENTATIONS` is constructed with those of ``image_size``,
    (H, W), and ``normalisation``, an `ImageNormalisation`, that its constructor names. Further arguments are the
    recipe's. ``takes_normalised = True`` says that it changes the normalised picture; without it, the pixels.
    """

    def __call__(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """Change a picture; every draw comes from `generator`.

        Args:
            picture: (3, H, W), uint8 pixels, or float32 where it takes normalised pictures.
            generator: Where the draws come from.

        Returns:
            Of the same shape and dtype. It may be the same tensor, changed in place.
        """


@runtime_checkable
class TrainingRun(Protocol):
    """A training that is under way, as hooks see it."""

    @property
    def retriever(self) -> Retriever:
        """What is trained."""

    @property
    def epoch(self) -> int:
        """Epochs that are done."""

    @property
    def step(self) -> int:
        """Steps that are done, of all epochs."""

    @property
    def step_in_epoch(self) -> int:
        """Steps of this epoch that are done. ``before_epoch`` sees more than 0 where a run is resumed within one."""

    @property
    def epoch_length(self) -> int:
        """Steps that this epoch has."""

    @property
    def max_epochs(self) -> int:
        """Epochs that the training is to have."""

    @property
    def seed(self) -> int:
        """The seed of the training."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""

    @property
    def work_dir(self) -> Path:
        """Where the training writes."""

    @property
    def exchanged_pairs(self) -> Tensor:
        """Which pairs have another caption by ``training.noise``: (C,) bool, on the CPU."""

    def measure_pairs(self, measure: Callable[[Batch], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Go through every training pair once, without gradient, and collect what is measured of each.

        Pairs are shuffled and augmented by draws of their own, so nothing else changes by it. The last batch may be
        smaller. Of several processes each measures some of the batches.

        Args:
            measure: Gets a batch on `device`, which also has ``pair_indices``; returns (B,) by name.

        Returns:
            (C,) on the CPU by name, in the order of the pairs; the same in every process.
        """

    def note(self, name: str, value: float) -> None:
        """Note a figure of this epoch. It goes into the next line of ``history.jsonl``, of the epoch or its validation.

        One that is not finite is null there. The names of the history's own figures are refused.
        """

    def stop(self) -> None:
        """Let the training end with this epoch, which is validated, or after the validation that calls this.

        One of several processes is enough. In ``before_run`` it ends before the next epoch.
        """


class TrainingHook(Protocol):
    """What is called while a model is trained; registered in `tipr_zoo.registries.HOOKS`, and named in a recipe.

    A hook has one of these methods at least. It runs in every process. Whatever it draws from PyTorch's generator
    changes nothing in the steps, since each begins with a seed of its own. So do the moments: what hooks draw depends
    on the seed, the step and the moment alone, resumed or not, and is the same in every process. ``needs_of_batch``
    names the batch entries that it needs, and ``brings_to_batch`` those that its ``before_step`` brings.

    A checkpoint is written at the end of an epoch, before its validation. A run that is resumed from there calls
    ``after_validation`` with the figures of the history, where that validation took place.
    """

    def before_run(self, run: TrainingRun) -> None:
        """Begin, or go on after a resume."""

    def after_run(self, run: TrainingRun) -> None:
        """End a training that came to its end."""

    def before_epoch(self, run: TrainingRun) -> None:
        """Begin an epoch, or go on within one after a resume; see `TrainingRun.step_in_epoch`."""

    def after_epoch(self, run: TrainingRun) -> None:
        """End an epoch, before it is validated."""

    def before_step(self, run: TrainingRun, batch: Batch) -> Mapping[str, Tensor] | None:
        """Begin a step.

        Args:
            run: The training.
            batch: This process's rows, on the CPU.

        Returns:
            Entries to add to the batch or to replace in it, with as many rows; or None. What is replaced keeps its
            type and shape; only token ids may become shorter or longer, all alike.
        """

    def after_step(self, run: TrainingRun, losses: Mapping[str, float]) -> None:
        """End a step. `losses` are those of it by key, and ``loss``, their sum."""

    def before_validation(self, run: TrainingRun) -> None:
        """Begin a validation."""

    def after_validation(self, run: TrainingRun, figures: Mapping[str, float]) -> None:
        """End a validation. `figures` are percentages by name, e.g. ``R1``."""

    def state_dict(self) -> Mapping[str, object]:
        """Return what is to be in checkpoints: tensors, numbers, texts, None, and lists and dicts of them."""

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take over what `state_dict` returned; before `before_run`."""
