"""The losses of a batch that is spread over several processes, as one process would compute them.

Similarity losses compare every picture of a batch with every caption of it. So their features are gathered from all
processes, with gradients. A loss that is a mean over pairs or masked words needs its own rows alone. It says by
``count_terms(batch)`` over how many terms the mean goes, and is weighted by that. A loss without ``count_terms`` sees
the whole batch; that is always right and costs more.

Of a retriever that is no `DualEncoder`, or computes its features or its losses by itself, nothing is known. Each
process then computes the loss of the whole batch, as one process would. That is right, too, and no faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.distributed import as_one_process, gather_rows, own_rows, process_count
from tipr_zoo.dual_encoder import DualEncoder, NeededBatch
from tipr_zoo.features import TOKEN_ENTRIES, Batch, Features
from tipr_zoo.training.loop.synchronised_batch_norm import synchronise_batch_norms


def global_loss(retriever: DualEncoder, batch: Batch) -> dict[str, Tensor]:
    """Compute every objective of a model over the batch of all processes, weighted.

    Args:
        retriever: The model; the same in every process.
        batch: This process's rows, see `tipr_zoo.features.Batch`; as many in every process.

    Returns:
        Scalars by key. Their mean over the processes is what `DualEncoder.loss` gives for the whole batch in one
        process. The same holds for their gradients.

    Raises:
        DataError: The batch lacks an entry that an objective needs.
    """
    if process_count() == 1:
        return retriever.loss(batch)
    batch = _same_length(NeededBatch(batch))
    whole_batch = GatheredBatch(batch)
    if not is_spread(retriever):
        everything = dict(whole_batch.items())
        with as_one_process():
            return retriever.loss(everything)
    own, gathered = _features(retriever, batch)
    whole: Features | None = None
    values = {}
    for key, objective in retriever.objectives.items():
        if hasattr(objective, "count_terms"):
            share = _share_of_terms(cast(Any, objective).count_terms(batch), own.image_tokens.device)
            values[key] = share * retriever.objective(key, own, batch)
            continue
        whole = gathered() if whole is None else whole
        values[key] = retriever.objective(key, whole, whole_batch)
    return values


def is_spread(retriever: object) -> bool:
    """Tell whether each process computes the features of its own rows alone.

    It does for a `DualEncoder` that computes features and losses as that class does. One with ``features`` of its own
    says by ``has_separate_rows = True`` that those of a pair depend on the other pairs by batch normalisation at most.
    """
    if not isinstance(retriever, DualEncoder) or type(retriever).loss is not DualEncoder.loss:
        return False
    return _has_usual_features(retriever) or getattr(retriever, "has_separate_rows", False) is True


def synchronise_features(retriever: nn.Module) -> None:
    """Make every batch normalisation that features go through see the batch of all processes, where it does not yet.

    Raises:
        ConfigError: One of them is of a kind that cannot be synchronised.
    """
    if not is_spread(retriever):
        return  # every process has the whole batch
    # Objectives know by themselves what they see, and the usual neck sees the whole batch in every process.
    apart = {"losses", "heads"} | ({"neck"} if _has_usual_features(retriever) else set())
    for name, part in retriever.named_children():
        if name not in apart:
            synchronise_batch_norms(part)


def _has_usual_features(retriever: object) -> bool:
    return type(retriever).features is DualEncoder.features  # type: ignore[attr-defined]  # a dual encoder


def _features(retriever: DualEncoder, batch: Batch) -> tuple[Features, Callable[[], Features]]:
    """Return the features of this process's rows, and what gathers those of all processes."""
    if not _has_usual_features(retriever):
        features = retriever.features(batch, retriever.needs_patch_tokens)
        return features, lambda: features.mapped(gather_rows)
    image_tokens, text_tokens = retriever.tokens(batch, retriever.needs_patch_tokens)
    # The neck may normalise over the batch, so it gets all of it.
    image_embedding, text_embedding = retriever.embeddings(
        gather_rows(image_tokens[:, 0]), gather_rows(retriever.end_tokens(text_tokens, batch["caption_ids"]))
    )
    own = own_rows(len(image_tokens))
    own_features = Features(image_tokens, text_tokens, image_embedding[own], text_embedding[own])
    return own_features, lambda: Features(
        gather_rows(image_tokens), gather_rows(text_tokens), image_embedding, text_embedding
    )


class GatheredBatch(Mapping[str, Tensor]):
    """The batch of all processes. An entry is gathered when it is asked for; all processes ask in the same order.

    Args:
        own: This process's rows.
    """

    def __init__(self, own: Batch) -> None:
        self.own = own
        self._gathered: dict[str, Tensor] = {}

    def __contains__(self, key: object) -> bool:
        return key in self.own

    def __iter__(self) -> Iterator[str]:
        return iter(self.own)

    def __len__(self) -> int:
        return len(self.own)

    def __getitem__(self, key: str) -> Tensor:
        if key not in self._gathered:
            self._gathered[key] = gather_rows(self.own[key])
        return self._gathered[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the entry, or `default`."""
        # Not Mapping's own, which waits for a KeyError: a missing entry is a DataError.
        return self[key] if key in self.own else default


def _same_length(batch: NeededBatch) -> NeededBatch:
    """Pad the batch to the length of the longest caption of any process."""
    longest = torch.tensor(batch["caption_ids"].shape[1], device=batch["caption_ids"].device)
    dist.all_reduce(longest, dist.ReduceOp.MAX)
    padded = {
        name: F.pad(value, (0, int(longest) - value.shape[1])) for name, value in batch.items() if name in TOKEN_ENTRIES
    }
    return NeededBatch({**batch, **padded})


def _share_of_terms(count: int | Tensor, device: torch.device) -> float:
    """Return the factor of a mean over `count` terms that makes the mean over the processes that over all terms."""
    total = torch.as_tensor(count, device=device, dtype=torch.int64).clone()
    own = int(total)
    dist.all_reduce(total)
    return process_count() * own / max(int(total), 1)
