"""The names of RDE's checkpoints (ICL's and CONQUER's are the same), and those of the same tensors in its model."""

from __future__ import annotations

RULES = (
    (r"visul_emb_layer\.fc\.(\w+)", r"image_selection.linear.\1"),
    (r"visul_emb_layer\.mlp\.layers\.0\.(\w+)", r"image_selection.mlp.0.\1"),
    (r"visul_emb_layer\.mlp\.bns\.0\.(\w+)", r"image_selection.mlp.1.\1"),
    (r"visul_emb_layer\.mlp\.layers\.1\.(\w+)", r"image_selection.mlp.3.\1"),
    (r"texual_emb_layer\.linear\.(\w+)", r"text_selection.linear.\1"),
    (r"texual_emb_layer\.mlp\.layers\.0\.(\w+)", r"text_selection.mlp.0.\1"),
    (r"texual_emb_layer\.mlp\.bns\.0\.(\w+)", r"text_selection.mlp.1.\1"),
    (r"texual_emb_layer\.mlp\.layers\.1\.(\w+)", r"text_selection.mlp.3.\1"),
)
"""Pattern of an official name, and the name in `tipr_zoo_rde.dual_embedding.RobustDualEmbedding`. Towers are CLIP's."""

UNUSED = r"visul_emb_layer\.linear\.\w+|(?:visul|texual)_emb_layer\.mlp\.bns\.1\.\w+"
"""What a checkpoint holds although no forward pass needs it."""
