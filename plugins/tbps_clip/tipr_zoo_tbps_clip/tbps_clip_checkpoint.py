"""The checkpoints of TBPS-CLIP's official code. Its towers stand behind ``visual.`` and ``encode_text.``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from tipr_zoo.checkpoint_readers import shape_of
from tipr_zoo.registries import CHECKPOINTS

_PROJECTOR = "simclr_mlp."


@CHECKPOINTS.register_module("tbps_clip")
class TBPSCLIPCheckpoint:
    """Checkpoints of TBPS-CLIP: a learned scale, and the projector of SS-I."""

    title = "TBPS-CLIP"
    model = "tbps_clip_vitb16_cuhk"
    rules: tuple[tuple[str, str], ...] = (
        (r"logit_scale", r"logit_scale"),
        (r"simclr_mlp\.([02])\.(\w+)", r"heads.ss.mlp.\1.\2"),
    )
    unused: tuple[str, ...] = ()

    def recognises(self, names: Collection[str]) -> bool:
        """Tell whether a checkpoint has TBPS-CLIP's projector, or a learned scale and nothing besides."""
        return any(name.startswith(_PROJECTOR) for name in names) or set(names) == {"logit_scale"}

    def sizes(self, tensors: Mapping[str, Tensor], model: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read the sizes of the projector off the tensors."""
        first = f"{_PROJECTOR}0.weight"
        if first not in tensors:
            return {}
        hidden, width = shape_of(tensors, first, 2)
        return {"heads": {"ss": {"embedding_size": width, "hidden_size": hidden}}}


@CHECKPOINTS.register_module("tbps_clip_simplified")
class SimplifiedTBPSCLIPCheckpoint(TBPSCLIPCheckpoint):
    """Checkpoints of the simplified TBPS-CLIP: a learned scale alone."""

    title = "TBPS-CLIP (simplified)"
    model = "tbps_clip_simplified_vitb16_cuhk"
    rules = ((r"logit_scale", r"logit_scale"),)

    def recognises(self, names: Collection[str]) -> bool:
        """Tell whether a checkpoint has a learned scale and nothing besides."""
        return set(names) == {"logit_scale"}

    def sizes(self, tensors: Mapping[str, Tensor], model: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return nothing: there is nothing besides the towers."""
        return {}
