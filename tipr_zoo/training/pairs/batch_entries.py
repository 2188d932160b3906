"""What a batch has besides pictures, captions and identities, where a loss, a head or a hook needs it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, TiprZooError
from tipr_zoo.models.component_check import PAGE
from tipr_zoo.protocols import DataSet, Retriever
from tipr_zoo.training.pairs.augmentation_steps import PictureChange, build_augmentation, normalisation_of

USUAL = ("images", "caption_ids", "pids", "mask_noise", "label_hat")
"""Entries that every batch has, and those that a loss does without."""

MASKED = ("mlm_ids", "mlm_labels")
"""Entries that ``training.masking`` brings."""

PAIR_INDICES, PICTURE_INDICES, SECOND_CAPTION = "pair_indices", "picture_indices", "second_caption_ids"

ON_REQUEST = (PAIR_INDICES, PICTURE_INDICES, SECOND_CAPTION)
"""Entries that training pairs bring where something needs them: the number of the pair, (B,) int64, that of its
picture, and the token ids of another caption of the same person, (B, L) int64.
"""


@dataclass(frozen=True)
class BatchEntries:
    """What each pair has besides.

    Attributes:
        on_request: Those of `ON_REQUEST` that something needs.
        views: Further views of each picture by their entry, and what is done to the picture for each.
        of_pairs: What the data set brings: (C, ...) by entry.
    """

    on_request: Collection[str] = ()
    views: Mapping[str, PictureChange] = field(default_factory=dict)
    of_pairs: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls, training: Mapping[str, Any], model: Retriever, train_set: DataSet, needing: Iterable[object] = ()
    ) -> BatchEntries:
        """Collect what a recipe and a data set bring, and what is needed.

        Args:
            training: The recipe's ``training`` entry.
            model: Its objectives say by ``needs_of_batch`` what they need, as the model itself may.
            train_set: The training split. Its ``pair_entries``, where it has them, are (C, ...) tensors by entry.
            needing: The hooks and the sampler. Each may have ``needs_of_batch``, and ``brings_to_batch``, the names of
                entries that it brings by itself.

        Raises:
            ConfigError: Something is needed that nothing brings, two bring the same, or the data set does not bring a
                row a pair.
            UnknownNameError: ``training.views`` names an augmentation that is not registered.
        """
        views = _views(training, model)
        of_pairs = _checked_rows(train_set)
        masked, needing = MASKED if training.get("masking", True) else (), tuple(needing)
        parts = [*getattr(model, "objectives", {}).values(), model, *needing]
        brought = {*USUAL, *masked, *ON_REQUEST, *views, *of_pairs}
        brought.update(name for part in parts for name in _names(part, "brings_to_batch"))
        for name in [name for name in views if name in of_pairs or name in (*USUAL, *MASKED, *ON_REQUEST)]:
            raise ConfigError(f"training.views.{name}: every batch may have {name!r} already; give it another name")
        for name in [name for name in of_pairs if name in (*USUAL, *MASKED, *ON_REQUEST)]:
            raise ConfigError(f"pair_entries of {type(train_set).__name__}: {name!r} is an entry of the zoo's own")
        _check_one_brings(needing, {*views, *of_pairs})
        needs = [(name, part) for part in parts for name in _names(part, "needs_of_batch")]
        for name, part in needs:
            if name not in brought:
                raise _nothing_brings(name, part, brought)
        return cls({name for name, _ in needs if name in ON_REQUEST}, views, of_pairs)


def _check_one_brings(needing: Iterable[object], others: Collection[str]) -> None:
    """Raise ConfigError where two hooks, or one and the sampler, a view or the data set bring the same entry."""
    bringing: dict[str, str] = dict.fromkeys(others, "training.views or the data set")
    for part in needing:
        for name in _names(part, "brings_to_batch"):
            kind = type(part).__name__
            if name in bringing:
                raise ConfigError(
                    f"{bringing[name]} and {kind} both bring the batch entry {name!r}; leave one of them out"
                )
            bringing[name] = kind


def _views(training: Mapping[str, Any], model: Retriever) -> dict[str, PictureChange]:
    entries = training.get("views") or {}
    if not isinstance(entries, Mapping):
        raise ConfigError(
            "training.views must be a dict from batch entries to augmentations, such as"
            f" dict(second_images=dict(flip=0.5)), got {entries!r}"
        )
    return {
        str(name): build_augmentation(entry, f"training.views.{name}", model.image_size, normalisation_of(model))
        for name, entry in entries.items()
    }


def _checked_rows(train_set: DataSet) -> dict[str, Tensor]:
    """Return what a data set brings, if it is one row a pair."""
    found = getattr(train_set, "pair_entries", None) or {}
    kind, count = type(train_set).__name__, len(train_set.captions)
    if not isinstance(found, Mapping):
        raise ConfigError(f"pair_entries of {kind} must be a dict of tensors, got {found!r}; {PAGE}")
    for name, rows in found.items():
        if not isinstance(rows, Tensor) or not rows.ndim or len(rows) != count:
            shape = (*rows.shape,) if isinstance(rows, Tensor) else type(rows).__name__
            raise ConfigError(f"pair_entries of {kind}: {name!r} must be a tensor of {count} rows, got {shape}; {PAGE}")
    return dict(found)


def _names(part: object, attribute: str) -> tuple[str, ...]:
    names = getattr(part, attribute, ())
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{attribute} of {type(part).__name__} must be a tuple of names, got {names!r}; {PAGE}")
    return tuple(names)


def _nothing_brings(name: str, part: object, brought: Collection[str]) -> TiprZooError:
    kind = type(part).__name__
    if name in MASKED:
        return ConfigError(f"{kind} needs the batch entry {name!r}; set training.masking=True")
    return unknown_name(
        f"batch entry needed by {kind}:",
        name,
        brought,
        f"a further view of the picture is brought by training.views=dict({name}=dict(flip=0.5)), and anything else by"
        " the data set's pair_entries",
    )
