"""The pairs of a picture and a caption that training goes through."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.features import TOKEN_ENTRIES
from tipr_zoo.models.kept_promises import preprocessed, tokenized, told_failures
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.pictures.preprocessing import ImageNormalisation, OwnPreprocessing, resize_picture
from tipr_zoo.protocols import Retriever
from tipr_zoo.sentence_ends import Positions, SentenceEnds, largest_ids
from tipr_zoo.training.caption_augmentation import CaptionAugmentation, WholeCaptions
from tipr_zoo.training.pairs.augmentation import Augmentation
from tipr_zoo.training.pairs.caption_masking import mask_caption


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
    """

    def __init__(
        self,
        dataset: PersonDataset,
        model: Retriever,
        augmentation: Augmentation,
        seed: int,
        masking: bool,
        caption_augmentation: CaptionAugmentation | None = None,
    ) -> None:
        self.pictures, self.captions = dataset.pictures, dataset.captions
        self.labels = torch.tensor(dataset.labels)
        self.picture_indices = dataset.caption_picture_indices
        self.tokenizer, self.model_kind = model.tokenize, type(model).__name__
        self.caption_ids = tokenized(self.tokenizer, self.captions, self.model_kind)
        self.find_ends = SentenceEnds.of(getattr(model, "text_encoder", None))
        self.image_size = model.image_size
        own = getattr(model, "normalisation", None)
        self.normalisation: ImageNormalisation = own or OwnPreprocessing(preprocess=partial(preprocessed, model))
        self.augmentation, self.seed, self.masking = augmentation, seed, masking
        self.caption_augmentation = caption_augmentation or WholeCaptions(self.captions)

    @property
    def identities(self) -> Tensor:
        """(C,) int64, the identity that each pair shows, numbered from 0."""
        return self.labels[torch.tensor(self.picture_indices)]

    @property
    def lengths(self) -> Tensor:
        """(C,) int64, the number of tokens of each pair's whole caption; start and end count, too."""
        return self.find_ends(self.caption_ids) + 1

    def __len__(self) -> int:
        """Return the number of captions."""
        return len(self.caption_ids)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        """Return the pair of an (epoch, index) key, as one row of a batch."""
        epoch, index = key
        # Seeds such as 20231121 would be beyond 64 bits.
        generator = torch.Generator().manual_seed(((self.seed * 1_000_003 + epoch) * 1_000_003 + index) % 2**64)
        picture_index = self.picture_indices[index]
        pixels = resize_picture(open_picture(self.pictures[picture_index]), self.image_size)
        picture = self.augmentation(pixels, self.normalisation, generator)
        ids = self._augmented_ids(index, generator)
        pair = {
            "images": picture,
            "caption_ids": ids,
            "pids": self.labels[picture_index],
        }
        if self.masking:
            pair["mlm_ids"], pair["mlm_labels"] = mask_caption(ids, self.tokenizer, generator, find_ends=self.find_ends)
        return pair

    def _augmented_ids(self, index: int, generator: torch.Generator) -> Tensor:
        """Return the token ids of one caption after its augmentation, (L,) int64."""
        with told_failures(f"training.caption_augmentation: {type(self.caption_augmentation).__name__}"):
            caption = self.caption_augmentation(index, generator)
        if caption == self.captions[index]:
            return self.caption_ids[index]
        return tokenized(self.tokenizer, [caption], self.model_kind, self.caption_ids.shape[1])[0]


def collate_trimmed_pairs(pairs: list[dict[str, Tensor]], find_ends: Positions = largest_ids) -> dict[str, Tensor]:
    """Stack pairs into a batch, and cut the padding after its longest caption.

    No embedding changes by this, because text towers see nothing of padding. Losses over all text tokens do change:
    they no longer see that padding.

    Args:
        pairs: What `TrainingPairs` gives.
        find_ends: Finds where captions end, as their text tower says it; see `tipr_zoo.sentence_ends`.
    """
    batch = default_collate(pairs)
    longest = int(find_ends(batch["caption_ids"]).max()) + 1
    return {name: tensor[:, :longest] if name in TOKEN_ENTRIES else tensor for name, tensor in batch.items()}
