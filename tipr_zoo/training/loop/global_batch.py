"""The losses of a batch that is spread over several processes, as one process would compute them.

Similarity losses compare every picture of a batch with every caption of it. So their features are gathered from all
processes, with gradients. A loss that is a mean over pairs or masked words needs its own rows alone. It says by
``count_terms(batch)`` over how many terms the mean goes, and is weighted by that. A loss without ``count_terms`` sees
the whole batch; that is always right and costs more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.distributed import gather_rows, own_rows, process_count
from tipr_zoo.dual_encoder import DualEncoder, NeededBatch
from tipr_zoo.features import TOKEN_ENTRIES, Batch, Features


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
    image_tokens, text_tokens = retriever.tokens(batch, retriever.needs_patch_tokens)
    # The neck may normalise over the batch, so it gets all of it.
    image_embedding, text_embedding = retriever.embeddings(
        gather_rows(image_tokens[:, 0]), gather_rows(retriever.end_tokens(text_tokens, batch["caption_ids"]))
    )
    own = own_rows(len(image_tokens))
    own_features = Features(image_tokens, text_tokens, image_embedding[own], text_embedding[own])
    whole: Features | None = None
    whole_batch = GatheredBatch(batch)
    values = {}
    for key, objective in retriever.objectives.items():
        if hasattr(objective, "count_terms"):
            share = _share_of_terms(cast(Any, objective).count_terms(batch), image_tokens.device)
            values[key] = share * retriever.objective(key, own_features, batch)
            continue
        if whole is None:
            whole = Features(gather_rows(image_tokens), gather_rows(text_tokens), image_embedding, text_embedding)
        values[key] = retriever.objective(key, whole, whole_batch)
    return values


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
