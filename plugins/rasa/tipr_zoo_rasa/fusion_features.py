"""What one training step of RaSa computes of a batch. Its losses are computed from that alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Features

T = TypeVar("T")


@dataclass(frozen=True)
class Contrasted:
    """What every row of a batch is compared with: the batch of all processes, then the queue. No gradient goes there.

    Attributes:
        images: (M, D), embeddings of pictures by the momentum copy, of unit length.
        texts: (M, D), those of captions.
        pids: (M,) int64, their identities; -100 where the queue is still empty.
    """

    images: Tensor
    texts: Tensor
    pids: Tensor


@dataclass(frozen=True)
class FusionFeatures(Features):
    """The features of a step. What no objective of the model needs is None.

    Attributes:
        momentum_images: (B, D), embeddings of the second view of the pictures by the momentum copy, of unit length.
        momentum_texts: (B, D), those of the captions.
        contrasted: What the rows are compared with.
        pair_tokens: (B, 3, W), the first fused token of three pairs: a picture with its own caption, another picture
            with that caption, and the picture with another caption.
        weak: (B,) int64, 1 where the caption is another one of the same person than the picture's own.
        masked_tokens: (B, L, W), fused tokens of the captions with masked words.
        momentum_masked_tokens: (B, L, W), those of the momentum copy.
        replaced_ids: (B, L) int64, captions some of whose tokens the momentum copy has replaced.
        replaced_labels: (B, L) int64, 1 where it has, -100 at the first token and for padding.
        replaced_tokens: (B, L, W), fused tokens of these captions.
    """

    momentum_images: Tensor | None = None
    momentum_texts: Tensor | None = None
    contrasted: Contrasted | None = None
    pair_tokens: Tensor | None = None
    weak: Tensor | None = None
    masked_tokens: Tensor | None = None
    momentum_masked_tokens: Tensor | None = None
    replaced_ids: Tensor | None = None
    replaced_labels: Tensor | None = None
    replaced_tokens: Tensor | None = None

    def mapped(self, change: Callable[[Tensor], Tensor]) -> FusionFeatures:
        """Return the features with every tensor changed whose rows are the batch's; see `Features.mapped`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed: dict[str, Any] = {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **changed, parts={name: (change(a), change(b)) for name, (a, b) in self.parts.items()})


def needed(features: Features, name: str, objective: object) -> Tensor:
    """Return one of the features, if there are such.

    Args:
        features: The features of a step.
        name: Which one.
        objective: What needs it, for the message.

    Raises:
        ConfigError: They are another model's, or were computed without an objective that needs it.
    """
    return _there(getattr(features, name, None), name, objective)


def contrasted_of(features: Features, objective: object) -> Contrasted:
    """Return what rows are compared with; see `needed`.

    Raises:
        ConfigError: The features are another model's.
    """
    return _there(getattr(features, "contrasted", None), "contrasted", objective)


def _there(value: T | None, name: str, objective: object) -> T:
    if value is None:
        kind = type(objective).__name__
        raise ConfigError(f"{kind} needs the features {name}, which the model RaSa computes; set model.type='RaSa'")
    return value
