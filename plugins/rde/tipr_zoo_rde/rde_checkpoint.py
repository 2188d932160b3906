"""The checkpoints of RDE's official code, and of ICL's and CONQUER's, which have the same names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from tipr_zoo.checkpoint_readers import shape_of
from tipr_zoo.registries import CHECKPOINTS


@CHECKPOINTS.register_module("rde")
class RDECheckpoint:
    """Checkpoints of RDE: token selection for pictures (``visul_emb_layer``) and captions (``texual_emb_layer``)."""

    title = "RDE"
    model = "rde_vitb16_cuhk"
    rules = (
        (r"visul_emb_layer\.fc\.(\w+)", r"image_selection.linear.\1"),
        (r"visul_emb_layer\.mlp\.layers\.0\.(\w+)", r"image_selection.mlp.0.\1"),
        (r"visul_emb_layer\.mlp\.bns\.0\.(\w+)", r"image_selection.mlp.1.\1"),
        (r"visul_emb_layer\.mlp\.layers\.1\.(\w+)", r"image_selection.mlp.3.\1"),
        (r"texual_emb_layer\.linear\.(\w+)", r"text_selection.linear.\1"),
        (r"texual_emb_layer\.mlp\.layers\.0\.(\w+)", r"text_selection.mlp.0.\1"),
        (r"texual_emb_layer\.mlp\.bns\.0\.(\w+)", r"text_selection.mlp.1.\1"),
        (r"texual_emb_layer\.mlp\.layers\.1\.(\w+)", r"text_selection.mlp.3.\1"),
    )
    unused = (r"visul_emb_layer\.linear\.\w+", r"(?:visul|texual)_emb_layer\.mlp\.bns\.1\.\w+")

    def recognises(self, names: Collection[str]) -> bool:
        """Tell whether a checkpoint has token selection."""
        return any(name.startswith(("visul_emb_layer.", "texual_emb_layer.")) for name in names)

    def sizes(self, tensors: Mapping[str, Tensor], model: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read the size of the embeddings of selected tokens off the tensors."""
        linear = "visul_emb_layer.fc.weight"
        return {"selected_size": shape_of(tensors, linear, 2)[0]} if linear in tensors else {}


@CHECKPOINTS.register_module("icl")
class ICLCheckpoint(RDECheckpoint):
    """Checkpoints of ICL, which trains RDE's model on further captions."""

    title = "ICL"


@CHECKPOINTS.register_module("conquer")
class CONQUERCheckpoint(RDECheckpoint):
    """Checkpoints of CONQUER, which puts a re-ranker behind RDE's model."""

    title = "CONQUER"
