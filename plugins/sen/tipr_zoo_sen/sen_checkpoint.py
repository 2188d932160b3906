"""The checkpoints of SEN's official code."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from tipr_zoo.checkpoint_readers import IDENTITY_RULES, depth_of, identity_sizes, shape_of
from tipr_zoo.registries import CHECKPOINTS


@CHECKPOINTS.register_module("sen")
class SENCheckpoint:
    """Checkpoints of SEN: an identity classifier, and text-guided restoration."""

    title = "SEN"
    model = "sen_vitb16_cuhk"
    # Of its norms 1 to 7 and its three cross-attentions, the forward pass uses these alone.
    rules = (
        *IDENTITY_RULES,
        (
            r"(mask_token|(?:decoder_embed|decoder_pred|cross_attn_Text|cross_modal_transformer_mae|norm_[12467])\..+)",
            r"heads.tir.\1",
        ),
    )
    # The positions are fixed, and computed anew by the zoo.
    unused = (r"(?:cross_attn_TextImage|cross_attn_Image|norm_3|norm_5)\..+", "decoder_pos_embed")

    def recognises(self, names: Collection[str]) -> bool:
        """Tell whether a checkpoint has text-guided restoration."""
        return any(name == "mask_token" or name.startswith("cross_modal_transformer_mae.") for name in names)

    def sizes(self, tensors: Mapping[str, Tensor], model: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read the sizes of both heads off the tensors. Restoration needs patches that touch."""
        return {"heads": {"id": identity_sizes(tensors, model), "tir": self._restoration(tensors, model)}}

    def _restoration(self, tensors: Mapping[str, Tensor], model: Mapping[str, Any]) -> dict[str, Any] | str:
        image, patches = model["image_encoder"], "base_model.visual.conv1.weight"
        if patches not in tensors or "stride" not in image:
            return "it needs a vision transformer, and the checkpoint has another image tower"
        patch_size = shape_of(tensors, patches, 4)[3]
        if patch_size != image["stride"]:
            return f"it needs patches that touch, and those of the checkpoint are {image['stride']} pixels apart"
        return {
            "embedding_size": image["embedding_size"],
            "image_size": image["image_size"],
            "patch_size": patch_size,
            "depth": depth_of(tensors, "cross_modal_transformer_mae."),
        }
