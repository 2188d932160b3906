"""The readers of checkpoints that the core brings: IRRA's, and those of methods whose code has IRRA's names.

A plugin's reader may inherit from `IRRACheckpoint`, and takes from this module what it shares with IRRA.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from torch import Tensor

from tipr_zoo.errors import WeightsError
from tipr_zoo.registries import CHECKPOINTS

IDENTITY_RULES: tuple[tuple[str, str], ...] = ((r"(classifier\..+)", r"heads.id.\1"),)
"""The rule for the identity classifier, which IRRA's code and what is built on it share."""


def identity_sizes(tensors: Mapping[str, Tensor], model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of the head ``id``: its embedding size, and as many identities as the classifier has.

    Args:
        tensors: By official name.
        model: The ``model`` entry of the recipe.

    Raises:
        WeightsError: The classifier is no matrix.
    """
    sizes = {"embedding_size": model["image_encoder"]["embedding_size"]}
    if "classifier.weight" in tensors:
        sizes["num_identities"] = shape_of(tensors, "classifier.weight", 2)[0]
    return sizes


def depth_of(tensors: Collection[str], prefix: str) -> int:
    """Count the blocks ``PREFIXresblocks.N.``. It is at least one, so that what is missing can be named.

    Args:
        tensors: Official names, or tensors by them.
        prefix: The beginning of the names, e.g. ``"cross_modal_transformer."``.
    """
    pattern = re.compile(re.escape(prefix) + r"resblocks\.(\d+)\.")
    # A strange number makes no list of millions: there are no more blocks than names.
    indices = (min(int(match[1]), len(tensors)) for name in tensors if (match := pattern.match(name)))
    return 1 + max(indices, default=0)


def shape_of(tensors: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """Return the shape of a tensor.

    Args:
        tensors: By official name.
        name: Its name.
        dimensions: How many dimensions it must have.

    Raises:
        WeightsError: It has another number of dimensions.
    """
    shape = tuple(tensors[name].shape)
    if len(shape) != dimensions:
        raise WeightsError(f"{name} must have {dimensions} dimensions, got the shape {shape}")
    return shape


@CHECKPOINTS.register_module("irra")
class IRRACheckpoint:
    """Checkpoints of IRRA: an identity classifier, and implicit relation reasoning."""

    title = "IRRA"
    model = "irra_vitb16_cuhk"
    rules: Sequence[tuple[str, str]] = (
        *IDENTITY_RULES,
        (r"((?:cross_attn|cross_modal_transformer|ln_pre_t|ln_pre_i|ln_post|mlm_head)\..+)", r"heads.irr.\1"),
    )
    unused: Sequence[str] = ()

    def recognises(self, names: Collection[str]) -> bool:
        """Tell whether a checkpoint has implicit relation reasoning."""
        return any(name.startswith(("cross_modal_transformer.", "mlm_head.", "cross_attn.")) for name in names)

    def sizes(self, tensors: Mapping[str, Tensor], model: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read the sizes of both heads off the tensors."""
        words = "mlm_head.fc.weight"
        vocabulary = {"vocabulary_size": shape_of(tensors, words, 2)[0]} if words in tensors else {}
        reasoning = {
            "embedding_size": model["image_encoder"]["embedding_size"],
            "depth": depth_of(tensors, "cross_modal_transformer."),
        }
        return {"heads": {"id": identity_sizes(tensors, model), "irr": reasoning | vocabulary}}


@CHECKPOINTS.register_module("nam")
class NAMCheckpoint(IRRACheckpoint):
    """Checkpoints of NAM, which pretrains IRRA."""

    title = "NAM"


@CHECKPOINTS.register_module("ham")
class HAMCheckpoint(IRRACheckpoint):
    """Checkpoints of HAM, which pretrains IRRA."""

    title = "HAM"


@CHECKPOINTS.register_module("ga_dms")
class GADMSCheckpoint(IRRACheckpoint):
    """Checkpoints of GA-DMS, which pretrains IRRA."""

    title = "GA-DMS"
