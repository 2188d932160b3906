"""Whether a file holds a checkpoint of the method that it is said to be of; and what it seems to be instead."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from tipr_zoo.errors import WeightsError
from tipr_zoo.models.checkpoint_reader import MethodReader, titles
from tipr_zoo.models.reader_lookup import readers_of
from tipr_zoo.weights.official_names import TOWERS
from tipr_zoo.weights.official_sizes import listed
from tipr_zoo.weights.recognition import WeightsKind, recognise

_CLIP_KINDS = (WeightsKind.CLIP, WeightsKind.HUGGING_FACE_CLIP)


def check_kind(tensors: Mapping[str, Tensor], reader: MethodReader, place: str) -> None:
    """Check that the names are those of the method's checkpoints. Towers alone are any method's.

    Args:
        tensors: Of the checkpoint, by name.
        reader: The method's.
        place: What to call the checkpoint in messages.

    Raises:
        WeightsError: They are not. What the file seems to be is told.
    """
    if reader.has_own_towers:
        reader.places(tensors, place)  # which knows its method's relatives by name
        has_towers, told = reader.recognises(tensors), ""
    else:
        has_towers = any(name.startswith(TOWERS) for name in tensors)
        told = f": it has no tower behind 'encode_text.', and no names begin with {TOWERS!r}"
    if not has_towers:
        recognised = recognise(tensors)
        if recognised.kind is WeightsKind.ZOO:
            kind = "it has the zoo's own names already; pass it to tipr_zoo.build as weights="
        elif recognised.kind in _CLIP_KINDS or "visual.layer1.0.conv1.weight" in tensors:
            kind = "it looks like plain CLIP weights, which are for `tipr-zoo train NAME --weights FILE` to start from"
        elif recognised.is_known:
            kind = f"it is {recognised.words}"
        else:
            kind = f"it holds {listed(list(tensors))}" if tensors else "it is empty"
        raise WeightsError(f"{place} is no checkpoint of {reader.method}{told}: {kind}")
    if not reader.recognises(tensors) and (others := readers_of(tensors)):
        raise WeightsError(
            f"{place} is no checkpoint of {reader.method}: it looks like one of {titles(others)}; name that method"
        )
