"""The check of what is given to ``encode_text``: token ids as a tensor, of the model's context and device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tipr_zoo.errors import DataError

_MADE = 'model.tokenize makes them: model.encode_text(model.tokenize(["a man in a red jacket"]))'


def checked_ids(ids: Any, text_encoder: Any, parameter: Tensor | None) -> Tensor:
    """Return token ids.

    Args:
        ids: What was given; right are (B, L) int64 ids.
        text_encoder: The text tower. Where it has ``context_length`` or ``vocabulary_size``, these are the largest
            length and the number of ids that it knows.
        parameter: One of the text tower's, on whose device the ids have to be. None where it has none.

    Raises:
        DataError: It is something else, of another shape, of another kind of numbers, on another device, or has ids
            that the model does not know.
    """
    if not isinstance(ids, Tensor):
        raise DataError(f"encode_text takes a (B, L) tensor of token ids, not a {type(ids).__name__}; {_MADE}")
    if ids.dtype not in (torch.int64, torch.int32):
        raise DataError(f"encode_text takes int64 token ids, not {ids.dtype}; {_MADE}")
    if ids.layout != torch.strided:
        raise DataError(f"encode_text takes dense token ids, not {ids.layout}; {_MADE}")
    if ids.ndim != 2 or not ids.shape[1]:
        raise DataError(f"encode_text takes token ids of shape (B, L), not {tuple(ids.shape)}; {_MADE}")
    longest, known = (getattr(text_encoder, name, None) for name in ("context_length", "vocabulary_size"))
    if longest is not None and ids.shape[1] > longest:
        raise DataError(f"encode_text takes at most {longest} token ids a caption, not {ids.shape[1]}; {_MADE}")
    device = ids.device if parameter is None else parameter.device
    if ids.device != device:
        raise DataError(
            f"the token ids are on the device {ids.device}, the model on {device}; write ids.to({str(device)!r})"
        )
    # Elsewhere it would make the processor wait for the device.
    if known is not None and ids.device.type == "cpu" and ids.numel():
        lowest, highest = (int(limit) for limit in ids.aminmax())
        if lowest < 0 or highest >= known:
            wrong = lowest if lowest < 0 else highest
            raise DataError(f"the model knows the token ids 0 to {known - 1}, not {wrong}; {_MADE}")
    return ids
