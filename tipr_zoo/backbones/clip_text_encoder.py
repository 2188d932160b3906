"""Text towers: CLIP's text transformer from transformers, with every token projected."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from tipr_zoo.registries import BACKBONES


@BACKBONES.register_module()
class CLIPTextEncoder(nn.Module):
    """CLIP's causal text transformer; LayerNorm and projection act on every token.

    Args:
        embedding_size: Size D of the shared embedding space.
        vocabulary_size: Number of token ids. The end token must be the largest id.
        context_length: Largest number of tokens L of a caption.
        width: Width of the tokens inside the tower.
        depth: Number of blocks.
        num_heads: Attention heads of a block; None for CLIP's one head per 64 of the width.
        activation: Activation of the MLPs, by its name in transformers; CLIP's by default.
    """

    def __init__(
        self,
        embedding_size: int,
        vocabulary_size: int = 49408,
        context_length: int = 77,
        width: int = 512,
        depth: int = 12,
        num_heads: int | None = None,
        activation: str = "quick_gelu",
    ) -> None:
        super().__init__()
        self.context_length = context_length
        # Padding is id 0 and stays unmasked, as in CLIP: attention is causal, so it changes no token before it.
        config = CLIPTextConfig(
            vocab_size=vocabulary_size,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=depth,
            num_attention_heads=num_heads or width // 64,
            max_position_embeddings=context_length,
            projection_dim=embedding_size,
            hidden_act=activation,
            pad_token_id=0,
            bos_token_id=vocabulary_size - 2,
            eos_token_id=vocabulary_size - 1,
        )
        self.trunk = CLIPTextModelWithProjection(config)

    def forward(self, ids: Tensor) -> Tensor:
        """Encode captions.

        Args:
            ids: (B, L) int64 token ids, zero after the end token. L may be smaller than the context length.

        Returns:
            (B, L, D) projected tokens.
        """
        hidden = self.trunk.text_model(input_ids=ids, attention_mask=None).last_hidden_state
        return self.trunk.text_projection(hidden)
