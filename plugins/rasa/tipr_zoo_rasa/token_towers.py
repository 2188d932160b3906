"""RaSa's towers (those of ALBEF, arXiv 2107.07651): their tokens keep the width that they have inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import nn

from tipr_zoo.backbones.bert_text_encoder import BertTextEncoder
from tipr_zoo.backbones.vision_transformer import VisionTransformerEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import BACKBONES
from tipr_zoo_rasa.bert_initialisation import begin_like_bert


@BACKBONES.register_module()
class TokenVisionTransformer(VisionTransformerEncoder):
    """A timm vision transformer whose tokens are not projected, so that a cross-encoder can attend to them.

    The names of its parameters are timm's, behind ``trunk.``.

    Args:
        model_name: Name of a vision transformer of timm's.
        image_size: Height and width of the pictures in pixels.
        stride: Pixels between two patches; None for patches that touch.
        width: Width of the tokens.
        depth: Number of blocks; None for the model's own.
        num_heads: Attention heads of a block; None for the model's own.
        stem: ``"patch"`` for one patch convolution, ``"convolution"`` for a chain of small convolutions.

    Attributes:
        width: Width of the tokens.

    Raises:
        ConfigError: timm has no such vision transformer, or the sizes do not fit each other.
    """

    def __init__(
        self,
        model_name: str = "vit_base_patch16_384",
        image_size: Sequence[int] = (384, 384),
        stride: int | None = None,
        width: int = 768,
        depth: int | None = None,
        num_heads: int | None = None,
        stem: str = "patch",
    ) -> None:
        super().__init__(model_name, width, image_size, stride, width, depth, num_heads, stem)
        self.trunk.head = nn.Identity()
        self.width = width
        del self.embedding_size  # which says the size of the space that both towers share


@BACKBONES.register_module()
class TokenBert(BertTextEncoder):
    """BERT's layers for captions alone, whose tokens are not projected. The embedding is the first token, ``[CLS]``.

    Args:
        vocabulary_size: Number of token ids; 0 is padding.
        context_length: Largest number of tokens L of a caption.
        positions: How many positions are learned; at least as many. BERT's checkpoints have 512.
        width: Width of the tokens.
        depth: Number of blocks.
        num_heads: Attention heads of a block; None for one head per 64 of the width.
        dropout: Share of numbers that training drops, of attention as well; BERT's by default.

    Attributes:
        width: Width of the tokens.

    Raises:
        ConfigError: A size or share makes no sense.
    """

    may_have_plain_trunk = True

    def __init__(
        self,
        vocabulary_size: int = 30522,
        context_length: int = 50,
        positions: int = 512,
        width: int = 768,
        depth: int = 6,
        num_heads: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(width, vocabulary_size, positions, width, depth, num_heads, dropout)
        if context_length > positions:
            raise ConfigError(
                f"context_length {context_length} of TokenBert is more than its positions, {positions}; lower it, or"
                " raise positions"
            )
        self.text_projection = cast(Any, nn.Identity())
        self.context_length, self.width = context_length, width
        begin_like_bert(self.trunk, width)
        del self.embedding_size
