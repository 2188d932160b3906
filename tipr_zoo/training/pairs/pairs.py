"""The pairs of a picture and a caption that training goes through."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.features import TOKEN_ENTRIES
from tipr_zoo.models.kept_promises import tokenized, told_failures
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.pictures.preprocessing import resize_picture
from tipr_zoo.protocols import Retriever
from tipr_zoo.sentence_ends import Positions, SentenceEnds, largest_ids
from tipr_zoo.training.caption_augmentation import CaptionAugmentation, WholeCaptions
from tipr_zoo.training.pairs.augmentation_steps import PictureChange, normalisation_of
from tipr_zoo.training.pairs.batch_entries import PAIR_INDICES, SECOND_CAPTION, BatchEntries
from tipr_zoo.training.pairs.caption_masking import mask_caption

PairKey = tuple[Any, ...]
"""Of a pair: (epoch, index), and where a sampler brings batch entries of its own, a dict of numbers by entry."""


class TrainingPairs(Dataset[dict[str, Tensor]]):
    """Every caption of a split with its picture.

    What is random about a pair depends on the seed, the epoch and the pair alone. It does not depend on the number of
    workers, nor on what was drawn before. So a resumed run sees what it would have seen.

    Args:
        dataset: The training split.
        model: Gives the tokenizer, the picture size and the normalisation. Where it has no ``normalisation``, pictures
            are resized and augmented, and then go through its ``preprocess``.
        augmentation: What is done to pictures.
        seed: Seed of every draw.
        masking: Whether to add ``mlm_ids`` and ``mlm_labels``.
        caption_augmentation: What is done to captions, before any masking; None to leave them whole.
        captions: The caption of each pair, where it is not that of the data set.

    Attributes:
        entries: What each pair has besides; nothing at first.
        exchanged: Which pairs have a wrong caption by the recipe's noise: (C,) bool.
    """

    def __init__(
        self,
        dataset: PersonDataset,
        model: Retriever,
        augmentation: PictureChange,
        seed: int,
        masking: bool,
        caption_augmentation: CaptionAugmentation | None = None,
        *,
        captions: Sequence[str] | None = None,
    ) -> None:
        self.pictures, self.captions = dataset.pictures, list(captions or dataset.captions)
        self.labels = torch.tensor(dataset.labels)
        self.picture_indices = dataset.caption_picture_indices
        self.tokenizer, self.model_kind = model.tokenize, type(model).__name__
        self.caption_ids = tokenized(self.tokenizer, self.captions, self.model_kind)
        self.find_ends = SentenceEnds.of(getattr(model, "text_encoder", None))
        self.image_size = model.image_size
        self.interpolation = getattr(model, "training_interpolation", "bilinear")
        self.normalisation = normalisation_of(model)
        self.augmentation, self.seed, self.masking = augmentation, seed, masking
        self.caption_augmentation = caption_augmentation or WholeCaptions(self.captions)
        self.entries = BatchEntries()
        self.exchanged = torch.zeros(len(self.captions), dtype=torch.bool)

    @property
    def identities(self) -> Tensor:
        """(C,) int64, the identity that each pair shows, numbered from 0."""
        return self.labels[torch.tensor(self.picture_indices)]

    @cached_property
    def same_person(self) -> list[Tensor]:
        """For each identity, the numbers of the pairs that show it, (K,) int64."""
        return list(self.identities.argsort(stable=True).split(torch.bincount(self.identities).tolist()))

    @property
    def lengths(self) -> Tensor:
        """(C,) int64, the number of tokens of each pair's whole caption; start and end count, too."""
        return self.find_ends(self.caption_ids) + 1

    def __len__(self) -> int:
        """Return the number of captions."""
        return len(self.caption_ids)

    def __getitem__(self, key: PairKey) -> dict[str, Tensor]:
        """Return the pair of an (epoch, index) key, as one row of a batch."""
        epoch, index, *others = key
        # Seeds such as 20231121 would be beyond 64 bits.
        generator = torch.Generator().manual_seed(((self.seed * 1_000_003 + epoch) * 1_000_003 + index) % 2**64)
        picture_index = self.picture_indices[index]
        pixels = resize_picture(open_picture(self.pictures[picture_index]), self.image_size, self.interpolation)
        picture = self.augmentation(self._own(pixels), self.normalisation, generator)
        ids = self._augmented_ids(index, generator)
        pair = {
            "images": picture,
            "caption_ids": ids,
            "pids": self.labels[picture_index],
        }
        if self.masking:
            pair["mlm_ids"], pair["mlm_labels"] = mask_caption(ids, self.tokenizer, generator, find_ends=self.find_ends)
        pair |= self._further_entries(index, pixels, generator)  # last: what it draws changes nothing of the others
        pair |= {name: torch.as_tensor(value) for each in others for name, value in each.items()}
        return pair

    def _further_entries(self, index: int, pixels: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return what a pair has besides; every draw comes from the generator."""
        pair = {name: rows[index] for name, rows in self.entries.of_pairs.items()}
        for name, change in self.entries.views.items():
            pair[name] = change(self._own(pixels), self.normalisation, generator)
        for name in self.entries.on_request:
            if name == SECOND_CAPTION:
                pair[name] = self._augmented_ids(self._second_pair(index, generator), generator)
            else:
                pair[name] = torch.tensor(index if name == PAIR_INDICES else self.picture_indices[index])
        return pair

    def _own(self, pixels: Tensor) -> Tensor:
        """Return pixels that an augmentation may change in place: others are to see them as they were."""
        return pixels.clone() if self.entries.views else pixels

    def _second_pair(self, index: int, generator: torch.Generator) -> int:
        """Draw the number of another pair of the same person; the same one where there is no other."""
        pairs = self.same_person[self.labels[self.picture_indices[index]]]
        others = pairs[pairs != index]
        return int(others[torch.randint(len(others), (), generator=generator)]) if len(others) else index

    def _augmented_ids(self, index: int, generator: torch.Generator) -> Tensor:
        """Return the token ids of one caption after its augmentation, (L,) int64."""
        with told_failures(f"training.caption_augmentation: {type(self.caption_augmentation).__name__}"):
            caption = self.caption_augmentation(index, generator)
        if caption == self.captions[index]:
            ids = self.caption_ids[index]
        else:
            ids = tokenized(self.tokenizer, [caption], self.model_kind, self.caption_ids.shape[1])[0]
        if (change_ids := getattr(self.caption_augmentation, "change_ids", None)) is None:
            return ids
        with told_failures(f"training.caption_augmentation: {type(self.caption_augmentation).__name__}"):
            changed = change_ids(ids.clone(), generator)
        return _checked_ids(changed, ids, self.caption_augmentation)


def _checked_ids(changed: object, ids: Tensor, augmentation: CaptionAugmentation) -> Tensor:
    """Return what ``change_ids`` gives, if it is as many ids of the same type."""
    if not isinstance(changed, Tensor) or changed.shape != ids.shape or changed.dtype != ids.dtype:
        found = f"{changed.dtype} {(*changed.shape,)}" if isinstance(changed, Tensor) else type(changed).__name__
        raise ConfigError(
            f"training.caption_augmentation: change_ids of {type(augmentation).__name__} must give"
            f" {ids.dtype} {(*ids.shape,)}, and gives {found}"
        )
    return changed


def collate_trimmed_pairs(pairs: list[dict[str, Tensor]], find_ends: Positions = largest_ids) -> dict[str, Tensor]:
    """Stack pairs into a batch, and cut the padding after its longest caption.

    No embedding changes by this, because text towers see nothing of padding. Losses over all text tokens do change:
    they no longer see that padding.

    Args:
        pairs: What `TrainingPairs` gives.
        find_ends: Finds where captions end, as their text tower says it; see `tipr_zoo.sentence_ends`.
    """
    batch = default_collate(pairs)
    sentences = [batch[name] for name in ("caption_ids", SECOND_CAPTION) if name in batch]
    longest = max(int(find_ends(ids).max()) for ids in sentences) + 1
    return {name: tensor[:, :longest] if name in TOKEN_ENTRIES else tensor for name, tensor in batch.items()}
