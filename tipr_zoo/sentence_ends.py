"""Where a sentence ends in its row of token ids, and which of its tokens is its embedding: as its tower says it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError

Positions = Callable[[Tensor], Tensor]
"""Maps (B, L) int64 ids to (B,) int64 positions in their rows."""


def largest_ids(ids: Tensor) -> Tensor:
    """Find the first of each row's largest ids, CLIP's end token: (B, L) int64 -> (B,) int64."""
    return ids.argmax(dim=1)


def end_positions(text_encoder: object, ids: Tensor) -> Tensor:
    """Find the last token of each sentence; what follows is padding.

    Args:
        text_encoder: A text tower. Its ``end_positions(ids)`` is asked, where it has one; `largest_ids` otherwise.
        ids: (B, L) int64 token ids.

    Returns:
        (B,) int64.

    Raises:
        ConfigError: What the tower says is no position in each row.
    """
    return SentenceEnds.of(text_encoder)(ids)


def pooled_positions(text_encoder: object, ids: Tensor) -> Tensor:
    """Find the token of each sentence that is its embedding.

    Args:
        text_encoder: A text tower. Its ``pooled_positions(ids)`` is asked, where it has one, and otherwise where the
            sentences end.
        ids: (B, L) int64 token ids.

    Returns:
        (B,) int64.

    Raises:
        ConfigError: What the tower says is no position in each row.
    """
    find = getattr(text_encoder, "pooled_positions", None)
    if find is None:
        return end_positions(text_encoder, ids)
    return _checked(find(ids), ids, f"pooled_positions of {type(text_encoder).__name__}")


@dataclass(frozen=True)
class SentenceEnds:
    """What `end_positions` does for one text tower. Other processes can be handed it.

    Attributes:
        tower: Name of the tower's class.
        find: What finds the positions.
    """

    tower: str
    find: Positions

    @classmethod
    def of(cls, text_encoder: object) -> SentenceEnds:
        """Return that of a text tower."""
        return cls(type(text_encoder).__name__, getattr(text_encoder, "end_positions", largest_ids))

    def __call__(self, ids: Tensor) -> Tensor:
        """Find the last token of each sentence: (B, L) int64 -> (B,) int64.

        Raises:
            ConfigError: What the tower says is no position in each row.
        """
        found = self.find(ids)
        # Reading the largest id's place back from a device would make the processor wait for it, for nothing.
        return found if self.find is largest_ids else _checked(found, ids, f"end_positions of {self.tower}")


def _checked(found: Tensor, ids: Tensor, whose: str) -> Tensor:
    """Return positions, if there is one within each row."""
    rows, length = ids.shape
    if not isinstance(found, Tensor) or found.dtype != torch.int64 or found.shape != (rows,):
        what = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ConfigError(f"{whose} must give int64 ({rows},) for ids ({rows}, {length}), not {what}")
    outside = (found < 0) | (found >= length)
    if bool(outside.any()):
        row = int(outside.byte().argmax())
        raise ConfigError(
            f"{whose} lies outside of row {row}: it says {int(found[row])}, and the row has the positions 0 to"
            f" {length - 1}"
        )
    return found
