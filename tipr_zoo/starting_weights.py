"""The weights that a training starts from: the model's own, CLIP's, or a checkpoint of the official code."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from tipr_zoo.clip_weights import load_clip_tensors
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import WeightsError
from tipr_zoo.official_sizes import listed
from tipr_zoo.official_tensors import is_official_format, official_state
from tipr_zoo.weights import is_clip_format, load_tensors, read_weights

logger = logging.getLogger("tipr_zoo")

_TOWERS = ("image_encoder.", "text_encoder.")


def load_starting_weights(model: DualEncoder, path: Path) -> None:
    """Load what a training is to start from; what of it is left out or stays random is told in the log.

    Args:
        model: Changed in place.
        path: Weights of the whole model, whose identity classifier may be of other identities; CLIP's, for its towers;
            or a checkpoint of the official code of IRRA, SEN or FMFA, such as NAM's and HAM's, for its towers and for
            those of its heads that the checkpoint has.

    Raises:
        WeightsError: The file cannot be read, or does not fit the model.
    """
    tensors = read_weights(path)
    if is_clip_format(tensors):
        load_clip_tensors(model, tensors, f"CLIP weights {path}")
    elif is_official_format(tensors):
        _load_official(model, tensors, path)
    else:
        load_tensors(model, _without_other_classifier(model, tensors, path), path)


def _load_official(model: DualEncoder, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Both towers from an official checkpoint, whole, and every head that it has; the others keep what they have."""
    state, left_over = official_state(tensors, f"checkpoint {path}")
    own = model.state_dict()
    unknown = [name for name in state if name not in own]
    left_over += [name for name in unknown if not name.startswith(_TOWERS)]
    known = {name: tensor for name, tensor in state.items() if name in own}
    known = _without_other_classifier(model, known, path)
    problems = [f"{name} is missing" for name in own if name.startswith(_TOWERS) and name not in known]
    problems += [f"{name} is left over" for name in unknown if name.startswith(_TOWERS)]
    problems += [
        f"{name} has shape {tuple(tensor.shape)}, the model {tuple(own[name].shape)}"
        for name, tensor in known.items()
        if tensor.shape != own[name].shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise WeightsError(f"checkpoint {path} does not fit the model: {'; '.join(problems[:3])}{more}")
    model.load_state_dict(own | known, strict=True)
    random = [name for name in own if name not in known]
    told = ["both towers are the checkpoint's"]
    told += [f"still random: {listed(random)}"] if random else []
    told += [f"left over: {listed(left_over)}"] if left_over else []
    logger.warning("checkpoint %s: %s", path, "; ".join(told))


def _without_other_classifier(model: DualEncoder, tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors with the model's own identity classifier, which starts anew, where theirs is of other identities."""
    own = model.state_dict()
    classifier = {name: own[name] for name in tensors if name.startswith("heads.id.classifier.") and name in own}
    if all(tensors[name].shape == tensor.shape for name, tensor in classifier.items()):
        return tensors
    logger.warning("%s: its identity classifier is of other identities, so that the model's starts anew", path)
    return tensors | classifier
